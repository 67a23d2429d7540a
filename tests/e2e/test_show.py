# SPDX-License-Identifier: GPL-3.0-or-later
"""`show`: an object with its attributes, and who accounts for its reference count."""

import re

import pytest


@pytest.fixture
def shown(interpreter, start):
    return start("shown.py", interpreter)


def attribute_name(name):
    """What is no name stands in brackets."""
    return name if re.match(r"\w+$", name) else "__dict__['%s']" % name


def test_attributes_are_those_that_python_finds(leakinspect, shown):
    for name in shown.ask_json("names"):
        facts = shown.ask_json("facts " + name)
        report = leakinspect("show", shown.pid, facts["address"], "-n", 0)
        expected = {attribute_name(key): tuple(value) for key, value in facts["attributes"].items()}
        found = {row["name"]: (row["address"], row["type"]) for row in report["attributes"]}
        assert len(found) == len(report["attributes"]), name
        assert {key: value for key, value in found.items() if key in expected} == expected, name
        # What is more has a name in C: a function's code, a module's name.
        assert name in ("module", "function") or set(found) == set(expected), name
        assert report["attribute_count"] == len(report["attributes"])


def test_accounts_make_up_the_reference_count(leakinspect, shown):
    for name in shown.ask_json("names"):
        facts = shown.ask_json("facts " + name)
        report = leakinspect("show", shown.pid, facts["address"], "-n", 0)
        assert report["object"]["refcount"] == facts["refcount"], name
        assert sum(row["count"] for row in report["accounts"]) == facts["refcount"], name
        assert report["accounted"] == {"count": facts["refcount"]}
        assert {row["source"] for row in report["accounts"]} <= {"object", "root"}, name


def test_accounts_tell_who_and_how_often(leakinspect, shown):
    address = shown.ask_json("facts plain")["address"]
    accounts = {(row["type"], row["label"]): row["count"]
                for row in leakinspect("show", shown.pid, address)["accounts"]}
    assert accounts.pop(("list", "[...]")) == 2
    assert accounts.pop(("tuple", "[0]")) == 1
    assert accounts.pop(("__main__.Plain", ".child")) == 1
    assert accounts.pop(("__main__.Slotted", ".first")) == 1
    # The module's, the table's two, and that of all objects.
    assert accounts == {("dict", "[...]"): 4}


def test_a_shown_string_and_number_are_there(leakinspect, shown):
    address = shown.ask_json("facts plain")["address"]
    rows = {row["name"]: row["repr"]
            for row in leakinspect("show", shown.pid, address)["attributes"]}
    assert rows["text"] == "'some text'" and rows["items"] == "[1, 2, 3]"
    assert rows["number"].rstrip("L") == "12345678901234567890" and rows["nothing"] == "None"


def test_of_many_attributes_the_first_are_shown(leakinspect, debian_python, start):
    target = start("shown.py", debian_python)
    address = target.ask_json("facts many")["address"]
    report = leakinspect("show", target.pid, address)
    assert len(report["attributes"]) == 20
    assert report["attribute_count"] == 50
    assert "(30 more attributes)" in leakinspect.run("show", target.pid, address).stdout
    assert len(leakinspect("show", target.pid, address, "-n", 3)["attributes"]) == 3


def test_what_is_leaked_is_an_account(leakinspect, interpreter, start):
    target = start("holders.py", interpreter)
    if target.ask_json("leak") is None:
        pytest.skip("no ctypes here")
    report = leakinspect("show", target.pid, "__main__.Leaked")
    assert [(row["source"], row["count"]) for row in report["accounts"]] == [("leaked", 2)]
    assert report["object"]["held_by_c"] == 2


def test_what_c_holds_is_an_account(leakinspect, interpreter, start, extension):
    target = start("leaks.py", interpreter, [extension(interpreter, "leaky")])
    report = leakinspect("show", target.pid, "__main__.Kept")
    found = [row for row in report["accounts"] if row["source"] == "c"]
    assert sum(row["count"] for row in report["accounts"]) == report["object"]["refcount"]
    assert len(found) == 1 and found[0]["count"] == 1
    assert "C " in found[0]["label"]
