# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object refers to, who refers to it, and what it is, for objects whose answers are known."""

import json

import pytest


@pytest.fixture
def target(interpreter, start, extension):
    return start("known_objects.py", interpreter, args=[extension(interpreter, "leaky")])


@pytest.fixture
def ids(target):
    return target.ask_json("ids")


@pytest.fixture
def refs(target, leakinspect):
    """refs(address) -> [(label, address, kind)]"""
    def look(address):
        rows = leakinspect("refs", target.pid, address, "--limit", 0)["objects"]
        return [(row["label"], row["address"], row["kind"]) for row in rows]
    return look


def attributes(refs, address):
    """Those of an instance and of its attribute dict; since Python 3.11 most have none."""
    rows = refs(address)
    for label, within, _ in list(rows):
        if label == ".__dict__":
            rows += [(label.replace("['", ".").replace("']", ""), to, kind)
                     for label, to, kind in refs(within)]
    return rows


def labelled(rows):
    return {(label, address) for label, address, _ in rows}


def test_references_have_the_name_of_the_attribute_key_or_index(ids, refs):
    held = ids["held"]
    assert {(".child", held), (".many", ids["many"]), (".table", ids["table"]),
            (".pair", ids["pair"])} <= labelled(attributes(refs, ids["holder"]))
    assert ("[3]", held) in labelled(refs(ids["many"]))
    assert [label for label, address, _ in refs(ids["pair"]) if address == held] == ["[0]", "[1]"]
    assert {("['key']", held), ("[7]", held)} <= labelled(refs(ids["table"]))
    assert (".left", held) in labelled(refs(ids["slotted"]))
    assert ("['holder']", ids["holder"]) in labelled(refs(ids["globals"]))


def test_a_function_refers_to_what_it_closes_over_and_to_its_defaults(
        ids, refs, target, leakinspect):
    rows = refs(ids["function"])
    labels = {label for label, _, _ in rows}
    assert any("__closure__" in label for label in labels), rows
    assert any("__defaults__" in label for label in labels), rows
    assert any("__globals__" in label and address == ids["globals"]
               for label, address, _ in rows), rows
    closure, = [address for label, address, _ in rows if label == ".__closure__"]
    cell, = [address for label, address, _ in refs(closure) if label == "[0]"]
    assert (".cell_contents", ids["held"]) in labelled(refs(cell))


def test_members_of_an_extensions_types_are_found(ids, refs):
    held = ids["held"]
    assert [kind for _, address, kind in refs(ids["array"]) if address == held] == ["gc"] * 3
    assert [kind for _, address, kind in refs(ids["array"])
            if address == ids["holder"]] == ["gc"]
    assert {kind for _, address, kind in refs(ids["owner"]) if address == held} <= {"owned", "guess"}
    assert [address for _, address, _ in refs(ids["owner"]) if address == held] == [held]
    # One that its traverse visits, and one that it leaves out.
    kinds = sorted(kind for _, address, kind in refs(ids["nested"]) if address == held)
    assert len(kinds) == 2 and kinds.count("gc") == 1, kinds
    assert [kind for _, address, kind in refs(ids["legacy"]) if address == held] == ["gc"]


def test_members_are_found_without_debug_information_too(interpreter, start, extension, leakinspect):
    target = start("known_objects.py", interpreter,
                   args=[extension(interpreter, "leaky", debug_information=False)])
    ids = target.ask_json("ids")
    for name, times in (("array", 3), ("owner", 1), ("nested", 2), ("legacy", 1)):
        rows = leakinspect("refs", target.pid, ids[name], "--limit", 0)["objects"]
        assert [row["address"] for row in rows].count(ids["held"]) == times, (name, rows)


