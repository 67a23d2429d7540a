# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of scenarios for collection.py: each makes a heap with something for the collector to
decide about, and leaves nothing behind but that."""
import gc
import sys
import types
import weakref

PYTHON3 = sys.version_info[0] > 2
# {name: function}, and in the order in which they were made.
scenarios = {}
names = []
# Things that a scenario keeps alive, and what is to be called when it is over.
kept = []
afterwards = []
try:
    import leaky
except ImportError:
    leaky = None


class Node(object):
    """What most scenarios are made of; it takes any attribute."""

    def method(self):
        return self


class Finalized(Node):
    """Before Python 3.4 the collector frees none that is in a cycle."""

    def __del__(self):
        pass


def scenario(function, name=None):
    name = name or function.__name__
    assert name not in scenarios, name
    scenarios[name] = function
    names.append(name)
    return function


def since(*version):
    """For those that older versions cannot run."""
    return scenario if sys.version_info >= version else (lambda function: function)


def with_extension(function):
    return scenario(function) if leaky else function


def ring(kind, count):
    """Instances of @a kind, each with the next one as its attribute `next`; returns one."""
    made = [kind() for _ in range(count)]
    for one, other in zip(made, made[1:] + made[:1]):
        one.next = other
    return made[0]


def forget(thing):
    """Takes from a thing in gc.garbage what it holds."""
    kind = type(thing)
    if kind in (dict, set):
        thing.clear()
    elif kind is list:
        del thing[:]
    elif kind is types.GeneratorType:
        thing.close()
    elif leaky and kind is leaky.Legacy:
        thing.other = None
    elif not issubclass(kind, (type, types.ModuleType, weakref.ProxyTypes)):
        # Its own, or that of an instance of an old-style class.
        attributes = getattr(thing, "__dict__", None)
        if type(attributes) is dict:
            attributes.clear()


def clean():
    """As if no scenario had been."""
    gc.set_debug(0)
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()
    while afterwards:
        afterwards.pop()()
    del kept[:]
    # Without what would put everything there, only what has a finalizer of the old kind.
    found = gc.garbage[:]
    del gc.garbage[:]
    gc.collect()
    for thing in found + gc.garbage:
        if type(thing) is not dict:
            forget(thing)
    del found, gc.garbage[:]
    for _ in range(4):
        thing = None
        gc.collect()
        for thing in gc.garbage:
            forget(thing)
        del gc.garbage[:]
