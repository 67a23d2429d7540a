# SPDX-License-Identifier: GPL-3.0-or-later
"""leak stats, diff, untracked: the process as a whole."""
from .. import session
from ..graph import census, garbage
from ..python import pools
from .cmd_types import ROWS_SHOWN, matches, note_problems
from .command import LIMIT, LeakCommand, Option
from ..base.errors import Fault, LeakError
from ..base.report import human_bytes, number
from ..python.walk import Walk

GENERATION_COLUMNS = [("name", "GENERATION", False), ("objects", "OBJECTS", True),
                      ("count", "COUNT", True), ("threshold", "THRESHOLD", True)]
DIFF_COLUMNS = [("name", "TYPE", False), ("change", "CHANGE", True), ("tracked", "TRACKED", True)]
UNTRACKED_COLUMNS = [("name", "TYPE", False), ("count", "COUNT", True), ("bytes", "BYTES", True)]


class Stats(LeakCommand):
    name = "stats"
    summary = "the collector's state, generation by generation"
    examples = (("leak stats", ""), ("leak stats -json", "the same for a program"))

    def run(self, report, options, words):
        here = session.current()
        python = here.python()
        runtime, layout = python.runtime, python.layout
        walk = Walk(layout, python.memory, runtime.collecting)
        rows = []
        for generation in runtime.generations:
            at = generation.head - layout.generation_head
            data = python.memory.read(at, layout.generation_bytes)
            rows.append({"name": generation.name, "objects": len(walk.types(generation)),
                         "count": layout.fields["generation_count"].value(data),
                         "threshold": layout.fields["generation_threshold"].value(data)})
        facts = {"interpreters": len(runtime.interpreters), "threads": len(runtime.thread_states()),
                 "enabled": runtime.enabled, "collecting": runtime.collecting,
                 "debug": runtime.debug, "garbage": len(garbage.in_garbage_list(python)),
                 "tracked": sum(row["objects"] for row in rows)}
        for key, value in facts.items():
            report.set(key, value)
            shown = "yes" if value is True else "no" if value is False else number(value)
            report.line("%-14s %s" % (key if key != "garbage" else "in gc.garbage", shown))
        report.line("")
        report.table("generations", GENERATION_COLUMNS, rows)
        report.set("read_bytes", python.memory.bytes_read)
        report.note("read %s of the program's memory" % human_bytes(python.memory.bytes_read))
        note_problems(report, walk.torn, runtime.collecting)


class Diff(LeakCommand):
    name = "diff"
    summary = "which types have more tracked objects than at the time before"
    text = """The first time it takes the numbers down. Let the program run on (`continue`, Ctrl-C) and ask again:
then it shows what has changed since the first time. -reset takes them down anew."""
    arguments = "[PATTERN]"
    most = 1
    options = (Option("reset", "compare with this moment from now on"), LIMIT)
    examples = (("leak diff", "take the numbers down, then compare"),
                ("leak diff -reset", "begin again"))
    completes_types = True

    def run(self, report, options, words):
        here = session.current()
        found = census.take(here)
        now = dict(found.tracked)
        before = here.baseline
        if before is None or options.get("reset"):
            here.baseline = now
            report.set("types", [])
            report.set("baseline", sum(now.values()))
            report.line("%s tracked objects of %s types taken down; let the program run and ask again"
                        % (number(sum(now.values())), number(len(now))))
            note_problems(report, found.torn, found.collecting)
            return
        rows = [{"name": name, "change": now.get(name, 0) - before.get(name, 0),
                 "tracked": now.get(name, 0)} for name in set(now) | set(before)
                if not words or matches(words[0], name)]
        rows = [row for row in rows if row["change"]]
        rows.sort(key=lambda row: (-row["change"], row["name"]))
        report.table("types", DIFF_COLUMNS, rows, options.get("n", ROWS_SHOWN))
        report.set("baseline", sum(before.values()))
        report.set("change", sum(now.values()) - sum(before.values()))
        if not rows:
            report.line("no type has more or fewer tracked objects than before")
        note_problems(report, found.torn, found.collecting)


class Untracked(LeakCommand):
    name = "untracked"
    summary = "objects that the collector does not track, as pymalloc's pools hold them"
    text = """Numbers, text, and dicts and tuples of such: objects of at most 512 bytes, block by block. Larger ones
are malloc's and not counted. BYTES are those of their blocks."""
    arguments = "[PATTERN]"
    most = 1
    options = (LIMIT,)
    examples = (("leak untracked", "the twenty most numerous types"),
                ("leak untracked -n 5 str", "types with `str` in their name"))

    def run(self, report, options, words):
        here = session.current()
        try:
            found = pools.Pools(here)
        except Fault as fault:
            raise LeakError("the pools cannot be read: %s" % fault) from fault
        rows = [{"name": name, "count": count, "bytes": found.bytes[name]}
                for name, count in found.counts.items() if not words or matches(words[0], name)]
        rows.sort(key=lambda row: (-row["count"], row["name"]))
        report.table("types", UNTRACKED_COLUMNS, rows, options.get("n", ROWS_SHOWN), "total")
        report.set("pools", found.pools)
        report.set("unreadable", found.unreadable)
        if not rows:
            report.line("no such object in the pools")
        report.note("in %s pools; objects of more than 512 bytes are not in them" % number(found.pools))
        if found.unreadable:
            report.note("%s pools could not be read: the numbers are those of the others"
                        % number(found.unreadable))
