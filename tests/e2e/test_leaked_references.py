# SPDX-License-Identifier: GPL-3.0-or-later
"""References that C code took and forgot: more are counted than anything holds."""

import pytest


def addresses(report):
    found = [row["address"] for row in report["objects"]]
    assert len(set(found)) == len(found), "an object stands in two rows"
    return set(found)


@pytest.fixture
def target(interpreter, start, extension):
    return start("leaks.py", interpreter, args=[extension(interpreter, "leaky")])


def test_exactly_the_objects_with_a_leaked_reference_are_listed(target, leakinspect):
    leaked, held = set(target.ask_json("leaked")), set(target.ask_json("held"))
    assert len(leaked) == 2000 and len(held) == 2001
    report = leakinspect("refs", target.pid, "--leaked", "--limit", 0)
    found = addresses(report)
    extra = [row for row in report["objects"] if row["address"] not in leaked]
    assert (len(leaked - found), len(found & held), extra[:5]) == (0, 0, [])


def test_objects_that_nothing_else_holds_any_more_are_still_listed(target, leakinspect):
    leaked = set(target.ask_json("leaked"))
    target.ask("forget")
    left = set(target.ask_json("leaked"))
    assert len(left) == 1000
    assert addresses(leakinspect("refs", target.pid, "--leaked", "--limit", 0)) == leaked


def test_a_program_that_leaks_nothing_has_none(interpreter, start, leakinspect):
    target = start("idle.py", interpreter)
    assert leakinspect("refs", target.pid, "--leaked", "--limit", 0)["objects"] == []
