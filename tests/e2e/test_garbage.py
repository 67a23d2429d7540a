# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector run dry: what `garbage` says is what gc.collect() then does in the same process."""

import collections

import pytest

from support.target import Target

SCENARIOS_MIN = 95


def by_type(rows):
    return {row["name"]: row["count"] for row in rows}


class Seen:
    """One scenario: what was predicted, and what came."""

    def __init__(self, target, leakinspect, name):
        self.garbage_before = target.ask_json("make " + name)
        self.report = leakinspect("garbage", target.pid)
        self.found, self.garbage = target.ask_json("collect")
        target.ask("clean")
        # Once more, with everything saved, as types are not told otherwise.
        self.garbage_before_saved = target.ask_json("make " + name)
        _, self.saved = target.ask_json("collect types")
        target.ask("clean")


@pytest.fixture(scope="module")
def scenarios(leakinspect, extension):
    """scenarios(interpreter) -> {name: Seen}; run once for each interpreter."""
    done = {}

    def look(interpreter):
        if interpreter.name not in done:
            done.clear()
            target = Target("collection.py", interpreter, [extension(interpreter, "leaky")])
            try:
                assert target.ready == "leaky"
                names = target.ask_json("scenarios")
                seen = {name: Seen(target, leakinspect, name) for name in names}
                # All of it left nothing behind.
                assert target.ask_json("collect") == [0, {}]
            finally:
                target.stop()
            done[interpreter.name] = seen
        return done[interpreter.name]
    return look


def test_there_are_scenarios_enough(interpreter, scenarios):
    seen = scenarios(interpreter)
    assert len(seen) >= SCENARIOS_MIN
    assert seen["nothing"].found == 0
    # Most of them make something that is found.
    assert sum(1 for one in seen.values() if one.found) > 65


def test_the_number_that_a_collection_returns_is_predicted(interpreter, scenarios):
    wrong = {name: {"predicted": one.report["unreachable"] + one.report["uncollectable"],
                    "returned": one.found, "by type": by_type(one.report["by_type"])}
             for name, one in scenarios(interpreter).items()
             if one.report["unreachable"] + one.report["uncollectable"] != one.found}
    assert wrong == {}


def test_everything_could_be_tried(interpreter, scenarios):
    told = {name: note for name, one in scenarios(interpreter).items()
            for note in one.report["notes"] if "could not be tried" in note}
    assert told == {}


def test_what_is_in_gc_garbage_is_told(interpreter, scenarios):
    wrong = {name: (one.report["garbage"], by_type(one.report["garbage_by_type"]),
                    one.garbage_before)
             for name, one in scenarios(interpreter).items()
             if by_type(one.report["garbage_by_type"]) != one.garbage_before
             or one.report["garbage"] != sum(one.garbage_before.values())}
    assert wrong == {}


def test_what_will_be_in_gc_garbage_is_predicted(interpreter, scenarios):
    wrong = {}
    for name, one in scenarios(interpreter).items():
        expected = collections.Counter(by_type(one.report["garbage_by_type"]))
        expected.update(by_type(one.report["to_garbage_by_type"]))
        if expected != one.garbage:
            wrong[name] = {"predicted": dict(expected), "came": one.garbage}
    assert wrong == {}


# Where finalizers free, bring back or leave something, what is saved is what is left after them.
FINALIZERS_DECIDE = ("finalizers_that_", "a_generator_", "an_async_generator", "a_coroutine_",
                     "garbage_that_is_full", "a_task_that_waits", "what_only_garbage_reaches",
                     # Its tree of hashes follows addresses.
                     "a_data_class_and_contexts")


def test_the_types_of_what_is_unreachable_are_told(interpreter, scenarios):
    wrong = {}
    for name, one in scenarios(interpreter).items():
        if name.startswith(FINALIZERS_DECIDE):
            continue
        saved = collections.Counter(one.saved)
        saved.subtract(one.garbage_before_saved)
        saved = {kind: count for kind, count in saved.items() if count}
        told = by_type(one.report["by_type"])
        if told != saved:
            wrong[name] = {"told": told, "saved": saved}
    assert wrong == {}


def test_a_thread_that_has_just_taken_the_gil_collects(interpreter, start, leakinspect, extension):
    # From 3.13 on who is not the current one has not got the GIL, so that this is nobody's moment.
    target = start("nobody.py", interpreter, [extension(interpreter, "leaky")])
    report = leakinspect("garbage", target.pid)
    assert report["tried"], report["notes"]
    assert target.finish() == 0
    assert report["unreachable"] == int(target.hear())


def test_what_a_collection_calls_is_part_of_the_prediction(interpreter, start, leakinspect):
    if interpreter.version < (3, 3):
        pytest.skip("no gc.callbacks")
    target = start("gc_callbacks.py", interpreter)
    report = leakinspect("garbage", target.pid)
    assert report["tried"]
    assert report["unreachable"] == int(target.ask("collect")) >= 50
