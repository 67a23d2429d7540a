# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running function holds is called by the variable that it is in."""

import re
import sqlite3
import time

import pytest


def settled(target):
    """What the frames say when the thread is where it stays."""
    before = None
    while True:
        found = target.ask_json("variables")
        if found and found == before and "unfinished" in target.ask_json("ids"):
            return found
        before = found
        time.sleep(0.05)


def roots_of(leakinspect, pid, address):
    """The labels of roots that hold it."""
    return [row["label"] for row in leakinspect("referrers", pid, address)["objects"]
            if row["root"] == "frame"]


@pytest.fixture
def running(interpreter, start):
    return start("locals.py", interpreter)


def test_every_variable_of_every_function_names_what_is_in_it(leakinspect, running):
    variables = settled(running)
    tid = running.ask_json("ids")["thread"]
    kinds = {row[3] for row in variables}
    assert kinds == {"local", "cell", "free"}
    assert len(variables) >= 12
    for function, file, line, kind, name, address in variables:
        # What is shared is in a cell, and the cell in the variable.
        holders = [address] if kind == "local" else [
            row["address"] for row in leakinspect("referrers", running.pid, address)["objects"]
            if row["type"] == "cell" and row["label"] == ".cell_contents"]
        labels = [label for holder in holders
                  for label in roots_of(leakinspect, running.pid, holder)]
        assert "thread %d in %s() at %s:%d, %s variable %s" % (
            tid, function, file, line, kind, name) in labels, (kind, name)


def test_each_root_counts_once(leakinspect, running):
    # Would a variable own nothing, or what is in a generator's or frame object's be owned twice, it would
    # show. Arguments of functions are held by who called, too, and that may be C.
    own = [row for row in settled(running) if row[4] in ("mine", "inside", "shared")]
    assert len(own) == 4
    for row in own:
        shown = leakinspect("show", running.pid, row[5])["object"]
        assert shown["held_by_c"] == 0, row
    leaked = leakinspect("refs", running.pid, "--leaked", "--filter", "__main__.*")
    assert leaked["objects"] == []


def test_an_unfinished_expression_holds_on_the_evaluation_stack(leakinspect, running):
    settled(running)
    ids = running.ask_json("ids")
    labels = roots_of(leakinspect, running.pid, ids["unfinished"])
    if running.ask("census") and labels:
        assert labels == [label for label in labels if re.search(
            r"^thread %d in unfinished\(\) at .*locals\.py:\d+, evaluation stack$" % ids["thread"],
            label)]


def test_an_export_has_the_whole_names(leakinspect, debian_python, start, tmp_path):
    target = start("locals.py", debian_python)
    function, file, line, _, name, address = [row for row in settled(target)
                                              if row[3] == "local"][0]
    path = str(tmp_path / "heap.sqlite")
    leakinspect("export", target.pid, "-o", path, "--no-labels")
    with sqlite3.connect(path) as database:
        names = [row[0] for row in database.execute(
            "SELECT r.name FROM roots r JOIN objects o ON o.id = r.object WHERE o.address = ?"
            " AND r.kind = 'frame'", (address,))]
    assert "thread %d in %s() at %s:%d, local variable %s" % (
        target.ask_json("ids")["thread"], function, file, line, name) in names
