# SPDX-License-Identifier: GPL-3.0-or-later
"""A few objects with known references. "ids" answers {name: address}, "held_by NAME" the addresses of
gc.get_referrers(). The first argument is a folder with the extension module leaky, if there is one."""
import gc
import json
import sys

import conversation

sys.path[:0] = sys.argv[1:2]
try:
    import leaky
except ImportError:
    leaky = None


class Holder(object):
    pass


class Slotted(object):
    __slots__ = ("left", "right")


class Knot(object):
    pass


class Finalized(object):
    def __del__(self):
        pass


class Held(object):
    pass


def closure(captured):
    def inner(default=captured):
        return captured, default
    return inner


def suspended(argument):
    local = [argument]
    yield local
    yield argument


def knots():
    for _ in range(10):
        three = [Knot(), Knot(), Knot()]
        for place in range(3):
            three[place].next = three[(place + 1) % 3]
    for _ in range(20):
        alone = Knot()
        alone.itself = alone


held = Held()
holder = Holder()
holder.child = held
holder.number = 5
holder.many = [None, None, None, held]
holder.table = {"key": held, 7: held, ("a", 1): held}
holder.pair = (held, held)
slotted = Slotted()
slotted.left = held
function = closure(held)
generator = suspended(held)
next(generator)
text = "a short text"
unicode_text = u"gr\xfc\xdfe \u20ac"
data = b"bytes \x00\xff"
number = 1234567890123
negative = -42
floating = 2.5
flat = [1, "two", None]
mapping = {"one": 1}
finalized = Finalized()
owner = nested = array = legacy = None
if leaky:
    owner, nested, array, legacy = leaky.Owner(), leaky.Nested(), leaky.Array(), leaky.Legacy()
    owner.owned = nested.last = nested.hidden = legacy.other = held
    for _ in range(3):
        array.take(held)
    array.take(holder)
    _ = None
NAMES = ("held holder slotted function generator text unicode_text data number negative floating flat "
         "mapping finalized owner nested array legacy").split()


def ids():
    return json.dumps(dict([(name, "0x%x" % id(globals()[name])) for name in NAMES
                            if globals()[name] is not None]
                           + [("many", "0x%x" % id(holder.many)),
                              ("table", "0x%x" % id(holder.table)),
                              ("pair", "0x%x" % id(holder.pair)),
                              ("globals", "0x%x" % id(globals()))]))


def held_by(name):
    """Of those that were there before the asking."""
    there = set(id(one) for one in gc.get_objects())
    found = [one for one in gc.get_referrers(globals()[name]) if id(one) in there]
    return json.dumps(["0x%x" % id(one) for one in found if type(one) is not type(sys._getframe())])


def count(name):
    # Less those of the name in this frame and of the argument.
    return sys.getrefcount(globals()[name]) - 1


conversation.serve({"ids": ids, "held_by": held_by, "count": count, "knots": knots,
                    "collect": gc.collect})
