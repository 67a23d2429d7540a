# SPDX-License-Identifier: GPL-3.0-or-later
"""With --redact no answer of any verb has a value of the process in it."""

import re
import sqlite3

import pytest

SECRET = "Xq7secretZw9"
NUMBER = "918273645918273645"
MARKS = [SECRET, NUMBER, SECRET.upper(), SECRET[:15]]


@pytest.fixture
def target(interpreter, start):
    return start("secrets_everywhere.py", interpreter, [SECRET, NUMBER])


def lines_of(target):
    """Lines of the console: every verb that answers from the process, about every object."""
    words = " ".join(target.ask_json("objects"))
    lines = ["types -n 0", "info", "threads", "garbage", "suspects", "cycles --all -n 0",
             "refs --leaked -n 0", "refs %s -n 0" % words, "referrers %s -n 0" % words,
             "path %s -n 0" % words, "path __main__.Account --all-roots 5", "retained -n 0",
             "retained --by-type -n 0"]
    return lines + ["show %s -n 0" % word for word in words.split()]


def asked(leakinspect, target, lines, *options):
    done = leakinspect.run("attach", target.pid, *options, input="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def marks_in(text):
    """The lines that have a mark in them."""
    return [line for line in text.splitlines() if any(mark in line for mark in MARKS)]


@pytest.mark.parametrize("option", ["", " --json"])
def test_no_answer_has_a_value_in_it(leakinspect, target, option):
    lines = [line + option for line in lines_of(target)]
    # As it is without: the program has its secrets where the verbs look.
    assert len(marks_in(asked(leakinspect, target, lines))) > 50
    told = asked(leakinspect, target, [line + " --redact" for line in lines])
    assert marks_in(told) == []
    assert "<str of %d characters>" % len(SECRET) in told
    assert "[<str of %d>]" % len(SECRET) in told
    assert "<int of %d digits>" % len(NUMBER) in told or "<long of" in told
    assert "password" in told
    # For a whole console, too.
    assert marks_in(asked(leakinspect, target, lines, "--redact")) == []


def test_no_export_has_a_value_in_it(leakinspect, target, tmp_path):
    plain, redacted = tmp_path / "plain.sqlite", tmp_path / "redacted.sqlite"
    leakinspect("export", target.pid, "-o", plain)
    leakinspect("export", target.pid, "--redact", "-o", redacted)
    assert SECRET.encode() in plain.read_bytes()
    content = redacted.read_bytes()
    assert [mark for mark in MARKS if mark.encode() in content] == []
    with sqlite3.connect(redacted) as database:
        labels = {row[0] for row in database.execute("SELECT DISTINCT label FROM refs")}
        assert {"[<str of %d>]" % len(SECRET), "[0]"} <= labels
        assert ".password" in labels or "['password']" in labels
        assert database.execute("SELECT value FROM meta WHERE key = 'redacted'").fetchone() == (1,)


def test_no_picture_has_a_value_in_it(leakinspect, target, tmp_path):
    words = target.ask_json("objects")
    plain, redacted = tmp_path / "plain.dot", tmp_path / "redacted.dot"
    ways = ["--refs", "--referrers", "--breadth", "50"]
    leakinspect("graph", target.pid, *words, *ways, "-o", plain)
    leakinspect("graph", target.pid, *words, *ways, "--redact", "-o", redacted)
    assert len(marks_in(plain.read_text())) > 5
    assert marks_in(redacted.read_text()) == []


def test_set_redact_holds_for_the_lines_to_come(leakinspect, debian_python, start):
    target = start("secrets_everywhere.py", debian_python, [SECRET, NUMBER])
    show = "refs __main__.Account -n 0"
    assert marks_in(asked(leakinspect, target, ["set redact on", show])) == []
    assert marks_in(asked(leakinspect, target, ["set redact off", show], "--redact"))


def test_verbs_by_themselves_take_it(leakinspect, target):
    for words in (["show", target.pid, "__main__.Account"], ["info", target.pid],
                  ["threads", target.pid], ["cycles", target.pid, "--all"]):
        for option in ([], ["--json"]):
            done = leakinspect.run(*words, *option, "--redact")
            assert done.returncode == 0, done.stderr
            assert marks_in(done.stdout + done.stderr) == []
    assert leakinspect("info", target.pid, "--redact")["redacted"] is True
    assert all(re.match(r"<\d+ bytes>$", word)
               for word in leakinspect("info", target.pid, "--redact")["argv"])


def test_a_line_that_does_not_say_it_is_as_before(leakinspect, debian_python, start):
    target = start("secrets_everywhere.py", debian_python, [SECRET, NUMBER])
    show = "refs __main__.Account -n 0"
    told = asked(leakinspect, target, [show, show + " --redact", show])
    assert len(marks_in(told)) % 2 == 0 and marks_in(told)
    halves = told.split("<str of")
    assert SECRET in halves[0] and SECRET in halves[-1]


def test_code_is_not_run_where_values_are_left_out(leakinspect, debian_python, start):
    target = start("secrets_everywhere.py", debian_python, [SECRET, NUMBER])
    done = leakinspect.run("eval", target.pid, "SECRET", "--redact")
    assert done.returncode == 2 and SECRET not in done.stdout
    done = leakinspect.run("attach", target.pid, "--redact", "-c", "eval SECRET")
    assert done.returncode == 1 and SECRET not in done.stdout
    assert "not with --redact" in done.stderr


def test_no_snapshot_and_no_record_has_a_value_in_it(leakinspect, debian_python, start, tmp_path):
    target = start("secrets_everywhere.py", debian_python, [SECRET, NUMBER])
    for option in ([], ["--redact"]):
        snap, record = tmp_path / ("snap%d" % len(option)), tmp_path / ("record%d" % len(option))
        leakinspect("snapshot", target.pid, "-o", snap, *option)
        leakinspect("watch", target.pid, "-c", "1", "--record", record, *option)
        for file in (snap, record):
            assert bool(marks_in(file.read_text())) == (not option), file
