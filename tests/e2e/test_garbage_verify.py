# SPDX-License-Identifier: GPL-3.0-or-later
"""`garbage --verify`: the dry run beside gc.collect() in clones of the same moment."""

import json
import os

import pytest

# Every scenario on these; on the others every eighth. LEAKINSPECT_REQUIRE_ALL=1 for all on all.
WHOLE = ("python2.7", "python3.8", "python3.11-debian", "python3.13")
EVERY = 8

COMPARED_MIN = 40


def verify(leakinspect, target):
    done = leakinspect.run("garbage", "--verify", "--json", target.pid)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert (done.returncode == 0) == report["verified"]["agrees"]
    return report


def test_a_collection_in_a_clone_does_what_is_predicted(interpreter, start, leakinspect, extension):
    target = start("collection.py", interpreter, [extension(interpreter, "leaky")])
    names = target.ask_json("scenarios")
    whole = interpreter.name in WHOLE or os.environ.get("LEAKINSPECT_REQUIRE_ALL") == "1"
    wrong, compared = {}, 0
    for name in names if whole else names[::EVERY]:
        target.ask("make " + name)
        report = verify(leakinspect, target)
        if not report["verified"]["agrees"]:
            wrong[name] = {"verified": report["verified"], "differences": report["differences"],
                           "predicted": report["unreachable"] + report["uncollectable"]}
        compared += report["verified"]["compared"] is not None
        found = target.ask_json("collect")[0]
        assert found == report["verified"]["returned"], name
        target.ask("clean")
    assert wrong == {}
    assert compared >= (COMPARED_MIN if whole else 1)
    assert target.status("TracerPid") == "0"


def test_the_answer_for_a_person(debian_python, start, leakinspect):
    target = start("pairs.py", debian_python, args=["new"])
    done = leakinspect.run("garbage", "--verify", target.pid)
    assert done.returncode == 0
    assert "verified: gc.collect() in a clone of the same moment returned" in done.stdout


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.11-debian"], indirect=True)
def test_a_process_at_work_is_compared_with_its_own_moment(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    target.ask("loops 500")
    for _ in range(3):
        assert verify(leakinspect, target)["verified"]["agrees"]
