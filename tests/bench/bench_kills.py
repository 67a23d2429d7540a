# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills leakinspect while it makes clones, at random instants, and looks whether the process that it was
cloning is as before each time."""
import contextlib
import mmap
import os
import random
import statistics
import struct
import subprocess
import sys
import time

from kill_target import CUT, DONE, FIELDS, THREADS_MAX, WRONG
from tools import BENCH

KINDS = ["sleep", "compute", "io", "threads"]
# As kill_marks.h has them.
BEFORE, STOP, FRAMES, CALL, CHILD, LET_GO, LIVES, COLLECT, AFTER = range(9)
CALIBRATIONS = 15
# The others are of a clone that is only read.
EVAL_SHARE = 0.2
CLEAN_SECONDS = 1.0
PATIENCE_SECONDS = 70.0


class Kill:
    """What became of one run of leakinspect."""

    def __init__(self, line):
        numbers = [int(word) for word in line.split()]
        (self.status, self.step, self.at_ns, self.dead_ns, self.orphans,
         self.ended_ns, self.bare_ns) = numbers[:7]
        self.steps_ns = numbers[7:]

    def __str__(self):
        def milliseconds(begin, end):
            return "%.3f ms" % ((end - begin) / 1e6) if begin and end else "never"

        return "at step %d, %s after the first stop; it was dead %s, what it had started %s later" % (
            self.step, milliseconds(self.steps_ns[STOP], self.at_ns),
            milliseconds(self.at_ns, self.dead_ns), milliseconds(self.at_ns, self.ended_ns))


class Killer:
    """Runs a verb of leakinspect on a process, again and again, and kills it."""

    def __init__(self, tools, target, verb, *words):
        path = os.path.join(tools.folder, "marks-%d-%s" % (target.pid, verb))
        self.process = subprocess.Popen(
            [os.path.join(tools.folder, "killer"), path, os.path.join(tools.folder, "kill_marks"),
             tools.leakinspect, verb, str(target.pid), *words],
            env=tools.environment("cache"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1)
        runs = [self.kill(-1, 0) for _ in range(CALIBRATIONS)]
        whole = [run for run in runs if run.status == 0 and all(run.steps_ns)]
        if len(whole) < CALIBRATIONS // 2:
            sys.exit("leakinspect %s does not clone process %d" % (verb, target.pid))
        self.spans = {step: statistics.median(run.steps_ns[step] - run.steps_ns[STOP]
                                              for run in whole) for step in range(AFTER + 1)}

    def kill(self, step, delay):
        """The nanoseconds @a delay after @a step has begun."""
        self.process.stdin.write("%d %d\n" % (step, delay))
        return Kill(self.process.stdout.readline())

    def kill_somewhere(self, chance):
        """Half of them while the clone is made, the others on the way from the first thread stopped to
        the collected clone, or while that is collected, or anywhere at all."""
        spans, dice = self.spans, chance.random()
        if dice < 0.5:
            step, span = STOP, spans[LIVES] * 1.2
        elif dice < 0.75:
            step, span = STOP, spans[AFTER]
        elif dice < 0.95:
            step, span = COLLECT, (spans[AFTER] - spans[COLLECT]) * 1.2
        else:
            step, span = BEFORE, -spans[BEFORE] + spans[AFTER]
        return self.kill(step, int(chance.uniform(0, span)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Target:
    """A running kill_target.py."""

    def __init__(self, python, folder, kind):
        path = os.path.join(folder, "counts-" + kind)
        with open(path, "wb") as file:
            file.truncate(8 * FIELDS * THREADS_MAX)
        with open(path, "rb") as file:
            self.shared = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self.process = subprocess.Popen([python, os.path.join(BENCH, "kill_target.py"), kind, path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        said = self.process.stdout.readline().split()
        if said[:1] != ["ready"]:
            sys.exit("the inspected process did not start")
        self.threads = int(said[1])

    def count(self, field):
        """Of each thread."""
        return struct.unpack_from("<%dQ" % (FIELDS * self.threads), self.shared)[field::FIELDS]

    def is_alive(self):
        return self.process.poll() is None

    def threads_read(self, name):
        """The file NAME in /proc of each thread, of those that are there."""
        for tid in os.listdir("/proc/%d/task" % self.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(
                    "/proc/%d/task/%s/%s" % (self.pid, tid, name), encoding="utf-8") as file:
                yield file.read()

    def is_free(self):
        """Nobody traces a thread, and no signals are kept from it."""
        for status in self.threads_read("status"):
            fields = dict(line.split(":\t", 1) for line in status.split("\n") if ":\t" in line)
            if fields["TracerPid"] != "0" or int(fields["SigBlk"], 16) != 0:
                return False
        return True

    def children(self):
        """State letters of the children, of all threads."""
        states = []
        for pid in " ".join(self.threads_read("children")).split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(
                    "/proc/%s/stat" % pid, encoding="utf-8") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
        return states

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def await_true(question):
    """Whether it becomes true, and by how much the last look may be late."""
    end = time.monotonic() + PATIENCE_SECONDS
    last = time.monotonic()
    while not question():
        now = time.monotonic()
        if now > end:
            return False, 0
        time.sleep(0.0005)
        last = now
    return True, time.monotonic() - last


def judge(target, kill, found):
    """Adds what is wrong after a kill; false when the process is of no use any more."""
    done = target.count(DONE)
    childless, late = await_true(lambda: not target.is_alive() or not target.children())
    if kill.at_ns:
        # From its end, which on a busy machine does not follow at once. Its own late looks are not meant.
        took = max(time.monotonic() - late, kill.ended_ns / 1e9) - kill.dead_ns / 1e9
        found["longest"] = max(found["longest"], took)
        found["bare"] = max(found["bare"], kill.bare_ns / 1e9)
        found["bare_late"] += kill.bare_ns > CLEAN_SECONDS * 1e9
        # Those that have gone by now were there too long, whatever they were.
        if not childless and "Z" in target.children():
            found["zombies"] += 1
        elif took > CLEAN_SECONDS or kill.orphans:
            found["orphans"] += 1
    goes_on, _ = await_true(lambda: not target.is_alive() or (
        target.is_free() and all(map(int.__lt__, done, target.count(DONE)))))
    if not target.is_alive():
        found["died"] += 1
        return False
    found["stopped"] += not goes_on
    return goes_on and childless


FIGURES = ["kills", "outside", "stop", "fork", "let_go", "lives", "collect", "died", "stopped",
           "wrong", "cut", "zombies", "orphans", "bare_late", "effects", "longest", "bare"]
PLACES = {BEFORE: "outside", STOP: "stop", LET_GO: "let_go", LIVES: "lives", COLLECT: "collect",
          AFTER: "outside"}
BAD = ["died", "stopped", "zombies", "orphans"]


def kill_many(target, killers, kills, found, chance):
    """Until there have been @a kills, or the process is not as it was."""
    usable = True
    while usable and found["kills"] < kills:
        kill = killers[chance.random() < EVAL_SHARE].kill_somewhere(chance)
        found["kills"] += 1
        found[PLACES.get(kill.step, "fork") if kill.at_ns else "outside"] += 1
        before = [found[bad] for bad in BAD]
        usable = judge(target, kill, found)
        if [found[bad] for bad in BAD] != before:
            print("kill %d, %s: %s" % (found["kills"], kill, {bad: found[bad] for bad in BAD}),
                  flush=True)


def measure_kind(tools, python, kind, kills, chance):
    found = dict.fromkeys(FIGURES, 0)
    while found["kills"] < kills:
        with Target(python, tools.folder, kind) as target, \
                Killer(tools, target, "types", "--snapshot", "clone") as first, \
                Killer(tools, target, "eval", "1") as second:
            kill_many(target, (first, second), kills, found, chance)
            found["wrong"] += sum(target.count(WRONG))
            found["cut"] += sum(target.count(CUT))
            found["effects"] += sum(target.count(DONE))
    return found


def measure_all(tools, python, options):
    tools.compile("killer")
    tools.compile("kill_marks", "-shared", "-fPIC")
    chance = random.Random(options.seed)
    rows = []
    for place, kind in enumerate(KINDS):
        kills = options.kills * (place + 1) // len(KINDS) - options.kills * place // len(KINDS)
        begin = time.monotonic()
        rows.append(("%-7s" % kind, {"kind": kind,
                                     **measure_kind(tools, python, kind, kills, chance)}))
        print("%s: %d kills in %.0f s" % (kind, kills, time.monotonic() - begin), flush=True)
    return rows


COLUMNS = [
    ("process", "kind", "%s", 1),
    ("kills", "kills", "%d", 1),
    ("outside", "outside", "%d", 1),
    ("stopping", "stop", "%d", 1),
    ("forking", "fork", "%d", 1),
    ("letting go", "let_go", "%d", 1),
    ("reading", "lives", "%d", 1),
    ("collecting", "collect", "%d", 1),
    ("died", "died", "%d", 1),
    ("stopped", "stopped", "%d", 1),
    ("lost or twice", "wrong", "%d", 1),
    ("zombies", "zombies", "%d", 1),
    ("orphans", "orphans", "%d", 1),
    ("(bare)", "bare_late", "%d", 1),
    ("EINTR", "cut", "%d", 1),
    ("effects", "effects", "%d", 1),
    ("longest ms", "longest", "%.0f", 1e-3),
    ("(bare)", "bare", "%.0f", 1e-3),
]

LEGEND = """\
process: one that sleeps, computes, reads and writes, does all of it in 50 threads; outside: killed before the first
thread was stopped, or when all was over; stopping to letting go: while the clone was made; reading: while
it lived; collecting: while the process was made to collect it; died, stopped: of the process; lost or twice: effects of
system calls, of all those that it looked at itself (effects); zombies: that stayed; orphans: kills after which
a process was there for more than a second; EINTR: nanosleep() and poll() that were cut short; longest: until no child
was left; bare: the same of a process that does nothing but end, started each time, too: what the machine makes wait"""


def aims(row, _asked):
    yield ("most kills meet a clone on its way", "%d of %d" % (row["kills"] - row["outside"],
                                                               row["kills"]),
           row["outside"] * 2 <= row["kills"])
    for name, words in (("died", "no process dies"), ("stopped", "none stands still"),
                        ("wrong", "no effect of a system call is lost or there twice"),
                        ("zombies", "no zombie stays"),
                        ("orphans", "no orphan is there for more than a second")):
        yield words, "%d" % row[name], row[name] == 0
