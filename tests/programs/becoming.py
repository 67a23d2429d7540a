# SPDX-License-Identifier: GPL-3.0-or-later
"""A heap that takes a while to read. "become" makes the process this program once more, which answers
"handled" with whether its handler of SIGSEGV is there."""
import os
import signal
import sys

import conversation

signal.signal(signal.SIGSEGV, lambda *_: None)
again = "again" in sys.argv[1:]
heap = [] if again else [[number] for number in range(400000)]


def become():
    # Where the conversation goes on.
    os.dup2(conversation._channel, 1)
    os.execv(sys.executable, [sys.executable, sys.argv[0], "again"])


def handled():
    with open("/proc/self/status") as status:
        caught, = [line for line in status if line.startswith("SigCgt")]
    return "yes" if int(caught.split()[1], 16) >> (signal.SIGSEGV - 1) & 1 else "no"


conversation.serve({"become": become, "handled": handled})
