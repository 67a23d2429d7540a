# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread in functions that hold things in variables of every kind. "variables" answers, from the
frames themselves, [[function, file, line, kind, variable, address of the thing]]; kind is "local", "cell"
or "free". "ids" answers the thread's kernel id and where the thing is that only an unfinished
expression holds."""
import json
import os
import sys
import threading

import conversation

waiting = threading.Lock()
waiting.acquire()
ids = {}


class Thing(object):
    pass


def innermost(argument, *rest, **named):
    mine = Thing()
    for other in rest:
        waiting.acquire()
    return mine, argument, named, other


def called_from_c(item):
    return innermost(item, Thing(), key=Thing())


def generate():
    inside = Thing()
    for each in map(called_from_c, [Thing()]):
        yield each
    return_ = inside
    del return_


class Shop(object):
    def outer(self, argument):
        shared = Thing()
        ours = Thing()

        def inner(own):
            own = own or shared, argument
            for each in generate():
                pass
            return shared, own, argument, each
        return ours, [inner(Thing())]


def unfinished(shop):
    # The first of the two is on the evaluation stack and nowhere else.
    return [remembered(Thing()), shop.outer(Thing())]


def remembered(thing):
    ids["unfinished"] = "0x%x" % id(thing)
    return thing


def run():
    ids["thread"] = int(os.readlink("/proc/thread-self").split("/")[-1])
    try:
        raise ValueError("caught")
    except ValueError as error:
        error.thing = Thing()
        ids["error"] = "0x%x" % id(error)
        unfinished(Shop())


def variables():
    found = []
    frame = sys._current_frames()[thread.ident]
    while frame:
        code = frame.f_code
        kinds = dict([(name, "local") for name in code.co_varnames] +
                     [(name, "free") for name in code.co_freevars] +
                     [(name, "cell") for name in code.co_cellvars])
        values = dict(frame.f_locals)
        for name in values:
            if name in kinds and isinstance(values[name], (Thing, Shop, ValueError)):
                found.append([getattr(code, "co_qualname", code.co_name), code.co_filename,
                              frame.f_lineno, kinds[name], name, "0x%x" % id(values[name])])
        frame = frame.f_back
    return json.dumps(found)


thread = threading.Thread(target=run)
thread.daemon = True
thread.start()
conversation.serve({"variables": variables, "ids": lambda: json.dumps(ids)})
