# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes objects of all sizes and shapes. "make SHAPE" makes those of one shape and answers what it
made, {type name: [count, sum of sys.getsizeof]}; "shapes" answers all shapes.

A shape is a generator that yields each new object; whatever else it leaves behind must be yielded
too."""
import collections
import gc
import json
import sys

import conversation

PYTHON3 = sys.version_info[0] > 2
if not PYTHON3:
    range = xrange  # noqa: F821
    chr = unichr  # noqa: F821
LENGTHS = list(range(0, 70)) + [100, 127, 128, 129, 500, 1000, 5000, 100000]
NAMES = ["name_%d" % number for number in range(100000)]


class Plain(object):
    pass


class Slotted(object):
    __slots__ = ("a", "b", "c")


class NoSlots(object):
    __slots__ = ()


class OneSlot(object):
    __slots__ = ("a",)


class Both(object):
    __slots__ = ("a", "__dict__", "__weakref__")


class Referable(object):
    __slots__ = ("a", "__weakref__")


class SlottedChild(Slotted):
    __slots__ = ("d", "e")


class PlainChild(Slotted):
    pass


class List(list):
    pass


class SlottedList(list):
    __slots__ = ("a", "b")


class Dict(dict):
    pass


class SlottedDict(dict):
    __slots__ = ("a",)


class Tuple(tuple):
    pass


class BareTuple(tuple):
    __slots__ = ()


class Set(set):
    pass


class SlottedSet(set):
    __slots__ = ("a",)


class FrozenSet(frozenset):
    pass


class Deque(collections.deque):
    pass


class Integer(int):
    pass


class Float(float):
    pass


class Text(str):
    pass


class Error(Exception):
    pass


Point = collections.namedtuple("Point", "x y z")


class Meta(type):
    pass


MetaPlain = Meta("MetaPlain", (object,), {})


class Shared(object):
    def __init__(self, value):
        self.first = value
        self.second = None
        self.third = value


def with_dictionary(thing):
    """The instance, and its dictionary if it has one: since 3.11 it is made only when asked for, or
    when there are many attributes. To look at __dict__ would be to ask."""
    return [thing] + [one for one in gc.get_referents(thing) if type(one) is dict]


def lists():
    for length in LENGTHS:
        yield [None] * length
        yield list(range(min(length, 200)))
        yield [n for n in NAMES[:length]]
        yield sorted(NAMES[:length])
        grown = []
        for name in NAMES[:length]:
            grown.append(name)
        yield grown
        shrunk = NAMES[:length]
        while len(shrunk) > length // 3:
            shrunk.pop()
        yield shrunk
        emptied = NAMES[:length]
        del emptied[:]
        yield emptied


def tuples():
    # A list within keeps the collector from ever untracking them.
    within = []
    yield within
    for length in LENGTHS[1:]:
        yield (within,) * length
        yield tuple([within] + NAMES[:length])


def dicts():
    for length in LENGTHS:
        names = NAMES[:length]
        yield dict.fromkeys(names)
        yield dict.fromkeys(range(min(length, 257)))
        mixed = dict.fromkeys(names)
        mixed[0] = mixed[None] = mixed[()] = None
        yield mixed
        holed = dict.fromkeys(names)
        for name in names[::2]:
            del holed[name]
        yield holed
        yield holed.copy()
        emptied = dict.fromkeys(names)
        while emptied:
            emptied.popitem()
        yield emptied
        cleared = dict.fromkeys(names)
        cleared.clear()
        yield cleared
        yield {}
        yield {"a": None}
        yield dict(a=None, b=None)
        grown = {}
        for name in names:
            grown[name] = grown.get(name)
        yield grown


def tracked_dicts():
    """A list among the values makes the collector track them, and the instances' own ones."""
    within = []
    yield within
    for length in LENGTHS:
        yield dict.fromkeys(NAMES[:length] + [0], within)
        growing = {"first": within}
        for name in NAMES[:length]:
            growing[name] = within
        yield growing
    for attributes in range(1, 60):
        thing = Plain()
        for name in NAMES[:attributes]:
            setattr(thing, name, within)
        for made in with_dictionary(thing):
            yield made


