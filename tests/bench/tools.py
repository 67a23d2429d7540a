# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the bench share: the programs that are run, the inspected process, tables."""
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20


class Run:
    """One run of leakinspect: seconds by the clock, seconds of all processors, bytes at its peak, and
    what it answered."""

    def __init__(self, wall, cpu, peak, answer):
        self.wall = wall
        self.cpu = cpu
        self.peak = peak
        self.answer = answer

    def report(self):
        return json.loads(self.answer)


class Tools:
    """leakinspect, the C programs, and GDB, with a cache of their own."""

    def __init__(self, leakinspect, folder):
        self.leakinspect = leakinspect
        self.folder = folder
        for name in ("measure", "bare_copy", "bare_clone", "touch"):
            self.compile(name)

    def compile(self, name, *options):
        """The program's path, in the folder."""
        path = os.path.join(self.folder, name)
        subprocess.run([os.environ.get("CC", "cc"), "-O2", *options, "-o", path,
                        os.path.join(BENCH, name + ".c")], check=True, timeout=120)
        return path

    def environment(self, cache):
        return dict(os.environ, HOME=self.folder,
                    XDG_CACHE_HOME=os.path.join(self.folder, cache))

    def measure(self, *args, cache="cache"):
        """A Run, which must succeed."""
        answer = os.path.join(self.folder, "answer")
        done = subprocess.run([os.path.join(self.folder, "measure"), answer, self.leakinspect,
                               *args],
                              env=self.environment(cache), stdout=subprocess.PIPE, text=True,
                              check=True, timeout=600)
        wall, cpu, kib, status = map(int, done.stdout.split())
        if status != 0:
            sys.exit("leakinspect %s: exit status %d" % (" ".join(args), status))
        with open(answer, encoding="utf-8") as file:
            return Run(wall / 1e9, cpu / 1e9, kib * 1024, file.read())

    def gdb_walk(self, pid, objects, seconds):
        """(objects, seconds) of a walk in GDB's Python, ended by either; None where it cannot."""
        if not shutil.which("gdb"):
            return None
        done = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-p",
                               str(pid), "-ex", "set $objects = %d" % objects,
                               "-ex", "set $seconds = %d" % seconds,
                               "-x", os.path.join(BENCH, "gdb_walk.py")],
                              env=self.environment("cache"), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False, timeout=300)
        walked = re.search(r"^walked (\d+) \d+ ([\d.]+)$", done.stdout, re.MULTILINE)
        return walked and (int(walked.group(1)), float(walked.group(2)))

    def bare_clone(self, pid):
        """Seconds that the process stands still for a fork that it is made to make; None where that
        cannot be had."""
        done = subprocess.run([os.path.join(self.folder, "bare_clone"), str(pid)],
                              stdout=subprocess.PIPE, check=False, timeout=600)
        return int(done.stdout) / 1e9 if done.returncode == 0 else None

    def gcore(self, pid):
        """Seconds of gdb's gcore; None without it. The core is gone then."""
        core = os.path.join(self.folder, "core")
        if not shutil.which("gcore"):
            return None
        begin = time.perf_counter()
        done = subprocess.run(["gcore", "-o", core, str(pid)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, timeout=600)
        took = time.perf_counter() - begin
        with contextlib.suppress(FileNotFoundError):
            os.unlink("%s.%s" % (core, pid))
        return took if done.returncode == 0 else None

    def touch(self, size):
        """Has the machine get @size bytes of memory, which are free again then."""
        subprocess.run([os.path.join(self.folder, "touch"), str(size)], check=True, timeout=600)

    def bare_copy(self, pid):
        """(seconds, bytes) of reading the heap and doing nothing with it."""
        done = subprocess.run([os.path.join(self.folder, "bare_copy"), str(pid)],
                              stdout=subprocess.PIPE, check=True, timeout=600)
        read, nanoseconds = map(int, done.stdout.split())
        return nanoseconds / 1e9, read


class Heap:
    """A running heap.py."""

    def __init__(self, python, objects):
        self.python = python
        self.process = subprocess.Popen([python, os.path.join(BENCH, "heap.py"), str(objects)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            sys.exit("the inspected process did not start")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()


def medians(runs):
    """Of a list of dicts with the same keys, the median of each."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def print_table(columns, rows):
    """@columns are (title, key, format, unit); a value that is None is a dash, and a word is a word."""
    def cell(value, form, unit):
        if value is None:
            return "-"
        return value if isinstance(value, str) else form % (value / unit)

    lines = [[title for title, _, _, _ in columns]]
    lines += [[cell(row[key], form, unit) for _, key, form, unit in columns] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        print("  ".join(word.rjust(width) for word, width in zip(line, widths)))
