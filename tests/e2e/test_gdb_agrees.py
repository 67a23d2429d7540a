# SPDX-License-Identifier: GPL-3.0-or-later
"""Two independent implementations agree: the commands in GDB say what leakinspect says, of every
interpreter, of the scenarios of the collection, live and on a core file of the same moment."""

import os

import pytest

from support.gdb import Gdb
from support.target import Target

# Scenarios that the collector, or what is left for it, is changed by; all others can be made together.
APART = {
    "saved": ["debug_saveall", "legacy_with_debug_saveall"],
    "frozen": ["a_frozen_cycle", "a_cycle_that_a_frozen_object_holds",
               "a_cycle_that_holds_a_frozen_object"],
    "collected": ["finalizers_that_already_ran_once", "garbage_that_is_full_already"],
}
SCENARIOS_MIN = 90
# For one program: it ends by itself after ten minutes.
GROUPS_EACH = 20


def groups(names):
    """{what a group is called: its scenarios}; LEAKINSPECT_GDB_EACH=1 makes each one its own."""
    if os.environ.get("LEAKINSPECT_GDB_EACH") == "1":
        return {name: [name] for name in names}
    apart = {name for some in APART.values() for name in some}
    found = {"together": [name for name in names if name not in apart]}
    for group, some in APART.items():
        some = [name for name in some if name in names]
        if some:
            found[group] = some
    return found


class Answers:
    """What GDB says of one moment."""

    def __init__(self, gdb):
        self.types = gdb.json("leak types")
        self.garbage = gdb.json("leak garbage")
        self.cycles = gdb.json("leak cycles -all")


class Seen:
    """One group: what leakinspect says, what GDB says of the process and of its core."""

    def __init__(self, target, leakinspect, gdb, names, core):
        for name in names:
            target.ask_json("make " + name)
        self.types = leakinspect("types", target.pid)
        self.garbage = leakinspect("garbage", target.pid)
        self.cycles = leakinspect("cycles", "--all", target.pid)
        gdb.ask("attach %d" % target.pid)
        self.live = Answers(gdb)
        gdb.ask("gcore " + core)
        gdb.ask("detach")
        self.core = None
        target.ask("clean")


@pytest.fixture(scope="module")
def seen(leakinspect, extension, tmp_path_factory):
    """seen(interpreter) -> {group: Seen}; run once for each interpreter."""
    done = {}

    def look(interpreter):
        if interpreter.name not in done:
            folder = tmp_path_factory.mktemp("cores")
            target = Target("collection.py", interpreter, [extension(interpreter, "leaky")])
            gdb = Gdb()
            try:
                names = target.ask_json("scenarios")
                assert len(names) >= SCENARIOS_MIN
                found = {}
                for place, (group, some) in enumerate(groups(names).items()):
                    if place and place % GROUPS_EACH == 0:
                        target.stop()
                        target = Target("collection.py", interpreter,
                                        [extension(interpreter, "leaky")])
                    core = str(folder / group)
                    found[group] = Seen(target, leakinspect, gdb, some, core)
                    gdb.ask("core-file " + core)
                    found[group].core = Answers(gdb)
                    gdb.ask("core-file")
                    os.unlink(core)
            finally:
                gdb.close()
                target.stop()
            done[interpreter.name] = found
        return done[interpreter.name]
    return look


def counts(rows, key="count"):
    return {row["name"]: row[key] for row in rows if row[key]}


def tracked_by_leakinspect(report):
    return counts(report["types"], "tracked")


def numbers_of_garbage(report):
    """What both find in the graph, before any finalizer ran. Where leakinspect then tried the
    collection over a copy, its sums are those of that; its tables are not."""
    return {"found": sum(row["count"] for row in report["by_type"]),
            "by type": counts(report["by_type"]),
            "uncollectable": counts(report["uncollectable_by_type"]),
            "in gc.garbage": counts(report["garbage_by_type"]),
            "finalizers": report["unfinalized"], "callbacks": report["callbacks"]}


def shapes(report):
    return {(row["shape"], row["state"]):
            (row["count"], row["objects"], sorted(set(row["types"])),
             sorted({(one["type"], one["kind"]) for one in row["finalizers"]}))
            for row in report["cycles"]}


def disagreements(expected, got):
    return {key: {"leakinspect": expected.get(key), "gdb": got.get(key)}
            for key in sorted(set(expected) | set(got), key=str)
            if expected.get(key) != got.get(key)}


