# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in GDB is a sentence that says what to do, never a Python traceback; and no number is
quietly partial."""

import os
import shutil
import subprocess

import pytest

from support import cores
from support.gdb import Gdb, batch

QUESTIONS = ["leak types", "leak cycles", "leak garbage", "leak stats", "leak untracked",
             "leak show dict", "leak refs dict", "leak referrers dict", "leak path dict",
             "leak diff", "leak break dict"]


def answers(*arguments):
    """What GDB says to all questions, which must be no traceback."""
    done = batch(*arguments, *[word for question in QUESTIONS for word in ("-ex", question)])
    said = done.stdout + done.stderr
    assert "Traceback" not in said and "Error" not in said.replace("Error reading shared", ""), said
    assert "Python Exception" not in said, said
    return said


def executable(interpreter):
    return interpreter.command[0]


@pytest.fixture
def core(debian_python, start, tmp_path):
    """A core of Debian's python3.11, as the kernel writes it."""
    target = start("pairs.py", debian_python)
    path = str(tmp_path / "core")
    gdb = Gdb()
    try:
        gdb.ask("attach %d" % target.pid, "gcore " + path, "detach")
    finally:
        gdb.close()
    cores.as_kernel_writes_it(path)
    return path


def test_without_a_process_it_says_how_to_get_one():
    said = answers()
    assert said.count("there is no process and no core file here") == len(QUESTIONS)
    assert "gdb PYTHON CORE" in said


def test_a_program_that_is_no_python_is_told():
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        said = answers("-p", sleeper.pid)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert said.count("GDB knows no PyObject here") == len(QUESTIONS)
    assert "python3.11-dbg" in said


@pytest.mark.parametrize("interpreter", ["python3.9", "python3.13"], indirect=True)
def test_a_python_without_debug_information_is_told(interpreter, start, tmp_path):
    folder = os.path.join(os.path.dirname(os.path.dirname(executable(interpreter))), "lib")
    library, = [name for name in os.listdir(folder) if name.startswith("libpython")
                and name.endswith(".so.1.0")]
    stripped = str(tmp_path / library)
    subprocess.run(["strip", "-o", stripped, os.path.join(folder, library)], check=True, timeout=60)
    target = start("idle.py", interpreter, env={"LD_LIBRARY_PATH": str(tmp_path)})
    said = answers("-p", target.pid)
    # Extension modules and the small program beside the library may still describe a PyObject.
    assert said.count("debug information") >= len(QUESTIONS), said
    assert said.count("apt install python3.11-dbg") == len(QUESTIONS)


def test_a_core_without_its_program_is_told(core):
    done = batch("-ex", "core-file " + core, "-ex", "leak types", "-ex", "file")
    assert "Traceback" not in done.stderr
    # GDB may find the program by itself; then it has an answer.
    assert "gdb PYTHON CORE" in done.stderr or "total" in done.stdout, done.stderr


def test_a_whole_core_as_the_kernel_writes_it_is_read(core, debian_python):
    gdb = Gdb(executable(debian_python), core)
    try:
        report = gdb.json("leak cycles")
    finally:
        gdb.close()
    assert report["complete"] and sum(row["count"] for row in report["cycles"]) == 500


@pytest.mark.parametrize("percent", [97, 70, 30, 10])
def test_a_truncated_core_gives_sentences_and_says_what_is_missing(core, debian_python, percent):
    cores.cut(core, percent)
    said = answers(executable(debian_python), core)
    assert "cannot be read" in said or "cannot read" in said or "truncated" in said, said


def test_a_core_that_is_cut_to_its_header_is_no_core(core, debian_python):
    with open(core, "r+b") as file:
        file.truncate(100)
    assert "there is no process and no core file here" in answers(executable(debian_python), core)


POKE = """python
from leak import session
p = session.current().python()
layout, memory = p.layout, p.memory
from leak.python.walk import Walk
g = max(p.runtime.generations, key=lambda one: len(Walk(layout, memory).types(one)))
links = [at - layout.gc_head_bytes for at in Walk(layout, memory).objects(g)[0]]
at = links[len(links) // 3] + layout.%s
gdb.selected_inferior().write_memory(at, (%s).to_bytes(8, "little"))
print("broken 0x%%x of %%d" %% (at, len(links)))
end"""


@pytest.mark.parametrize("member, value", [
    ("gc_next", "0"), ("gc_next", "links[5]"), ("gc_next", "links[-5]"), ("gc_prev", "links[7]"),
    ("gc_next", "0x1234567890ab8")])
def test_a_corrupted_list_is_told_with_what_could_be_counted(debian_python, start, member, value):
    target = start("pairs.py", debian_python)
    gdb = Gdb()
    try:
        gdb.ask("attach %d" % target.pid)
        before = gdb.json("leak types")
        said = gdb.ask(*(POKE % (member, value)).split("\n"))
        assert "broken" in said, said
        # Memory that was written is read again.
        after = gdb.json("leak types")
        assert after["complete"] is False
        torn = [note for note in after["notes"] if "is torn at 0x" in note]
        assert len(torn) == 1, after["notes"]
        # All but the few about the tear are there, and none twice.
        assert before["total"] - 3 <= after["total"] <= before["total"] or value == "links[-5]"
        assert after["total"] <= before["total"]
        for question in QUESTIONS:
            assert "Traceback" not in gdb.ask(question)
        assert any("is torn" in note for note in gdb.json("leak cycles")["notes"])
    finally:
        gdb.close()
        target.stop()


def test_wrong_arguments_say_what_to_type(debian_python, start):
    target = start("pairs.py", debian_python)
    gdb = Gdb()
    try:
        gdb.ask("attach %d" % target.pid)
        for typed, expected in (
                ("leak show", "leak show wants ADDRESS-OR-TYPE; for instance: leak show 0x"),
                ("leak show a b", "leak show takes no more than ADDRESS-OR-TYPE"),
                ("leak show 0x10", "nothing can be read at 0x"),
                ("leak show Nothing", 'no tracked object is of a type "Nothing"'),
                ("leak refs $nothing", "$nothing has no value yet"),
                ("leak types -n", "-n wants N behind it"),
                ("leak types -n x", "-n wants N behind it"),
                ("leak types -wrong", 'leak types knows no option "-wrong"; usage: leak types'),
                ("leak cycles a b", "leak cycles takes no more than [PATTERN]"),
                ("leak stats x", "leak stats takes no arguments"),
                ("leak nothing", 'leak knows no "nothing"; it knows: break, cycles, diff'),
                ("leak break Nothing", 'no class "Nothing" in this program'),
                ("leak types no_such_type", 'no tracked object has a type like "no_such_type"'),
                ('print $leak_type("Nothing")', 'no tracked object is of a type "Nothing"'),
                ("print $leak_obj(16)", "nothing can be read at 0x")):
            said = gdb.ask(typed)
            assert expected in said and "Traceback" not in said, (typed, said)
    finally:
        gdb.close()


def test_a_file_named_for_a_core_is_not_overwritten(debian_python, start, tmp_path):
    target = start("idle.py", debian_python)
    path = str(tmp_path / "here")
    shutil.copy(__file__, path)
    done = batch("-p", target.pid, "-ex", "leak handoff " + path)
    assert "exists already; give another name" in done.stderr
