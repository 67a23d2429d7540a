# SPDX-License-Identifier: GPL-3.0-or-later
"""The references that the collector sees, as lists of numbers: object i refers to those of targets[i].

Objects are numbered by address. They are the tracked ones, and untracked ones of types that the
collector knows where a tracked one leads to them."""
from ..read import layout as flags
from ..base.errors import Fault
from ..base.report import Progress
from ..python.walk import Walk


class Graph:
    def __init__(self):
        self.at = []
        self.types = []
        self.number = {}
        self.targets = []
        # A byte per object: the collector's next collection looks at it; it is in its lists at all.
        self.is_candidate = bytearray()
        self.is_tracked = bytearray()
        self.refcount = []
        self.torn = []
        self.collecting = False

    def __len__(self):
        return len(self.at)


def of(session):
    """The graph of this moment, made when first asked for."""
    if "graph" not in session.kept:
        session.kept["graph"] = _build(session.python())
    return session.kept["graph"]


def _build(python):
    graph = Graph()
    graph.collecting = python.runtime.collecting
    walk = Walk(python.layout, python.memory, python.runtime.collecting)
    found = {}
    for generation in python.runtime.generations:
        addresses, types = walk.objects(generation)
        for at, kind in zip(addresses, types):
            found[at] = kind, not generation.frozen
    graph.torn = walk.torn
    visited = _visit_all(python, found)
    _visit_untracked(python, found, visited)
    _number(python, graph, found, visited)
    return graph


def _visit_all(python, found):
    """{address: [addresses]} of the tracked objects."""
    edges, types = python.edges, python.objects.type
    progress, visited, done = Progress("following references"), {}, 0
    try:
        for at, (kind_at, _) in found.items():
            kind = types(kind_at)
            visited[at] = edges.visited(at, kind) if kind is not None else []
            done += 1
            if not done & 0xfff:
                progress.step(done, len(found))
    finally:
        progress.end()
    return visited


def _visit_untracked(python, found, visited):
    """Follows references into objects that the collector could track and does not: an untracked dict,
    a frame that runs. They may be part of a cycle."""
    objects, edges = python.objects, python.edges
    type_word, word = python.layout.object_type, python.memory.word
    waiting, rejected = list(visited.values()), set()
    while waiting:
        targets = waiting.pop()
        for at in targets:
            if at in found or at in rejected:
                continue
            try:
                kind = objects.type(word(at + type_word)) if not at & 7 else None
                is_wanted = kind is not None and kind.traverse and not _is_static_type(python, at, kind)
            except Fault:
                is_wanted = False
            if not is_wanted:
                rejected.add(at)
                continue
            found[at] = kind.at, None
            visited[at] = edges.visited(at, kind)
            waiting.append(visited[at])


def _is_static_type(python, at, kind):
    """type_is_gc(): those are not the collector's business."""
    if not kind.flags & flags.TYPE_SUBCLASS:
        return False
    return not python.memory.word(at + python.layout.type_flags) & flags.HEAP_TYPE


def _number(python, graph, found, visited):
    graph.at = sorted(found)
    graph.number = number = {at: place for place, at in enumerate(graph.at)}
    graph.types = [found[at][0] for at in graph.at]
    graph.is_tracked = bytearray(found[at][1] is not None for at in graph.at)
    graph.is_candidate = bytearray(bool(found[at][1]) for at in graph.at)
    graph.targets = [[number[to] for to in visited[at] if to in number] for at in graph.at]
    graph.refcount = refcounts(python, graph.at)


def refcounts(python, addresses):
    """Reference counts; those of immortal objects are more than any number of references."""
    layout, word = python.layout, python.memory.word
    field = layout.fields["object_refcnt"]
    mask = (1 << 8 * field.size) - 1
    to_count, never = layout.object_refcnt, 1 << 62
    immortal = 1 << 31 if layout.has_immortals else 0
    found = []
    for at in addresses:
        try:
            count = word(at + to_count) & mask
        except Fault:
            # Held by whatever it is that cannot be read: nothing is told as garbage for want of a count.
            python.problem("reference counts cannot be read; such objects pass for reachable")
            count = never
        found.append(never if count & immortal else count)
    return found
