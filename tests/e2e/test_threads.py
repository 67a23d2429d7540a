# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python stack of every thread, frame by frame as the process itself tells it."""

import re
import time

import pytest

CALLS_MAX = 4096


def told(text):
    """What a report says for a text of the process, which tells it as hexadecimal."""
    return bytes.fromhex(text).decode("utf-8", "backslashreplace")


def truth(target):
    """{kernel id: [(function, file, line), ...]}"""
    return {int(tid): [(told(function), told(file), line) for function, file, line in stack]
            for tid, stack in target.ask_json("stacks").items()}


def found(report):
    """The same of a report, in which everything is sound."""
    assert report["target"]["consistent"] is True
    assert report["problems"] == {"unreadable": 0, "truncated": 0}
    return {thread["tid"]: [(call["function"], call["file"], call["line"])
                            for call in thread["stack"]] for thread in report["threads"]}


@pytest.fixture
def stacks(interpreter, start, tmp_path):
    return start("stacks.py", interpreter, env={"STACKS_FOLDER": str(tmp_path)})


def test_every_thread_is_where_it_says_it_is(leakinspect, stacks):
    expected, kinds = truth(stacks), stacks.ask_json("names")
    report = leakinspect("threads", stacks.pid)
    got = found(report)
    # What the main thread answers from is not where it is when it waits for the next line.
    mine, waiting = expected.pop(stacks.pid), got.pop(stacks.pid)
    assert [call[0] for call in waiting] == ["<module>", "serve"]
    assert waiting[:-1] == mine[:len(waiting) - 1]
    assert set(got) == set(expected)
    for tid, stack in expected.items():
        assert got[tid] == stack, kinds[str(tid)]
    assert len(kinds) >= 20
    for thread in report["threads"]:
        assert thread["left_out"] == 0
        assert thread["gil"] is False
        assert thread["interpreter"] == 0
        assert thread["name"]
    assert report["target"]["pause_ms"] > 0
    # The process notices nothing.
    assert truth(stacks)[stacks.pid] == mine


def test_a_line_for_people_is_that_of_a_traceback(leakinspect, debian_python, start, tmp_path):
    target = start("stacks.py", debian_python, env={"STACKS_FOLDER": str(tmp_path)})
    expected, kinds = truth(target), target.ask_json("names")
    done = leakinspect.run("threads", target.pid)
    assert done.returncode == 0
    sections = dict(re.findall(r"^thread (\d+) .*\n((?:[ >] .*\n)*)", done.stdout, re.MULTILINE))
    assert set(map(int, sections)) == set(expected)
    for tid, lines in sections.items():
        calls, kind = lines.splitlines(), kinds.get(tid)
        assert [call[0] for call in calls] == [" "] * (len(calls) - 1) + [">"]
        if kind in ("context", "lines", "generator"):
            assert [call[2:] for call in calls] == ['File "%s", line %d, in %s' % (file, line, name)
                                                    for name, file, line in expected[int(tid)]]
        if kind == "recursion":
            assert "    (the same line 297 more times)" in calls
    # A line break in a file's name makes no line of ours.
    assert '  File "line\\x0abreak.py", line 6, in <module>\n' in done.stdout


@pytest.mark.parametrize("depth", [CALLS_MAX + 3000])
def test_of_a_very_deep_stack_the_innermost_calls_are_told(leakinspect, interpreter, start, depth):
    target = start("stacks.py", interpreter, ["deep", str(depth)])
    (tid, expected), = [(tid, stack) for tid, stack in truth(target).items() if tid != target.pid]
    report = leakinspect("threads", target.pid)
    thread, = [thread for thread in report["threads"] if thread["tid"] == tid]
    assert len(expected) > depth
    assert len(thread["stack"]) == CALLS_MAX
    assert thread["left_out"] == len(expected) - CALLS_MAX
    assert found(report)[tid] == expected[-CALLS_MAX:]
    text = leakinspect.run("threads", target.pid).stdout
    assert "\n  (%s outer calls left out)\n" % format(thread["left_out"], ",") in text


def test_a_thread_may_have_no_python_function(leakinspect, interpreter, start, extension):
    folder = extension(interpreter, "waits")
    target = start("stacks.py", interpreter, ["bare", folder])
    bare, = target.ask_json("names")
    threads = {thread["tid"]: thread for thread in leakinspect("threads", target.pid)["threads"]}
    assert set(threads) == {target.pid, int(bare)}
    assert threads[int(bare)]["stack"] == []
    text = leakinspect.run("threads", target.pid).stdout
    assert re.search(r"^thread %s .*\n  no Python function runs in it$" % bare, text, re.MULTILINE)


def test_who_has_the_gil_is_told(leakinspect, interpreter, start, extension):
    folder = extension(interpreter, "waits")
    target = start("stacks.py", interpreter, ["holding", folder], reads=False)
    for _ in range(200):
        report = leakinspect("threads", target.pid)
        holders = [thread for thread in report["threads"] if thread["gil"]]
        if [each for each in holders if each["stack"] and each["stack"][-1]["function"] == "run"]:
            break
        time.sleep(0.02)
    assert len(holders) == 1
    assert holders[0]["tid"] != target.pid
    assert holders[0]["stack"][-1]["file"].endswith("stacks.py")
    assert "thread %d " % holders[0]["tid"] in leakinspect.run("threads", target.pid).stdout
    assert ", has the GIL\n" in leakinspect.run("threads", target.pid).stdout


def test_each_interpreter_has_threads_of_its_own(leakinspect, interpreter, start):
    target = start("interpreters.py", interpreter)
    if target.ready == "none":
        pytest.skip("this Python makes no interpreters")
    expected = leakinspect("info", target.pid)["threads"]
    report = leakinspect("threads", target.pid)
    keys = ("tid", "name", "gil", "interpreter")
    assert [{key: thread[key] for key in keys} for thread in report["threads"]] == [
        {key: thread[key] for key in keys} for thread in expected]
    # Nothing runs in the others now.
    assert [bool(thread["stack"]) for thread in report["threads"]].count(True) == 1


def test_a_busy_process_is_told_at_a_moment_that_can_be_told(leakinspect, interpreter, start):
    target = start("churn.py", interpreter)
    for _ in range(20):
        report = leakinspect("threads", target.pid)
        assert report["target"]["consistent"] is True
        assert all(call["function"] != "?" for thread in report["threads"]
                   for call in thread["stack"])
    assert target.is_alive()


def test_the_console_has_it_and_a_limit_leaves_threads_out(leakinspect, debian_python, start):
    target = start("facts.py", debian_python, ["threads", "5"])
    assert len(leakinspect("threads", target.pid, "-n", 2)["threads"]) == 2
    text = leakinspect.run("threads", target.pid, "-n", 2).stdout
    assert "(4 more threads)" in text
    console = leakinspect.run("attach", target.pid, "-c", "threads -n 1")
    assert console.returncode == 0 and "File \"" in console.stdout
