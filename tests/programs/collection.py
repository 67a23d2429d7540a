# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the collector find? Lines:
    scenarios      all of them, in JSON
    make SCENARIO  makes one; answers {type name: how many are in gc.garbage now}
    collect        what gc.collect() returns, and {type name: how many are in gc.garbage then}
    collect types  the same with everything that is unreachable saved in gc.garbage
    again          what gc.collect() returns at once after that
    clean          as if nothing had been
The first argument is a folder with the extension module leaky, if there is one.

The collector does not run but when asked, and what the asking itself makes is in no cycle: what it
finds is what was there while the program waited."""
import gc
import json
import os
import sys
import warnings

import conversation

sys.path[:0] = sys.argv[1:2]
# What finalizers complain of is not for the terminal.
_errors = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
warnings.simplefilter("ignore")

import scenario  # noqa: E402
import scenarios_shapes  # noqa: E402, F401
import scenarios_finalizers  # noqa: E402, F401
import scenarios_library  # noqa: E402, F401
if scenario.PYTHON3:
    import scenarios_async  # noqa: F401


def types_of(things):
    """{type name: how many}; an instance of an old-style class counts under its class."""
    counts = {}
    for thing in things:
        kind = type(thing)
        if kind is conversation._old_style:
            kind = thing.__class__
        name = conversation.type_name(kind)
        counts[name] = counts.get(name, 0) + 1
    return counts


# The collector's own list, whatever becomes of the name.
garbage = gc.garbage


def make(name):
    scenario.scenarios[name]()
    return json.dumps(types_of(garbage))


def collect(how=""):
    if how:
        gc.set_debug(gc.DEBUG_SAVEALL)
    found = gc.collect()
    return json.dumps([found, types_of(garbage)])


def again():
    return gc.collect()


answers = {"scenarios": lambda: json.dumps(scenario.names), "make": make, "collect": collect,
           "again": again, "clean": scenario.clean}
# Every one once, so that modules are imported and caches are full.
for _name in scenario.names:
    try:
        make(_name)
        collect()
        scenario.clean()
    except BaseException:
        os.dup2(_errors, 2)
        sys.stderr.write("in %s:\n" % _name)
        raise
_name = None
conversation.serve(answers, ready="leaky" if scenario.leaky else "")
