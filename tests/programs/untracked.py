# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and frees objects that the collector does not track (and a few that it does in some
versions). Lines:
    make KIND [COUNT]   makes so many
    free KIND HOW       frees "odd" ones, the "front" half, "random" ones or "all"
    churn SEED          makes and frees of all kinds in a random order
    kinds               all the kinds
The first three answer what changed: {"count": {type name: change}, "tracked": {...}}.

Every kind was made and freed once before the program says it is ready, so that caches are filled.
With arguments `KIND COUNT` it makes these before it is ready."""
import datetime
import decimal
import gc
import json
import random
import sys

import conversation

COUNT = 12345
LONG = 1000
PYTHON3 = sys.version_info[0] > 2
if PYTHON3:
    long, unicode, unichr, xrange = int, str, chr, range
TAKEN, PAIR, ALONE, RANGE = [1], (1, 2), frozenset([1]), xrange(5)


class Bare(object):
    """No instance dictionary, no weak references, nothing to track."""
    __slots__ = ()


class BareFloat(float):
    __slots__ = ()


def latin(number, length=0):
    return u"\xe9%d" % number + u"\xe9" * length


def wide(number, length=0):
    return u"\u4e2d%d" % number + u"\u4e2d" * length


def astral(number, length=0):
    # A narrow build of Python 2 makes two units of it, and still one object.
    return u"\U0001f40d%d" % number + u"\U0001f40d" * length


# kind: (how many, function of a number that makes a new object and leaves nothing else behind)
KINDS = {
    "float": (COUNT, lambda n: n + 0.25),
    "str": (COUNT, lambda n: "text %d" % n),
    "int": (COUNT, lambda n: 2 ** 62 + n),
    "small_int": (COUNT, lambda n: 100000 + n),
    "two_digit_int": (COUNT, lambda n: 2 ** 31 + n),
    "negative_int": (COUNT, lambda n: -2 ** 100 - n),
    "huge_int": (LONG, lambda n: (1 << 40000) + n),
    "long": (COUNT, lambda n: long(2 ** 70 + n)),
    "bytes": (COUNT, lambda n: ("bytes %d" % n).encode("ascii")),
    "tuple": (COUNT, lambda n: (n % 7, None)),
    "wide_tuple": (LONG, lambda n: (None, n % 7) * 500),
    "unicode": (COUNT, lambda n: u"uni %d" % n),
    "latin": (COUNT, latin),
    "wide": (COUNT, wide),
    "astral": (COUNT, astral),
    "long_str": (LONG, lambda n: "%010000d" % n),
    "long_latin": (LONG, lambda n: latin(n, 10000)),
    "long_wide": (LONG, lambda n: wide(n, 10000)),
    "long_bytes": (LONG, lambda n: b"%010000d" % n if PYTHON3 else "%010000d" % n),
    "enormous_bytes": (5, lambda n: bytes(b"x" * (1000000 + n))),
    # Around 512 bytes, where pools end, and the larger bins of malloc.
    "edge_bytes": (COUNT, lambda n: b"e" * (n % 700 + 2)),
    "complex": (COUNT, lambda n: complex(n, 1)),
    "dict": (COUNT, lambda n: {"a": 1}),
    # A buffer of less than 16 bytes may leave the type of a dead object where it was, and the block
    # then looks like one: a known limit.
    "bytearray": (COUNT, lambda n: bytearray(n % 50 + 16)),
    "object": (COUNT, lambda n: object()),
    "bare": (COUNT, lambda n: Bare()),
    "bare_float": (COUNT, lambda n: BareFloat(0.5)),
    "datetime": (COUNT, lambda n: datetime.datetime(2000, 1, 1 + n % 28)),
    "date": (COUNT, lambda n: datetime.date(2000, 1, 1 + n % 28)),
    # Tracked and not; in some versions nobody finished their types (PyType_Ready()) before.
    "list_iterator": (COUNT, lambda n: iter(TAKEN)),
    "tuple_iterator": (COUNT, lambda n: iter(PAIR)),
    "dict_iterator": (COUNT, lambda n: iter(kept)),
    "set_iterator": (COUNT, lambda n: iter(ALONE)),
    "range_iterator": (COUNT, lambda n: iter(RANGE)),
    "timedelta": (COUNT, lambda n: datetime.timedelta(n, 1)),
    "decimal": (COUNT, lambda n: decimal.Decimal(n)),
}
if not PYTHON3:
    # In Python 2 it is a class with an instance dictionary.
    del KINDS["decimal"]

# Strings of one character are made when they are first met, and stay.
characters = [unichr(n) for n in xrange(256)] + [bytes(bytearray([n])) for n in xrange(256)]
# A list that is there already takes them, so that no container is made beside them.
kept = dict((kind, []) for kind in KINDS)


def population(kinds):
    """What is kept of them, each object once, however often it was met: ({name: count}, {name:
    tracked})."""
    counts, tracked, seen = {}, {}, set()
    for kind in kinds:
        for thing in kept[kind]:
            if id(thing) not in seen:
                seen.add(id(thing))
                name = conversation.type_name(type(thing))
                counts[name] = counts.get(name, 0) + 1
                tracked[name] = tracked.get(name, 0) + gc.is_tracked(thing)
    return counts, tracked


def change(work):
    """@a work, with the answer that tells what it changed."""
    def answer(*words):
        kinds = words[:1] if words[0] in KINDS else KINDS
        before = population(kinds)
        work(*words)
        after = population(kinds)
        return json.dumps(dict((key, dict(
            (name, new.get(name, 0) - old.get(name, 0)) for name in set(old) | set(new)
            if new.get(name, 0) != old.get(name, 0)))
            for key, old, new in zip(("count", "tracked"), before, after)))
    return answer


def make(kind, count=None):
    usual, maker = KINDS[kind]
    kept[kind].extend([maker(number) for number in xrange(int(count or usual))])
    # A tuple of atoms becomes untracked when the collector meets it.
    gc.collect()


def free(kind, how):
    things = kept[kind]
    if how == "all":
        del things[:]
    elif how == "front":
        del things[:len(things) // 2]
    elif how == "odd":
        del things[1::2]
    elif how == "random":
        random.Random(1).shuffle(things)
        while len(things) > 100:
            things.pop()
    else:
        raise ValueError(how)


def churn(seed):
    chance = random.Random(int(seed))
    kinds = sorted(kind for kind in KINDS if not kind.startswith(("enormous", "huge")))
    for _ in xrange(20000):
        kind = chance.choice(kinds)
        things = kept[kind]
        if things and chance.random() < 0.45:
            place = chance.randrange(len(things))
            things[place] = things[-1]
            things.pop()
        else:
            things.append(KINDS[kind][1](chance.randrange(5000)))
    gc.collect()


answers = {"make": change(make), "free": change(free), "churn": change(churn),
           "kinds": lambda: json.dumps(sorted(KINDS))}
# The way they are asked, so that nothing is left to be made at the first line.
for each in sorted(KINDS):
    # So often that what an interpreter notes about code that runs often is noted by now.
    answers["make"](each, 50 if each.startswith(("enormous", "long_", "huge")) else 1100)
    answers["free"](each, "odd")
    answers["free"](each, "all")
answers["churn"](0)
for each in sorted(KINDS):
    answers["free"](each, "all")
answers["kinds"]()
if len(sys.argv) > 1:
    make(sys.argv[1], sys.argv[2])
conversation.serve(answers)
