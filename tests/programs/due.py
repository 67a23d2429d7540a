# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty cycles that the collector has not seen, and a few objects more have it come by itself."""
import gc
import sys


class Loop(object):
    __slots__ = ("itself",)

    def __init__(self):
        self.itself = self


gc.collect()
gc.disable()
for _ in range(50):
    Loop()
gc.enable()
gc.set_threshold(gc.get_count()[0] + 8)
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
