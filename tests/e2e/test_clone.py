# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen clone answers what a copy answers, and the process it was made of is as before."""
import os
import random
import signal
import subprocess
import time
from subprocess import DEVNULL

import pytest

from support.as_before import assert_as_before, children
from support.reports import listed, mismatches

# Of one interpreter; LEAKINSPECT_KILLS=10000 for more of them.
KILLS = int(os.environ.get("LEAKINSPECT_KILLS", 150))


# What a process of at most so much memory holds is read out of its clone before it is counted.
READ_OUT_KIB_MAX = 128 << 10


def resident_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@pytest.mark.parametrize("kind", ["small", "large", "mapping"])
def test_a_clone_counts_what_the_program_counts(interpreter, start, leakinspect, kind):
    arguments = {"small": ["--no-unittests"], "large": ["--no-unittests", "--with-ballast"],
                 "mapping": ["--no-unittests", "--with-mapping"]}[kind]
    target = start("library_code.py", interpreter, args=arguments)
    # Only a look at its mappings tells that there is more than its resident memory.
    assert (resident_kib(target.pid) > READ_OUT_KIB_MAX) == (kind == "large")
    truth = {name: count for name, (count, _) in target.census().items()}
    report = leakinspect("types", target.pid, "--snapshot", "clone")
    assert report["target"]["snapshot"] == "clone", report["target"]["not_cloned"]
    assert mismatches(truth, listed(report)) == {}
    assert_as_before(target)


def test_the_graph_of_a_clone_is_that_of_the_process(interpreter, start, leakinspect):
    target = start("pairs.py", interpreter, args=["new"])
    cloned = leakinspect("cycles", target.pid, "--snapshot", "clone", "--all")
    copied = leakinspect("cycles", target.pid, "--all")
    assert cloned["target"]["snapshot"] == "clone" and copied["target"]["snapshot"] == "copy"
    assert cloned["cycles"] == copied["cycles"]
    garbage = leakinspect("garbage", target.pid, "--snapshot", "clone")
    assert garbage["unreachable"] + garbage["uncollectable"] == target.ask_json("collect")[0]
    assert_as_before(target)


def test_each_refresh_of_a_console_is_a_new_clone(debian_python, start, leakinspect):
    target = start("pairs.py", debian_python, args=["new"])
    lines = ["cycles --json --snapshot clone", "refresh", "cycles --json"]
    done = leakinspect.run("attach", target.pid, *[word for line in lines for word in ("-c", line)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"snapshot": "clone"') == 2
    assert_as_before(target)


def test_a_process_that_forbids_it_is_copied_and_the_report_says_why(debian_python, start,
                                                                   leakinspect):
    target = start("filtered.py", debian_python)
    report = leakinspect("types", target.pid, "--snapshot", "clone")
    assert report["target"]["snapshot"] == "copy"
    assert "seccomp" in report["target"]["not_cloned"]
    text = leakinspect.run("types", "--snapshot", "clone", target.pid).stdout
    assert "not cloned: " in text
    assert_as_before(target)


def test_a_filter_of_one_thread_alone_is_respected(debian_python, start, leakinspect):
    # The main thread waits with a time limit, which makes others the first choice.
    target = start("filtered.py", debian_python, ["thread"])
    for _ in range(3):
        leakinspect("types", target.pid, "--snapshot", "clone")
        assert_as_before(target)
    assert target.is_alive()


def test_a_thread_in_the_strict_mode_of_seccomp_is_left_alone(debian_python, leakinspect):
    # Its mode allows four system calls, and any other ends it. The main thread waits with a time limit,
    # which makes others the first choice.
    code = ("import ctypes, os, threading, time\n"
            "def wait():\n"
            "    time.sleep(0.2)\n"
            "    ctypes.PyDLL(None).prctl(22, 1, 0, 0, 0)\n"
            "    os.write(1, b'ready\\n')\n"
            "    os.read(0, 1)\n"
            "threading.Thread(target=wait, daemon=True).start()\n"
            "threading.Event().wait(60)")
    run = subprocess.Popen([*debian_python.command, "-c", code], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    try:
        assert run.stdout.readline() == b"ready\n"
        for _ in range(3):
            leakinspect("types", run.pid, "--snapshot", "clone")
            assert len(os.listdir("/proc/%d/task" % run.pid)) == 2
            assert children(run.pid) == []
    finally:
        run.kill()
        run.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace of processes is root's to make")
def test_a_process_in_a_namespace_of_its_own_keeps_no_zombie(debian_python, leakinspect):
    run = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", *debian_python.command, "-c",
                            "import time; print('ready', flush=True); time.sleep(60)"],
                           stdout=subprocess.PIPE)
    try:
        assert run.stdout.readline() == b"ready\n"
        inner, = map(int, children(run.pid))
        for _ in range(3):
            report = leakinspect("types", inner, "--snapshot", "clone")
            assert report["target"]["snapshot"] == "clone"
            assert report["target"]["left_behind"] is None
            assert children(inner) == []
    finally:
        run.kill()
        run.wait()


def test_a_process_that_becomes_another_while_its_clone_lives_keeps_no_zombie(debian_python, start,
                                                                             leakinspect):
    for delay in (0.0, 0.01, 0.02, 0.03, 0.05):
        target = start("becoming.py", debian_python)
        run = leakinspect.start("types", "--snapshot", "clone", target.pid, stdout=DEVNULL,
                                stderr=DEVNULL)
        time.sleep(delay)
        target.ask("become")
        run.wait(30)
        end = time.monotonic() + 5
        while children(target.pid) and time.monotonic() < end:
            time.sleep(0.005)
        assert_as_before(target)
        assert target.ask("handled") == "yes"


def test_whenever_leakinspect_is_killed_the_process_goes_on(debian_python, start, leakinspect):
    target = start("heartbeat.py", debian_python, (4, 0))
    chance = random.Random(5)
    begin = time.monotonic()
    leakinspect("types", target.pid, "--snapshot", "clone")
    duration = time.monotonic() - begin
    for _ in range(KILLS):
        run = leakinspect.start("types", "--snapshot", "clone", target.pid, stdout=DEVNULL,
                                stderr=DEVNULL)
        time.sleep(chance.uniform(0, duration))
        run.send_signal(signal.SIGKILL)
        run.wait(30)
    end = time.monotonic() + 1
    while children(target.pid) and time.monotonic() < end:
        time.sleep(0.005)
    assert children(target.pid) == []
    before = target.ask_json("beats")
    deadline = time.monotonic() + 30
    while not all(map(int.__lt__, before, target.ask_json("beats"))):
        assert time.monotonic() < deadline, "a thread stands still"
    while target.status("TracerPid") != "0":
        assert time.monotonic() < deadline
    assert_as_before(target)
