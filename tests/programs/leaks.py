# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaks one reference to each of 1,000 strings and 1,000 instances, by the extension module in the
folder that is the first argument; answers "leaked" with their addresses. As many others are held by
variables of C code ("held"), which is no leak."""
import json
import sys

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


def addresses(things):
    return json.dumps(["0x%x" % id(thing) for thing in things])


def forget():
    """Only the leaked references are left of the half of them."""
    del strings[::2], instances[::2]


conversation.serve({"leaked": lambda: addresses(strings + instances), "forget": forget,
                    "held": lambda: addresses(kept + [one])})
