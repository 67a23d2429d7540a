# SPDX-License-Identifier: GPL-3.0-or-later
"""Core files: the verbs that read say of one what they say of the process that stands still; what is cut
off, damaged or not here is told, and never brings us down."""

import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess

import pytest

from support import cores
from support.target import Target

# Verbs with what is asked, and what of the answer must be the same.
QUESTIONS = {
    "types": ("types", ["types", "total"]),
    "cycles": ("cycles --all", ["cycles"]),
    "garbage": ("garbage", ["unreachable", "uncollectable", "by_type", "garbage",
                            "garbage_by_type", "to_garbage_by_type"]),
    "suspects": ("suspects", ["suspects"]),
    "threads": ("threads", ["threads"]),
    "refs": ("refs type --all", ["objects"]),
    "referrers": ("referrers module", ["objects"]),
    "show": ("show module", ["object"]),
    "path": ("path set", ["paths"]),
    "retained": ("retained --by-type", ["types"]),
}
# What the kernel tells of a thread that runs, and no core does.
LIVE_ALONE = {"name"}
DAMAGED_COUNT = 24
# Done; could not; not a core file of a process that can be read.
STATUSES = {0, 1, 4}


def make(target, folder, name="core"):
    """The path of a core file of the target's."""
    subprocess.run(["gcore", "-o", folder / name, str(target.pid)], check=True, timeout=60,
                   stdin=subprocess.DEVNULL, capture_output=True)
    path = folder / name
    os.rename("%s.%d" % (path, target.pid), path)
    return path


def without_live(value):
    if isinstance(value, dict):
        return {key: without_live(one) for key, one in value.items() if key not in LIVE_ALONE}
    return [without_live(one) for one in value] if isinstance(value, list) else value


def answers(leakinspect, target):
    """{question: what is to be the same} of a process or a core file, from one console."""
    lines = [word for words, _ in QUESTIONS.values() for word in ("-c", words + " --json")]
    done = leakinspect.run("attach", target, *lines)
    assert done.returncode == 0, done.stderr
    found, rest, decoder = {}, done.stdout, json.JSONDecoder()
    for name, (_, keys) in QUESTIONS.items():
        report, end = decoder.raw_decode(rest)
        rest = rest[end:].lstrip()
        found[name] = {key: without_live(report[key]) for key in keys}
        assert report["problems"] == {"unreadable": 0, "truncated": 0}, name
    assert not rest
    return found


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, leakinspect):
    """Debian's interpreter with a heap of cycles: (path of a core, answers of the process)."""
    from support import interpreters
    folder = tmp_path_factory.mktemp("pairs")
    target = Target("pairs.py", interpreters.find("python3.11-debian"))
    try:
        return make(target, folder), answers(leakinspect, target.pid)
    finally:
        target.stop()


@pytest.fixture
def core(pairs, tmp_path):
    """A copy of that core, laid out as the kernel does it, to be spoilt."""
    path = tmp_path / "core"
    shutil.copy(pairs[0], path)
    cores.as_kernel_writes_it(path)
    return path


def test_a_core_says_what_the_process_says(interpreter, start, leakinspect, tmp_path):
    target = start("collection.py", interpreter)
    target.ask_json("make " + target.ask_json("scenarios")[0])
    expected = answers(leakinspect, target.pid)
    path = make(target, tmp_path)
    pid = target.pid
    target.stop()
    assert answers(leakinspect, path) == expected
    head = leakinspect("types", path)["target"]
    assert (head["pid"], head["core"], head["snapshot"]) == (pid, str(path), "core")
    assert (head["stops"], head["pause_ms"], head["consistent"]) == (0, None, True)
    assert head["shortcomings"] is None


def test_a_core_as_the_kernel_lays_it_out_says_the_same(pairs, core, leakinspect):
    assert answers(leakinspect, core) == pairs[1]


def kernel_writes_cores_here():
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as pattern:
        return "/" not in (words := pattern.read()) and not words.startswith("|")


@pytest.mark.skipif(not kernel_writes_cores_here(), reason="kernel.core_pattern is no plain name")
@pytest.mark.parametrize("interpreter", ["python2.7", "python3.8", "python3.13",
                                         "python3.11-debian"], indirect=True)
