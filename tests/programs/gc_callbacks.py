# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a function called when a collection begins, which makes 50 cycles. "collect" answers what
gc.collect() returned."""
import gc

import conversation


def make_cycles(phase, _info):
    if phase == "start":
        for _ in range(50):
            thing = []
            thing.append(thing)


gc.disable()
gc.collect()
gc.callbacks.append(make_cycles)
conversation.serve({"collect": lambda: str(gc.collect())})
