# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles are found, each once, with their shape and with what will become of them."""

import pytest

PAIR = "Parent.child -> Child.parent"


def shapes(report):
    """{(shape without the module, state): (cycles, objects)}"""
    found = {(row["shape"].replace("__main__.", ""), row["state"]): (row["count"], row["objects"])
             for row in report["cycles"]}
    assert len(found) == len(report["cycles"]), "a shape and state stand in two rows"
    return found


def row_of(report, state):
    row, = [row for row in report["cycles"] if row["state"] == state]
    return row


def kinds(row):
    return {each["type"].replace("__main__.", ""): each["kind"] for each in row["finalizers"]}


@pytest.mark.parametrize("style", ["new", "old"])
def test_five_hundred_pairs_leave_one_cycle_less(interpreter, style, start, leakinspect):
    target = start("pairs.py", interpreter, args=[style])
    # A `__del__` makes a cycle uncollectable up to Python 3.3, with or without the collector's help.
    lost = interpreter.version < (3, 4)
    before = leakinspect("cycles", target.pid)
    assert shapes(before) == {(PAIR, "uncollectable" if lost else "pending"): (499, 998),
                              (PAIR, "reachable"): (1, 2)}
    for row in before["cycles"]:
        assert kinds(row) == {"Parent": "del", "Child": "del"}
        assert sorted(name.replace("__main__.", "") for name in row["types"]) == ["Child", "Parent"]
        assert len(row["example"]) == 2 and len(set(row["example"])) == 2
        assert row["size"] > 0
    found, garbage = target.ask_json("collect")
    assert garbage == (998 if lost else 0)
    after = leakinspect("cycles", target.pid)
    expected = {(PAIR, "reachable"): (1, 2)}
    if lost:
        expected[PAIR, "uncollectable"] = (499, 998)
    assert shapes(after) == expected
    assert leakinspect("garbage", target.pid)["garbage"] == garbage
    target.ask("break")
    target.ask("collect")
    assert shapes(leakinspect("cycles", target.pid)) == {(PAIR, "reachable"): (1, 2)}


def test_the_example_of_a_cycle_is_one(interpreter, start, leakinspect):
    target = start("pairs.py", interpreter)
    row = row_of(leakinspect("cycles", target.pid),
                 "uncollectable" if interpreter.version < (3, 4) else "pending")
    parent, child = row["example"]
    for source, label, to in ((parent, ".child", child), (child, ".parent", parent)):
        refs = leakinspect("refs", target.pid, source)["objects"]
        assert (label, to) in {(one["label"], one["address"]) for one in refs}, refs
        assert leakinspect("show", target.pid, source)["object"]["finalizer"] == "del"


def test_all_shows_cycles_without_a_finalizer_too(interpreter, start, leakinspect):
    target = start("known_objects.py", interpreter)
    target.ask("knots")
    some, every = leakinspect("cycles", target.pid), leakinspect("cycles", "--all", target.pid)
    assert not any("Knot" in row["shape"] for row in some["cycles"])
    found = {row["shape"].replace("__main__.", ""): row for row in every["cycles"]
             if row["shape"].replace("__main__.", "").startswith("Knot")}
    assert found["Knot.next -> Knot.next -> Knot.next"]["count"] == 10
    assert found["Knot.next -> Knot.next -> Knot.next"]["objects"] == 30
    assert found["Knot.next -> Knot.next -> Knot.next"]["state"] == "pending"
    assert found["Knot.itself"]["count"] == 20
    for row in some["cycles"]:
        assert row in every["cycles"]


def test_the_console_answers_from_one_moment(debian_python, start, leakinspect):
    target = start("pairs.py", debian_python)
    row = row_of(leakinspect("cycles", target.pid), "pending")
    done = leakinspect.run("attach", target.pid, "-c", "cycles", "-c", "show " + row["example"][0])
    assert done.returncode == 0, done.stderr
    assert "499" in done.stdout and PAIR in done.stdout.replace("__main__.", "")
    assert "Parent" in done.stdout
    # What happens between two lines of the console is not seen without `refresh`.
    console = leakinspect.start("attach", target.pid, "-q", stdin=-1, stdout=-1, text=True)
    try:
        console.stdin.write("cycles\n")
        console.stdin.flush()
        said = ""
        while "499" not in said:
            line = console.stdout.readline()
            assert line, said
            said += line
        target.ask("collect")
        rest = console.communicate("cycles\nrefresh\ncycles\n", timeout=60)[0]
    finally:
        console.kill()
        console.wait()
    assert rest.count("499") == 1, rest
