# SPDX-License-Identifier: GPL-3.0-or-later
"""A program whose main thread ends while another one goes on, as that of a host program in C may."""
import ctypes
import threading

import conversation


class Kept(object):
    pass


keep = [Kept() for _ in range(500)]


def more():
    keep.extend([Kept() for _ in range(100)])


thread = threading.Thread(target=conversation.serve, args=({"more": more},))
thread.start()
ctypes.CDLL(None).pthread_exit(None)
