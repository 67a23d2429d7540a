# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collector tracks is counted to the object, for every type."""

import pytest

from support.reports import checked_rows, listed, mismatches, rows
from support.target import Target

# Their __sizeof__() adds what is no object and stands elsewhere (buffers, children, descriptions of C
# types), or, for frames and what has one, room that only their code tells; the report has their own
# size.
MORE_THAN_THEMSELVES = (
    "_io.Buffered", "_io.BytesIO", "_struct.Struct", "xml.etree.ElementTree.Element",
    "StgDict", "_ctypes.", "ctypes._endian.", "frame", "generator", "coroutine")


def counts_of(census):
    return {name: count for name, (count, _) in census.items()}


@pytest.fixture(scope="module")
def library(leakinspect):
    """library(interpreter) -> what the program says, what the report says, what the program says
    after that; run once for each interpreter."""
    seen = {}

    def look(interpreter):
        if interpreter.name not in seen:
            target = Target("library_code.py", interpreter)
            try:
                truth = target.census()
                report = leakinspect("types", target.pid)
                seen[interpreter.name] = truth, report, target.census()
            finally:
                target.stop()
        return seen[interpreter.name]
    return look


def test_tracked_is_what_the_program_itself_counts_for_every_type(interpreter, library):
    truth, report, again = library(interpreter)
    assert mismatches(counts_of(truth), listed(report)) == {}
    # It had indeed stopped making objects.
    assert again == truth
    # A heap worth the name, with the odd types of real code among the usual ones.
    assert len(truth) > 100 and sum(counts_of(truth).values()) > 20000
    for name in ("some.package.PlainModule", "NumberModule", "NoneModule", "Builtins",
                 "and more.with space", "collections.deque"):
        assert name in truth


def test_size_is_the_sum_of_getsizeof_for_every_type_that_is_always_tracked(interpreter, library):
    truth, report, _ = library(interpreter)
    found = rows(report)
    always = {name for name, row in found.items()
              if row["count"] == row["tracked"] and not row["frozen"]}
    # Where __sizeof__ is code of Python the program asked nothing, and says null.
    expected = {name: size for name, (_, size) in truth.items()
                if name in always and size is not None
                and not name.startswith(MORE_THAN_THEMSELVES)}
    assert {"list", "set", "collections.deque"} <= set(expected)
    got = {name: found[name]["size"] for name in expected}
    assert mismatches(expected, got) == {}


def test_looking_again_gives_the_same_numbers(interpreter, start, leakinspect):
    target = start("library_code.py", interpreter, args=["--no-unittests"])
    first = leakinspect("types", target.pid)
    for _ in range(5):
        again = leakinspect("types", target.pid)
        assert again["types"] == first["types"] and again["total"] == first["total"]


def test_every_generation_is_counted_and_the_permanent_one_too(interpreter, start, leakinspect):
    target = start("frozen.py", interpreter)
    truth = counts_of(target.census())
    report = leakinspect("types", target.pid)
    found = rows(report)
    got = {name: found["__main__." + name]["tracked"]
           for name in ("Frozen", "Old", "Middle", "Young")}
    assert got == {"Frozen": 3000, "Old": 2000, "Middle": 1000, "Young": 500}
    assert found["__main__.Frozen"]["frozen"] == (3000 if interpreter.version >= (3, 7) else 0)
    # gc.get_objects() leaves the frozen ones out; the report does not.
    assert report["total"]["tracked"] == sum(truth.values()) + int(target.ask("frozen"))


def test_every_interpreter_of_the_process_is_counted(interpreter, start, leakinspect):
    target = start("interpreters.py", interpreter)
    if target.ready == "none":
        pytest.skip("this Python makes no interpreters")
    found = rows(leakinspect("types", target.pid))
    assert found["__main__.Inner"]["tracked"] == 3 * 1111
    assert found["__main__.Outer"]["tracked"] == 2222
    assert leakinspect("info", target.pid)["interpreters"] == 4


def test_rows_come_with_the_most_numerous_first(debian_python, start, leakinspect):
    report = leakinspect("types", start("idle.py", debian_python).pid)
    checked_rows(report)
    counts = [row["count"] for row in report["types"]]
    assert counts == sorted(counts, reverse=True)
