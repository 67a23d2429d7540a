# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thread begins the next one and ends, the main thread first: the process goes on, and no thread does."""
import ctypes
import signal
import sys
import time

try:
    from _thread import start_new_thread
except ImportError:
    from thread import start_new_thread


class Kept(object):
    pass


keep = [Kept() for _ in range(500)]
nap = float(sys.argv[1])
signal.alarm(600)


def run():
    time.sleep(nap)
    start_new_thread(run, ())


start_new_thread(run, ())
sys.stdout.write("ready\n")
sys.stdout.flush()
ctypes.CDLL(None).pthread_exit(None)
