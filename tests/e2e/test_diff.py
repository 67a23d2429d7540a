# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots, and what has changed between them."""

import json
import re
import subprocess

import pytest


def rows(report):
    return {row["name"]: row for row in report["types"]}


def test_a_diff_tells_what_was_made_since(interpreter, start, leakinspect, tmp_path):
    target = start("growing.py", interpreter)
    before = tmp_path / "before.snap"
    report = leakinspect("snapshot", target.pid, "-o", before)
    assert report["objects"] > 10000 and report["types"] > 30
    # Some ten kilobytes: it is made to be kept.
    assert 1000 < before.stat().st_size < 100000
    target.ask("grow 1234")
    since = rows(leakinspect("diff", before, target.pid))
    assert since["__main__.Kept"]["instances"] == 1234
    assert since["__main__.Kept"]["refs"] == 1234
    assert since["__main__.Kept"]["size"] >= 1234 * 16
    assert since["__main__.Kept"]["now"] == 1234
    after = tmp_path / "after.snap"
    leakinspect("snapshot", target.pid, "-o", after)
    report = leakinspect("diff", before, after)
    assert rows(report)["__main__.Kept"]["instances"] == 1234
    assert report["sys_refcount"] > 10000
    assert report["change"] == sum(row["refs"] for row in report["types"]) \
        or interpreter.name == "python3.11d-debian"
    back = leakinspect("diff", after, before)
    assert rows(back)["__main__.Kept"]["instances"] == -1234


def test_nothing_changes_while_nothing_happens(interpreter, start, leakinspect, tmp_path):
    target = start("growing.py", interpreter)
    leakinspect("snapshot", target.pid, "-o", tmp_path / "a")
    report = leakinspect("diff", tmp_path / "a", target.pid)
    assert report["types"] == [] and report["change"] == 0
    shown = leakinspect.run("diff", tmp_path / "a", target.pid).stdout
    assert "types: none" in shown


def test_three_snapshots_tell_what_only_grows(debian_python, start, leakinspect, tmp_path):
    target = start("growing.py", debian_python)
    files = [tmp_path / ("%d.snap" % number) for number in range(4)]
    for number, file in enumerate(files):
        target.ask("grow 10")
        target.ask("swing %d" % (number % 2 * 50))
        leakinspect("snapshot", target.pid, "-o", file)
    report = rows(leakinspect("diff", *files))
    assert report["__main__.Kept"]["trend"] == "grows"
    assert report["__main__.Kept"]["instances"] == 30
    assert report["__main__.Swinging"]["trend"] == "swings"
    only = rows(leakinspect("diff", *files, "--grows"))
    assert "__main__.Kept" in only and "__main__.Swinging" not in only
    first = leakinspect("diff", *files, "--filter", "__main__.*")["types"]
    assert {row["name"] for row in first} == {"__main__.Kept", "__main__.Swinging"}
    shown = leakinspect.run("diff", *files, "-n", "1").stdout
    assert re.search(r"^TYPE +INSTANCES +REFS +SIZE +NOW +TREND$", shown, re.MULTILINE)
    assert re.search(r"^\(\d+ more types?\) ", shown, re.MULTILINE)


def test_a_console_compares_with_what_it_keeps(debian_python, start, leakinspect, terminal_lines):
    target = start("growing.py", debian_python)
    console = terminal_lines(target.pid)
    assert console.ask_json("save first --json")["name"] == "first"
    target.ask("grow 5")
    assert rows(console.ask_json("diff --json"))["__main__.Kept"]["instances"] == 5
    assert console.ask_json("save --json")["name"] == "2"
    target.ask("grow 7")
    assert rows(console.ask_json("diff 2 --json"))["__main__.Kept"]["instances"] == 7
    report = console.ask_json("diff first 2 now --json")
    assert rows(report)["__main__.Kept"]["instances"] == 12
    assert rows(report)["__main__.Kept"]["trend"] == "grows"
    assert rows(console.ask_json("diff first 2 --json"))["__main__.Kept"]["instances"] == 5


DAMAGES = [
    ("", "no snapshot"),
    ("{}", "no snapshot"),
    ("[1, 2", "no snapshot"),
    ('{"leakinspect": "record"}', "no snapshot"),
    (lambda text: text[:len(text) // 2], "no snapshot"),
    (lambda text: text.replace('"format":1', '"format":2'), "another version"),
    (lambda text: text.replace('"pid":', '"dip":'), "a number is missing"),
    (lambda text: re.sub(r'\["dict",\d+', '["dict",-1', text), "a number of type"),
    (lambda text: re.sub(r'\["dict",\d+', '["dict",9223372036854775807', text),
     "more than a number holds"),
    (lambda text: re.sub(r'\["dict",', '["dict",1,', text), "no name with 5 numbers"),
]


@pytest.mark.parametrize("damage, complaint", DAMAGES)
def test_a_file_that_is_no_snapshot_is_told(damage, complaint, debian_python, start, leakinspect,
                                            tmp_path):
    target = start("growing.py", debian_python)
    good, bad = tmp_path / "good", tmp_path / "bad"
    leakinspect("snapshot", target.pid, "-o", good)
    text = good.read_text()
    bad.write_text(damage if isinstance(damage, str) else damage(text))
    assert not isinstance(damage, str) or bad.read_text() != text
    done = leakinspect.run("diff", bad, good)
    assert done.returncode == 1 and complaint in done.stderr and "bad'" in done.stderr
    assert done.stdout == ""


def test_wrong_words_are_told(debian_python, start, leakinspect, tmp_path):
    target = start("growing.py", debian_python)
    snap = tmp_path / "a"
    leakinspect("snapshot", target.pid, "-o", snap)

    def complaint(*words):
        done = leakinspect.run("diff", *words)
        assert done.returncode in (1, 2) and done.stdout == ""
        return done.stderr

    assert "wants two snapshots" in complaint(snap)
    assert "comes last" in complaint(target.pid, snap)
    assert "cannot read" in complaint(snap, tmp_path / "nowhere")
    assert "no file" in complaint(snap, tmp_path)
    assert "no process" in complaint(snap, "999999999")
    done = leakinspect.run("snapshot", target.pid)
    assert done.returncode == 2 and "-o FILE" in done.stderr
    done = leakinspect.run("snapshot", target.pid, "-o", snap)
    assert done.returncode == 1 and "--force" in done.stderr


def test_two_processes_are_told_apart(debian_python, start, leakinspect, tmp_path):
    for number in range(2):
        leakinspect("snapshot", start("growing.py", debian_python).pid, "-o",
                    tmp_path / str(number))
    shown = leakinspect.run("diff", tmp_path / "0", tmp_path / "1").stdout
    assert "of more than one process" in shown


@pytest.fixture
def terminal_lines(leakinspect):
    """A console that lines are written to, one at a time."""
    started = []

    class Lines:
        def __init__(self, pid):
            self.process = leakinspect.start("attach", pid, stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, text=True)
            started.append(self.process)

        def ask_json(self, line):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            text = ""
            while True:
                text += self.process.stdout.readline()
                try:
                    return json.loads(text[text.index("{"):])
                except ValueError:
                    assert self.process.poll() is None

    yield Lines
    for process in started:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
