# SPDX-License-Identifier: GPL-3.0-or-later
"""Who refers to an object: all objects that can be found, whether the collector tracks them or not, and
the roots of the interpreter: modules, running functions, its own dicts, gc.garbage."""
from collections import deque

import gdb

from . import graph as graphs, references
from ..base.errors import Fault, LeakError
from ..python.frames import Frames
from ..base.report import Progress
from ..python.walk import Walk

OBJECTS_MAX = 1 << 27


class Holders:
    """`refs`: {address: [addresses]}; `roots`: {address: [what it is]}."""

    def __init__(self, session):
        self._python = session.python()
        self.graph = graphs.of(session)
        self.refs = {}
        self.roots = {}
        self.owned_roots = {}
        self._find_roots()
        self._follow()

    def _add_root(self, at, what, owns=False):
        if at:
            self.roots.setdefault(at, []).append(what)
            if owns:
                self.owned_roots[at] = self.owned_roots.get(at, 0) + 1

    def _find_roots(self):
        python = self._python
        layout, objects, word = python.layout, python.objects, python.memory.word
        self._add_root(python.runtime.garbage_at, "gc.garbage")
        for interpreter in python.runtime.interpreters:
            try:
                sys_dict = word(interpreter + layout.interp_sysdict)
                self._add_root(sys_dict, "sys.__dict__")
                modules = objects.dict_get(sys_dict, "modules")
                self._add_root(modules, "sys.modules")
                for name, module in objects.dict_pairs(modules) if modules else ():
                    self._add_root(module, "module %s" % (objects.text(name) or "?"))
            except Fault:
                continue  # The roots below and in other interpreters still count.
        for frame in Frames(python).all():
            for name, at in frame.held:
                self._add_root(at, "%s, %s: %s" % (frame.thread, frame, name), True)

    def _follow(self):
        python, graph = self._python, self.graph
        objects, refs, type_offset = python.objects, self.refs, python.layout.object_type
        word, progress = python.memory.word, Progress("following all references")
        waiting, seen = list(graph.at) + list(self.roots), set(graph.at) | set(self.roots)
        try:
            while waiting and len(seen) < OBJECTS_MAX:
                at = waiting.pop()
                try:
                    kind = objects.type(word(at + type_offset)) if not at & 7 else None
                    if kind is None or not references.has_references(python, kind):
                        continue
                    found = references.addresses(python, at, kind)
                except Fault as fault:
                    python.edges.unreadable[at] = str(fault)
                    continue
                refs[at] = found
                fresh = [to for to in found if to not in seen]
                seen.update(fresh)
                waiting += fresh
                if not len(refs) & 0xfff:
                    progress.step(len(refs), len(seen))
        finally:
            progress.end()

    def of(self, target):
        """Addresses of the objects that refer to @target, in address order."""
        return sorted(at for at, found in self.refs.items() if target in found)

    def excess(self, target):
        """References counted and not found: what C code holds; None for an immortal object."""
        count = graphs.refcounts(self._python, [target])[0]
        if count >= 1 << 62:
            return None
        found = sum(targets.count(target) for targets in self.refs.values())
        return count - found - self.owned_roots.get(target, 0)

    def path(self, target):
        """[addresses] from a root down to @target, a shortest one; None when no root leads there."""
        if target in self.roots:
            return [target]
        came_from, queue = {at: None for at in self.roots}, deque(self.roots)
        while queue:
            at = queue.popleft()
            for to in self.refs.get(at, ()):
                if to in came_from:
                    continue
                came_from[to] = at
                if to == target:
                    return _trace(came_from, to)
                queue.append(to)
        return None


def _trace(came_from, at):
    path = []
    while at is not None:
        path.append(at)
        at = came_from[at]
    return path[::-1]


def of(session):
    if "holders" not in session.kept:
        session.kept["holders"] = Holders(session)
    return session.kept["holders"]


def choose(session, word, wants_all=False):
    """The address that @word means: a number, an expression of GDB's, or the name of a type (then its
    first object). With @wants_all all objects of the type."""
    try:
        return [int(word, 0)]
    except ValueError:
        pass
    if word.startswith("$"):
        return [_convenience(word)]
    found = objects_of_type(session, word)
    if not found:
        raise LeakError('no tracked object is of a type "%s", and it is no address; give 0x... or a '
                        "name as `leak types` shows it" % word)
    return found if wants_all else found[:1]


def _convenience(word):
    # A variable, not an expression: nothing that could call into the program.
    value = gdb.convenience_variable(word[1:])
    if value is None:
        raise LeakError("%s has no value yet; set it with: set %s = 0x..." % (word, word))
    return int(value)


def objects_of_type(session, name):
    """Addresses of the tracked objects of a type, by its whole name or what stands behind the last
    dot, in address order."""
    python = session.python()
    walk = Walk(python.layout, python.memory, python.runtime.collecting)
    wanted, last, found = {}, {}, []
    for generation in python.runtime.generations:
        addresses, types = walk.objects(generation)
        for at, kind in zip(addresses, types):
            if kind == python.objects.instance_at:
                called = python.objects.name_of(at)
            else:
                if kind not in wanted:
                    wanted[kind] = python.objects.type_name(kind)
                called = wanted[kind]
            if called == name:
                found.append(at)
            elif called.rpartition(".")[2] == name:
                last.setdefault(called, []).append(at)
    if found:
        return sorted(found)
    if len(last) > 1:
        raise LeakError('"%s" is the last part of several types: %s; give the whole name'
                        % (name, ", ".join(sorted(last))))
    return sorted(next(iter(last.values()), []))
