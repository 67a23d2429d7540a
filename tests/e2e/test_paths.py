# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths from roots and retained sizes, against what the process itself knows."""

import pytest


def steps_of(report):
    """Pairs of addresses that follow each other in a path; not across what was left out of one."""
    return [(path[number - 1]["address"], path[number]["address"])
            for path, way in zip(report["paths"], report["ways"])
            for number in range(1, len(path)) if number != way["skipped_at"]]


def test_every_step_of_every_path_is_a_reference_that_the_program_knows(
        interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    for name in target.ask_json("ways"):
        report = leakinspect("path", target.pid, "__main__." + name, "-n", "0")
        pairs = steps_of(report)
        assert sum(way["count"] for way in report["ways"]) == report["objects"]
        assert report["unreached"] == 0
        if not pairs:
            continue
        words = " ".join(address for pair in pairs for address in pair)
        assert target.ask_json("edges " + words) == [], name


def test_a_path_leads_from_the_module_by_the_names_of_the_source(interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    for name, label in target.ask_json("ways").items():
        report = leakinspect("path", target.pid, "__main__." + name, "-n", "0")
        # The first link of the chain is held by the module, the others by one of their own.
        assert len(report["ways"]) == (2 if name == "Link" else 1), (name, report["ways"])
        labels = [step["label"] for step in report["paths"][0]]
        if label:
            assert label in labels, (name, labels)
        assert report["ways"][0]["root"] in ("module", "frame"), name


def test_a_list_that_holds_many_is_marked(interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    report = leakinspect("path", target.pid, "__main__.InList")
    marked = [step for step in report["paths"][0] if step["marked"]]
    assert [step["label"] for step in marked] == [".CARTS"]
    assert marked[0]["alike"] == 50 and report["ways"][0]["count"] == 50


def test_equal_paths_have_equal_signatures_in_two_processes(interpreter, start, leakinspect):
    signatures = []
    for _ in range(2):
        target = start("holders_of.py", interpreter)
        signatures.append({
            name: [way["signature"] for way in
                   leakinspect("path", target.pid, "__main__." + name)["ways"]]
            for name in ("InList", "InDict", "Nested", "InAttribute", "InThread")})
    assert signatures[0] == signatures[1]
    assert all(len(found) == 1 for found in signatures[0].values()), signatures[0]


def test_a_running_function_holds_its_local_variables(interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    path = leakinspect("path", target.pid, "__main__.InThread")["paths"][0]
    assert path[0]["root"] == "frame"
    assert "wait" in path[0]["label"] and "holders_of.py" in path[0]["label"]
    assert "local" in path[0]["label"]


def test_avoiding_the_one_holder_leaves_none(interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    carts = leakinspect("path", target.pid, "__main__.InList")["paths"][0][-2]["address"]
    report = leakinspect("path", target.pid, "__main__.InList", "--avoid", carts)
    assert report["paths"] == [] and report["unreached"] == report["objects"] == 50


def test_what_hangs_on_a_list_alone_is_what_it_retains(interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    for name, (address, size) in target.ask_json("sizes").items():
        (row,) = leakinspect("retained", target.pid, hex(address))["objects"]
        assert row["retained"] == size, name


def test_types_retain_no_more_than_there_is(interpreter, start, leakinspect):
    target = start("holders_of.py", interpreter)
    report = leakinspect("retained", target.pid, "--by-type", "-n", "0")
    total = report["total"]
    rows = {row["name"]: row for row in report["types"]}
    assert all(row["retained"] <= total["retained"] for row in rows.values())
    assert rows["__main__.InList"]["count"] == 50
    # 500 links of one chain: the outermost holds all of them.
    assert rows["__main__.Link"]["count"] == 500
    top = leakinspect("retained", target.pid, "__main__.Link", "-n", "1")["objects"][0]
    assert rows["__main__.Link"]["retained"] == top["retained"]


@pytest.mark.parametrize("words", [
    ["path", "__main__.InList", "--all-roots", "3"], ["path"], ["path", "0x10"],
    ["retained", "--below"], ["retained", "nothing"]])
def test_what_makes_no_sense_is_refused(words, debian_python, start, leakinspect):
    target = start("holders_of.py", debian_python)
    done = leakinspect.run(words[0], str(target.pid), *words[1:])
    assert done.returncode in (1, 2) and done.stderr and not done.stdout
