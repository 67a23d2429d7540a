# SPDX-License-Identifier: GPL-3.0-or-later
"""Grows as it is told: "grow N" keeps N more instances, "litter N" puts N more into gc.garbage, "big N"
keeps N more bytes, "swing N" has just N of another kind, "cycles N" makes N cycles that die and collects
them, "types N" makes N types with an instance each, "stats" tells gc.get_stats() where there is one,
"become" turns it into a sleeping program."""
import gc
import json
import os

import conversation


class Kept(object):
    pass


class Swinging(object):
    pass


kept = []
big = []
swinging = []


def grow(count):
    for _ in range(int(count)):
        kept.append(Kept())


def litter(count):
    for _ in range(int(count)):
        gc.garbage.append(Kept())


def more(size):
    big.append(bytearray(b"x") * int(size))


def swing(count):
    del swinging[:]
    for _ in range(int(count)):
        swinging.append(Swinging())


def cycles(count):
    for _ in range(int(count)):
        one = Kept()
        one.itself = one
    del one
    gc.collect()


def stats():
    return json.dumps(gc.get_stats()) if hasattr(gc, "get_stats") else "null"


def types(count):
    for number in range(int(count)):
        kept.append(type("T%d" % number, (object,), {"__slots__": ()})())


def become():
    os.execvp("sleep", ["sleep", "600"])


conversation.serve({"grow": grow, "litter": litter, "big": more, "swing": swing, "cycles": cycles,
                    "types": types, "stats": stats, "become": become})
