# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes pairs of objects that refer to each other, each with a finalizer, and waits.

For any stock interpreter from Python 2.7 on: `python2.7 demo/leak_demo.py [PAIRS]`. Before Python
3.4 the collector puts such pairs into gc.garbage, where they stay; since then it frees them.
"""

from __future__ import print_function

import collections
import gc
import os
import sys
import time

DEFAULT_PAIRS = 500


class Parent(object):
    def __init__(self):
        self.child = Child(self)

    def __del__(self):
        self.child = None


class Child(object):
    def __init__(self, parent):
        self.parent = parent

    def __del__(self):
        self.parent = None


def count_alive():
    return collections.Counter(type(item).__name__ for item in gc.get_objects())


def run(pairs):
    for _ in range(pairs):
        parent = Parent()
    # `parent` still names the last one: that pair is reachable, and no garbage. All the others
    # are, two objects each.
    gc.collect()
    alive = count_alive()
    print("made %d pairs of Parent and Child, dropped all but the last" % pairs)
    print("after gc.collect(): %d Parent and %d Child alive, %d objects in gc.garbage"
          % (alive["Parent"], alive["Child"], len(gc.garbage)))
    if sys.version_info >= (3, 4):
        print("this Python frees such a cycle; one before 3.4 keeps it, "
              "and so does demo/leak_demo at /cycle")
    print("ready: python %s pid %d, Ctrl-C ends it" % (sys.version.split()[0], os.getpid()))
    sys.stdout.flush()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
    return parent


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PAIRS
    run(max(pairs, 1))


if __name__ == "__main__":
    main()