def test_a_core_of_the_kernel_s_own_says_the_same(interpreter, start, leakinspect, tmp_path,
                                                  monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = start("pairs.py", interpreter)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    try:
        resource.prlimit(target.pid, resource.RLIMIT_CORE, unlimited)
    except PermissionError:
        pytest.skip("the limit on core files cannot be lifted")
    expected = answers(leakinspect, target.pid)
    os.kill(target.pid, signal.SIGABRT)
    assert target.finish() == -signal.SIGABRT
    (path,) = tmp_path.iterdir()
    assert answers(leakinspect, path) == expected
    report = leakinspect("info", path)
    assert report["target"]["pid"] == target.pid
    assert report["argv"][0] == interpreter.command[0]


def test_info_tells_what_a_core_can(pairs, leakinspect):
    report = leakinspect("info", pairs[0])
    assert report["memory"] == {"rss": None, "vss": None}
    assert report["argv"][0].endswith("python3.11")
    assert report["gc"]["enabled"] is False
    assert [thread["tid"] for thread in report["threads"]] == [report["target"]["pid"]]


def test_verbs_that_write_files_take_a_core(pairs, leakinspect, tmp_path):
    before, dot, heap = (tmp_path / name for name in ["before.snap", "heap.dot", "heap.sqlite"])
    leakinspect("snapshot", pairs[0], "-o", before)
    assert leakinspect("diff", before, before)["rss_change"] is None
    leakinspect("graph", pairs[0], "module", "-o", dot)
    leakinspect("export", pairs[0], "-o", heap)
    assert all(path.stat().st_size for path in [before, dot, heap])


def test_a_console_stands_over_a_core(pairs, leakinspect):
    done = leakinspect.run("attach", pairs[0], "-c", "types -q -n 1", "-c", "cycles -q",
                           "-c", "refresh", "-c", "show module -q", "-c", "save", "-c", "diff")
    assert done.returncode == 0, done.stderr
    assert "Parent.child -> Child.parent" in done.stdout
    assert "resident memory not known" in done.stdout


@pytest.mark.parametrize("words", [
    ["watch"], ["load", "--", "true"], ["eval", "1"], ["repl", "-c", "1"],
    ["types", "--snapshot", "clone"], ["cycles", "--snapshot", "clone"], ["garbage", "--verify"]])
def test_what_wants_a_process_says_so(pairs, leakinspect, words):
    done = leakinspect.run(words[0], pairs[0], *words[1:])
    assert done.returncode == 2
    assert "is a core file" in done.stderr


def test_p_takes_no_core(pairs, leakinspect):
    done = leakinspect.run("types", "-p", pairs[0])
    assert done.returncode == 2
    assert "is no process id" in done.stderr


@pytest.mark.parametrize("verb", ["types", "cycles", "garbage", "suspects", "info"])
@pytest.mark.parametrize("percent", [90, 70, 50])
def test_a_core_that_was_cut_short_is_read_as_far_as_it_goes(core, leakinspect, verb, percent):
    cores.cut(core, percent)
    report = leakinspect(verb, core)
    assert "the core file is cut short" in report["target"]["shortcomings"]
    if verb != "info":
        assert report["problems"]["unreadable"]
        assert not report["target"]["consistent"]


def test_a_core_that_was_cut_to_nothing_says_why_it_cannot_be_read(core, leakinspect):
    for percent in [30, 30, 30]:
        cores.cut(core, percent)
        done = leakinspect.run("types", core)
        assert done.returncode in {1, 4}
        assert "the core file is cut short" in done.stderr


def test_a_core_of_gdb_whose_end_is_missing_says_so(pairs, leakinspect, tmp_path):
    path = tmp_path / "core"
    shutil.copy(pairs[0], path)
    cores.cut(path, 95)
    done = leakinspect.run("types", path)
    assert done.returncode == 4
    assert "does not list the files that were mapped" in done.stderr


def copy_of_python(folder, change=None):
    """Debian's interpreter under another name, with another build-id if @a change is given."""
    path = folder / "python3.11"
    with open("/usr/bin/python3.11", "rb") as file:
        data = bytearray(file.read())
    note = data.index(b"\x14\0\0\0\x03\0\0\0GNU\0") + 16
    if change:
        data[note] ^= 0xff
    path.write_bytes(data)
    path.chmod(0o755)
    return path


class Copied:
    """Runs a copy of Debian's interpreter."""

    def __init__(self, path):
        self.command = [str(path)]


def test_an_interpreter_that_is_gone_or_another_is_named(leakinspect, tmp_path):
    python = copy_of_python(tmp_path)
    target = Target("pairs.py", Copied(python), env={"PYTHONHOME": "/usr"})
    try:
        path = make(target, tmp_path)
        expected = leakinspect("types", target.pid)["total"]
    finally:
        target.stop()
    assert leakinspect("types", path)["total"] == expected
    python.unlink()
    done = leakinspect.run("types", path)
    assert done.returncode == 4
    assert "%s with build-id " % python in done.stderr and "is not here" in done.stderr
    copy_of_python(tmp_path, change=True)
    done = leakinspect.run("types", path)
    assert done.returncode == 4
    assert "%s with build-id " % python in done.stderr
    assert "is another file here" in done.stderr
    # From another machine, so to speak.
    root = tmp_path / "root"
    (root / str(tmp_path)[1:]).mkdir(parents=True)
    copy_of_python(root / str(tmp_path)[1:])
    report = leakinspect("types", path, env={"LEAKINSPECT_SYSROOT": str(root)})
    assert report["total"] == expected and report["target"]["shortcomings"] is None


def test_libraries_that_are_gone_cost_what_is_theirs(pairs, core, leakinspect):
    data = core.read_bytes()
    core.write_bytes(data.replace(b"/lib-dynload/_json.", b"/lib-dynload/_jsoq.").replace(
        b"/libc.so.6", b"/libq.so.6"))
    for verb in ["types", "cycles", "garbage", "suspects", "threads"]:
        report = leakinspect(verb, core)
        assert "libq.so.6 with build-id " in report["target"]["shortcomings"]
        if verb in {"types", "suspects", "threads"}:
            assert {key: without_live(report[key]) for key in pairs[1][verb]} == pairs[1][verb]
    text = leakinspect.run("types", core).stdout
    assert "LEAKINSPECT_SYSROOT" in text and "everything was read" not in text


def test_what_is_no_core_is_status_4_and_told(leakinspect, core, tmp_path):
    def refused(data, words):
        path = tmp_path / "other"
        path.write_bytes(data)
        done = leakinspect.run("types", path)
        assert done.returncode == 4, done.stderr
        assert words in done.stderr

    head = core.read_bytes()[:4096]
    refused(b"", "is empty")
    refused(b"hello, world\n" * 100, "it is not ELF")
    refused(b"\x28\xb5\x2f\xfd" + b"x" * 100, "is compressed")
    refused(head[:4] + b"\x01" + head[5:], "32-bit")
    refused(head[:18] + struct.pack("<H", 243) + head[20:], "another machine")
    refused(head[:16] + struct.pack("<H", 3) + head[18:], "a program or a library")
    assert leakinspect.run("types", tmp_path).returncode == 4
    assert "a directory" in leakinspect.run("types", tmp_path).stderr
    # Whole headers, and nothing behind them.
    (tmp_path / "other").write_bytes(head[:64])
    assert leakinspect.run("types", tmp_path / "other").returncode in {1, 4}


def damaged(data, seed):
    """Headers and notes, or memory, with a few wrong bytes."""
    chance = random.Random(seed)
    data = bytearray(data)
    end = len(data) if seed % 2 else 40000
    for _ in range(chance.choice([1, 8, 200, 5000])):
        at = chance.randrange(16, end)
        data[at] = chance.choice([0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)])
    return data


@pytest.mark.parametrize("seed", range(DAMAGED_COUNT))
def test_damage_never_brings_us_down(core, leakinspect, seed):
    core.write_bytes(damaged(core.read_bytes(), seed))
    for verb in ["types", "cycles", "garbage", "threads"][seed % 2::2]:
        done = leakinspect.run(verb, core, timeout=60)
        assert done.returncode in STATUSES, done.stderr
        assert done.returncode == 0 or done.stderr.startswith("leakinspect: ")
