# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands in GDB answer about single objects, about time, and about what is not tracked."""

import json
import os
import socket
import subprocess

import pytest

from support.gdb import OPTIONS, SCRIPT, Gdb, batch
from support.target import Target


@pytest.fixture(scope="module")
def pairs():
    """pairs(interpreter) -> (Target, Gdb attached to it); started once for each interpreter."""
    running = {}

    def look(interpreter):
        if interpreter.name not in running:
            target = Target("pairs.py", interpreter)
            gdb = Gdb()
            gdb.ask("attach %d" % target.pid)
            running[interpreter.name] = target, gdb
        return running[interpreter.name]

    yield look
    for target, gdb in running.values():
        gdb.close()
        target.stop()


def test_an_object_and_its_references_are_shown(interpreter, pairs):
    _, gdb = pairs(interpreter)
    parent = gdb.json("leak show __main__.Parent")["object"]
    assert parent["type"] == "__main__.Parent" and parent["finalizer"] == "del"
    assert parent["tracked"] is True and parent["refcount"] == 1
    assert parent["repr"] == "<__main__.Parent object at %s>" % parent["address"]
    row = child_of(gdb, parent["address"])
    assert row["type"] == "__main__.Child" and row["kind"] == "gc"
    back = gdb.json("leak referrers " + row["address"])
    assert parent["address"] in holders(gdb, back["objects"])
    assert back["held_by_c"] == 0


def child_of(gdb, address):
    """The reference to the child, through the attribute dict where that is an object of its own."""
    rows = gdb.json("leak refs " + address)["objects"]
    for row in rows:
        if row["label"] == ".__dict__":
            rows = rows + gdb.json("leak refs " + row["address"])["objects"]
    row, = [row for row in rows if row["label"] in (".child", "['child']")]
    return row


def holders(gdb, rows):
    found = {row["address"] for row in rows}
    for row in rows:
        if row["type"] == "dict":
            found |= {one["address"] for one in
                      gdb.json("leak referrers " + row["address"])["objects"]}
    return found


def test_a_path_leads_from_a_root_to_what_is_kept_and_to_nothing_else(interpreter, pairs):
    _, gdb = pairs(interpreter)
    report = gdb.json("leak path __main__.Parent")
    # The first in memory may be the one that the module's name keeps.
    if report["paths"]:
        assert report["root"].startswith("module __main__") or "frame" in report["root"]
    kept = gdb.json("leak path function")
    path, = kept["paths"]
    assert kept["root"] and path[-1]["type"] == "function" and len(path) > 1
    assert all(step["label"] for step in path[1:])


def test_convenience_functions_give_typed_values(interpreter, pairs):
    _, gdb = pairs(interpreter)
    said = gdb.ask('print $leak_type("Parent")')
    assert "(__main__.Parent *) 0x" in said and "<__main__.Parent object at 0x" in said
    assert "ob_item = " in gdb.ask('print *$leak_obj((long)$leak_type("list"))')
    gdb.ask('set $child = (long)$leak_type("Child")')
    assert gdb.json("leak show $child")["object"]["type"] == "__main__.Child"


def test_completion_knows_types_and_options(debian_python, pairs):
    _, gdb = pairs(debian_python)
    assert "leak show __main__.Parent" in gdb.ask("complete leak show __main__.P")
    # GDB takes a dot for the end of a word; the name goes on behind it all the same.
    assert "leak types _frozen_importlib.ModuleSpec" in gdb.ask(
        "complete leak types _frozen_importlib.Mod")
    assert "leak types -json" in gdb.ask("complete leak types -j")
    assert "leak cycles" in gdb.ask("complete leak cy")


def test_every_command_has_help_with_an_example(debian_python, pairs):
    _, gdb = pairs(debian_python)
    listed = gdb.ask("help leak")
    for name in ("types", "cycles", "garbage", "show", "refs", "referrers", "path", "diff", "stats",
                 "untracked", "break", "handoff"):
        assert "leak %s -- " % name in listed
        said = gdb.ask("help leak " + name)
        assert "Usage: leak " + name in said and "Example" in said
    assert "leak types" in gdb.ask("leak")
    assert "first tracked object" in gdb.ask("help function leak_type")


def test_stats_are_those_of_the_lists(interpreter, pairs):
    _, gdb = pairs(interpreter)
    stats, types = gdb.json("leak stats"), gdb.json("leak types")
    assert stats["tracked"] == types["total"] == sum(row["objects"] for row in stats["generations"])
    assert stats["enabled"] is False and stats["collecting"] is False
    assert stats["interpreters"] == 1 and stats["threads"] == 1


def test_diff_shows_what_was_made_while_the_program_ran(interpreter, start):
    target = start("known_objects.py", interpreter)
    gdb = Gdb()
    try:
        gdb.ask("attach %d" % target.pid)
        assert gdb.json("leak diff")["baseline"] > 1000
        assert gdb.json("leak diff")["types"] == []
        gdb.ask("detach")
        target.ask("knots")
        gdb.ask("attach %d" % target.pid)
        changes = {row["name"]: row["change"] for row in gdb.json("leak diff Knot")["types"]}
    finally:
        gdb.close()
    assert changes == {"__main__.Knot": 50}


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.7", "python3.13",
                                         "python3.11-debian", "python3.11d-debian"], indirect=True)
