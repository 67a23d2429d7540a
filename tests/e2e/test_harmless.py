# SPDX-License-Identifier: GPL-3.0-or-later
"""The inspected process goes on as it was: after every run, and after every end that a run can come
to, at whatever moment."""

import contextlib
import hashlib
import os
import random
import signal
import time
from subprocess import DEVNULL, PIPE

import pytest

RUNS = 200
SIGNALS = [signal.SIGKILL, signal.SIGINT, signal.SIGTERM]
POPULATION = 50000

# (threads beside the main one, those that start threads without end)
SHAPES = {"one thread": (0, 0), "200 threads": (199, 0), "threads that come and go": (4, 12)}


def thread_states(pid):
    """{thread id: (state letter, id of its tracer)}; threads that end meanwhile are left out."""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open("/proc/%d/task/%s/status" % (pid, tid), encoding="ascii",
                      errors="replace") as status:
                fields = dict(line.partition(":")[::2] for line in status)
            found[int(tid)] = (fields["State"].split()[0], int(fields["TracerPid"]))
    return found


def assert_left_alone(pid, states="RSD"):
    """Nobody traces any thread, and each is in one of these states (or ends just now)."""
    found = thread_states(pid)
    wrong = {tid: is_in for tid, is_in in found.items()
             if is_in[1] != 0 or is_in[0] not in states + "ZX"}
    assert found and not wrong, wrong


def assert_beats_on(target):
    """Every thread's heart beats on."""
    before = now = target.ask_json("beats")
    end = time.monotonic() + 30
    while not all(map(int.__lt__, before, now)):
        assert time.monotonic() < end, "a thread stands still: %s, then %s" % (before, now)
        now = target.ask_json("beats")


def assert_answers_right(target, seed):
    work = hashlib.sha256(seed.encode())
    for number in range(POPULATION):
        work.update(b"%d %d\n" % (number, number))
    assert target.ask("digest " + seed) == work.hexdigest()


def wait_for(condition, what):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.0002)


def is_traced(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as status:
            return "TracerPid:\t0\n" not in status.read()
    return False


@pytest.fixture
def stop_and_continue():
    """stop_and_continue(pid) stops a process with SIGSTOP and returns a function that lets it go on."""
    def stop(pid):
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: all(state == "T" for state, _ in thread_states(pid).values()),
                 "SIGSTOP does not stop pid %d" % pid)
        return lambda: os.kill(pid, signal.SIGCONT)

    return stop


@pytest.fixture(params=SHAPES)
def target(request, start, debian_python):
    return start("heartbeat.py", debian_python, SHAPES[request.param])


def time_of_a_run(leakinspect, pid):
    """In seconds; the shortest of some."""
    def once():
        begin = time.monotonic()
        leakinspect("types", pid)
        return time.monotonic() - begin

    return min(once() for _ in range(4))


def end_a_run(leakinspect, pid, number, chance, duration):
    """Starts a run, sends it a signal at a random moment, or one while the process stands still, and
    returns whether it did stand still then."""
    sent = SIGNALS[number % len(SIGNALS)]
    run = leakinspect.start("types", "--json", pid, stdout=DEVNULL, stderr=DEVNULL)
    try:
        if number % 2:
            time.sleep(chance.uniform(0, duration))
        else:
            while not is_traced(pid) and run.poll() is None:
                pass
        stood_still = is_traced(pid)
        run.send_signal(sent)
        # One that was done is done, an interrupted one says so; before it handles signals, a
        # signal is its end.
        assert run.wait(30) in (0, 1, -sent)
    finally:
        run.kill()
        run.wait()
    return stood_still


def test_runs_that_end_by_themselves_leave_the_process_as_it_was(target, leakinspect):
    for number in range(20):
        leakinspect(("types", "info")[number % 2], target.pid)
        assert_left_alone(target.pid)

    assert_beats_on(target)
    assert_answers_right(target, "done")
    assert target.finish() == 0


def test_runs_that_are_killed_at_random_moments_leave_the_process_as_it_was(target, leakinspect):
    chance = random.Random(1)
    duration = time_of_a_run(leakinspect, target.pid)
    met = 0

    for number in range(RUNS):
        met += end_a_run(leakinspect, target.pid, number, chance, duration)
        assert_left_alone(target.pid)
        if number % 20 == 0:
            assert_beats_on(target)

    # It was the pause that the signals met, often enough to tell.
    assert met > RUNS / 10
    assert_beats_on(target)
    assert_answers_right(target, "killed")
    leakinspect("types", target.pid)
    assert target.finish() == 0


def test_a_stopped_process_stays_stopped(target, leakinspect, stop_and_continue):
    go_on = stop_and_continue(target.pid)
    chance = random.Random(2)
    duration = time_of_a_run(leakinspect, target.pid)

    for number in range(40):
        if number % 4 == 0:
            leakinspect("types", target.pid)
        else:
            end_a_run(leakinspect, target.pid, number, chance, duration)
        wait_for(lambda: {state for state, _ in thread_states(target.pid).values()} == {"T"},
                 "a thread does not stay stopped")
        assert_left_alone(target.pid, states="T")

    go_on()
    assert_beats_on(target)
    assert_answers_right(target, "stopped")
    assert target.finish() == 0


def test_a_console_that_is_killed_leaves_the_process_as_it_was(start, debian_python, leakinspect):
    target = start("heartbeat.py", debian_python, (4, 0))
    for sent in SIGNALS:
        console = leakinspect.start("attach", target.pid, stdin=PIPE, stdout=PIPE,
                                    stderr=DEVNULL)
        try:
            console.stdin.write(b"types\n" * 5)
            console.stdin.flush()
            # It has begun to answer.
            assert console.stdout.read(1)
            console.send_signal(sent)
            # What asks for an orderly end may as well mean the command only: then this is the end.
            console.stdin.close()
            while console.stdout.read(1 << 16):
                pass
            console.wait(30)
        finally:
            console.kill()
            console.wait()
            console.stdout.close()
        assert_left_alone(target.pid)
        assert_beats_on(target)
    assert_answers_right(target, "console")
    assert target.finish() == 0


def test_a_signal_to_the_process_comes_through_while_it_is_inspected(
        start, debian_python, leakinspect):
    """SIGSTOP and SIGCONT come at any time, as from a shell's job control."""
    target = start("heartbeat.py", debian_python, (4, 0))
    run = None
    for number in range(60):
        if run is None or run.poll() is not None:
            run = leakinspect.start("types", "--json", target.pid, stdout=DEVNULL, stderr=DEVNULL)
        os.kill(target.pid, signal.SIGSTOP if number % 2 == 0 else signal.SIGCONT)
        time.sleep(0.003)
    assert run.wait(30) == 0

    assert_left_alone(target.pid)
    assert_beats_on(target)
    assert target.finish() == 0
