# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds what: paths to one object and to all of a type, dominators and retained sizes, suspects; what
each takes once the graph is there."""
from tools import MIB, medians

LARGE, LARGE_RUNS = 5_000_000, 3
QUESTIONS = {
    "path": ("path", "ANCHOR"),
    "path_type": ("path", "__main__.Session"),
    "path_roots": ("path", "ANCHOR", "--all-roots", "10"),
    "retained": ("retained",),
    "by_type": ("retained", "--by-type"),
    "suspects": ("suspects",),
}


def measure_once(tools, pid, anchor):
    startup = tools.measure("info", pid)
    found = {}
    for name, (verb, *words) in QUESTIONS.items():
        run = tools.measure(verb, pid, *[anchor if word == "ANCHOR" else word for word in words],
                            "--json")
        graph = run.report()["graph"]
        found[name] = run.wall - graph["build_ms"] / 1e3 - startup.wall
        found[name + "_peak"] = run.peak - graph["copied_bytes"]
        found["objects"] = graph["objects"]
        found["references"] = graph["references"]
        found["bytes"] = graph["bytes"]
    return found


def measure(tools, heap, asked, runs):
    """Everything about one heap, medians in seconds and bytes."""
    pid, anchor = str(heap.pid), heap.ask("anchor")[0]
    # What it learns of the interpreter's structs is saved.
    tools.measure("path", pid, anchor)
    found = medians([measure_once(tools, pid, anchor)
                     for _ in range(min(runs, LARGE_RUNS) if asked >= LARGE else runs)])
    found["retained_each"] = (found["retained_peak"] - found["bytes"]) / found["objects"]
    return found


COLUMNS = [
    ("objects", "objects", "%d", 1),
    ("references", "references", "%d", 1),
    ("path ms", "path", "%.0f", 1e-3),
    ("of a type", "path_type", "%.0f", 1e-3),
    ("10 roots", "path_roots", "%.0f", 1e-3),
    ("retained ms", "retained", "%.0f", 1e-3),
    ("by type", "by_type", "%.0f", 1e-3),
    ("suspects ms", "suspects", "%.0f", 1e-3),
    ("graph MiB", "bytes", "%.0f", MIB),
    ("retained's peak MiB", "retained_peak", "%.0f", MIB),
    ("(less graph, B/object)", "retained_each", "%.0f", 1),
]

LEGEND = """\
each: wall time of the verb less the building of the graph and start-up, so with the look at the memory for
what C code holds; path: to one object, to all of a type (grouped by how they are held), from ten roots;
peak: without the copy of the process's memory"""


def aims(row, asked):
    """(what was aimed at, what was reached, whether it is enough)"""
    if asked >= 10_000_000:
        for name in ("path", "path_type", "retained", "by_type"):
            yield ("%s within 10 s after the graph" % " ".join(QUESTIONS[name]),
                   "%.2f s" % row[name], row[name] < 10)
