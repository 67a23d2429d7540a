# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces the process of its argument, the way a debugger does that has just begun."""
import ctypes
import sys

import conversation

PTRACE_SEIZE = 0x4206

libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None) < 0:
    sys.exit("ptrace: errno %d" % ctypes.get_errno())
conversation.serve()
