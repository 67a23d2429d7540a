# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of references: building it beside a loop over all references inside the process and
beside a walk in GDB's Python; what it takes of our memory; and what is asked of it then."""
from tools import MIB, medians

# A sample: what GDB takes for an object does not depend on how many there are.
GDB_OBJECTS, GDB_SECONDS = 20_000, 20
# Of a large heap a median of three is enough: a run takes seconds, and their spread is small.
LARGE, LARGE_RUNS = 5_000_000, 3


def measure_once(tools, heap, pid, anchor):
    """One round, one after the other, so that a busy moment of the machine meets them all."""
    referents = float(heap.ask("referents")[0])
    startup = tools.measure("info", pid)
    # The verb that asks least of the graph: as the machine is, and on memory that it has at hand, as
    # the loop's is.
    first = tools.measure("refs", pid, anchor, "--json")
    tools.touch(first.peak + first.peak // 4)
    refs = tools.measure("refs", pid, anchor, "--json")
    graph = refs.report()["graph"]
    cycles = tools.measure("cycles", pid, "--json")
    return {
        "objects": graph["objects"],
        "references": graph["references"],
        "bytes": graph["bytes"],
        "copied": graph["copied_bytes"],
        "build": graph["build_ms"] / 1e3,
        "first": first.report()["graph"]["build_ms"] / 1e3,
        "room": graph["copy_ms"] / 1e3,
        "walk": graph["walk_ms"] / 1e3,
        "pack": graph["pack_ms"] / 1e3,
        "peak": refs.peak,
        "processors": (refs.cpu - startup.cpu) / (refs.wall - startup.wall),
        "cycles": cycles.wall - cycles.report()["graph"]["build_ms"] / 1e3 - startup.wall,
        "cycles_peak": cycles.peak,
        "referents": referents,
    }


def measure(tools, heap, asked, runs):
    """Everything about one heap, medians in seconds and bytes."""
    pid = str(heap.pid)
    anchor = heap.ask("anchor")[0]
    # What it learns of the interpreter's structs is saved.
    tools.measure("cycles", pid)
    found = medians([measure_once(tools, heap, pid, anchor)
                     for _ in range(min(runs, LARGE_RUNS) if asked >= LARGE else runs)])
    found["each"] = found["build"] / found["objects"]
    found["bytes_each"] = found["bytes"] / found["objects"]
    found["bytes_most"] = 64 + 8 * found["references"] / found["objects"]
    found["beside_copy"] = (found["peak"] - found["copied"]) / found["objects"]
    found["ratio"] = found["build"] / found["referents"]
    found["gdb_each"] = found["gdb_ratio"] = None
    walked = tools.gdb_walk(heap.pid, GDB_OBJECTS, GDB_SECONDS)
    if walked and walked[0]:
        # A walk along the collector's list meets tracked objects alone: the whole walk is compared
        # with the whole graph.
        tracked = int(heap.ask("counter")[1])
        found["gdb_each"] = walked[1] / walked[0]
        found["gdb_ratio"] = found["build"] / (found["gdb_each"] * tracked)
    return found


COLUMNS = [
    ("objects", "objects", "%d", 1),
    ("references", "references", "%d", 1),
    ("build ms", "build", "%.0f", 1e-3),
    ("(untouched)", "first", "%.0f", 1e-3),
    ("(copy", "room", "%.0f", 1e-3),
    ("walk", "walk", "%.0f", 1e-3),
    ("pack)", "pack", "%.0f", 1e-3),
    ("ns/object", "each", "%.0f", 1e-9),
    ("referents ms", "referents", "%.1f", 1e-3),
    ("build/referents", "ratio", "%.2f", 1),
    ("GDB us/object", "gdb_each", "%.0f", 1e-6),
    ("build/GDB", "gdb_ratio", "%.5f", 1),
    ("processors", "processors", "%.2f", 1),
    ("graph B/object", "bytes_each", "%.1f", 1),
    ("copy MiB", "copied", "%.0f", MIB),
    ("peak MiB", "peak", "%.0f", MIB),
    ("(less copy, B/object)", "beside_copy", "%.0f", 1),
    ("cycles ms", "cycles", "%.0f", 1e-3),
    ("peak MiB", "cycles_peak", "%.0f", MIB),
]

LEGEND = """\
build: until the graph is there, on memory that was touched just before (untouched: as the machine is,
where a hypervisor may have to find it first), its parts in brackets; referents: gc.get_referents() of all of
gc.get_objects() inside the process, nothing kept; GDB: a sample of the collector's list walked in
GDB's Python, for build/GDB taken as the whole list's; processors: time of all processors by time of
the clock; graph: without the copy; peak: of `leakinspect refs`, and of `cycles`; cycles: wall time
less build and start-up"""


def aims(row, asked):
    """(what was aimed at, what was reached, whether it is enough)"""
    yield ("the graph takes at most 64 bytes per object and 8 per reference",
           "%.1f of %.1f per object" % (row["bytes_each"], row["bytes_most"]),
           row["bytes_each"] <= row["bytes_most"])
    if asked >= 1_000_000:
        yield ("the graph takes at most 2 x the loop over referents to build",
               "%.2f x" % row["ratio"], row["ratio"] <= 2)
        yield ("building keeps more than one and a half processors busy",
               "%.2f" % row["processors"], row["processors"] > 1.5)
    if row["gdb_ratio"] is not None:
        yield ("the graph takes less than a tenth of a walk in GDB's Python",
               "%.5f" % row["gdb_ratio"], row["gdb_ratio"] < 0.1)
    if asked >= 10_000_000:
        yield ("cycles are found in under 3 s after the graph", "%.2f s" % row["cycles"],
               row["cycles"] < 3)
