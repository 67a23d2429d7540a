# SPDX-License-Identifier: GPL-3.0-or-later
"""watch --when: conditions that come true once, and what is done then."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from support.watching import FAST, samples, wait_for

KEPT = "__main__.Kept"


@pytest.fixture
def growing(debian_python, start):
    return start("growing.py", debian_python)


class Points:
    """What a watch has recorded so far."""

    def __init__(self, path):
        self.path = path

    def count(self):
        return self.path.read_text().count('"rss":') if self.path.exists() else 0

    def wait_for_more(self, count=3):
        before = self.count()
        wait_for(lambda: self.count() >= before + count, "%d points" % count)


@pytest.fixture
def points(tmp_path):
    return Points(tmp_path / "points")


def test_a_condition_fires_once_when_it_becomes_true(growing, watching, points):
    one = watching(growing.pid, *FAST, "--record", points.path, "--json", "--when", "garbage>5",
                   "--when", "growth(%s)>100/min" % KEPT)
    points.wait_for_more()
    growing.ask("litter 5")
    points.wait_for_more()
    growing.ask("litter 1")
    points.wait_for_more()
    growing.ask("litter 100")
    points.wait_for_more()
    rows = one.report()["triggers"]
    assert [(row["condition"], row["value"], row["pid"]) for row in rows] == [
        ("garbage>5", 6, growing.pid), ("growth(%s)>100/min" % KEPT, 106, growing.pid)]
    assert abs(rows[0]["time_ms"] / 1e3 - time.time()) < 120


def test_what_is_true_at_the_first_point_fires_there(growing, leakinspect):
    report = leakinspect("watch", growing.pid, "-c", 2, *FAST, "--when", "rss>1MiB", "--when",
                         "rss>1TiB", "--when", "objects > 100")
    assert [row["condition"] for row in report["triggers"]] == ["rss>1MiB", "objects > 100"]
    assert report["triggers"][0]["value"] > 1 << 20


def test_nothing_fired_is_an_empty_list(growing, leakinspect):
    assert leakinspect("watch", growing.pid, "-c", 2, *FAST, "--when", "rss>1TiB")["triggers"] == []
    assert "triggers" not in leakinspect("watch", growing.pid, "-c", 1)


def test_it_is_told_as_a_line(growing, leakinspect):
    done = leakinspect.run("watch", growing.pid, "-c", 3, *FAST, "--when", "rss>1MiB")
    assert re.search(r"^\d\d:\d\d:\d\d  process %d: rss>1MiB: it is [\d.]+ MiB$" % growing.pid,
                     done.stdout, re.MULTILINE)
    assert done.stdout.count("it is") == 1


def test_a_command_is_run_with_the_reason(growing, leakinspect, tmp_path):
    told = tmp_path / "told"
    done = leakinspect.run("watch", growing.pid, "-c", 2, *FAST, "--json", "--when", "garbage>-0",
                           "--when", "objects>10")
    assert done.returncode == 2
    command = "echo \"$LEAKINSPECT_PID $LEAKINSPECT_REASON $LEAKINSPECT_VALUE\" | tee -a %s" % told
    done = leakinspect.run("watch", growing.pid, "-c", 2, *FAST, "--json", "--when", "objects>10",
                           "--run", command)
    objects = leakinspect("types", growing.pid)["total"]["count"]
    said = "%d objects>10 %d\n" % (growing.pid, objects)
    assert told.read_text() == said
    # What it writes is no part of the answer.
    assert done.stderr == said
    assert json.loads(done.stdout)["triggers"][0]["exit"] == 0


def test_a_command_holds_no_point_back(growing, watching, points):
    one = watching(growing.pid, *FAST, "--record", points.path, "--when", "objects>10", "--run",
                   "sleep 300")
    begin = time.monotonic()
    points.wait_for_more(10)
    assert time.monotonic() - begin < 30
    # Asked to stop, it does not wait for the command either.
    begin = time.monotonic()
    status, out, _ = one.end()
    assert status == 0 and time.monotonic() - begin < 10
    assert "--run: the command was killed" in out


def processes_with(word):
    return subprocess.run(["pgrep", "-f", "--", word], capture_output=True, text=True,
                          check=False).stdout.split()


def test_a_command_is_killed_with_what_it_started(growing, watching, points, tmp_path):
    mark = "86.%d" % os.getpid()
    one = watching(growing.pid, *FAST, "--record", points.path, "--when", "objects>10", "--run",
                   "sleep %s & sleep %s; true" % (mark, mark))
    wait_for(lambda: len(processes_with("sleep " + mark)) >= 2, "command")
    one.end()
    wait_for(lambda: not processes_with("sleep " + mark), "end of it")


def test_the_watch_waits_for_a_command_at_its_end(growing, leakinspect, tmp_path):
    told = tmp_path / "told"
    report = leakinspect("watch", growing.pid, "-c", 1, "--when", "objects>10", "--run",
                         "sleep 1; touch %s; exit 7" % told)
    assert told.exists()
    assert report["triggers"][0]["exit"] == 7


def test_a_command_that_fails_is_told(growing, leakinspect):
    done = leakinspect.run("watch", growing.pid, "-c", 2, *FAST, "--when", "objects>10", "--run",
                           "exit 3")
    assert "--run: the command ended with status 3" in done.stdout
    done = leakinspect.run("watch", growing.pid, "-c", 2, *FAST, "--when", "objects>10", "--run",
                           "kill -9 $$")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--run: the command was ended by signal 9" in done.stdout


def test_few_commands_run_at_a_time(growing, watching, points):
    conditions = [word for count in range(10) for word in ("--when", "objects>%d" % count)]
    one = watching(growing.pid, *FAST, "--record", points.path, *conditions, "--run", "sleep 300")
    points.wait_for_more()
    status, out, _ = one.end(signal.SIGTERM)
    assert status == 0
    assert out.count("--run: not run: 8 commands are running already") == 2


def test_a_snapshot_is_saved_of_the_very_point(growing, watching, points, tmp_path):
    one = watching(growing.pid, *FAST, "--record", points.path, "--json", "--when",
                   "growth(%s)>50/min" % KEPT, "--save", tmp_path / "%p-%t.snapshot")
    points.wait_for_more()
    growing.ask("grow 80")
    points.wait_for_more()
    growing.ask("grow 80")
    points.wait_for_more()
    report = one.report()
    saved = report["triggers"][0]["saved"]
    assert re.fullmatch(r"%d-\d{8}-\d{6}\.snapshot" % growing.pid, os.path.basename(saved))
    with open(saved, encoding="utf-8") as file:
        snapshot = json.load(file)
    assert snapshot["leakinspect"] == "snapshot"
    assert [row[1] for row in snapshot["types"] if row[0] == KEPT] == [80]
    assert len([name for name in os.listdir(tmp_path) if name.endswith(".snapshot")]) == 1


def test_a_file_that_is_there_is_left_alone(growing, leakinspect, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("all my work")
    words = ("watch", growing.pid, "-c", 2, *FAST, "--when", "objects>10", "--save", precious)
    done = leakinspect.run(*words)
    assert done.returncode == 0 and "--save: '%s' exists" % precious in done.stdout
    assert precious.read_text() == "all my work"
    assert leakinspect.run(*words, "--force").returncode == 0
    assert '"snapshot"' in precious.read_text()


def test_of_more_types_than_can_be_kept_nothing_is_told_by_type(growing, watching, points, tmp_path):
    saved, metrics = tmp_path / "leak.snapshot", tmp_path / "leak.prom"
    one = watching(growing.pid, *FAST, "--record", points.path, "--metrics", metrics, "--types",
                   "--when", "growth(__main__.T65999)>0/min", "--when", "garbage>0",
                   "--save", saved)
    points.wait_for_more()
    growing.ask("types 66000")
    growing.ask("litter 1")
    points.wait_for_more()
    found = samples(metrics.read_text(encoding="utf-8"))
    assert found["leakinspect_types_known", (str(growing.pid),)] == 0
    assert found["leakinspect_objects_growth", (str(growing.pid),)] > 66000
    assert not [key for key in found if key[0].startswith("leakinspect_type_")]
    status, out, _ = one.end()
    assert status == 0 and not saved.exists()
    assert out.count("has more than 65536 types: growth by type is not known from now on") == 1
    assert "growth by type is not known of process %d" % growing.pid in out
    assert "--save: the process has or had more than 65536 types" in out
    assert "garbage>0: it is 1" in out and "T65999" not in out


def test_each_process_fires_for_itself(debian_python, start, leakinspect, tmp_path):
    targets = [start("growing.py", debian_python) for _ in range(2)]
    report = leakinspect("watch", *[target.pid for target in targets], "-c", 2, *FAST, "--when",
                         "objects>10", "--save", tmp_path / "%p")
    assert [row["pid"] for row in report["triggers"]] == [target.pid for target in targets]
    assert sorted(os.listdir(tmp_path)) == sorted(str(target.pid) for target in targets)


@pytest.mark.parametrize("words, said", [
    (["--when", "rss"], "there is no '>'"), (["--when", "load>1"], "no such figure"),
    (["--when", "rss>much"], "no number of bytes"), (["--when", "growth>5"], "no growth such as"),
    (["--when", "objects(dict)>5"], "only growth"), (["--run", "true"], "--run wants a condition"),
    (["--save", "x"], "--save wants a condition"),
    (["--no-stop", "--when", "objects>5"], "not with --no-stop"),
    (["--no-stop", "--when", "rss>5", "--save", "x"], "not with --no-stop"),
    (["--when", "rss>5", "--save", "%x"], "--save: '%x' in '%x' is none of %p, %t, and %%"),
    (["--when", "rss>5", "--children", "--save", "x"], "%p"),
])
def test_wrong_words_are_status_2(growing, leakinspect, words, said):
    done = leakinspect.run("watch", growing.pid, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_memory_alone_needs_no_stop(growing, leakinspect):
    report = leakinspect("watch", growing.pid, "-c", 2, *FAST, "--no-stop", "--when", "rss>1MiB")
    assert len(report["triggers"]) == 1 and report["target"]["stops"] == 0
