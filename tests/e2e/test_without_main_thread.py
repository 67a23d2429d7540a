# SPDX-License-Identifier: GPL-3.0-or-later
"""A process whose main thread has ended while others go on: /proc/PID tells nothing of its memory."""

import time

import pytest

from support.reports import listed


@pytest.fixture
def headless(interpreter, start):
    target = start("without_main_thread.py", interpreter, reads=False)
    end = time.monotonic() + 60
    while not target.status("State").startswith("Z"):
        assert time.monotonic() < end
        time.sleep(0.001)
    return target


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
