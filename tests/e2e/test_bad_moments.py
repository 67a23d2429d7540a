# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops that fall on a bad moment: an object half linked, a pool half updated, a collection under
way. What never changes in the program must never change in a report."""

import math
import os

from support.interpreters import discover
from support.reports import listed, mismatches, rows

# Types of which a running program makes none: if one look misses a generation, or a pool, or counts
# one twice, it shows here.
STILL = ["type", "function", "module", "code", "property", "classmethod", "staticmethod",
         "wrapper_descriptor", "method_descriptor", "getset_descriptor", "member_descriptor",
         "__main__.Anchor", "__main__.Bare"]
THREADS, YOUNG = 4, 200


def attaches():
    """How many for each interpreter."""
    asked = os.environ.get("LEAKINSPECT_ATTACHES")
    return int(asked) if asked else math.ceil(2000 / len(discover()))


def test_a_look_at_threads_that_allocate_free_and_collect_is_right_every_time(
        interpreter, start, leakinspect):
    target = start("churn.py", interpreter)
    quiet = rows(leakinspect("types", target.pid))
    assert quiet["__main__.Anchor"]["tracked"] == 5000
    assert quiet["__main__.Bare"]["count"] == 3000
    truth = {name: [quiet[name]["count"], quiet[name]["tracked"]]
             for name in STILL if name in quiet}
    assert len(truth) >= 11
    target.ask("go")
    stops, wrong = [], []
    went_round = target.ask_json("count")

    for number in range(attaches()):
        report = leakinspect("types", target.pid, timeout=30)
        # Asserts that the moment was a consistent one, in the end.
        found = rows(report)
        got = {name: [found.get(name, {}).get(key, 0) for key in ("count", "tracked")]
               for name in truth}
        young = found["__main__.Young"]
        # A new one is there before the old one goes, in each thread.
        steady = THREADS * YOUNG <= young["tracked"] <= young["count"] <= THREADS * (YOUNG + 1)
        if got != truth or not steady:
            wrong.append((number, report["target"], mismatches(truth, got), young))
        stops.append(report["target"]["stops"])
        if number % 20 == 0:
            before, went_round = went_round, target.ask_json("count")
            assert number == 0 or all(map(int.__lt__, before, went_round)), "a thread stands still"

    assert wrong == []
    assert min(stops) >= 1
    # Collections alone take more of the program's time than this: it met some of them.
    if len(stops) > 100:
        assert sum(stops) > len(stops), "no stop in %d fell on a bad moment?" % len(stops)
    assert target.ask_json("stop") == []
    census = {name: count for name, (count, _) in target.census().items()}
    assert mismatches(census, listed(leakinspect("types", target.pid))) == {}


def test_a_program_that_does_nothing_but_collect_is_told_right_or_told_not_to_be(
        debian_python, start, leakinspect):
    """Almost every stop falls into a collection."""
    target = start("always_collecting.py", debian_python)
    for _ in range(5):
        report = leakinspect("types", target.pid, timeout=60)
        state = report["target"]
        assert state["stops"] >= 1
        if state["consistent"]:
            assert rows(report)["__main__.Anchor"]["tracked"] == 100000
        else:
            # Not quietly: the reason stands in the report.
            assert state["inconsistency"]
    assert target.status("TracerPid") == "0"
    target.ask("stop", timeout=60)
    # And when it stops collecting, there is no excuse.
    assert rows(leakinspect("types", target.pid))["__main__.Anchor"]["tracked"] == 100000
