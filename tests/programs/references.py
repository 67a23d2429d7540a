# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects with known reference counts. "own" answers the sum of sys.getrefcount() over the instances
of each class, {type name: sum}; "hold N" makes N more references to one instance of Held, in a tuple
that is long enough already; "release" lets them go."""
import json
import sys

import conversation


class Held(object):
    pass


class Shared(object):
    pass


class Slotted(object):
    __slots__ = ("other",)


held = Held()
shared = [Shared() for _ in range(100)]
slotted = [Slotted() for _ in range(100)]
holders = [shared[:number] for number in range(100)]
for one, other in zip(slotted, slotted[1:]):
    one.other = other
room = [None] * 100000


def own():
    """Less the references that the asking makes itself: the loop's name and the argument."""
    return json.dumps({
        "__main__.Held": sys.getrefcount(held) - 1,
        "__main__.Shared": sum([sys.getrefcount(one) - 2 for one in shared]),
        "__main__.Slotted": sum([sys.getrefcount(one) - 2 for one in slotted]),
    })


def hold(number):
    for place in range(int(number)):
        room[place] = held


def release():
    for place in range(len(room)):
        room[place] = None


# The names of the loop above are references too, and stay as they are.
conversation.serve({"own": own, "hold": hold, "release": release})
