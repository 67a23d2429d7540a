# SPDX-License-Identifier: GPL-3.0-or-later
"""How many objects of each type the collector tracks."""
from collections import Counter

from ..python.walk import Walk


class Census:
    """`tracked` and `frozen` (those of gc.freeze(), also among the tracked) by type name."""

    def __init__(self):
        self.tracked = Counter()
        self.frozen = Counter()
        self.torn = []
        self.collecting = False


def take(session):
    """A Census of this moment; the same one until the inferior runs."""
    if "census" not in session.kept:
        session.kept["census"] = _take(session.python())
    return session.kept["census"]


def counts(session):
    return take(session).tracked


def _take(python):
    walk = Walk(python.layout, python.memory, python.runtime.collecting)
    result = Census()
    result.collecting = python.runtime.collecting
    instance_at = python.objects.instance_at
    for generation in python.runtime.generations:
        by_type = Counter(walk.types(generation))
        named = Counter()
        if by_type.pop(instance_at, 0):
            named.update(_old_style(python, walk, generation))
        for at, number in by_type.items():
            named[python.objects.type_name(at)] += number
        result.tracked += named
        if generation.frozen:
            result.frozen += named
    result.torn = walk.torn
    return result


def _old_style(python, walk, generation):
    """Instances of old-style classes count under their class."""
    memory, layout, objects = python.memory, python.layout, python.objects
    addresses, types = walk.objects(generation)
    by_class = Counter(memory.word(at + layout.instance_class)
                       for at, kind in zip(addresses, types) if kind == objects.instance_at)
    named = Counter()
    for at, number in by_class.items():
        named[objects.old_style_name(at)] += number
    return named


def problems(torn, collecting):
    """Sentences for a report: why its counts may be partial."""
    told = []
    if collecting:
        told.append("a collection is under way: its lists are in pieces, and objects on lists of the "
                    "collector's own stack frame are not counted; let the process run on (`continue`, "
                    "Ctrl-C) and ask again")
    told += [str(one) for one in torn]
    return told
