# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles are found, each once, with their shape and with what will become of them."""

import pytest

PAIR = "Parent.child -> Child.parent"


def dying(report):
    """{(shape without the module, state): (cycles, objects)} of those that nothing reaches. The pair
    that the module's names keep is in one with the module: its classes hold the module's globals."""
    shapes = [(row["shape"], row["state"]) for row in report["cycles"]]
    assert len(set(shapes)) == len(shapes), "a shape and state stand in two rows"
    return {(row["shape"].replace("__main__.", ""), row["state"]): (row["count"], row["objects"])
            for row in report["cycles"] if row["state"] != "reachable"}


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
    state = "uncollectable" if lost else "pending"
    before = leakinspect("cycles", target.pid)
    assert dying(before) == {(PAIR, state): (499, 998)}
    row = row_of(before, state)
    assert kinds(row) == {"Parent": "del", "Child": "del"}
    assert sorted(name.replace("__main__.", "") for name in row["types"]) == ["Child", "Parent"]
    assert len(row["example"]) == 2 and len(set(row["example"])) == 2
    assert row["size"] > 0
    found, garbage = target.ask_json("collect")
    assert garbage == (998 if lost else 0)
    after = leakinspect("cycles", target.pid)
    assert dying(after) == ({(PAIR, state): (499, 998)} if lost else {})
    assert leakinspect("garbage", target.pid)["garbage"] == garbage
    target.ask("break")
    target.ask("collect")
    assert dying(leakinspect("cycles", target.pid)) == {}


def test_the_example_of_a_cycle_is_one(interpreter, start, leakinspect):
    target = start("pairs.py", interpreter)
    row = row_of(leakinspect("cycles", target.pid),
                 "uncollectable" if interpreter.version < (3, 4) else "pending")
    one, other = row["example"]
    for source, to in ((one, other), (other, one)):
        refs = leakinspect("refs", target.pid, source)["objects"]
        # Through the attribute dict where it is an object of its own.
        refs += [each for row in refs if row["label"] == ".__dict__"
                 for each in leakinspect("refs", target.pid, row["address"])["objects"]]
        assert to in {each["address"] for each in refs}, refs
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
