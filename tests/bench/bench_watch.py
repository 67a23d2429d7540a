# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's service under load while `leakinspect watch` is there, and what the watch itself takes."""
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

from tools import BENCH

sys.path.insert(0, os.path.dirname(BENCH))
from support.demo import PROGRAM, Demo  # noqa: E402

SLICE_SECONDS = 10
INTERVAL = "10s"
CLIENTS = 4
# Of which nothing stays: the heap is as large in the last slice as in the first.
PAGE = "fixed"


def status_of(pid, field):
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as status:
        return int(re.search(r"^%s:\s+(\d+)" % field, status.read(), re.MULTILINE)[1])


def rate(demo, seconds):
    """Requests per second as ab has them; none may fail."""
    done = subprocess.run(["ab", "-q", "-t", str(seconds), "-n", "100000000", "-c", str(CLIENTS),
                           demo.url + PAGE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=600)
    if done.returncode or not re.search(r"^Failed requests: +0$", done.stdout, re.MULTILINE):
        sys.exit("ab: not all requests were answered:\n" + done.stdout)
    return float(re.search(r"^Requests per second: +([\d.]+)", done.stdout, re.MULTILINE)[1])


class Watch:
    """One watch over all of it, which sleeps in every other slice."""

    def __init__(self, tools, demo):
        self.demo = demo
        self.process = subprocess.Popen(
            [tools.leakinspect, "watch", str(demo.pid), "--interval", INTERVAL, "--metrics",
             os.path.join(tools.folder, "watch.prom"), "--listen", "0"],
            env=tools.environment("cache"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)
        for _ in range(4):
            self.process.stdout.readline()

    def resident(self):
        return status_of(self.process.pid, "VmRSS") * 1024

    def points(self):
        """Lines that have come; the pipe holds all of an hour."""
        os.set_blocking(self.process.stdout.fileno(), False)
        with contextlib.suppress(BlockingIOError, TypeError):
            return self.process.stdout.read().count(" MiB ") // 3
        return 0

    def sleep(self):
        """Stops it where it holds nobody."""
        for _ in range(1000):
            self.process.send_signal(signal.SIGSTOP)
            if status_of(self.demo.pid, "TracerPid") == 0:
                return
            self.process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        sys.exit("the watch does not let the service go")

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.wake()
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()


def measure_pair(demo, watch, index, seconds):
    """(rate with, rate without); what comes first changes from pair to pair."""
    found = {}
    for there in (True, False) if index % 2 else (False, True):
        if there:
            watch.wake()
        else:
            watch.sleep()
        found[there] = rate(demo, seconds)
    watch.wake()
    return found[True], found[False]


def measure_all(tools, python, options):
    if not shutil.which("ab"):
        sys.exit("there is no ab: install apache2-utils")
    if not os.access(PROGRAM, os.X_OK):
        sys.exit("there is no demo: make demo/leak_demo")
    pairs = max(options.seconds // (2 * SLICE_SECONDS), 2)
    demo = Demo()
    try:
        tools.measure("types", str(demo.pid))
        rate(demo, 3)
        watch = Watch(tools, demo)
        try:
            rates, first = [], None
            for index in range(pairs):
                rates.append(measure_pair(demo, watch, index, SLICE_SECONDS))
                # It has what it needs by then: all the censuses that it keeps.
                if index == pairs // 4:
                    first = watch.resident()
            last, points = watch.resident(), watch.points()
        finally:
            watch.stop()
    finally:
        demo.stop()
    row = {"pairs": pairs, "points": points, "first": first, "last": last,
           "with": statistics.mean(pair[0] for pair in rates),
           "without": statistics.mean(pair[1] for pair in rates),
           "median": statistics.median(pair[0] / pair[1] for pair in rates)}
    row["ratio"] = row["with"] / row["without"]
    return [("the demo, every " + INTERVAL, row)]


COLUMNS = [
    ("pairs", "pairs", "%d", 1),
    ("points", "points", "%d", 1),
    ("requests/s: without", "without", "%.0f", 1),
    ("with", "with", "%.0f", 1),
    ("ratio", "ratio", "%.3f", 1),
    ("median of ratios", "median", "%.3f", 1),
    ("memory: first KiB", "first", "%.0f", 1024),
    ("last", "last", "%.0f", 1024),
]

LEGEND = """\
requests per second that ab gets from the demo in slices of ten seconds, with `watch --interval 10s --metrics --listen`
at work and with it asleep, by turns; the ratio of the means, and the median of the pairs' ratios. Memory is what is
resident of leakinspect after a quarter of the time and at the end"""


def aims(row, _asked):
    yield ("a watch costs at most 2 % of the rate", "%.3f" % row["median"], row["median"] >= 0.98)
    yield ("and its memory does not grow", "%+d KiB" % ((row["last"] - row["first"]) // 1024),
           row["last"] <= row["first"] * 1.02 + (64 << 10))
