# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that follow references, on objects whose place and references are known."""

import collections
import json
import sqlite3
import subprocess

import pytest


@pytest.fixture
def holders(interpreter, start):
    return start("holders.py", interpreter)


@pytest.fixture
def one(debian_python, start):
    return start("holders.py", debian_python)


def links(report):
    """[(type, label, kind)], sorted."""
    return sorted((row["type"], row["label"], row["kind"]) for row in report["objects"])


def test_show_says_what_python_says(leakinspect, holders):
    facts = holders.ask_json("facts")
    shown = leakinspect("show", holders.pid, facts["item"])["object"]
    assert shown["address"] == facts["item"]
    assert shown["type"] == "__main__.Item"
    assert shown["size"] == facts["item_size"]
    assert shown["refcount"] == facts["item_refcount"]
    assert shown["tracked"] is True
    assert shown["finalizer"] == "del"
    assert facts["item"][2:] in shown["repr"].lower()


def test_a_type_is_its_first_object(leakinspect, holders):
    facts = holders.ask_json("facts")
    assert leakinspect("show", holders.pid, "__main__.Cart")["object"]["address"] == facts["cart"]


def test_references_are_called_by_their_names(leakinspect, holders):
    facts = holders.ask_json("facts")
    assert ("__main__.Item", "['the item']") in [
        row[:2] for row in links(leakinspect("refs", holders.pid, facts["table"]))]
    assert [row[:2] for row in links(leakinspect("refs", holders.pid, facts["items"]))
            if row[0] == "__main__.Item"] == [("__main__.Item", "[0]"), ("__main__.Item", "[1]")]


def test_referrers_are_found_as_often_as_they_refer(leakinspect, holders):
    facts = holders.ask_json("facts")
    report = leakinspect("referrers", holders.pid, facts["item"])
    assert report["object"] == {"address": facts["item"], "type": "__main__.Item"}
    found = collections.Counter(row["address"] for row in report["objects"])
    assert found[facts["items"]] == 2
    assert found[facts["table"]] == 1
    owned = [row for row in report["objects"] if row["kind"] in ("gc", "owned")]
    assert len(owned) == facts["item_refcount"]
    assert report["held_by_c"] == 0


def test_forgotten_references_are_found(leakinspect, holders):
    leaked = holders.ask_json("leak")
    if leaked is None:
        pytest.skip("no ctypes here")
    report = leakinspect("refs", holders.pid, "--leaked", "--filter", "__main__.*")
    assert [row["type"] for row in report["objects"]] == ["__main__.Leaked"] * leaked
    assert {row["excess"] for row in report["objects"]} == {2}
    assert report["total"]["count"] == leaked
    summed = leakinspect("refs", holders.pid, "--leaked", "--by-type", "--filter", "Leaked")
    assert [(row["name"], row["count"], row["excess"]) for row in summed["types"]] == [
        ("__main__.Leaked", leaked, 2 * leaked)]


def test_an_export_has_the_objects_of_types(leakinspect, holders, tmp_path):
    path = str(tmp_path / "heap.sqlite")
    written = leakinspect("export", holders.pid, "-o", path)
    types = {row["name"]: row for row in leakinspect("types", holders.pid)["types"]}
    with sqlite3.connect(path) as database:
        got = {name: row for name, *row in database.execute(
            "SELECT t.name, count(*), sum(o.tracked), sum(o.size) FROM objects o JOIN types t"
            " ON t.id = o.type WHERE NOT o.static GROUP BY t.name")}
        assert {name: [row["count"], row["tracked"], row["size"]]
                for name, row in types.items()} == got
        assert database.execute("SELECT count(*) FROM refs").fetchone()[0] == written["references"]
        assert database.execute("SELECT count(*) FROM refs WHERE src NOT IN (SELECT id FROM objects)"
                                " OR dst NOT IN (SELECT id FROM objects)").fetchone()[0] == 0
        facts = holders.ask_json("facts")
        labels = database.execute(
            "SELECT r.label FROM refs r JOIN objects s ON s.id = r.src JOIN objects d"
            " ON d.id = r.dst WHERE s.address = ? AND d.address = ? ORDER BY 1",
            (facts["items"], facts["item"])).fetchall()
        assert labels == [("[0]",), ("[1]",)]


def test_an_export_is_not_written_over_a_file(leakinspect, one, tmp_path):
    path = tmp_path / "heap.sqlite"
    path.write_text("mine")
    done = leakinspect.run("export", one.pid, "-o", path)
    assert done.returncode == 1 and "--force" in done.stderr
    assert path.read_text() == "mine"
    assert leakinspect.run("export", one.pid, "-o", path, "--force").returncode == 0
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["heap.sqlite"]


def test_what_is_not_there_is_told(leakinspect, one):
    done = leakinspect.run("show", one.pid, "__main__.Itm")
    assert done.returncode == 1
    assert "did you mean '__main__.Item'?" in done.stderr
    done = leakinspect.run("referrers", one.pid, "0x10")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no object at 0x10" in done.stderr


def test_the_console_answers_from_one_copy_until_refresh(leakinspect, one):
    console = leakinspect.start("attach", one.pid, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, bufsize=1)

    def ask(line):
        """The JSON document that a line answers."""
        console.stdin.write(line + " --json\n")
        said = ""
        while True:
            said += console.stdout.readline()
            try:
                return json.loads(said)
            except ValueError:
                assert console.poll() is None, said

    first = ask("refs --leaked --filter __main__.Nothing")
    one.ask("late")
    console.stdin.write("show __main__.Late\n")
    assert "no object of a type" in console.stdout.readline()
    again = ask("refs --leaked --filter __main__.Nothing")
    assert again["target"]["age_ms"] > first["target"]["age_ms"]
    console.stdin.write("refresh\n")
    assert ask("show __main__.Late")["object"]["type"] == "__main__.Late"
    console.stdin.close()
    assert console.wait(60) == 1
