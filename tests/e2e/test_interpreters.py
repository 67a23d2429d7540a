# SPDX-License-Identifier: GPL-3.0-or-later
"""What `info` tells about each interpreter is what the interpreter says itself."""

import os
import time

import pytest

from support.reports import column


def threads_of(target):
    return sorted(int(tid) for tid in os.listdir("/proc/%d/task" % target.pid))


def test_version_build_and_debug_information_are_the_interpreters_own(
        interpreter, start, leakinspect):
    target = start("idle.py", interpreter)
    report = leakinspect("info", target.pid)
    head = report["target"]
    assert report["verb"] == "info"
    assert (head["pid"], head["runtime"], head["core"]) == (target.pid, "cpython", None)
    assert head["version"] == interpreter.version_text
    assert head["build"] == ("debug" if interpreter.is_debug else "release")
    assert os.path.isfile(head["debug_info"])
    assert head["pause_ms"] > 0
    assert report["interpreters"] == 1
    with open("/proc/%d/cmdline" % target.pid, encoding="utf-8") as cmdline:
        assert report["argv"] == cmdline.read().rstrip("\0").split("\0")


def test_the_collectors_settings_and_counts_are_those_it_tells_itself(
        interpreter, start, leakinspect):
    target = start("facts.py", interpreter)
    for state in ("enable", "disable"):
        target.ask(state)
        truth = target.ask_json("facts")
        found = leakinspect("info", target.pid)["gc"]
        for name in ("enabled", "debug", "thresholds", "garbage", "frozen"):
            assert found[name] == truth[name], name
        assert truth["enabled"] is (state == "enable") and truth["debug"] and truth["garbage"] == 7
        # The youngest generation's goes up and down with every container that answering takes.
        assert found["counts"][1:] == truth["counts"][1:]
        assert truth["counts"][0] > 7000
        assert abs(found["counts"][0] - truth["counts"][0]) < 100


def test_memory_is_what_the_kernel_tells(debian_python, start, leakinspect):
    target = start("idle.py", debian_python)
    memory = leakinspect("info", target.pid)["memory"]
    assert abs(memory["rss"] - int(target.status("VmRSS").split()[0]) * 1024) < 1 << 20
    assert memory["vss"] == int(target.status("VmSize").split()[0]) * 1024


def test_all_threads_are_listed_and_nobody_asleep_holds_the_gil(interpreter, start, leakinspect):
    target = start("facts.py", interpreter, ["threads", 9])
    threads = leakinspect("info", target.pid)["threads"]
    assert sorted(thread["tid"] for thread in threads) == threads_of(target)
    assert len(threads) == 10
    assert [thread["gil"] for thread in threads] == [False] * 10


def test_the_thread_that_computes_holds_the_gil(interpreter, start, leakinspect):
    target = start("facts.py", interpreter, ["busy"])
    busy, = set(threads_of(target)) - {target.pid}
    # On a machine without time it may not have come to take the GIL that the main thread let go.
    for _ in range(50):
        holders = [thread["tid"] for thread in leakinspect("info", target.pid)["threads"]
                   if thread["gil"]]
        if holders:
            break
        time.sleep(0.1)
    assert holders == [busy]


def test_a_second_attach_reads_its_layout_from_the_cache(
        interpreter, start, leakinspect, tmp_path):
    target = start("idle.py", interpreter)
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    first = leakinspect("types", target.pid, env=env)
    cached = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert cached and all(path.is_relative_to(tmp_path / "leakinspect") for path in cached)
    stamps = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in cached]
    second = leakinspect("types", target.pid, env=env)
    assert second["types"] == first["types"]
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in cached] == stamps


def test_a_second_graph_reads_the_structs_of_objects_from_the_cache(
        interpreter, start, leakinspect, tmp_path):
    target = start("idle.py", interpreter)
    env = {"XDG_CACHE_HOME": str(tmp_path)}

    def cached():
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_size)
                for path in tmp_path.rglob("*") if path.is_file()}

    leakinspect("types", target.pid, env=env)
    before = cached()
    first = leakinspect("garbage", target.pid, env=env)
    after = cached()
    assert sum(size for _, _, size in after.values()) > sum(size for _, _, size in before.values())
    second = leakinspect("garbage", target.pid, env=env)
    assert [second["graph"][key] for key in ("objects", "references")] == \
        [first["graph"][key] for key in ("objects", "references")]
    assert cached() == after


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "noise", "one byte off"])
def test_a_damaged_cache_does_not_change_the_answer(
        damage, debian_python, start, leakinspect, tmp_path):
    target = start("idle.py", debian_python)
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    first = leakinspect("types", target.pid, env=env)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.write_bytes({
            "empty": b"", "cut": whole[:len(whole) // 2], "zeros": bytes(len(whole)),
            "noise": bytes(byte ^ 0x5a for byte in whole),
            "one byte off": whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:],
        }[damage])
    assert leakinspect("types", target.pid, env=env)["types"] == first["types"]


def test_a_cache_that_cannot_be_written_does_no_harm(debian_python, start, leakinspect, tmp_path):
    target = start("idle.py", debian_python)
    (tmp_path / "file").write_text("not a folder")
    report = leakinspect("types", target.pid, env={"XDG_CACHE_HOME": str(tmp_path / "file")})
    assert column(report, "count")["dict"] > 0
