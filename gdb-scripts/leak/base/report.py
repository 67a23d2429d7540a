# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command answers: rows for a person, or one JSON document for a program (-json)."""
import json
import sys
import time

import gdb

# Longer cells are cut in tables; JSON has all of them.
CELL_CHARS_MAX = 200
PROGRESS_SECONDS = 0.2
PROGRESS_AFTER_SECONDS = 1.0


class Report:
    def __init__(self, verb, wants_json):
        self._wants_json = wants_json
        self.document = {"verb": verb}
        self._lines = []
        self._notes = []

    def set(self, key, value):
        """For programs alone."""
        self.document[key] = value

    def line(self, text):
        self._lines.append(text)

    def note(self, text):
        self._notes.append(text)

    def table(self, key, columns, rows, limit=None, total=None, shown=None):
        """@columns: (key, title, is a number); @rows: dicts. JSON has all of them, a table @limit.
        @shown: columns of the table where not all are for a person."""
        self.document[key] = rows
        columns = [column for column in columns if shown is None or column[0] in shown]
        visible = rows if limit is None else rows[:limit]
        if not rows:
            return
        lines = [[title for _, title, _ in columns]]
        lines += [[cell(row.get(name)) for name, _, _ in columns] for row in visible]
        rest = rows[len(visible):]
        if rest:
            lines.append(self._sum("(%s more)" % number(len(rest)), columns, rest))
        if total:
            lines.append(self._sum(total, columns, rows))
        widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
        for line in lines:
            cells = [text.rjust(width) if is_number else text.ljust(width)
                     for text, width, (_, _, is_number) in zip(line, widths, columns)]
            self._lines.append("  ".join(cells).rstrip())

    @staticmethod
    def _sum(title, columns, rows):
        first = next((name for name, _, is_number in columns if not is_number), None)
        return [title if name == first else
                number(sum(row[name] for row in rows)) if is_number else ""
                for name, _, is_number in columns]

    def end(self):
        if self._wants_json:
            self.document["notes"] = self._notes
            gdb.write(json.dumps(self.document) + "\n")
            return
        lines = self._lines + ([""] if self._lines and self._notes else []) + self._notes
        gdb.write("".join(line + "\n" for line in lines))


def number(value):
    return "{:,}".format(value)


def cell(value):
    if value is None:
        return ""
    if isinstance(value, int):
        return number(value)
    text = safe(str(value))
    return text if len(text) <= CELL_CHARS_MAX else text[:CELL_CHARS_MAX - 3] + "..."


def safe(text):
    """Without what would move a terminal's cursor: names are data of the inspected program."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def human_bytes(count):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return "%d B" % count if unit == "B" else "%.1f %s" % (count, unit)


class Progress:
    """How far it is, on stderr when that is a terminal, from the first second on."""

    def __init__(self, what):
        self._what = what
        self._begun = time.monotonic()
        self._next = self._begun + PROGRESS_AFTER_SECONDS
        self._shown = False
        self._wanted = sys.__stderr__ is not None and sys.__stderr__.isatty()

    def step(self, done, of):
        if not self._wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._shown = True
        gdb.write("\r%s: %s of %s (%d %%)\033[K" % (self._what, number(done), number(of),
                                                  done * 100 // max(of, 1)), gdb.STDERR)
        gdb.flush(gdb.STDERR)

    def end(self):
        if self._shown:
            gdb.write("\r\033[K", gdb.STDERR)
            gdb.flush(gdb.STDERR)
            self._shown = False
