# SPDX-License-Identifier: GPL-3.0-or-later
"""leak types, leak diff"""
import fnmatch

from .. import session
from ..graph import census
from .command import LIMIT, LeakCommand

COLUMNS = [("name", "TYPE", False), ("tracked", "TRACKED", True), ("frozen", "FROZEN", True)]
ROWS_SHOWN = 20


def note_problems(report, torn, collecting):
    """The last lines of a report: whether it is complete."""
    told = census.problems(torn, collecting)
    report.set("complete", not told)
    for sentence in told:
        report.note(sentence)
    if told:
        report.note("the numbers above are those of what could be followed")


def matches(pattern, name):
    """As `types` of leakinspect: a part of the name, or a pattern with * and ?."""
    if any(c in pattern for c in "*?["):
        return fnmatch.fnmatchcase(name, pattern)
    return pattern.lower() in name.lower()


class Types(LeakCommand):
    name = "types"
    summary = "objects that the collector tracks, by type"
    text = """Follows the lists of all generations of all interpreters, the permanent one of gc.freeze(), too.
With PATTERN only types that have it in their name, or that match it where it has * or ?."""
    arguments = "[PATTERN]"
    most = 1
    options = (LIMIT,)
    examples = (("leak types", "the twenty most numerous"),
                ("leak types -n 5 myapp.", "five of those whose name has `myapp.` in it"))
    completes_types = True

    def run(self, report, options, words):
        found = census.take(session.current())
        rows = [{"name": name, "tracked": number, "frozen": found.frozen[name]}
                for name, number in found.tracked.items() if not words or matches(words[0], name)]
        rows.sort(key=lambda row: (-row["tracked"], row["name"]))
        shown = ["name", "tracked"] + (["frozen"] if found.frozen else [])
        report.table("types", COLUMNS, rows, options.get("n", ROWS_SHOWN), "total", shown)
        report.set("total", sum(row["tracked"] for row in rows))
        if not rows:
            report.line('no tracked object has a type like "%s"' % words[0] if words
                        else "the collector tracks nothing")
        note_problems(report, found.torn, found.collecting)
