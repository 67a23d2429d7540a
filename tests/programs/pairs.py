# SPDX-License-Identifier: GPL-3.0-or-later
"""A parent and a child that hold each other, both with __del__: five hundred times, in a loop at the
top of the module, so that its two names keep the last pair. The line "collect" answers what
gc.collect() returns and how many objects are in gc.garbage then, "break" takes the parent from each
child there. With the argument "old" the classes are old-style ones in Python 2. The collector does
not run but when asked."""
import gc
import sys

import conversation

gc.disable()
base = object
if sys.argv[1:] == ["old"]:
    class base:  # noqa: F811
        pass


class Parent(base):
    def __init__(self):
        self.child = Child(self)

    def __del__(self):
        pass


class Child(base):
    def __init__(self, parent):
        self.parent = parent

    def __del__(self):
        pass


for _ in range(500):
    parent = Parent()
    child = parent.child


def collect():
    found = gc.collect()
    return "[%d, %d]" % (found, len(gc.garbage))


def break_them():
    for one in gc.garbage:
        vars(one).pop("parent", None)
    one = None
    del gc.garbage[:]


# What a collection by the conversation would find is to be found by the test.
conversation.serve({"collect": collect, "break": break_them}, collector=True)