def test_untracked_objects_are_those_that_leakinspect_counts(interpreter, start, leakinspect):
    target = start("library_code.py", interpreter, args=["--no-unittests"])
    report = leakinspect("types", target.pid)
    expected = {row["name"]: row["count"] - row["tracked"] for row in report["types"]}
    gdb = Gdb()
    try:
        gdb.ask("attach %d" % target.pid)
        found = gdb.json("leak untracked")
    finally:
        gdb.close()
    assert found["unreadable"] == 0 and found["pools"] > 100
    got = {row["name"]: row["count"] for row in found["types"]}
    # Never many more than there are, and most of what is small: text of more than 512 bytes is
    # malloc's, and Python 2 keeps numbers in blocks of its own.
    for name in ("str", "tuple", "dict", "bytes", "float", "int"):
        count = expected.get(name, 0)
        if interpreter.version < (3, 0) and name in ("int", "float", "bytes"):
            continue
        assert got.get(name, 0) <= count + 2, name
        assert got.get(name, 0) >= 0.93 * count, name


BREAK = ["-ex", "leak break scenario.Node", "-ex", "echo running\\n", "-ex", "continue", "-ex",
         "leak types Node", "-ex", "detach"]


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.6", "python3.9", "python3.10",
                                         "python3.11", "python3.12", "python3.13",
                                         "python3.11-debian"], indirect=True)
def test_break_stops_where_an_instance_is_made_and_shows_the_python_stack(interpreter, start):
    target = start("collection.py", interpreter, args=["none"])
    gdb = subprocess.Popen(["gdb", *OPTIONS, "-batch", "-x", SCRIPT, "-p", str(target.pid), *BREAK],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while "running" not in said:
            line = gdb.stdout.readline()
            assert line, said
            said += line
        # Stopped until GDB lets it run; then it answers when GDB has detached.
        target.ask("make self_instance")
        said += gdb.communicate(timeout=60)[0]
    finally:
        gdb.kill()
        gdb.wait()
    assert "an instance of scenario.Node is being made" in said, said
    stack = [line for line in said.splitlines() if line.lstrip().startswith("#") and " at " in line
             and ".py:" in line]
    assert any("self_instance at " in line for line in stack), said
    place, = [line for line in stack if "self_instance at " in line]
    source = place.split(" at ")[1].rsplit(":", 1)
    with open(source[0], encoding="utf-8") as file:
        assert "Node()" in file.read().splitlines()[int(source[1]) - 1]


def test_handoff_writes_a_core_that_gdb_reads(debian_python, start, tmp_path):
    target = start("pairs.py", debian_python)
    core = str(tmp_path / "service.core")
    done = batch("-p", target.pid, "-ex", "leak cycles", "-ex", "leak handoff " + core)
    assert "core: " + core in done.stdout, done.stderr
    with open(core + ".json", encoding="utf-8") as file:
        found = json.load(file)
    assert found["pid"] == target.pid and found["found"]["cycles"]["cycles"][0]["count"] == 499
    again = batch(debian_python.command[0], core, "-ex", "leak cycles")
    assert "pending      499" in again.stdout, again.stderr
    os.unlink(core)


def test_handoff_detaches_and_starts_leakinspect(debian_python, start, leakinspect):
    target = start("pairs.py", debian_python)
    done = batch("-p", target.pid, "-ex", "leak cycles", "-ex", "leak handoff",
                 env=leakinspect.environment({"LEAKINSPECT": leakinspect.path}))
    assert done.stdout.count("Parent.child -> Child.parent") >= 2, done.stdout + done.stderr
    assert target.is_alive() and target.status("TracerPid") == "0"


def test_nothing_is_written_to_the_process_and_it_goes_on(interpreter, pairs):
    target, gdb = pairs(interpreter)
    gdb.ask("detach")
    assert target.is_alive() and target.status("TracerPid") == "0"
    assert json.loads(target.ask("collect"))[0] > 0
    gdb.ask("attach %d" % target.pid)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("interpreter", ["python3.11-debian", "python2.7", "python3.13"],
                         indirect=True)
def test_over_gdbserver_the_answers_are_the_same(interpreter, start, leakinspect):
    target = start("pairs.py", interpreter)
    expected = leakinspect("types", target.pid)
    port = free_port()
    server = subprocess.Popen(["gdbserver", "--once", "--attach", "127.0.0.1:%d" % port,
                               str(target.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    gdb = None
    try:
        said = ""
        while "Listening on port" not in said:
            line = server.stderr.readline()
            assert line, said
            said += line
        gdb = Gdb("-iex", "set sysroot /")
        said = gdb.ask("target remote 127.0.0.1:%d" % port)
        types, cycles = gdb.json("leak types"), gdb.json("leak cycles")
        gdb.ask("detach")
    finally:
        if gdb:
            gdb.close()
        server.kill()
        server.wait()
        server.stderr.close()
    assert {row["name"]: row["tracked"] for row in types["types"]} == {
        row["name"]: row["tracked"] for row in expected["types"] if row["tracked"]}
    assert types["complete"] and cycles["complete"]
    assert sum(row["count"] for row in cycles["cycles"]) >= 499
    assert target.is_alive()
