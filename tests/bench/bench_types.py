# SPDX-License-Identifier: GPL-3.0-or-later
"""`leakinspect types` beside a count inside the process and a bare copy of its memory."""
import statistics
import time

from tools import MIB


def watched(heap, run):
    """What @a run returns, and the longest gap of the heartbeat meanwhile beyond its usual one."""
    heap.ask("watch")
    result = run()
    # A beat after the run, so that the gap it fell into has ended.
    time.sleep(0.005)
    longest, usual = map(float, heap.ask("seen"))
    return result, max(0.0, longest - usual)


def measure(tools, heap, _asked, runs):
    """Everything about one heap, medians in seconds and bytes."""
    pid = str(heap.pid)
    cold = statistics.median(
        tools.measure("types", pid, cache="cold-%s-%d" % (pid, number)).wall for number in range(3))
    tools.measure("types", pid)
    walls, pauses, peaks, quiet, beyond, copies, counters, infos = ([] for _ in range(8))
    # One after the other in each round, so that a busy moment of the machine meets them all.
    for _ in range(runs):
        run, pause = watched(heap, lambda: tools.measure("types", pid))
        walls.append(run.wall)
        peaks.append(run.peak)
        pauses.append(pause)
        quiet.append(watched(heap, lambda: time.sleep(walls[-1]))[1])
        copies.append(tools.bare_copy(heap.pid))
        counters.append([float(number) for number in heap.ask("counter")])
        infos.append(tools.measure("info", pid).wall)
        run = tools.measure("types", pid, "--json")
        report = run.report()
        beyond.append(run.wall - report["target"]["pause_total_ms"] / 1e3)
    found = {
        "objects": report["total"]["count"], "tracked": report["total"]["tracked"], "cold": cold,
        "wall": statistics.median(walls), "pause": statistics.median(pauses),
        "quiet": statistics.median(quiet), "peak": max(peaks), "info": statistics.median(infos),
        "beyond": statistics.median(beyond),
        "copy": statistics.median(seconds for seconds, _ in copies), "bytes": copies[-1][1],
        "counter": statistics.median(seconds for seconds, _ in counters),
        "startup": statistics.median(tools.measure("--version").wall for _ in range(runs)),
    }
    found["wall_ratio"] = found["wall"] / found["counter"]
    found["pause_ratio"] = found["pause"] / found["copy"]
    return found


COLUMNS = [
    ("objects", "objects", "%d", 1),
    ("tracked", "tracked", "%d", 1),
    ("heap MiB", "bytes", "%.0f", MIB),
    ("types ms", "wall", "%.1f", 1e-3),
    ("cold ms", "cold", "%.1f", 1e-3),
    ("Counter ms", "counter", "%.1f", 1e-3),
    ("types/Counter", "wall_ratio", "%.2f", 1),
    ("pause ms", "pause", "%.1f", 1e-3),
    ("(idle gap)", "quiet", "%.1f", 1e-3),
    ("copy ms", "copy", "%.1f", 1e-3),
    ("pause/copy", "pause_ratio", "%.2f", 1),
    ("memory MiB", "peak", "%.1f", MIB),
    ("info ms", "info", "%.1f", 1e-3),
    ("beyond scan ms", "beyond", "%.1f", 1e-3),
]


LEGEND = """\
types: wall time of `leakinspect types`; cold: without a cached layout; Counter: the count over
gc.get_objects() inside the process, tracked objects only; pause: as a heartbeat inside sees it;
copy: process_vm_readv of the heap through one small buffer; beyond scan: wall time less the pause"""


def aims(row, asked):
    """(what was aimed at, what was reached, whether it is enough)"""
    limit = 1.0 if asked >= 10_000_000 else 2.0
    if asked >= 1_000_000:
        yield ("types takes at most %g x the Counter" % limit, "%.2f x" % row["wall_ratio"],
               row["wall_ratio"] <= limit)
    yield ("the pause is at most the wall time less the start-up",
           "%.1f of %.1f ms" % (row["pause"] * 1e3, (row["wall"] - row["startup"]) * 1e3),
           row["pause"] <= row["wall"] - row["startup"])
    yield ("the pause is at most 2 x a bare copy", "%.2f x" % row["pause_ratio"],
           row["pause_ratio"] <= 2)
    yield ("memory under 128 MiB", "%.1f MiB" % (row["peak"] / MIB), row["peak"] < 128 * MIB)
    yield ("with a cached layout, under 20 ms beyond the scan", "%.1f ms" % (row["beyond"] * 1e3),
           row["beyond"] < 0.020)
