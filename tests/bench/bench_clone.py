# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen clone beside a copy: how long the process stands still, and what it pays for what it writes
while the clone lives."""
import os
import signal
import statistics
import threading
import time

from bench_types import watched
from tools import MIB, Heap

GIB = 1 << 30
GCORES = 3


def passes(heap, count=3):
    """Seconds of a pass of the process over its own objects."""
    return statistics.median(float(heap.ask("pass")[0]) for _ in range(count))


def passes_during(heap, run):
    """What @a run returns, and the longest pass that began while it ran."""
    result = []
    thread = threading.Thread(target=lambda: result.append(run()))
    thread.start()
    longest = 0.0
    while thread.is_alive():
        longest = max(longest, float(heap.ask("pass")[0]))
    thread.join()
    return result[0], longest


def seen_beside(tools, heap, beside):
    """What @a heap sees of a clone of @a beside, which stands still otherwise."""
    os.kill(beside.pid, signal.SIGCONT)
    beside.ask("pass")
    _, seen = watched(heap, lambda: tools.measure("types", str(beside.pid), "--snapshot", "clone"))
    os.kill(beside.pid, signal.SIGSTOP)
    return seen


def measure_once(tools, heap, pid, beside):
    """One round, one after the other, so that a busy moment of the machine meets them all. Each fork is of
    pages that were written since the last one, which left them protected: the next would find less to do."""
    copy, copy_seen = watched(heap, lambda: tools.measure("types", pid, "--json"))
    heap.ask("pass")
    clone, clone_seen = watched(heap, lambda: tools.measure("types", pid, "--snapshot", "clone",
                                                            "--json"))
    _, idle_seen = watched(heap, lambda: time.sleep(clone.wall))
    heap.ask("pass")
    bare = tools.bare_clone(heap.pid)
    target = clone.report()["target"]
    before = passes(heap)
    _, during = passes_during(heap, lambda: tools.measure("types", pid, "--snapshot", "clone"))
    after = passes(heap)
    return {
        "objects": clone.report()["total"]["count"],
        "copy": copy.report()["target"]["pause_ms"] / 1e3,
        "copy_seen": copy_seen,
        "clone": target["pause_ms"] / 1e3,
        "clone_seen": clone_seen,
        "beside": seen_beside(tools, heap, beside),
        "idle": idle_seen,
        "bare": bare or 0,
        "lived": (target["clone_ms"] or 0) / 1e3,
        "before": before,
        "during": during,
        "after": after,
    }


def measure(tools, heap, asked, runs):
    """Everything about one heap, medians in seconds and bytes."""
    pid = str(heap.pid)
    tools.measure("types", pid)
    with Heap(heap.python, asked) as beside:
        os.kill(beside.pid, signal.SIGSTOP)
        rounds = [measure_once(tools, heap, pid, beside) for _ in range(runs)]
    found = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    _, found["bytes"] = tools.bare_copy(heap.pid)
    gcores = [tools.gcore(heap.pid) for _ in range(GCORES)]
    found["gcore"] = statistics.median(gcores) if None not in gcores else None
    found["ratio"] = found["clone"] / found["bare"] if found["bare"] else None
    found["lived_gib"] = found["lived"] / (found["bytes"] / GIB)
    return found


COLUMNS = [
    ("objects", "objects", "%d", 1),
    ("heap MiB", "bytes", "%.0f", MIB),
    ("pause ms: copy", "copy", "%.2f", 1e-3),
    ("(seen)", "copy_seen", "%.2f", 1e-3),
    ("clone", "clone", "%.2f", 1e-3),
    ("(seen)", "clone_seen", "%.2f", 1e-3),
    ("(beside)", "beside", "%.2f", 1e-3),
    ("(idle)", "idle", "%.2f", 1e-3),
    ("bare clone", "bare", "%.2f", 1e-3),
    ("clone/bare", "ratio", "%.2f", 1),
    ("gcore", "gcore", "%.0f", 1e-3),
    ("clone lived ms", "lived", "%.0f", 1e-3),
    ("s per GiB", "lived_gib", "%.2f", 1),
    ("pass ms: before", "before", "%.1f", 1e-3),
    ("during", "during", "%.1f", 1e-3),
    ("after", "after", "%.1f", 1e-3),
]

LEGEND = """\
pause: that of `leakinspect types`, as the report tells it and as a heartbeat inside sees it beyond its
usual gap (beside: while a clone is made of another such process, which costs this one no more than
processor time; idle: with nobody there); bare clone: a thread made to fork and nothing else; gcore: gdb's,
all of it; lived: from the fork until the process has collected the clone; pass: of the process over its
sessions, which writes their reference counts, the longest one while a clone lives"""


def aims(row, asked):
    """(what was aimed at, what was reached, whether it is enough)"""
    if row["ratio"] is not None:
        yield ("the pause is at most 1.2 x a bare clone", "%.2f x" % row["ratio"],
               row["ratio"] <= 1.2)
    if asked <= 100_000:
        yield ("the pause is under 1 ms", "%.2f ms" % (row["clone"] * 1e3), row["clone"] < 1e-3)
    yield ("a clone lives at most 0.5 s per GiB", "%.2f s" % row["lived_gib"],
           row["lived_gib"] <= 0.5)
