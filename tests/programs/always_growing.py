# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a thousand more instances each hundredth of a second, whatever happens."""
import signal
import sys
import time

# A program nobody talks to ends all the same.
signal.alarm(60)


class Grown(object):
    pass


KEPT = []

sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    KEPT.extend(Grown() for _ in range(1000))
    time.sleep(0.01)
