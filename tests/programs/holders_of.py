# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects held in the ways in which programs hold them, each by one way alone. Lines:
    ways        {name of a class: what holds its objects, as the end of a path}
    edge A B    whether the object at A refers to the one at B, by itself or by its attribute dict
    sizes       {name: [address, sum of sys.getsizeof() of all that hangs on it alone]}"""
import collections
import functools
import gc
import json
import sys
import threading

import conversation

PYTHON3 = sys.version_info[0] > 2


class Item(object):
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def kind(name):
    made = type(name, (Item,), {"__module__": "__main__"})
    globals()[name] = made
    return made


class InList(Item):
    pass


class InDict(Item):
    pass


class Link(Item):
    pass


CARTS = [InList() for _ in range(50)]
REGISTRY = {"key %d" % number: InDict() for number in range(30)}
NESTED = {"outer": [collections.deque([(kind("Nested")(),)])]}


class Shop(object):
    shared = kind("OnClass")()

    def __init__(self):
        self.first = kind("InAttribute")()


SHOP = Shop()


class Slotted(object):
    __slots__ = ("slot",)


SLOTTED = Slotted()
SLOTTED.slot = kind("InSlot")()


def closure():
    inner = kind("InCell")()

    def function():
        return inner
    return function


CLOSURE = closure()


def default(argument=kind("InDefault")()):
    return argument


def generator():
    local = kind("InGenerator")()
    yield 1
    yield local


GENERATOR = generator()
next(GENERATOR)
METHOD = kind("InMethod")()


def caller(self):
    return self


METHOD = [functools.partial(caller, METHOD)]


def raiser():
    local = kind("InTraceback")()
    raise ValueError(local is None)


FAILURES = []
try:
    raiser()
except ValueError:
    FAILURES.append(sys.exc_info())
sys.exc_clear() if not PYTHON3 else None

WAITING = threading.Event()
READY = threading.Event()


def wait():
    local = kind("InThread")()
    READY.set()
    WAITING.wait()
    return local


thread = threading.Thread(target=wait)
thread.daemon = True
thread.start()
READY.wait()

CHAIN = None
for _ in range(500):
    CHAIN = Link(next=CHAIN)
BYTES = [bytearray(1000 + number) for number in range(100)]

# What leads to the class alone is not asked about: instances keep no other alive.
WAYS = {
    "InList": ".CARTS", "InDict": ".REGISTRY", "Nested": ".NESTED", "OnClass": ".shared",
    "InAttribute": ".first", "InSlot": ".slot", "InCell": ".cell_contents",
    "InGenerator": "", "InTraceback": "", "Link": ".next",
}


def find(addresses):
    found = {}
    waiting = list(gc.get_objects())
    seen = set(map(id, waiting))
    while waiting and len(found) < len(addresses):
        thing = waiting.pop()
        if id(thing) in addresses:
            found[id(thing)] = thing
        for other in gc.get_referents(thing):
            if id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
    return found


def edges(*words):
    """Of pairs of addresses: those that are no reference."""
    addresses = [int(word, 16) for word in words]
    pairs = list(zip(addresses[::2], addresses[1::2]))
    found = find(set(addresses))
    wrong = []
    for before, after in pairs:
        if before not in found or after not in found:
            wrong.append([hex(before), hex(after), "not found"])
            continue
        referents = gc.get_referents(found[before])
        # An attribute dict is no step of its own.
        for thing in list(referents):
            if type(thing) is dict and thing is getattr(found[before], "__dict__", None):
                referents += gc.get_referents(thing)
        # A class shows a proxy of its dict.
        if isinstance(found[before], type):
            referents += list(vars(found[before]).values())
        # Values that are kept inline.
        referents += list(getattr(found[before], "__dict__", {}).values())
        if not any(id(thing) == after for thing in referents):
            wrong.append([hex(before), hex(after), type(found[before]).__name__])
    return json.dumps(wrong)


def sizes():
    return json.dumps({
        "list of bytearrays": [id(BYTES), sys.getsizeof(BYTES) + sum(map(sys.getsizeof, BYTES))],
    })


conversation.serve({"ways": lambda: json.dumps(WAYS), "edges": edges, "sizes": sizes})
