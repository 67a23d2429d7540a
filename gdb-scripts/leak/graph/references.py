# SPDX-License-Identifier: GPL-3.0-or-later
"""All references of an object, each with a label and a kind: "gc" (its traversal visits it), "owned"
(only its reference count says so), "weak" (a weak reference's object), "guess" (a word that looks like
one, where nothing describes the object)."""
from ..read import layout as flags, members
from ..base.errors import Fault, LeakError
from ..python.labels import of_member

TEXT_FLAGS = flags.UNICODE_SUBCLASS | flags.BYTES_SUBCLASS | flags.LONG_SUBCLASS


class Reference:
    __slots__ = ("to", "label", "kind")

    def __init__(self, to, label, kind):
        self.to = to
        self.label = label
        self.kind = kind


def labelled(python, at):
    """[Reference] of the object at @at."""
    kind = object_type(python, at)
    found = [Reference(to, label, "gc") for to, label in _visited(python, at, kind) if to]
    visited = [one.to for one in found]
    for to, how, label in _owned(python, at, kind, visited):
        found.append(Reference(to, label, how))
    return found


def addresses(python, at, kind):
    """Of all kinds but weak ones, without labels."""
    visited = python.edges.visited(at, kind) if is_visited(python, at, kind) else []
    rest = [to for to, how, _ in _owned(python, at, kind, list(visited)) if how != "weak"]
    return visited + rest if rest else visited


def object_type(python, at):
    """The type of what must be an object."""
    try:
        kind = python.objects.type_of(at) if at and not at & 7 else None
    except Fault as fault:
        raise LeakError("nothing can be read at 0x%x" % fault.at) from fault
    if kind is None:
        raise LeakError("there is no Python object at 0x%x: `leak types` and `leak show TYPE` find "
                        "some" % at)
    return kind


def is_visited(python, at, kind):
    """Whether the collector looks at it: a class that is no heap type is none of its business."""
    if not kind.traverse:
        return False
    if not kind.flags & flags.TYPE_SUBCLASS:
        return True
    return bool(python.memory.word(at + python.layout.type_flags) & flags.HEAP_TYPE)


def has_references(python, kind):
    """False for objects such as str and int, of which there are many."""
    return bool(kind.traverse) or bool(_members(python, kind)) or kind.is_heap


def _visited(python, at, kind):
    return python.labels.all(at, kind) if is_visited(python, at, kind) else []


def _members(python, kind):
    if kind.flags & TEXT_FLAGS and not kind.is_heap:
        return []
    return members.owned_of(python.edges, python.edges.plan(kind))


def _owned(python, at, kind, visited):
    """[(address, kind, label)] beyond @visited: one visit stands for one member."""
    found = []
    for to, how, name in members.references(python.edges, python.edges.plan(kind), at,
                                            _members(python, kind)):
        if how != "weak" and to in visited:
            visited.remove(to)
            continue
        found.append((to, how, of_member(name) if name else ""))
    if kind.is_heap and kind.at not in visited and kind.at != python.objects.instance_at:
        found.append((kind.at, "owned", ".__class__"))
    return found
