# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that the collector does not track are counted, each once, and freed ones are not."""

import pytest

from support.reports import changes, column, difference

ALLOCATORS = ["default", "malloc", "debug", "pymalloc_debug", "malloc_debug"]
# One of every way to get memory: pools of small and large blocks, beside them, mappings of their own.
WAYS = ["float", "str", "int", "huge_int", "bytes", "edge_bytes", "enormous_bytes", "long_str",
        "long_wide", "tuple", "wide_tuple", "dict", "bytearray", "object"]


@pytest.fixture(params=ALLOCATORS)
def allocator(request, interpreter):
    """Environment that chooses each of Python's memory allocators. A test may narrow the choice
    with @pytest.mark.parametrize("allocator", [names], indirect=True)."""
    if request.param == "default":
        return {}
    if interpreter.version < (3, 6):
        pytest.skip("PYTHONMALLOC came with Python 3.6")
    return {"PYTHONMALLOC": request.param}


class Watch:
    """Asks a program to change its heap and looks before and after."""

    def __init__(self, target, leakinspect):
        self.target = target
        self.leakinspect = leakinspect
        self.last = leakinspect("types", target.pid)
        self.wrong = {}

    def ask(self, line):
        """What the program says changed; notes where the reports say something else."""
        said = self.target.ask_json(line)
        report = self.leakinspect("types", self.target.pid)
        for name in ("count", "tracked"):
            off = difference(said[name], changes(self.last, report, name))
            if off:
                self.wrong["%s: %s" % (line, name)] = off
        self.last = report
        return said


def test_every_kind_shows_as_many_as_were_made_and_no_freed_one(
        interpreter, allocator, start, leakinspect):
    target = start("untracked.py", interpreter, env=allocator)
    watch = Watch(target, leakinspect)
    for kind in WAYS if allocator else target.ask_json("kinds"):
        (name, made), = watch.ask("make " + kind)["count"].items()
        freed = watch.ask("free %s odd" % kind)["count"]
        assert freed == {name: -(made // 2)}
        rest = watch.ask("free %s all" % kind)["count"]
        assert rest == {name: -(made - made // 2)}
    assert not watch.wrong


def test_twelve_thousand_of_each_kind_at_a_time_are_counted_to_the_object(
        interpreter, allocator, start, leakinspect):
    target = start("untracked.py", interpreter, env=allocator)
    before = leakinspect("types", target.pid)
    for kind in ("float", "str", "int", "small_int", "bytes", "tuple", "long_str", "long"):
        target.ask("make " + kind)
    after = leakinspect("types", target.pid)
    if interpreter.version[0] == 2:
        # bytes is another name of str, and int has a long beside it.
        expected = {"float": 12345, "str": 2 * 12345 + 1000, "int": 2 * 12345, "long": 12345,
                    "tuple": 12345}
    else:
        expected = {"float": 12345, "str": 12345 + 1000, "int": 3 * 12345, "bytes": 12345,
                    "tuple": 12345}
    assert changes(before, after, "count") == expected
    assert changes(before, after, "tracked") == {}


@pytest.mark.parametrize("allocator", ["default", "malloc"], indirect=True)
def test_what_was_freed_in_any_order_does_not_count(interpreter, allocator, start, leakinspect):
    kinds = ["float", "str", "int", "bytes", "edge_bytes", "long_str", "object", "tuple", "dict"]
    watch = Watch(start("untracked.py", interpreter, env=allocator), leakinspect)
    for how in ("odd", "random", "front"):
        for kind in kinds:
            assert watch.ask("make " + kind)["count"]
        # Not in the order they were made in, so that each kind leaves gaps among the others.
        for kind in reversed(kinds):
            assert watch.ask("free %s %s" % (kind, how))["count"]
    assert not watch.wrong


@pytest.mark.parametrize("allocator", ["default", "malloc", "debug"], indirect=True)
def test_a_heap_of_many_kinds_that_came_and_went(interpreter, allocator, start, leakinspect):
    watch = Watch(start("untracked.py", interpreter, env=allocator), leakinspect)
    for seed in range(1, 6):
        assert len(watch.ask("churn %d" % seed)["count"]) > 10
    assert not watch.wrong


@pytest.mark.parametrize("kind", ["float", "str", "int", "bytes", "tuple"])
def test_a_process_that_made_them_shows_so_many_more_than_one_that_made_none(
        kind, interpreter, start, leakinspect):
    # The arguments are of one length: they are strings of the program too.
    without = start("untracked.py", interpreter, [kind, "00000"])
    made = start("untracked.py", interpreter, [kind, "12345"])
    name = "str" if kind == "bytes" and interpreter.version[0] == 2 else kind
    assert changes(leakinspect("types", without.pid), leakinspect("types", made.pid),
                   "count") == {name: 12345}


def test_names_and_constants_of_the_library_are_counted(interpreter, start, leakinspect):
    report = leakinspect("types", start("idle.py", interpreter).pid)
    counts, tracked = column(report, "count"), column(report, "tracked")
    names = ["str", "int", "float", "code"] + ["bytes"] * (interpreter.version[0] > 2)
    assert {name for name in names if not counts.get(name)} == set()
    assert {name for name in names if tracked.get(name)} == set()
    assert counts["str"] > 3000
