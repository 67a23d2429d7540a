# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter set in an unusual way: thresholds, debug flags, gc.garbage, frozen objects, a count
of the youngest generation in the thousands. "facts" answers what gc says about it. With the argument
"threads N" it has N more threads, all asleep; with "busy" one more that computes."""
import gc
import json
import sys
import threading

import conversation

kept = []


def facts():
    return json.dumps({
        "enabled": gc.isenabled(), "debug": gc.get_debug(), "thresholds": gc.get_threshold(),
        "counts": gc.get_count(), "garbage": len(gc.garbage),
        "frozen": gc.get_freeze_count() if hasattr(gc, "freeze") else None,
    })


def sleep():
    threading.Event().wait()


def compute():
    number = 0
    while True:
        number = (number + 1) % 1000


work = []
if sys.argv[1:2] == ["threads"]:
    work = [sleep] * int(sys.argv[2])
elif sys.argv[1:] == ["busy"]:
    work = [compute]
for each in work:
    thread = threading.Thread(target=each)
    thread.daemon = True
    thread.start()
gc.set_threshold(123456, 45, 6)
gc.set_debug(gc.DEBUG_SAVEALL)
for _ in range(3):
    gc.collect(1)
gc.collect(0)
del gc.garbage[:]
gc.garbage.extend([["garbage"] for _ in range(7)])
if hasattr(gc, "freeze"):
    gc.freeze()
kept.extend([[] for _ in range(7777)])
conversation.serve({"facts": facts, "disable": gc.disable, "enable": gc.enable}, collector=True)
