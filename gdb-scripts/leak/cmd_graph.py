# SPDX-License-Identifier: GPL-3.0-or-later
"""leak garbage, leak cycles"""
from . import garbage, graph, session
from .cmd_types import note_problems
from .command import LIMIT, LeakCommand
from .report import number

TYPE_COLUMNS = [("name", "TYPE", False), ("count", "COUNT", True)]
ROWS_SHOWN = 20
TOLD_MAX = 5


def rows_of(counts):
    rows = [{"name": name, "count": count} for name, count in counts.items()]
    return sorted(rows, key=lambda row: (-row["count"], row["name"]))


def note_edges(report, python):
    """What references could not be found exactly, and what not at all."""
    edges = python.edges
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
