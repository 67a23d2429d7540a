# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that does nothing but collect a heap of 100,000 instances of Anchor in cycles, so that a
stop falls into a collection almost always. "stop" ends it."""
import gc
import threading

import conversation


class Anchor(object):
    def __init__(self):
        self.itself = self


anchors = [Anchor() for _ in range(100000)]
running = True


def collect():
    while running:
        gc.collect()


def stop():
    global running
    running = False
    thread.join()


thread = threading.Thread(target=collect)
thread.daemon = True
thread.start()
conversation.serve({"stop": stop}, collector=True)
