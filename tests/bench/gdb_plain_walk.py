# SPDX-License-Identifier: GPL-3.0-or-later
"""For GDB: counts the tracked objects by type as a person would in GDB's Python, following the lists of the
collector with a gdb.Value for each field. Prints "counted objects seconds"; GDB's own start is not in
the seconds. 3.9 and later, where each interpreter has its collector.

    gdb -nx -batch -p PID -x gdb_plain_walk.py
"""
import collections
import time

import gdb


def pointer_to(name):
    # Of a name that a file only declares GDB looks for the struct at every access: a millisecond each.
    return gdb.lookup_type(name).strip_typedefs().pointer()


def count():
    gc_head, thing = pointer_to("PyGC_Head"), pointer_to("PyObject")
    interpreter = gdb.parse_and_eval("_PyRuntime.interpreters.head")
    counts = collections.Counter()
    for generation in range(3):
        head = interpreter["gc"]["generations"][generation]["head"].address
        link = head["_gc_next"].cast(gc_head)
        while link != head:
            counts[(link + 1).cast(thing)["ob_type"]["tp_name"].string()] += 1
            link = link["_gc_next"].cast(gc_head)
    return counts


def main():
    begin = time.perf_counter()
    counts = count()
    print("counted %d %.6f" % (sum(counts.values()), time.perf_counter() - begin))


main()
