# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector run dry: what a collection of all generations would find, by CPython's own algorithm
(Modules/gcmodule.c, Python/gc.c) over the graph. From the reference count of every candidate the
references among candidates are taken off; who has some left is held from outside, and what it reaches
is reachable. Of the rest, objects with a legacy finalizer and what they reach are uncollectable."""
from collections import Counter

from . import graph as graphs
from ..base.errors import Fault
from ..read.runtime import DEBUG_SAVEALL

# The collector does not look at it; held from outside; to be freed; not to be freed.
OUTSIDE, REACHABLE, UNREACHABLE, UNCOLLECTABLE, FROZEN = range(5)


class Garbage:
    def __init__(self):
        self.state = bytearray()
        self.unreachable = 0
        self.uncollectable = 0
        # {type name: count}
        self.by_type = Counter()
        self.uncollectable_by_type = Counter()
        self.to_garbage_by_type = Counter()
        self.garbage_by_type = Counter()
        # Code that a collection would run, and that may change the numbers.
        self.unfinalized = 0
        self.callbacks = 0


def of(session):
    """The Garbage of this moment."""
    if "garbage" not in session.kept:
        graph = graphs.of(session)
        session.kept["garbage"] = _find(session.python(), graph)
    return session.kept["garbage"]


def _find(python, graph):
    result = Garbage()
    result.state = state = _states(graph)
    legacy = [number for number in range(len(graph)) if state[number] == UNREACHABLE
              and python.finalizers.is_legacy(graph.at[number], graph.types[number])]
    for number in legacy:
        state[number] = UNCOLLECTABLE
    _spread(graph, state, legacy, UNREACHABLE, UNCOLLECTABLE)
    _count(python, graph, result, set(legacy))
    _count_in_garbage(python, result)
    if result.unreachable:
        _count_code(python, graph, result)
    return result


def _states(graph):
    state = bytearray(UNREACHABLE if candidate else FROZEN if tracked else OUTSIDE
                      for candidate, tracked in zip(graph.is_candidate, graph.is_tracked))
    left = list(graph.refcount)
    for number, targets in enumerate(graph.targets):
        if state[number] == UNREACHABLE:
            for to in targets:
                left[to] -= 1
    # A count below 0, which no intact process has: up to 3.7 the collector stops at 0.
    reached = [number for number in range(len(graph)) if state[number] == UNREACHABLE
               and left[number] > 0]
    for number in reached:
        state[number] = REACHABLE
    _spread(graph, state, reached, UNREACHABLE, REACHABLE)
    return state


def _spread(graph, state, waiting, before, after):
    """All that can be reached from @waiting through objects in state @before becomes @after."""
    targets, waiting = graph.targets, list(waiting)
    while waiting:
        for to in targets[waiting.pop()]:
            if state[to] == before:
                state[to] = after
                waiting.append(to)


def _count(python, graph, result, legacy):
    names = {}
    saves_all = python.runtime.debug & DEBUG_SAVEALL
    for number, state in enumerate(result.state):
        if state not in (UNREACHABLE, UNCOLLECTABLE):
            continue
        name = _name(python, graph, number, names)
        result.by_type[name] += 1
        if state == UNCOLLECTABLE:
            result.uncollectable += 1
            result.uncollectable_by_type[name] += 1
        else:
            result.unreachable += 1
        if saves_all or number in legacy:
            result.to_garbage_by_type[name] += 1


def _name(python, graph, number, names):
    type_at = graph.types[number]
    if type_at == python.objects.instance_at:
        return python.objects.name_of(graph.at[number])
    if type_at not in names:
        names[type_at] = python.objects.type_name(type_at)
    return names[type_at]


def in_garbage_list(python):
    """Addresses of what stands in gc.garbage."""
    at, layout = python.runtime.garbage_at, python.layout
    if not at:
        return []
    try:
        count = python.memory.word(at + layout.var_size)
        items_at = python.memory.word(at + layout.list_items)
        return python.memory.words(items_at, count) if count else []
    except Fault as fault:
        python.problem("what is in gc.garbage is not known: %s" % fault)
        return []


def _count_in_garbage(python, result):
    for at in in_garbage_list(python):
        result.garbage_by_type[python.objects.name_of(at)] += 1


def _count_code(python, graph, result):
    finalizers, state = python.finalizers, result.state
    for number in range(len(graph)):
        if state[number] == UNREACHABLE \
                and finalizers.kind(graph.at[number], graph.types[number]) in ("del", "builtin") \
                and not finalizers.has_run(graph.at[number]):
            result.unfinalized += 1
    for number, to in finalizers.weak_references(graph):
        # One that is itself about to be freed calls nothing.
        referent = graph.number.get(to)
        if state[number] != UNREACHABLE and referent is not None \
                and state[referent] == UNREACHABLE:
            result.callbacks += 1
