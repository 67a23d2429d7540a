# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object of each kind whose repr() is told from its memory. "reprs" answers the repr() of each by
its address."""
import collections
import json
import sys
import time
import weakref

import conversation

PYTHON2 = sys.version_info[0] == 2
text = u"".__class__


class Plain(object):
    def method(self):
        pass


class Slotted(object):
    __slots__ = ("one",)


class Old:
    pass


class Number(int):
    pass


class Outer(object):
    class Inner(object):
        pass


class Failure(Exception):
    pass


Point = collections.namedtuple("Point", "x y")


def function():
    def inner():
        return inner
    return inner


def generate():
    yield 1


def numbers():
    found = [0, 1, -1, 255, 2 ** 15, 2 ** 30, -2 ** 30, 2 ** 31, 2 ** 60 - 1, 2 ** 62, 2 ** 63, -2 ** 63,
             10 ** 18, 10 ** 19, -10 ** 40, 2 ** 200, 3 ** 120, True, False, Number(7)]
    found += [0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3.0, 1e15, 1e16, 1e17, 123456789012345680.0, 1e22, 1e-4, 1e-5,
              1.7976931348623157e308, 5e-324, 2.5e-7, 9007199254740993.0, float("inf"), -float("inf"),
              float("nan"), 1234567.125, 100.0, 1e100]
    found += [1j, -2.5j, 1 + 2j, -0.0 + 1j, complex(0, -0.0), complex(1, float("inf")), 1e20 + 1e-7j]
    return found


def strings():
    found = ["", "plain", "it's", 'say "it"', "it's \"both\"", "tab\tnew\nreturn\rback\\slash", "\0\x1b\x7f",
             u"", u"caf\xe9", u"\xa0\xad\x85", u"\u20ac \u4e2d\u6587", u"\U0001f600", u"\u2028\u200b\ufeff",
             u"it's", u"\u0416'", b"", b"bytes", b"\x00\xff'", b"'\"", bytearray(b"array's\x00"),
             bytearray(), "x" * 60]
    if not PYTHON2:
        found.append(u"\udc80 alone")
    return found


def containers():
    cycle = [1]
    cycle.append(cycle)
    ring = {"name": "ring"}
    ring["self"] = ring
    knot = ([],)
    knot[0].append(knot)
    shrunk = set(range(20))
    for number in range(19):
        shrunk.discard(number)
    gone = {"a": 1, "b": 2, "c": 3}
    del gone["b"]
    queue = collections.deque(range(5))
    queue.rotate(2)
    long_queue = collections.deque(range(150))
    for _ in range(140):
        long_queue.popleft()
    ordered = collections.OrderedDict([("one", 1), ("two", [2])])
    defaults = collections.defaultdict(list)
    defaults["key"].append("value")
    found = [[], [1], [1, "two", 3.0, None], (), (1,), (1, 2), ((), [()]), {}, {"a": 1}, {1: [2, {3: (4,)}]},
             gone, set(), {1}, frozenset(), frozenset([1]), shrunk, set([("a",)]), cycle, ring, knot, queue,
             long_queue, collections.deque(maxlen=3), collections.deque("abc", 2), defaults,
             collections.defaultdict(None, {"a": 1}), collections.defaultdict(int), Point(1, "two"),
             list(range(20))]
    if not PYTHON2:
        found += [ordered, collections.OrderedDict()]
    return found


def others():
    plain, slotted, old = Plain(), Slotted(), Old()
    slotted.one = 1
    plain.dead = weakref.ref(Plain())
    inner = function()
    found = [None, Ellipsis, NotImplemented, plain, slotted, object(), Plain, Old, old, int, object, type,
             dict, Outer.Inner, Outer.Inner(), ValueError, collections.OrderedDict, function, inner,
             lambda: None, len, [].append, plain.method, generate(), function.__code__,
             inner.__closure__[0], weakref.ref(plain), weakref.ref(function), weakref.ref(Plain),
             plain.dead, slice(1, 2, None), slice(None, "x", -1), ValueError("bad"), ValueError(),
             Failure(1, "two"), KeyError("key's"), OSError(2, "No such file"), str.join, object.__init__,
             Slotted.one, conversation, json]
    if PYTHON2:
        found += [xrange(5), xrange(1, 5), xrange(1, 9, 3), Plain.method]
    else:
        found += [range(5), range(1, 9, 3), range(10 ** 20)]
    if sys.version_info >= (3, 7):
        found.append(sys._getframe())
    return found


kept = numbers() + strings() + containers() + others()
beyond = [10 ** 5000, time.localtime(0), list(range(100000)), "y" * 100000]


def reprs():
    answer = {}
    for thing in kept:
        shown = repr(thing)
        answer["0x%x" % id(thing)] = shown if isinstance(shown, text) else shown.decode("latin-1")
    return json.dumps(answer)


def unusual():
    """Addresses of what has no exact form: an int of many digits, a struct sequence, long ones."""
    return json.dumps(["0x%x" % id(thing) for thing in beyond])


if __name__ == "__main__":
    conversation.serve({"reprs": reprs, "unusual": unusual})
