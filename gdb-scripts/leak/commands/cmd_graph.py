# SPDX-License-Identifier: GPL-3.0-or-later
"""leak garbage, leak cycles"""
from .. import session
from ..graph import cycles, garbage, graph
from .cmd_types import matches, note_problems
from .command import LIMIT, LeakCommand, Option
from ..base.report import number

TYPE_COLUMNS = [("name", "TYPE", False), ("count", "COUNT", True)]
ROWS_SHOWN = 20
TOLD_MAX = 5


def rows_of(counts):
    rows = [{"name": name, "count": count} for name, count in counts.items()]
    return sorted(rows, key=lambda row: (-row["count"], row["name"]))


def note_edges(report, python):
    """What references could not be found exactly, and what not at all."""
    edges = python.edges
    report.set("problems", python.problems)
    for sentence in python.problems:
        report.note(sentence)
    report.set("substituted", edges.substituted)
    report.set("unreadable", len(edges.unreadable))
    for name, reason in list(edges.substituted.items())[:TOLD_MAX]:
        report.note("references of %s are those of its struct's members, as %s" % (name, reason))
    if len(edges.substituted) > TOLD_MAX:
        report.note("so are those of %d more types" % (len(edges.substituted) - TOLD_MAX))
    if edges.unreadable:
        at, reason = next(iter(edges.unreadable.items()))
        report.note("the references of %s objects could not be read, of the first at 0x%x: %s; what "
                    "only they lead to may be told as unreachable"
                    % (number(len(edges.unreadable)), at, reason))


class GarbageCommand(LeakCommand):
    name = "garbage"
    summary = "what gc.collect() would find now, without running it"
    text = """By the collector's own rules over the references that each type's tp_traverse visits: what nothing
reaches and a collection frees, and what it cannot free because of a finalizer of the old kind. No
code of the program is run, so what finalizers and callbacks of weak references would change is not
in the numbers; the report says how many there are."""
    options = (LIMIT,)
    examples = (("leak garbage", "what a collection would find"),
                ("leak garbage -json", "the same for a program"))

    def run(self, report, options, words):
        here = session.current()
        found, python = garbage.of(here), here.python()
        report.set("unreachable", found.unreachable)
        report.set("uncollectable", found.uncollectable)
        report.set("garbage", sum(found.garbage_by_type.values()))
        report.set("to_garbage", sum(found.to_garbage_by_type.values()))
        report.set("unfinalized", found.unfinalized)
        report.set("callbacks", found.callbacks)
        report.set("enabled", python.runtime.enabled)
        for title, value in (("unreachable", found.unreachable),
                             ("uncollectable", found.uncollectable),
                             ("in gc.garbage", sum(found.garbage_by_type.values())),
                             ("to be added there", sum(found.to_garbage_by_type.values())),
                             ("finalizers to run", found.unfinalized),
                             ("callbacks to run", found.callbacks)):
            report.line("%-17s  %8s" % (title, number(value)))
        limit = options.get("n", ROWS_SHOWN)
        for key, title, counts in (
                ("by_type", "what a collection finds", found.by_type),
                ("uncollectable_by_type", "cannot be freed", found.uncollectable_by_type),
                ("to_garbage_by_type", "will be in gc.garbage", found.to_garbage_by_type),
                ("garbage_by_type", "is in gc.garbage", found.garbage_by_type)):
            if counts:
                report.line("")
                report.line(title + ":")
            report.table(key, TYPE_COLUMNS, rows_of(counts), limit)
        self._notes(report, found, python, graph.of(here))

    @staticmethod
    def _notes(report, found, python, graph_now):
        count = found.unreachable + found.uncollectable
        report.note("gc.collect() would return %s: %s to be freed, %s that cannot be freed" % (
            number(count), number(found.unreachable), number(found.uncollectable)))
        if len(python.runtime.interpreters) > 1 and python.layout.interp_gc is not None:
            report.note("that is of all %d interpreters together: each collects for itself"
                        % len(python.runtime.interpreters))
        if found.unfinalized or found.callbacks:
            report.note("what it would free depends on code that it runs before: %s finalizers and "
                        "callbacks" % number(found.unfinalized + found.callbacks))
        if count and not python.runtime.enabled:
            report.note("the collector is disabled: no collection comes by itself")
        note_edges(report, python)
        note_problems(report, graph_now.torn, graph_now.collecting)


