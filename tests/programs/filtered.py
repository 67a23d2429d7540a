# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a seccomp filter that ends the process when it forks with the system call clone(). With the argument
"thread" one thread alone has it, and waits where it is the first choice of whoever has a process fork."""
import ctypes
import os
import struct
import sys
import threading

import conversation

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
CLONE = 56
KILL, ALLOW = 0x80000000, 0x7fff0000
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

program = b"".join(struct.pack("=HBBI", *instruction) for instruction in (
    (LOAD_NUMBER, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, CLONE), (RETURN, 0, 0, KILL),
    (RETURN, 0, 0, ALLOW)))
code = ctypes.create_string_buffer(program)
prog = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong,
                       ctypes.c_ulong]


def forbid():
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, None, 0, 0)
            or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, prog, 0, 0)):
        raise OSError(ctypes.get_errno(), "prctl")


def forbid_and_wait(done):
    forbid()
    done.set()
    os.read(os.pipe()[0], 1)


if "thread" in sys.argv[1:]:
    done = threading.Event()
    thread = threading.Thread(target=forbid_and_wait, args=(done,))
    thread.daemon = True
    thread.start()
    done.wait()
else:
    forbid()
conversation.serve({})
