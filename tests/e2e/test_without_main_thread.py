# SPDX-License-Identifier: GPL-3.0-or-later
"""A process whose main thread has ended while others go on: /proc/PID tells nothing of its memory."""

import shutil
import time

import pytest

from support.as_before import children
from support.interpreters import Interpreter
from support.reports import listed


def start_headless(start, program, interpreter, *args):
    target = start(program, interpreter, args, reads=False)
    end = time.monotonic() + 60
    while not target.status("State").startswith("Z"):
        assert time.monotonic() < end
        time.sleep(0.001)
    return target


@pytest.fixture
def headless(interpreter, start):
    return start_headless(start, "without_main_thread.py", interpreter)


def test_it_is_inspected_like_any_other(headless, leakinspect):
    for snapshot in "copy", "clone":
        report = leakinspect("types", headless.pid, "--snapshot", snapshot)
        assert report["target"]["snapshot"] == snapshot
        tracked = listed(report)
        assert tracked == {name: count for name, (count, _) in headless.census().items()}
        assert tracked["__main__.Kept"] == 500

    info = leakinspect("info", headless.pid)
    assert "without_main_thread.py" in " ".join(info["argv"])
    assert info["memory"]["rss"] > 1 << 20
    stacks = leakinspect("threads", headless.pid)["threads"]
    assert "serve" in {call["function"] for thread in stacks for call in thread["stack"]}
    kept = leakinspect.run("eval", headless.pid, "len(keep)")
    assert (kept.returncode, kept.stdout) == (0, "500\n"), kept.stderr
    verified = leakinspect.run("garbage", "--verify", headless.pid)
    assert verified.returncode == 0, verified.stderr
    assert headless.ask("more") == "ok"
    assert headless.finish() == 0


def test_it_has_not_ended_for_a_watch_and_a_console(headless, leakinspect, tmp_path):
    report = leakinspect("watch", headless.pid, "-i", "50ms", "--max-pause-share", "100%", "-c", "3")
    series = {one["name"]: one["points"] for one in report["series"]}
    for rss, vss, pss in zip(series["rss"], series["vss"], series["pss"]):
        assert 1 << 20 < pss["value"] <= rss["value"] <= vss["value"]
    assert len(series["rss"]) == 3
    taken = tmp_path / "taken.json"
    leakinspect("snapshot", headless.pid, "-o", taken)
    headless.ask("more")
    grown = leakinspect("diff", taken, headless.pid)
    assert {row["name"]: row["instances"] for row in grown["types"]}["__main__.Kept"] == 100
    done = leakinspect.run("attach", headless.pid, "-q", input="types -n 1\nstats\n")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert headless.finish() == 0


def test_threads_that_relieve_each_other_hide_nothing_and_leave_nothing(
        debian_python, start, leakinspect):
    target = start_headless(start, "relay.py", debian_python, 0.0003)
    for number in range(80):
        report = leakinspect("types", target.pid, "--snapshot", "copy" if number % 4 else "clone")
        assert listed(report)["__main__.Kept"] == 500
    # More than once, as threads come and go.
    assert [child for _ in range(50) for child in children(target.pid)] == []
    assert target.is_alive()


def test_a_program_that_has_been_removed_is_found(debian_python, start, leakinspect, tmp_path):
    """As after an upgrade: what the process has mapped is reached through it alone."""
    program = tmp_path / "python"
    shutil.copy("/usr/bin/python3.11", program)
    target = start_headless(start, "without_main_thread.py",
                            Interpreter("copied", [str(program)]))
    program.unlink()
    report = leakinspect("types", target.pid)
    assert listed(report)["__main__.Kept"] == 500
    assert leakinspect.run("eval", target.pid, "len(keep)").stdout == "500\n"
