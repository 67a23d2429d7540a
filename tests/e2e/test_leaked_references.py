# SPDX-License-Identifier: GPL-3.0-or-later
"""References that C code took and forgot: more are counted than anything holds."""

import collections
import re

import pytest


# What these interpreters themselves take and forget while they start: `sys` and `builtins` in
# Py_Initialize(), importers of Python 2 for every lookup. Their references are counted, and no word
# of the process stands for them.
OWN_LEAKS_MAX = {"python2.7": 3, "python3.6": 3, "python3.7": 3, "python3.8": 2}

# Of 2,000, where threads have been at work: in one of seven runs of Python 2.7 up to three are hidden, by
# words that depend on how the threads took turns.
HIDDEN_MAX = {("python2.7", "threads"): 5}


# malloc() rounds up what it is asked for: behind the array that holds the others (16,000 bytes) there is
# room for one word, and whether that is part of it nobody can tell. What stood there before hides a leak
# when it was one of the 2,000; with the same arguments and environment it is the same each time.
ROUNDING_MAX = 1


def addresses(report):
    found = [row["address"] for row in report["objects"]]
    assert len(set(found)) == len(found), "an object stands in two rows"
    return set(found)


def leaked_in(leakinspect, target):
    return leakinspect("refs", target.pid, "--leaked", "--limit", 0)


def kinds_of(report, leave_out=()):
    """What the rows are, but for addresses, which differ from process to process."""
    return collections.Counter((row["type"], re.sub("0x[0-9a-f]+", "", row["repr"]))
                               for row in report["objects"] if row["address"] not in leave_out)


@pytest.fixture
def target(interpreter, start, extension):
    return start("leaks.py", interpreter, args=[extension(interpreter, "leaky")])


@pytest.fixture
def own_leaks(interpreter, start, leakinspect):
    """Those of the interpreter itself."""
    return kinds_of(leaked_in(leakinspect, start("idle.py", interpreter)))


def test_exactly_the_objects_with_a_leaked_reference_are_listed(interpreter, target, own_leaks,
                                                                leakinspect):
    leaked, held = set(target.ask_json("leaked")), set(target.ask_json("held"))
    assert len(leaked) == 2000 and len(held) == 2001
    report = leaked_in(leakinspect, target)
    found = addresses(report)
    assert found & held == set()
    assert len(leaked - found) <= ROUNDING_MAX
    # What else is there the interpreter has leaked itself; this program has loaded more of it.
    others = kinds_of(report, leave_out=leaked)
    if interpreter.name in OWN_LEAKS_MAX:
        assert sum((others - own_leaks).values()) <= OWN_LEAKS_MAX[interpreter.name], others
    else:
        assert others == {}


def test_objects_that_nothing_else_holds_any_more_are_still_listed(target, leakinspect):
    leaked = set(target.ask_json("leaked"))
    target.ask("forget")
    assert len(set(target.ask_json("leaked"))) == 1000
    assert len(leaked - addresses(leaked_in(leakinspect, target))) <= ROUNDING_MAX


@pytest.mark.parametrize("heap", ["varied", "threads"])
def test_memory_that_once_had_their_addresses_hides_none(interpreter, start, extension, heap,
                                                         own_leaks, leakinspect):
    target = start("leaks.py", interpreter, args=[extension(interpreter, "leaky"), heap])
    leaked, held = set(target.ask_json("leaked")), set(target.ask_json("held"))
    report = leaked_in(leakinspect, target)
    found = addresses(report)
    assert found & held == set()
    assert len(leaked - found) <= HIDDEN_MAX.get((interpreter.name, heap), ROUNDING_MAX)
    others = kinds_of(report, leave_out=leaked)
    assert sum((others - own_leaks).values()) <= OWN_LEAKS_MAX.get(interpreter.name, 0), others


def test_a_program_that_leaks_nothing_has_none(interpreter, own_leaks):
    assert sum(own_leaks.values()) <= OWN_LEAKS_MAX.get(interpreter.name, 0), own_leaks
