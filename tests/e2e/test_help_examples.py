# SPDX-License-Identifier: GPL-3.0-or-later
"""What help shows as printed by the first example of a verb is what the verb prints of the demo."""

import os
import re
import shlex

import pytest

from support.demo import REPOSITORY, REQUESTS, Demo

TARGET = "4711"
# Their answers take a while, and have tests of their own.
OVER_TIME = {"watch", "stats", "diff", "load"}


@pytest.fixture(scope="module")
def demo():
    one = Demo()
    one.load("cycle", REQUESTS)
    yield one
    one.stop()


def verbs_of(leakinspect):
    """All verbs of the command line, and those of the console alone."""
    shell = re.findall(r"^  (\S+) ", leakinspect.run("help").stdout.partition("verbs:")[2], re.M)
    assert "types" in shell
    return shell, ["save", "set", "refresh", "quit", "exit"]


def first_example(leakinspect, verb):
    """(its words, the lines that it printed), or None."""
    text = leakinspect.run("help", verb).stdout.partition("\nexamples:\n")[2]
    found = re.match(r"  (?:leakinspect )?(\S.*)\n      \S.*\n((?:        .*\n|\n)*)", text)
    assert found, "help %s has no example:\n%s" % (verb, text)
    return found.group(1), [line[8:] for line in found.group(2).split("\n") if line]


def shape(line):
    """A line of an answer without what differs between two moments."""
    line = re.sub(r"0x[0-9a-f]+", "0xN", line)
    line = re.sub(r"\b[0-9a-f]{12}\b", "SIGNATURE", line)
    line = re.sub(r"\b[KM]iB|\bB\b", "B", line)
    line = re.sub(r"-?\d[\d,.]*", "N", line)
    line = re.sub(r"\bN (us|ms|s)\b", "N TIME", line)
    return re.sub(r" +", " ", line).strip()


def is_in_order(wanted, said):
    """Whether the wanted lines stand in what was said, one after the other; the first that does not.
    A line that ends in "..." is the begin of one."""
    at = 0
    for line in wanted:
        if line == "...":
            continue
        begin = shape(line[:-3]) if line.endswith("...") else None
        while at < len(said) and not (said[at].startswith(begin) if begin is not None
                                      else said[at] == shape(line)):
            at += 1
        if at == len(said):
            return line
        at += 1
    return None


def test_what_help_shows_was_printed(leakinspect, demo, tmp_path):
    shell, console = verbs_of(leakinspect)
    checked = []
    for verb in shell + console:
        words, lines = first_example(leakinspect, verb)
        if not lines or verb in OVER_TIME:
            continue
        words = [str(demo.pid) if word == TARGET else word for word in shlex.split(words)]
        if verb in console:
            words = ["attach", str(demo.pid), "-c", " ".join(words)]
        done = leakinspect.run(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said = [shape(line) for line in done.stdout.replace(REPOSITORY + "/", "").split("\n")]
        missing = is_in_order(lines, said)
        assert missing is None, "%s does not print %r but\n%s" % (verb, missing, done.stdout)
        checked.append(verb)
    assert {"types", "cycles", "graph", "referrers", "attach", "eval", "set"} <= set(checked)
    assert sorted(os.listdir(tmp_path)) == ["before.snap", "cycle.svg", "heap.sqlite"]


def test_every_verb_has_an_example(leakinspect):
    shell, console = verbs_of(leakinspect)
    for verb in shell + console:
        first_example(leakinspect, verb)
