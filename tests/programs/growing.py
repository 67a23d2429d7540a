# SPDX-License-Identifier: GPL-3.0-or-later
"""Grows as it is told: "grow N" keeps N more instances, "litter N" puts N more into gc.garbage, "big N"
keeps N more bytes, "cycles N" makes N cycles that die and collects them, "stats" tells gc.get_stats() where
there is one."""
import gc
import json

import conversation


class Kept(object):
    pass


kept = []
big = []


def grow(count):
    for _ in range(int(count)):
        kept.append(Kept())


def litter(count):
    for _ in range(int(count)):
        gc.garbage.append(Kept())


def more(size):
    big.append(bytearray(b"x") * int(size))


def cycles(count):
    for _ in range(int(count)):
        one = Kept()
        one.itself = one
    del one
    gc.collect()


def stats():
    return json.dumps(gc.get_stats()) if hasattr(gc, "get_stats") else "null"


conversation.serve({"grow": grow, "litter": litter, "big": more, "cycles": cycles, "stats": stats})
