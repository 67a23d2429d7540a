# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles as a person counts them: the strongly connected components of the references that the collector
sees, grouped by shape and by what will become of them. An attribute dict counts as part of its object.

Whatever is alive is in one component by way of its class: instance, class, method, the globals of its
module, and what those lead to. That is nobody's idea of a cycle, so what is reachable does not refer to
its class here; nor does gc.garbage to what it keeps."""
from collections import Counter

from . import components, garbage, graph as graphs, shapes
from ..base.errors import Fault
from ..base.report import Progress

STARTS_MAX = 4
STATES = ("uncollectable", "pending", "reachable", "frozen")


class Row:
    """Cycles of one shape and state."""

    def __init__(self, shape, state):
        self.shape = shape.text
        self.state = state
        self.count = 0
        self.objects = 0
        self.types = Counter()
        self.finalizers = {}
        self.example = shape.objects
        self.component = None
        # (address, type name, label, address held) of one that holds a reachable cycle.
        self.holder = None


class Cycles:
    def __init__(self):
        self.rows = []
        self.count = 0
        self.without_finalizer = 0


def find(session, wants_all):
    return _Finder(session, wants_all).find()


class _Finder:
    def __init__(self, session, wants_all):
        self._python = python = session.python()
        self._graph = graphs.of(session)
        self._garbage = garbage.of(session)
        self._all = wants_all
        self._finalizer_of = {}
        self._rows = {}
        self._parts = self._find_parts()
        self._in_garbage = {self._graph.number[at] for at in garbage.in_garbage_list(python)
                            if at in self._graph.number}
        self._maker = shapes.Maker(self._name, self._label, self._finalizes, self._is_part)

    def _find_parts(self):
        """Numbers of the attribute dicts that belong to just one object."""
        graph, python = self._graph, self._python
        owners = Counter()
        for number, at in enumerate(graph.at):
            kind = python.objects.type(graph.types[number])
            if kind is None:
                continue
            try:
                dict_at = python.edges.attribute_dict(at, kind)
            except Fault:
                continue  # Counted as unreadable when its references were.
            if dict_at in graph.number:
                owners[graph.number[dict_at]] += 1
        return {number for number, count in owners.items() if count == 1}

    def _is_part(self, number):
        return number in self._parts

    def _kind(self, number):
        """"del", "legacy", "builtin" or None."""
        if number not in self._finalizer_of:
            graph, finalizers = self._graph, self._python.finalizers
            at, type_at = graph.at[number], graph.types[number]
            kind = finalizers.kind(at, type_at)
            if kind is None and graph.is_tracked[number] and finalizers.is_legacy(at, type_at):
                kind = "legacy"
            self._finalizer_of[number] = kind
        return self._finalizer_of[number]

    def _finalizes(self, number):
        return self._kind(number) is not None

    def _name(self, number):
        graph, objects = self._graph, self._python.objects
        if graph.types[number] == objects.instance_at:
            return objects.name_of(graph.at[number])
        return objects.type_name(graph.types[number])

    def _label(self, number, to):
        graph = self._graph
        kind = self._python.objects.type(graph.types[number])
        return self._python.labels.between(graph.at[number], kind, graph.at[to])

    def find(self):
        result = Cycles()
        targets = self._targets()
        progress = Progress("looking for cycles")
        try:
            found = components.find(targets, progress)
        finally:
            progress.end()
        progress = Progress("naming cycles")
        try:
            for place, members in enumerate(found):
                self._add(result, members, targets)
                progress.step(place, len(found))
        finally:
            progress.end()
        result.rows = sorted(self._rows.values(),
                             key=lambda row: (STATES.index(row.state), -row.count, row.shape))
        self._find_holders(result.rows, found)
        return result

    def _targets(self):
        graph, state = self._graph, self._garbage.state
        skipped = graph.number.get(self._python.runtime.garbage_at)
        targets = []
        for number, outgoing in enumerate(graph.targets):
            if number == skipped:
                outgoing = []
            elif state[number] not in (garbage.UNREACHABLE, garbage.UNCOLLECTABLE):
                own = graph.number.get(self._class_of(number))
                if own in outgoing:
                    outgoing = [to for to in outgoing if to != own]
            targets.append(outgoing)
        if skipped is not None:
            targets = [[to for to in outgoing if to != skipped] if skipped in outgoing else outgoing
                       for outgoing in targets]
        return targets

    def _class_of(self, number):
        """The class that it is an instance of, old-style ones, too."""
        graph, python = self._graph, self._python
        if graph.types[number] == python.objects.instance_at:
            return python.memory.word(graph.at[number] + python.layout.instance_class)
        return graph.types[number]

    def _add(self, result, members, targets):
        finalizing = [number for number in members if self._finalizes(number)]
        result.count += 1
        if not finalizing and not self._all:
            result.without_finalizer += 1
            return
        objects = [number for number in members if not self._is_part(number)]
        starts = finalizing or objects or members
        shape = self._shape(set(members), starts[:STARTS_MAX], targets)
        key = shape.text, self._state(members)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(shape, key[1])
            row.component = members
        row.count += 1
        for number in objects or members:
            name = self._name(number)
            row.objects += 1
            row.types[name] += 1
            if self._finalizes(number):
                row.finalizers[name] = self._kind(number)

    def _shape(self, component, starts, targets):
        """Of equally short cycles through the first few starts that whose shape sorts first."""
        hops, path = shapes.shortest(targets, component, starts[0], self._is_part)
        shape, known = self._maker.make(hops, path), {frozenset(path)}
        for start in starts[1:]:
            other = shapes.shortest(targets, component, start, self._is_part, hops,
                                    shapes.LOOKS_MAX)
            if other is None or (other[0] == hops and frozenset(other[1]) in known):
                continue
            candidate = self._maker.make(*other)
            known.add(frozenset(other[1]))
            if other[0] < hops or candidate.text.encode() < shape.text.encode():
                (hops, path), shape = other, candidate
        return shape

    def _state(self, members):
        states = {self._garbage.state[number] for number in members}
        if garbage.UNCOLLECTABLE in states or not self._in_garbage.isdisjoint(members):
            return "uncollectable"
        if garbage.UNREACHABLE in states:
            return "pending"
        if garbage.FROZEN in states and garbage.REACHABLE not in states:
            return "frozen"
        return "reachable"

    def _find_holders(self, rows, _found):
        """Who holds the example of each reachable row from outside, in one pass over all references:
        one of the example's own objects if possible."""
        wanted = {}
        for row in rows:
            if row.state != "reachable":
                continue
            inside = set(row.component)
            for number in row.component:
                wanted[number] = row, inside, number in row.example
        if not wanted:
            return
        second = {}
        for number, outgoing in enumerate(self._graph.targets):
            if self._garbage.state[number] in (garbage.UNREACHABLE, garbage.UNCOLLECTABLE):
                continue
            for to in outgoing:
                if to not in wanted:
                    continue
                row, inside, is_shown = wanted[to]
                if number in inside or row.holder is not None:
                    continue
                if is_shown:
                    row.holder = number, to
                else:
                    second.setdefault(id(row), (number, to))
        for row in rows:
            pair = row.holder or second.get(id(row))
            row.holder = pair and self._describe_holder(*pair)

    def _describe_holder(self, number, to):
        graph = self._graph
        return (graph.at[number], self._name(number), self._label(number, to), graph.at[to])
