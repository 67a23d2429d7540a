# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread that is between two states: it has the GIL and is not the current one. With garbage."""
import gc
import os
import sys
import weakref

sys.path[:0] = sys.argv[1:2]
import leaky


class Node(object):
    pass


def seen(_):
    leaky.leak([])


for _ in range(5):
    gc.collect()
gc.disable()
node = Node()
node.itself = node
kept = weakref.ref(node, seen)
del node
leaky.be_nobody(1)
os.write(1, ("%d\n" % gc.collect()).encode())
