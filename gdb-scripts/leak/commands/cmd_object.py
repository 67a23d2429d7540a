# SPDX-License-Identifier: GPL-3.0-or-later
"""leak show, refs, referrers, path: questions about single objects."""
from .. import session
from ..graph import graph as graphs, holders, references
from .command import LIMIT, LeakCommand, Option
from ..base.errors import Fault
from ..base.report import number

ALL = Option("all", "of all objects of the type, not only the first")
COLUMNS = [("address", "ADDRESS", False), ("type", "TYPE", False), ("label", "LABEL", False),
           ("kind", "KIND", False), ("repr", "REPR", False)]
ROWS_SHOWN = 40


def row_of(python, at, label="", kind=None):
    try:
        name = python.objects.name_of(at)
    except Fault:
        name = "?"
    row = {"address": "0x%x" % at, "type": name, "label": label}
    if kind:
        row["kind"] = kind
    row["repr"] = python.reprs.of(at)
    return row


class ObjectCommand(LeakCommand):
    arguments = "ADDRESS-OR-TYPE"
    least = most = 1
    completes_types = True


class Show(ObjectCommand):
    name = "show"
    summary = "one object: type, reference count, finalizer, repr"
    text = """Of a type its first tracked object is shown. The repr is made from memory alone: no code of the
program is run."""
    examples = (("leak show 0x7f822e9a9d50", ""), ("leak show myapp.Session", "the first of them"))

    def run(self, report, options, words):
        here = session.current()
        python = here.python()
        at, = holders.choose(here, words[0])
        kind = references.object_type(python, at)
        tracked = self._tracked(python, at, kind)
        finalizer = python.finalizers.kind(at, kind.at)
        count = graphs.refcounts(python, [at])[0]
        found = {"address": "0x%x" % at, "type": python.objects.name_of(at),
                 "refcount": None if count >= 1 << 62 else count, "tracked": tracked,
                 "finalizer": finalizer, "repr": python.reprs.of(at, 200)}
        report.set("object", found)
        for key, value in found.items():
            if value is not None:
                shown = "yes" if value is True else "no" if value is False else value
                report.line("%-10s %s" % (key, shown))
        if count >= 1 << 62:
            report.note("immortal: its references are not counted")

    @staticmethod
    def _tracked(python, at, kind):
        layout = python.layout
        if not references.is_visited(python, at, kind):
            return False
        try:
            link = python.memory.word(at - layout.gc_head_bytes + layout.gc_next)
            if layout.gc_refs is None:
                return link != 0
            # Up to 3.7 the count in the head says so: _PyGC_REFS_UNTRACKED is -2.
            field = layout.fields["gc_refs"]
            refs = field.value(python.memory.read(at - layout.gc_head_bytes, layout.gc_head_bytes))
            shift = 0 if layout.is_python2 else 1
            refs = (refs - (1 << 64) if refs >> 63 else refs) >> shift
            return refs != -2
        except Fault:
            return False


class Refs(ObjectCommand):
    name = "refs"
    summary = "what an object refers to, by name"
    text = """KIND: gc, what the collector sees; owned, what only the reference count says; weak; guess, a word that
looks like a reference where nothing describes the object."""
    options = (LIMIT,)
    examples = (("leak refs 0x7f822e9a9d50", ""), ("leak refs myapp.Session", "of the first of them"))

    def run(self, report, options, words):
        here = session.current()
        python = here.python()
        at, = holders.choose(here, words[0])
        rows = [row_of(python, one.to, one.label, one.kind)
                for one in references.labelled(python, at)]
        report.table("objects", COLUMNS, rows, options.get("n", ROWS_SHOWN))
        report.set("of", "0x%x" % at)
        if not rows:
            report.line("it refers to nothing")
        report.note("of %s at 0x%x" % (python.objects.name_of(at), at))


class Referrers(ObjectCommand):
    name = "referrers"
    summary = "who refers to an object, by name, and the roots that hold it"
    options = (LIMIT,)
    examples = (("leak referrers 0x7f822e9a9d50", ""),
                ("leak referrers myapp.Session", "to the first of them"))

    def run(self, report, options, words):
        here = session.current()
        python = here.python()
        at, = holders.choose(here, words[0])
        references.object_type(python, at)
        found = holders.of(here)
        rows = []
        for source in found.of(at):
            rows += [row_of(python, source, one.label, one.kind)
                     for one in references.labelled(python, source)
                     if one.to == at and one.kind != "weak"]
        report.table("objects", COLUMNS, rows, options.get("n", ROWS_SHOWN))
        roots = found.roots.get(at, [])
        excess = found.excess(at)
        report.set("of", "0x%x" % at)
        report.set("roots", roots)
        report.set("held_by_c", excess)
        if not rows:
            report.line("no object refers to it")
        for root in roots:
            report.note("a root: %s" % root)
        if excess is None:
            report.note("it is immortal: its references are not counted")
        elif excess > 0:
            report.note("%s reference%s more counted than found: C code holds it, or has leaked it"
                        % (number(excess), "" if excess == 1 else "s"))


class Path(ObjectCommand):
    name = "path"
    summary = "how a root of the interpreter leads to an object"
    text = """A shortest way from a module, a running function, the interpreter's own dicts or gc.garbage. Where
none leads there, the report says whether something in C holds the object."""
    examples = (("leak path 0x7f822e9a9d50", ""), ("leak path myapp.Session", "to the first of them"))

    def run(self, report, options, words):
        here = session.current()
        python = here.python()
        at, = holders.choose(here, words[0])
        references.object_type(python, at)
        found = holders.of(here)
        path = found.path(at)
        if path is None:
            report.set("paths", [])
            self._unreached(report, found, at)
            return
        labels = [""]
        for source, to in zip(path, path[1:]):
            labels.append(next((one.label for one in references.labelled(python, source)
                                if one.to == to), ""))
        rows = [row_of(python, step, label) for step, label in zip(path, labels)]
        root = found.roots[path[0]][0]
        report.set("paths", [rows])
        report.set("root", root)
        report.line(root)
        for row in rows:
            report.line("  %s %s  %s" % (row["address"], row["label"] or "(root)", row["repr"]))

    @staticmethod
    def _unreached(report, found, at):
        excess = found.excess(at)
        report.set("root", None)
        if excess and excess > 0:
            report.line("no module and no running function leads to it, but C code holds it: %s "
                        "reference%s more counted than found"
                        % (number(excess), "" if excess == 1 else "s"))
        else:
            report.line("nothing leads to it: it is garbage, or held by such; `leak cycles` tells "
                        "what becomes of it")
