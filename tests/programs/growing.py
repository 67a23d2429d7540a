# SPDX-License-Identifier: GPL-3.0-or-later
"""Grows as it is told: "grow N" keeps N more instances, "litter N" puts N more into gc.garbage, "big N"
keeps N more bytes."""
import gc

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


conversation.serve({"grow": grow, "litter": litter, "big": more})
