# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that forks its workers: "spawn N" starts N of them and tells their pids, "retire" ends the oldest,
"kill" kills it, "grow N" has each keep N more instances, "other" starts a child that is no Python and tells its
pid, "deep" has the oldest worker fork one more. Closing standard input ends all."""
import gc
import os
import signal
import subprocess

import conversation


class Kept(object):
    pass


workers = []
others = []
kept = []


def answer(to, text):
    os.write(to, text.encode() + b"\n")


def work(orders, answers):
    """What a worker does: a line of its pipe, and one back."""
    while True:
        line = b""
        while not line.endswith(b"\n"):
            got = os.read(orders, 1)
            if not got:
                os._exit(0)
            line += got
        word, _, number = line.decode().strip().partition(" ")
        if word == "grow":
            for _ in range(int(number)):
                kept.append(Kept())
            answer(answers, "grown")
        elif word == "deep":
            ends = os.pipe()
            pid = os.fork()
            if pid == 0:
                # Until the worker, who alone holds the other end, has gone.
                signal.alarm(600)
                os.close(ends[1])
                os.read(ends[0], 1)
                os._exit(0)
            answer(answers, str(pid))


def start_one():
    mine, theirs = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(mine[1])
        os.close(theirs[0])
        for _, orders, answers in workers:
            os.close(orders)
            os.close(answers)
        signal.alarm(600)
        work(mine[0], theirs[1])
    os.close(mine[0])
    os.close(theirs[1])
    workers.append((pid, mine[1], theirs[0]))
    return pid


def ask(worker, line):
    answer(worker[1], line)
    said = b""
    while not said.endswith(b"\n"):
        said += os.read(worker[2], 1)
    return said.decode().strip()


def spawn(count):
    return " ".join(str(start_one()) for _ in range(int(count)))


def end_oldest(number=None):
    pid, orders, answers = workers.pop(0)
    if number:
        os.kill(pid, number)
    os.close(orders)
    os.close(answers)
    os.waitpid(pid, 0)
    return str(pid)


def grow(count):
    for worker in workers:
        ask(worker, "grow " + count)


def other(_=None):
    others.append(subprocess.Popen(["sleep", "600"]))
    return str(others[-1].pid)


gc.disable()
try:
    conversation.serve({"spawn": spawn, "grow": grow, "other": other,
                        "retire": lambda _=None: end_oldest(),
                        "kill": lambda _=None: end_oldest(signal.SIGKILL),
                        "deep": lambda _=None: ask(workers[0], "deep")})
finally:
    for process in others:
        process.kill()
        process.wait()
    while workers:
        end_oldest()