CYCLE_COLUMNS = [("state", "STATE", False), ("count", "COUNT", True), ("objects", "OBJECTS", True),
                 ("shape", "SHAPE", False), ("told", "FINALIZERS", False)]
STATE_NOTES = {
    "pending": "pending: the next collection of all generations frees them",
    "uncollectable": "uncollectable: no collection ever frees them",
    "frozen": "frozen: gc.freeze() keeps them out of collections",
}


class CyclesCommand(LeakCommand):
    name = "cycles"
    summary = "reference cycles by shape, and what becomes of them"
    text = """A row for each shape and state: how many cycles, their objects (an attribute dict is none of its own),
the shape, and which types have a finalizer (del: __del__, builtin: one in C, legacy: one that keeps a
cycle from being freed). Cycles without a finalizer are left out unless -all is given. With PATTERN only
those that have it in their shape or in the name of one of their types."""
    arguments = "[PATTERN]"
    most = 1
    options = (Option("all", "cycles without a finalizer, too"), LIMIT)
    examples = (("leak cycles", "cycles with a finalizer"),
                ("leak cycles -all -n 10 Session", "any that have Session in them, ten shapes"))
    completes_types = True

    def run(self, report, options, words):
        here = session.current()
        found = cycles.find(here, options.get("all", False))
        rows = [row for row in found.rows if not words or matches(words[0], row.shape)
                or any(matches(words[0], name) for name in row.types)]
        report.table("cycles", CYCLE_COLUMNS, [self._row(here, row) for row in rows],
                     options.get("n", ROWS_SHOWN), "total" if rows else None)
        report.set("without_finalizer", found.without_finalizer)
        if not rows:
            report.line("no such cycle" if words else "no cycle with a finalizer"
                        if not options.get("all") else "no cycle")
        self._notes(report, here, rows, found)

    @staticmethod
    def _row(here, row):
        graph_now = graph.of(here)
        finalizers = [{"type": name, "kind": kind} for name, kind in sorted(row.finalizers.items())]
        holder = row.holder and dict(zip(("address", "type", "label", "held"), (
            "0x%x" % row.holder[0], row.holder[1], row.holder[2], "0x%x" % row.holder[3])))
        return {"shape": row.shape, "state": row.state, "count": row.count, "objects": row.objects,
                "types": [name for name, _ in sorted(row.types.items(), key=lambda one: (
                    -one[1], one[0]))],
                "finalizers": finalizers, "holder": holder,
                "told": ", ".join("%(type)s %(kind)s" % one for one in finalizers),
                "example": ["0x%x" % graph_now.at[number] for number in row.example]}

    @staticmethod
    def _notes(report, here, rows, found):
        held = [row for row in rows if row.state == "reachable"]
        for row in held[:TOLD_MAX]:
            report.note("%s: one of them is held by %s" % (row.shape, "%s%s, the object at 0x%x" % (
                row.holder[1], row.holder[2], row.holder[0]) if row.holder
                else "C code alone, as far as can be seen"))
        for state in ("pending", "uncollectable", "frozen"):
            if any(row.state == state for row in rows):
                report.note(STATE_NOTES[state])
        python = here.python()
        if any(row.state == "pending" for row in rows) and not python.runtime.enabled:
            report.note("the collector is disabled: no collection comes by itself")
        if found.without_finalizer:
            report.note("%s cycle%s without a finalizer left out: -all shows them, too" % (
                number(found.without_finalizer), "" if found.without_finalizer == 1 else "s"))
        note_edges(report, python)
        graph_now = graph.of(here)
        note_problems(report, graph_now.torn, graph_now.collecting)
