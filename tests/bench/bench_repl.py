# SPDX-License-Identifier: GPL-3.0-or-later
"""A service under load while a session of `leakinspect repl` is open in its clone."""
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys

from tools import BENCH

WEB = os.path.join(os.path.dirname(BENCH), "programs", "web.py")
SESSIONS = [1_000, 100_000]
REQUESTS = 2000
CLIENTS = 4
BUSY = "while True: pass"


class Web:
    """A running programs/web.py."""

    def __init__(self, python, sessions):
        self.process = subprocess.Popen([python, WEB, str(sessions)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        said = self.process.stdout.readline().split()
        if said[:1] != ["ready"]:
            sys.exit("the service did not start")
        self.pid, self.port = self.process.pid, int(said[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def rate(self):
        """Requests per second as ab has them; none may fail."""
        done = subprocess.run(["ab", "-q", "-n", str(REQUESTS), "-c", str(CLIENTS),
                               "http://127.0.0.1:%d/" % self.port], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=600)
        if done.returncode or not re.search(r"^Failed requests: +0$", done.stdout, re.MULTILINE):
            sys.exit("ab: not all requests were answered:\n" + done.stdout)
        return float(re.search(r"^Requests per second: +([\d.]+)", done.stdout, re.MULTILINE)[1])


@contextlib.contextmanager
def session_open(tools, pid, *lines):
    """An open session in which @a lines have been run, and which runs @a lines' last then."""
    run = subprocess.Popen([tools.leakinspect, "repl", "--timeout", "600", str(pid)],
                           env=tools.environment("cache"), stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    run.stdin.write("import gc; gc.collect() >= 0\n")
    run.stdin.flush()
    answer = run.stdout.readline()
    if answer != "True\n":
        sys.exit("the session answered %r" % answer)
    for line in lines:
        run.stdin.write(line + "\n\n")
    run.stdin.flush()
    try:
        yield
    finally:
        # It must have lived until now.
        if run.poll() is not None:
            sys.exit("the session ended, status %d" % run.returncode)
        run.terminate()
        run.wait()
        run.stdin.close()
        run.stdout.close()


@contextlib.contextmanager
def neighbour(python):
    """A process that computes and has nothing to do with the service. Of a session of its own, as clones
    are: the kernel may share processors out among sessions."""
    run = subprocess.Popen([python, "-c", BUSY], start_new_session=True)
    try:
        yield
    finally:
        run.kill()
        run.wait()


def measure_once(tools, python, web):
    found = {"before": web.rate()}
    with session_open(tools, web.pid):
        found["first"] = web.rate()
        found["idle"] = web.rate()
    found["between"] = web.rate()
    with session_open(tools, web.pid, BUSY):
        # Most of what the process writes it has once written then.
        web.rate()
        found["busy"] = web.rate()
    with neighbour(python):
        found["neighbour"] = web.rate()
    found["after"] = web.rate()
    # Of the same round each, as the machine has other work now and then.
    around = {"first": ("before", "between"), "idle": ("before", "between"),
              "busy": ("between", "after"), "neighbour": ("between", "after")}
    for key, (left, right) in around.items():
        found[key + "_ratio"] = 2 * found[key] / (found[left] + found[right])
    return found


def measure_all(tools, python, options):
    if not shutil.which("ab"):
        sys.exit("there is no ab: install apache2-utils")
    rows = []
    for sessions in SESSIONS:
        with Web(python, sessions) as web:
            tools.measure("types", str(web.pid))
            web.rate()
            rounds = [measure_once(tools, python, web) for _ in range(options.runs)]
        row = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        row["sessions"] = sessions
        row["without"] = statistics.median(each[key] for each in rounds
                                           for key in ("before", "between", "after"))
        rows.append(("%d sessions" % sessions, row))
    return rows


COLUMNS = [
    ("sessions", "sessions", "%d", 1),
    ("requests/s: without", "without", "%.0f", 1),
    ("first 2000", "first", "%.0f", 1),
    ("ratio", "first_ratio", "%.3f", 1),
    ("idle", "idle", "%.0f", 1),
    ("ratio", "idle_ratio", "%.3f", 1),
    ("computes", "busy", "%.0f", 1),
    ("ratio", "busy_ratio", "%.3f", 1),
    ("neighbour", "neighbour", "%.0f", 1),
    ("ratio", "neighbour_ratio", "%.3f", 1),
]

LEGEND = """\
requests per second that ab gets from a service in Python: with nobody there; with a session of `repl` open, the first
2,000 requests, in which the process writes to most of its pages for the first time since, and the next; while code
computes without end in the clone; while another process of its own does, with which the service shares the processors,
too. Ratios are to the rates without anybody right before and after"""


def aims(row, _asked):
    yield ("an open session costs at most 5 % of the rate", "%.3f" % row["idle_ratio"],
           row["idle_ratio"] >= 0.95)