def test_the_referrers_are_those_that_the_process_finds_itself(ids, target, leakinspect):
    said = set(target.ask_json("held_by held"))
    rows = leakinspect("referrers", target.pid, ids["held"], "--limit", 0)["objects"]
    # gc.get_referrers() sees tracked ones alone, and what the collector sees of them.
    found = {row["address"] for row in rows if row["kind"] == "gc"}
    assert said - found == set()
    # The others: frames, whose objects come and go.
    assert {row["type"] for row in rows if row["kind"] == "gc" and row["address"] not in said} \
        <= {"frame", "generator"}
    assert ids["owner"] in {row["address"] for row in rows}
    labels = {(row["address"], row["label"]) for row in rows}
    assert {(ids["many"], "[3]"), (ids["table"], "['key']"), (ids["slotted"], ".left"),
            (ids["globals"], "['held']")} <= labels


def test_all_references_that_are_counted_are_found(ids, target, leakinspect):
    counted = int(target.ask("count held"))
    shown = leakinspect("show", target.pid, ids["held"])["object"]
    assert shown["refcount"] == counted
    assert shown["held_by_c"] == 0
    assert shown["referrers"] >= counted


def test_what_is_shown_of_an_object_is_what_the_process_knows(ids, target, leakinspect, interpreter):
    shown = {name: leakinspect("show", target.pid, ids[name])["object"] for name in ids}
    for name, kind in (("holder", "__main__.Holder"), ("slotted", "__main__.Slotted"),
                       ("text", "str"), ("number", "int"), ("many", "list"), ("table", "dict"),
                       ("function", "function"), ("generator", "generator"),
                       ("owner", "leaky.Owner"), ("floating", "float")):
        assert shown[name]["type"] == kind
        assert shown[name]["address"] == ids[name]
    for name in ("holder", "many", "function", "array", "finalized"):
        assert shown[name]["tracked"] is True
        # The program collected before it was ready.
        assert shown[name]["generation"] == 2, (name, shown[name])
    for name in ("text", "number", "floating", "owner"):
        assert shown[name]["tracked"] is False
    assert {name: shown[name]["finalizer"] for name in ("finalized", "legacy", "holder", "many")} \
        == {"finalized": "del", "legacy": "legacy", "holder": None, "many": None}
    assert shown["generator"]["finalizer"] == "builtin" or interpreter.version < (3, 4)


def test_what_repr_would_say_is_said(ids, target, leakinspect, interpreter):
    def said(name):
        return leakinspect("show", target.pid, ids[name])["object"]["repr"]
    python3 = interpreter.version >= (3,)
    assert said("text") == "'a short text'"
    assert said("number") == "1234567890123"
    assert said("negative") == "-42"
    assert said("floating") == "2.5"
    assert said("flat") == "[1, 'two', None]"
    assert said("mapping") == "{'one': 1}"
    assert said("data") == ("b'bytes \\x00\\xff'" if python3 else "'bytes \\x00\\xff'")
    assert said("unicode_text") == ("'gr\u00fc\u00dfe \u20ac'" if python3
                                    else "u'gr\\xfc\\xdfe \\u20ac'")
    assert "Holder" in said("holder")


def test_an_object_may_be_named_by_its_type(target, ids, leakinspect):
    shown = leakinspect("show", target.pid, "__main__.Holder")["object"]
    assert shown["address"] == ids["holder"]
    done = leakinspect.run("show", "--json", target.pid, "0x10")
    assert done.returncode == 1 and "0x10" in done.stderr
    done = leakinspect.run("show", target.pid, "__main__.Holdr")
    assert done.returncode == 1 and "__main__.Holder" in done.stderr


def test_the_process_is_not_changed_by_looking(target, ids, leakinspect):
    counts = json.dumps([target.ask("count held"), target.ask("census")])
    for verb in ("refs", "referrers", "show"):
        leakinspect(verb, target.pid, ids["held"])
    leakinspect("cycles", "--all", target.pid)
    assert json.dumps([target.ask("count held"), target.ask("census")]) == counts
    assert target.status("TracerPid") == "0"