def sets():
    for kind in (set, frozenset):
        for length in LENGTHS:
            if kind is frozenset and length == 0:
                continue  # there is one for all
            yield kind(NAMES[:length])
            yield kind(kind(NAMES[:length]) | kind([None]))
    for length in LENGTHS:
        shrunk = set(NAMES[:length])
        for name in NAMES[:length * 9 // 10]:
            shrunk.discard(name)
        yield shrunk
        yield shrunk.copy()
        cleared = set(NAMES[:length])
        cleared.clear()
        yield cleared


def deques():
    for length in LENGTHS:
        yield collections.deque(NAMES[:length])
        yield collections.deque(NAMES[:length], 33)
        left = collections.deque()
        for name in NAMES[:length]:
            left.appendleft(name)
        yield left
        turned = collections.deque(NAMES[:length])
        turned.rotate(length // 3)
        for _ in range(length // 2):
            turned.popleft()
        yield turned


def plain_instances():
    for attributes in list(range(0, 40)) + [100, 1000]:
        for _ in range(3):
            thing = Plain()
            for name in NAMES[:attributes]:
                setattr(thing, name, None)
            for made in with_dictionary(thing):
                yield made


def shared_keys():
    """Instances that share the keys of their dictionaries, as those of ordinary code do."""
    for _ in range(1000):
        for made in with_dictionary(Shared(None)):
            yield made


def looked_into():
    """Instances whose dictionary was asked for."""
    for attributes in list(range(0, 40)) + [100, 1000]:
        thing = Plain()
        for name in NAMES[:attributes]:
            setattr(thing, name, None)
        yield thing
        yield vars(thing)
        yield vars(thing).copy()
        last = Plain()
        vars(last).update(dict.fromkeys(NAMES[:attributes]))
        yield last
        yield vars(last)


def deleted_attributes():
    for attributes in range(1, 40):
        thing = Plain()
        for name in NAMES[:attributes]:
            setattr(thing, name, None)
        for name in NAMES[:attributes // 2]:
            delattr(thing, name)
        for made in with_dictionary(thing):
            yield made


def slotted_instances():
    for kind in (Slotted, NoSlots, OneSlot, Referable, SlottedChild):
        for _ in range(100):
            yield kind()
    for kind in (Both, PlainChild):
        for _ in range(100):
            thing = kind()
            thing.a = None
            yield thing
            thing = kind()
            thing.other = None
            for made in with_dictionary(thing):
                yield made


def container_subclasses():
    for length in LENGTHS:
        names = NAMES[:length]
        for kind in (List, SlottedList, Tuple, BareTuple, Set, SlottedSet, FrozenSet, Deque):
            yield kind(names)
        for kind in (Dict, SlottedDict):
            yield kind.fromkeys(names)
        for kind in (List, Dict, Tuple, Set, Deque):
            thing = kind()
            thing.attribute = None
            for made in with_dictionary(thing):
                yield made
    for _ in range(100):
        yield Point(None, None, None)


def value_subclasses():
    yield Integer(0)
    yield Integer(-1)
    for power in range(0, 300, 7):
        yield Integer(2 ** min(power, 62))
        yield Float(power)
        yield Text("x" * power)


def instances_of_others():
    for _ in range(100):
        yield MetaPlain()
        yield object()
        for made in with_dictionary(Error()):
            yield made


def numbers():
    # 257 and more: the smaller ones are there already.
    for power in range(62, 1000, 3):
        yield 2 ** power + 1
        yield -2 ** power - 1
    for number in range(1000):
        yield number + 1000000
        yield number + 0.5
        yield complex(number, 1)
    for power in range(15, 62):
        yield 2 ** power + 12345


def strings():
    for length in LENGTHS[2:]:
        for first in (u"a", u"\xe9", u"\u4e2d", u"\U0001f40d"):
            yield first + u"x" * length
        yield b"b" * length + b"."


def byte_arrays():
    for length in LENGTHS:
        yield bytearray(length)
        grown = bytearray()
        for _ in range(min(length, 1000)):
            grown.append(7)
        yield grown
        del grown[:length // 2]


SHAPES = {function.__name__: function for function in (
    lists, tuples, dicts, tracked_dicts, sets, deques, plain_instances, shared_keys,
    looked_into, deleted_attributes, slotted_instances, container_subclasses, value_subclasses,
    instances_of_others, numbers, strings, byte_arrays)}
# Lists that are long enough already: that they take the objects changes no size.
kept = {shape: [None] * 4000 for shape in SHAPES}


def make(shape):
    made = {}
    for place, thing in enumerate(SHAPES[shape]()):
        kept[shape][place] = thing
    things = kept[shape][:place + 1]
    # Now that everything has its final size.
    for thing in things:
        name = conversation.type_name(type(thing))
        count, size = made.get(name, (0, 0))
        made[name] = (count + 1, size + sys.getsizeof(thing))
    assert len(set(map(id, things))) == len(things), "an object yielded twice"
    return json.dumps(made)


for warm in sorted(SHAPES):
    make(warm)
    kept[warm][:] = [None] * len(kept[warm])
conversation.serve({"make": make, "shapes": lambda: json.dumps(sorted(SHAPES))})
