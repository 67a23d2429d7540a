# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands inside GDB, each in a GDB of its own as a user would run it, and less what GDB takes to
attach and detach: `leak types` beside a walk with a gdb.Value for each field, and `leak cycles`."""
import os
import re
import shutil
import subprocess
import sys
import time

from tools import BENCH, medians

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(BENCH)), "gdb-scripts", "leak.gdb")
# GDB's start varies more than what is measured; beyond this size a walk by hand takes minutes.
RUNS_MAX, PLAIN_MAX, CYCLES_MAX = 3, 2_000_000, 500_000


def run_gdb(pid, *arguments):
    """(seconds by the clock, what it printed)"""
    begin = time.perf_counter()
    done = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
                           "-iex", "set auto-load python-scripts off", "-p", pid, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=600)
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit("gdb: exit status %d\n%s" % (done.returncode, done.stderr))
    return seconds, done.stdout


def tracked(said):
    found = re.search(r"^total +([\d,]+)$", said, re.MULTILINE)
    if not found:
        sys.exit("leak types said:\n" + said)
    return int(found.group(1).replace(",", ""))


def measure_once(pid, asked):
    attach, _ = run_gdb(pid)
    types, said = run_gdb(pid, "-x", SCRIPT, "-ex", "leak types")
    row = {"attach": attach, "types": types - attach, "tracked": tracked(said),
           "plain": None, "cycles": None}
    if asked <= PLAIN_MAX:
        plain, said = run_gdb(pid, "-x", os.path.join(BENCH, "gdb_plain_walk.py"))
        walked = re.search(r"^counted (\d+) ", said, re.MULTILINE)
        # It counts the same objects, or it is no comparison.
        if not walked or int(walked.group(1)) != row["tracked"]:
            sys.exit("the plain walk said:\n" + said)
        row["plain"] = plain - attach
    if asked <= CYCLES_MAX:
        row["cycles"] = run_gdb(pid, "-x", SCRIPT, "-ex", "leak cycles -all")[0] - attach
    return row


def measure(_tools, heap, asked, runs):
    """Everything about one heap, medians in seconds; None where there is no GDB."""
    if not shutil.which("gdb"):
        return dict.fromkeys(("attach", "types", "tracked", "plain", "cycles", "ratio", "each"))
    pid = str(heap.pid)
    rows = [measure_once(pid, asked) for _ in range(min(runs, RUNS_MAX))]
    present = {key for key, value in rows[0].items() if value is not None}
    found = dict.fromkeys(rows[0])
    found.update(medians([{key: row[key] for key in present} for row in rows]))
    found["ratio"] = found["plain"] and found["plain"] / found["types"]
    found["each"] = found["types"] / found["tracked"]
    return found


COLUMNS = [("tracked", "tracked", "%d", 1), ("attach", "attach", "%.2f s", 1),
           ("leak types", "types", "%.2f s", 1), ("each", "each", "%.2f us", 1e-6),
           ("plain walk", "plain", "%.2f s", 1), ("ratio", "ratio", "%.1f", 1),
           ("leak cycles -all", "cycles", "%.2f s", 1)]
LEGEND = ("attach: GDB attaches and detaches; the others beyond that, loading their scripts included; "
          "each: leak types\nby tracked object; plain walk: tests/bench/gdb_plain_walk.py; ratio: "
          "plain walk by leak types")


def aims(row, asked):
    """[(aim, reached, enough)]"""
    found = []
    if row["ratio"] is not None and asked >= 1_000_000:
        found.append(("leak types at least 5 times faster than a gdb.Value per field",
                      "%.1f times" % row["ratio"], row["ratio"] >= 5))
    if row["cycles"] is not None and asked <= 100_000:
        found.append(("leak cycles -all in less than 20 s", "%.1f s" % row["cycles"],
                      row["cycles"] < 20))
    return found
