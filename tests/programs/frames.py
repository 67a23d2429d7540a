# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that call each other and hold objects that nothing else holds: by a plain call, through C,
through a generator, and in a second thread. "held" answers, by name, the address of each object and
how many references to it these functions have."""
import json
import sys
import threading

import conversation

held = {}


class Thing(object):
    pass




def innermost(given):
    mine = Thing()
    # The call holds one more for as long as it runs.
    held["mine"] = ["0x%x" % id(mine), sys.getrefcount(mine) - 1]
    held["given"] = ["0x%x" % id(given), sys.getrefcount(given) - 1]
    conversation.serve({"held": lambda: json.dumps(held)})


def called_from_c(item):
    local = Thing()
    note = Thing()
    twice = [note, note]
    # The list has its own.
    held["note"] = ["0x%x" % id(note), sys.getrefcount(note) - 1 - len(twice)]
    innermost(local)
    return item


def generate():
    inside = Thing()
    held["inside"] = ["0x%x" % id(inside), sys.getrefcount(inside) - 1]
    for item in map(called_from_c, [1]):
        yield item


def outer(argument):
    first = second = Thing()
    # One of the two is in the cell that inner() shares.
    held["first"] = ["0x%x" % id(first), sys.getrefcount(first) - 1 - 1]

    def inner():
        return first
    for _ in generate():
        second = inner()


def elsewhere(ready):
    waiting = Thing()
    held["waiting"] = ["0x%x" % id(waiting), sys.getrefcount(waiting) - 1]
    ready.set()
    threading.Event().wait()


ready = threading.Event()
thread = threading.Thread(target=elsewhere, args=(ready,))
thread.daemon = True
thread.start()
ready.wait()
outer("argument")
