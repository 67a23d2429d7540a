# SPDX-License-Identifier: GPL-3.0-or-later
"""watch from the shell: points against the process's own truth, and every way in which it ends."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

SERIES = {"rss": "bytes", "vss": "bytes", "pss": "bytes", "objects": "count", "garbage": "count",
          "pause": "ns"}
# As fast as it goes: the pause of a test hurts nobody.
FAST = ("-i", "50ms", "--max-pause-share", "100%")


@pytest.fixture
def growing(debian_python, start):
    return start("growing.py", debian_python)


def series_of(report):
    return {row["name"]: row for row in report["series"]}


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def points_of(path):
    return [line for line in lines_of(path) if "rss" in line]


def wait_for(condition, what, timeout=60):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "no %s within %d s" % (what, timeout)
        time.sleep(0.02)


def test_points_are_what_the_process_and_proc_say(interpreter, start, leakinspect):
    target = start("growing.py", interpreter)
    target.ask("grow 500")
    target.ask("litter 7")
    objects = leakinspect("types", target.pid)["total"]["count"]
    report = leakinspect("watch", target.pid, "-c", 3, *FAST)
    found = series_of(report)
    assert {name: row["unit"] for name, row in found.items()} == SERIES
    assert [row["count"] for row in found.values()] == [3] * 6
    assert [point["value"] for point in found["objects"]["points"]] == [objects] * 3
    assert [point["value"] for point in found["garbage"]["points"]] == [7] * 3
    assert found["rss"]["last"] == int(target.status("VmRSS").split()[0]) * 1024
    assert found["vss"]["last"] == int(target.status("VmSize").split()[0]) * 1024
    assert 0 < found["pss"]["last"] <= found["rss"]["last"] * 1.01
    assert all(point["value"] > 0 for point in found["pause"]["points"])
    assert report["recording"]["points"] == 3
    assert report["recording"]["ended"] == "all points were taken"
    assert report["recording"]["pause_share"] > 0
    assert report["target"]["stops"] >= 6
    assert target.is_alive() and target.status("TracerPid") == "0"


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.6", "python3.11-debian",
                                         "python3.13"], indirect=True)
def test_growth_is_seen_while_it_comes(interpreter, start, leakinspect, tmp_path):
    target = start("growing.py", interpreter)
    record = tmp_path / "record"
    process = leakinspect.start("watch", target.pid, *FAST, "--record", record, "--json",
                                stdout=subprocess.PIPE, text=True)
    try:
        for step in range(1, 4):
            wait_for(lambda: record.exists() and len(points_of(record)) > 0, "point")
            target.ask("grow 1000")
            count = len(points_of(record))
            # One may have been under way.
            wait_for(lambda: len(points_of(record)) >= count + 2, "points after step %d" % step)
        process.send_signal(signal.SIGINT)
        report = json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.wait()
    objects = series_of(report)["objects"]
    # An instance, and its dict where it has one from the start.
    assert 3000 <= objects["change"] < 7000
    assert report["recording"]["ended"] == "interrupted"
    written = points_of(record)
    assert written[0]["objects"] == objects["first"] and written[-1]["objects"] == objects["last"]
    # Not each is more than the one before: in the middle of growing there is what comes and goes.
    assert len(set(point["objects"] for point in written)) >= 4


def test_the_table_goes_on_and_ends_with_a_summary(leakinspect, growing):
    done = leakinspect.run("watch", growing.pid, "-c", 3, *FAST)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^TIME +RSS +VSS +PSS +OBJECTS +GARBAGE +PAUSE$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^\d\d:\d\d:\d\d +[\d.]+ MiB .* [\d.]+ (?:us|ms|s)$", done.stdout,
                          re.MULTILINE)) == 3
    assert re.search(r"^objects +3 +([\d,]+) +\1 +0 ", done.stdout, re.MULTILINE)
    assert "\n3 points from 20" in done.stdout
    assert re.search(r"^the process stood still for [\d.e-]+ % of that time", done.stdout,
                     re.MULTILINE)
    assert done.stdout.endswith("everything was read\n")


def test_a_line_comes_with_each_point_and_not_at_the_end(leakinspect, growing):
    process = leakinspect.start("watch", growing.pid, *FAST, stdout=subprocess.PIPE, text=True)
    try:
        said = [process.stdout.readline() for _ in range(6)]
        assert process.poll() is None
        assert re.match(r"\d\d:\d\d:\d\d ", said[-1])
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert "ended: interrupted" in rest
    assert growing.is_alive() and growing.status("TracerPid") == "0"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_wait_ends_it_at_once(leakinspect, growing, number):
    process = leakinspect.start("watch", growing.pid, "-i", "1h", stdout=subprocess.PIPE, text=True)
    for _ in range(4):
        process.stdout.readline()
    begin = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert time.monotonic() - begin < 10
    assert "1 point from" in said


def test_the_end_of_the_process_is_no_error(leakinspect, growing, tmp_path):
    record = tmp_path / "record"
    process = leakinspect.start("watch", growing.pid, *FAST, "--record", record,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: record.exists() and len(points_of(record)) >= 2, "points")
    growing.stop()
    said, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert "ended: the process has ended" in said
    assert lines_of(record)[-1]["end"] == "the process has ended"


def test_the_end_of_the_process_is_seen_long_before_the_next_point(leakinspect, growing):
    process = leakinspect.start("watch", growing.pid, "-i", "1h", stdout=subprocess.PIPE, text=True)
    for _ in range(4):
        process.stdout.readline()
    growing.finish()
    assert "the process has ended" in process.communicate(timeout=30)[0]
    assert process.returncode == 0


def test_without_stops_nobody_is_stopped(leakinspect, growing):
    report = leakinspect("watch", growing.pid, "-i", "50ms", "-c", 2, "--no-stop")
    found = series_of(report)
    assert found["rss"]["count"] == found["pss"]["count"] == 2
    assert found["objects"]["count"] == 0 and found["objects"]["first"] is None
    assert report["target"]["stops"] == 0 and report["target"]["pause_ms"] is None
    text = leakinspect.run("watch", growing.pid, "-i", "50ms", "-c", 2, "--no-stop").stdout
    assert re.search(r"^TIME +RSS +VSS +PSS$", text, re.MULTILINE)


def test_a_pause_puts_the_next_point_off(leakinspect, growing):
    report = leakinspect("watch", growing.pid, "-i", "50ms", "-c", 3, "--max-pause-share", "1%")
    pauses = series_of(report)["pause"]["points"]
    for before, after in zip(pauses, pauses[1:]):
        assert after["time_ms"] - before["time_ms"] >= before["value"] / 1e6 * 100 - 2
    assert any("--max-pause-share" in note for note in report["notes"])


def test_a_record_is_appended_to(leakinspect, growing, tmp_path):
    record = tmp_path / "record"
    for _ in range(2):
        leakinspect("watch", growing.pid, "-c", 2, *FAST, "--record", record)
    heads = [line for line in lines_of(record) if "leakinspect" in line]
    assert len(heads) == 2
    assert heads[0]["pid"] == growing.pid and heads[0]["series"] == SERIES
    report = leakinspect("stats", "--record", record)
    assert report["recording"]["points"] == 4
    assert [point["value"] is None for point in series_of(report)["rss"]["points"]] == [
        False, False, True, False, False]
    assert report["target"]["pid"] == growing.pid
    assert report["target"]["version"].startswith("3.11.")


def test_what_is_killed_leaves_a_record_that_can_be_read(leakinspect, growing, tmp_path):
    record = tmp_path / "record"
    process = leakinspect.start("watch", growing.pid, *FAST, "--record", record,
                                stdout=subprocess.DEVNULL)
    wait_for(lambda: record.exists() and len(points_of(record)) >= 3, "points")
    process.kill()
    process.wait()
    report = leakinspect("stats", "--record", record)
    assert report["recording"]["points"] >= 3
    assert report["problems"] == {"unreadable": 0, "truncated": 0}
    assert growing.is_alive()
    wait_for(lambda: growing.status("TracerPid") == "0", "detaching")


def test_a_full_disk_is_told(leakinspect, growing):
    done = leakinspect.run("watch", growing.pid, *FAST, "--record", "/dev/full")
    assert done.returncode == 1
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert "cannot write '/dev/full': No space left" in done.stderr
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([leakinspect.path, "watch", str(growing.pid), *FAST], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env=leakinspect.environment())
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert growing.status("TracerPid") == "0"


def test_a_file_that_is_no_record_is_left_alone(leakinspect, growing, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("all my work")
    done = leakinspect.run("watch", growing.pid, "--record", precious)
    assert done.returncode == 1
    assert "no record of leakinspect" in done.stderr
    assert precious.read_text() == "all my work"


@pytest.mark.parametrize("words, said", [
    (["-i", "soon"], "is no interval"), (["-i", "1ms"], "is no interval"),
    (["-i", "-1s"], "is no interval"), (["-i", "5s", "6s"], "wants one interval"),
    (["off"], "is for the console"), (["-c", "0"], "from 1"), (["-c", "many"], "number"),
    (["--max-pause-share", "0"], "--max-pause-share"),
    (["--max-pause-share", "101%"], "--max-pause-share"),
    (["--max-pause-share", "much"], "--max-pause-share"),
    (["10s", "20s"], "one word too many"), (["-n", "5"], "n"),
])
def test_wrong_words_are_status_2(leakinspect, growing, words, said):
    done = leakinspect.run("watch", growing.pid, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr and "try 'leakinspect help watch'" in done.stderr


def test_nothing_to_watch_is_told_as_by_other_verbs(leakinspect, growing):
    with subprocess.Popen(["sleep", "60"]) as process:
        done = leakinspect.run("watch", process.pid)
        process.kill()
    assert (done.returncode, done.stdout) == (4, "")
    growing.stop()
    done = leakinspect.run("watch", growing.pid)
    assert (done.returncode, done.stdout) == (1, "")


def test_the_answer_goes_to_a_file_when_it_is_whole(leakinspect, growing, tmp_path):
    answer = tmp_path / "answer"
    done = leakinspect.run("watch", growing.pid, "-c", 2, *FAST, "-o", answer)
    assert (done.returncode, done.stdout) == (0, "")
    assert answer.read_text().count(" MiB ") >= 2
    assert os.listdir(tmp_path) == ["answer"]


def test_a_clone_keeps_the_pause_short_and_the_numbers_right(leakinspect, growing):
    objects = leakinspect("types", growing.pid)["total"]["count"]
    report = leakinspect("watch", growing.pid, "-c", 2, *FAST, "--snapshot", "clone")
    assert report["target"]["snapshot"] == "clone" and report["target"]["clone_ms"] > 0
    assert series_of(report)["objects"]["last"] == objects
