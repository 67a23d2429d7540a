# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaks one reference to each of 1,000 strings and 1,000 instances, by the extension module in the
folder that is the first argument; answers "leaked" with their addresses. As many others are held by
variables of C code ("held"), which is no leak. With a second argument, "varied", all of these have been
in containers, arguments and frames of every size before, and what memory was given back has their
addresses in it; "threads" does so in threads, too, which have ended."""
import collections
import json
import random
import sys
import threading

import conversation

sys.path[:0] = sys.argv[1:2]
import leaky  # noqa: E402

COUNT = 1000


class Leaked(object):
    pass


class Kept(object):
    pass


strings = ["leaked text number %d" % number for number in range(COUNT)]
instances = [Leaked() for _ in range(COUNT)]
kept = [Kept() for _ in range(COUNT)] + ["kept text number %d" % number for number in range(COUNT)]
one = Kept()
for _ in strings + instances:
    leaky.leak(_)
leaky.hold_many(kept)
leaky.hold(one)
_ = None


class Holder(object):
    pass


def generator(first, second=None, *others):
    yield first
    yield second, others


def count(*things):
    return len(things)


def containers(some):
    """Makes and drops one of each."""
    lists = [some[:end] for end in range(0, len(some), max(1, len(some) // 20))]
    yield lists, [tuple(part) for part in lists], set(some), frozenset(some)
    yield dict(enumerate(some)), dict((id(thing), thing) for thing in some)
    yield collections.deque(some), collections.deque(some, 5), count(*some[:200])
    for number in range(20):
        suspended = generator(*some[:5])
        next(suspended)
        holder = Holder()
        holder.first, holder.others = some[0], some
        setattr(holder, "name%d" % (number % 9), some[-1])
        yield suspended, holder


def vary(things, rounds):
    chance = random.Random(4711)
    for _ in range(rounds):
        size = chance.choice([1, 2, 3, 5, 8, 13, 30, 60, 100, 200, 500, 1000])
        for made in containers([chance.choice(things) for _ in range(size)]):
            made = None


if "varied" in sys.argv[2:] or "threads" in sys.argv[2:]:
    vary(strings + instances + kept, 50)
if "threads" in sys.argv[2:]:
    threads = [threading.Thread(target=vary, args=(strings + instances + kept, 10)) for _ in range(4)]
    for _ in threads:
        _.start()
    for _ in threads:
        _.join()
    threads = _ = None


def addresses(things):
    return json.dumps(["0x%x" % id(thing) for thing in things])


def forget():
    """Only the leaked references are left of the half of them."""
    del strings[::2], instances[::2]


conversation.serve({"leaked": lambda: addresses(strings + instances), "forget": forget,
                    "held": lambda: addresses(kept + [one])})