def wrong(seen_groups, where, question, expected, got):
    """{group: disagreements} of one question, of the process or of its core."""
    result = {}
    for group, one in seen_groups.items():
        found = disagreements(expected(getattr(one, question)),
                              got(getattr(getattr(one, where), question)))
        if found:
            result[group] = found
    return result


@pytest.mark.parametrize("where", ["live", "core"])
def test_types_counts_what_leakinspect_counts(interpreter, seen, where):
    assert wrong(seen(interpreter), where, "types", tracked_by_leakinspect,
                 tracked_by_leakinspect) == {}


@pytest.mark.parametrize("where", ["live", "core"])
def test_garbage_predicts_what_leakinspect_predicts(interpreter, seen, where):
    assert wrong(seen(interpreter), where, "garbage", numbers_of_garbage,
                 numbers_of_garbage) == {}


@pytest.mark.parametrize("where", ["live", "core"])
def test_the_sum_is_what_the_tables_say(interpreter, seen, where):
    for one in seen(interpreter).values():
        report = getattr(one, where).garbage
        assert report["unreachable"] + report["uncollectable"] == sum(
            row["count"] for row in report["by_type"])
        if not one.garbage["tried"]:
            assert report["unreachable"] == one.garbage["unreachable"]
            assert counts(report["to_garbage_by_type"]) == counts(
                one.garbage["to_garbage_by_type"])


@pytest.mark.parametrize("where", ["live", "core"])
def test_cycles_have_the_same_shapes_and_states_and_numbers(interpreter, seen, where):
    assert wrong(seen(interpreter), where, "cycles", shapes, shapes) == {}


@pytest.mark.parametrize("where", ["live", "core"])
def test_nothing_was_left_out_or_guessed(interpreter, seen, where):
    """Each type's own traversal was followed to its end, on this machine and build."""
    for group, one in seen(interpreter).items():
        for report in (getattr(one, where).garbage, getattr(one, where).cycles):
            assert report["complete"] and not report["unreadable"], (group, report["notes"])
            assert report["substituted"] == {}, group


ODD = [("interpreters.py", [], {}), ("odd_heaps.py", [], {}), ("frozen.py", [], {}),
       ("hostile_names.py", [], {}), ("holders.py", [], {}), ("pairs.py", ["old"], {}),
       ("pairs.py", [], {"PYTHONMALLOC": "debug"}), ("pairs.py", [], {"PYTHONMALLOC": "malloc"})]


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.12", "python3.11-debian"],
                         indirect=True)
def test_odd_heaps_are_read_alike(interpreter, start, leakinspect):
    """Several interpreters, other allocators, names made to confuse; and settings of the user's."""
    gdb = Gdb()
    try:
        gdb.ask("set disassembly-flavor intel", "set output-radix 16", "set language ada")
        for program, args, env in ODD:
            target = start(program, interpreter, args, env)
            types = leakinspect("types", target.pid)
            garbage = leakinspect("garbage", target.pid)
            cycles = leakinspect("cycles", "--all", target.pid)
            gdb.ask("attach %d" % target.pid)
            found = Answers(gdb)
            gdb.ask("detach")
            assert tracked_by_leakinspect(types) == tracked_by_leakinspect(found.types), program
            assert numbers_of_garbage(garbage) == numbers_of_garbage(found.garbage), program
            assert disagreements(shapes(cycles), shapes(found.cycles)) == {}, program
            assert found.cycles["complete"] and found.cycles["substituted"] == {}, program
            target.stop()
        assert '"intel"' in gdb.ask("show disassembly-flavor")
        assert "ada" in gdb.ask("show language")
    finally:
        gdb.close()


@pytest.mark.parametrize("interpreter", ["python3.6", "python3.13"], indirect=True)
def test_a_collection_under_way_is_told(interpreter, start):
    target = start("always_collecting.py", interpreter, reads=False)
    gdb = Gdb()
    try:
        told = 0
        for _ in range(3):
            gdb.ask("attach %d" % target.pid)
            report = gdb.json("leak types")
            under_way = any("a collection is under way" in note for note in report["notes"])
            assert report["complete"] is (report["notes"] == [])
            told += under_way
            gdb.ask("detach")
        assert told
    finally:
        gdb.close()
