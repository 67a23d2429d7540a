# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that a load can ask for one thing at a time: each connection says a word and gets one back."""

import gc
import socket
import sys
import time


class ClassicLeakable:
    def __init__(self):
        self.x = "x"


class Leakable(object):
    def __init__(self):
        self.x = "x"


LEAKED = []
CACHE = {}


def leak():
    LEAKED.append((ClassicLeakable(), Leakable(), time.time()))


def nothing():
    pass


def swing():
    """Ten more, ten fewer."""
    if len(CACHE) >= 10:
        CACHE.clear()
    else:
        for number in range(10):
            CACHE[number] = Leakable()


def look_up():
    """A name that is made anew, as http.server does for each request."""
    for number in range(100):
        getattr(Leakable, "".join(["__in", "it__"]))


def cycle():
    """Ten cycles that nobody else holds."""
    for number in range(10):
        one = Leakable()
        one.itself = one


WORDS = {b"cycle": cycle, b"disable": gc.disable,
         b"leak": leak, b"nothing": nothing, b"swing": swing, b"lookup": look_up}


def serve():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(16)
    sys.stdout.write("ready %d\n" % server.getsockname()[1])
    sys.stdout.flush()
    while True:
        connection = server.accept()[0]
        word = connection.recv(16).strip()
        if word == b"end":
            return
        WORDS[word]()
        connection.sendall(b"done\n")
        connection.close()
        del connection, word


serve()
