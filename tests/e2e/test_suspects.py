# SPDX-License-Identifier: GPL-3.0-or-later
"""The most likely leak comes first, and where there is none, none is told."""

import pytest

# program: (first Python that can run it, the type that leaks, the container's name on the path)
WILD = {
    "leaking_cache.py": ((3, 6), "__main__.Report", ".cache"),
    "leaking_listeners.py": ((2, 7), "__main__.Widget", "['closed']"),
    "leaking_errors.py": ((2, 7), "__main__.Upload", ".FAILED"),
    "leaking_tasks.py": ((3, 6), "_asyncio.Task", ".BACKGROUND"),
}


@pytest.mark.parametrize("program", sorted(WILD))
def test_leaks_of_the_wild_are_named_first(program, interpreter, start, leakinspect):
    first, kind, name = WILD[program]
    if interpreter.version < first:
        pytest.skip("what leaks there came with Python 3")
    target = start(program, interpreter)
    suspects = leakinspect("suspects", target.pid)["suspects"]
    assert suspects, "nothing is suspected"
    found = suspects[0]
    assert found["type"] == kind, found["title"]
    assert found["count"] == 500
    assert found["state"] == "reachable"
    labels = [step["label"] for step in found["path"]]
    assert name in labels, labels
    # What is told to hold them is on the way to them.
    assert found["holder"]["address"] in [step["address"] for step in found["path"]]
    assert found["holder"]["elements"] >= 500
    assert len(found["signature"]) == 12 and 0 < found["score"] <= 1
    # Each keeps at least its own.
    assert found["retained"] > 500 * 100


@pytest.mark.parametrize("program", ["idle.py", "holders_of.py"])
def test_a_program_that_leaks_nothing_has_no_suspects(program, interpreter, start, leakinspect):
    target = start(program, interpreter)
    report = leakinspect("suspects", target.pid)
    assert [found["title"] for found in report["suspects"]] == []


def test_equal_leaks_have_equal_signatures_in_two_processes(interpreter, start, leakinspect):
    signatures = set()
    for _ in range(2):
        target = start("leaking_listeners.py", interpreter)
        signatures.add(leakinspect("suspects", target.pid)["suspects"][0]["signature"])
    assert len(signatures) == 1


@pytest.mark.parametrize("program", ["idle.py", "leaking_listeners.py"])
def test_what_is_suspected_does_not_depend_on_values(program, interpreter, start, leakinspect):
    target = start(program, interpreter)

    def suspected(*options):
        return [(found["type"], found["count"], found["holder"], found["score"])
                for found in leakinspect("suspects", target.pid, *options)["suspects"]]

    assert suspected("--redact") == suspected()


@pytest.mark.parametrize("url, kind, state, count", [
    ("cycle", "leak_demo.Parent", "uncollectable", 500),
    ("pending", "leak_demo.PendingParent", "pending", None),
    ("global", "leak_demo.Visit", "reachable", 500),
    ("session", "leak_demo.Request", "reachable", 500),
])
def test_each_handler_of_the_demo_is_found_out(url, kind, state, count, start_demo, leakinspect):
    demo = start_demo()
    demo.load(url, 500)
    found = leakinspect("suspects", demo.pid)["suspects"][0]
    assert (found["type"], found["state"]) == (kind, state), found["title"]
    assert count is None or found["count"] == count
    assert 0.3 < found["score"] <= 1


@pytest.mark.parametrize("url", ["ok", "fixed"])
def test_a_handler_of_the_demo_that_leaks_nothing_is_not_suspected(url, start_demo, leakinspect):
    demo = start_demo()
    demo.load(url, 500)
    assert leakinspect("suspects", demo.pid)["suspects"] == []


def status(leakinspect, pid, *words):
    return leakinspect.run("suspects", str(pid), *words).returncode


def test_the_exit_status_says_what_was_asked_about(debian_python, start, leakinspect):
    quiet = start("idle.py", debian_python)
    for reason in ("uncollectable", "pending", "suspects"):
        assert status(leakinspect, quiet.pid, "--fail-on", reason) == 0, reason
    leaks = start("leaking_listeners.py", debian_python)
    assert status(leakinspect, leaks.pid) == 0
    assert status(leakinspect, leaks.pid, "--fail-on", "uncollectable") == 0
    assert status(leakinspect, leaks.pid, "--fail-on", "uncollectable",
                  "--fail-on", "suspects") == 3
    assert status(leakinspect, leaks.pid, "--fail-on", "everything") == 2


def test_people_read_prose_with_the_way_and_the_numbers(debian_python, start, leakinspect):
    target = start("leaking_listeners.py", debian_python)
    done = leakinspect.run("suspects", str(target.pid))
    assert done.returncode == 0
    assert "500 __main__.Widget in module __main__.BUS.listeners['closed']: " in done.stdout
    assert "The list holds 500 method; " in done.stdout
