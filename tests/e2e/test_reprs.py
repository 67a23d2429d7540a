# SPDX-License-Identifier: GPL-3.0-or-later
"""What `show` says that repr() might say, beside what the program's own repr() says."""

import json


def shown(leakinspect, target, addresses):
    """What `show` says of each, from one console: one look at the process for all."""
    lines = ["show %s --json" % address for address in addresses]
    done = leakinspect.run("attach", target.pid, input="\n".join(lines) + "\n")
    assert "{" in done.stdout, done.stderr
    documents, rest = [], done.stdout[done.stdout.index("{"):]
    while "{" in rest:
        document, end = json.JSONDecoder().raw_decode(rest[rest.index("{"):])
        documents.append(document)
        rest = rest[rest.index("{") + end:]
    said = {each["object"]["address"]: each["object"]["repr"]
            for each in documents if each.get("verb") == "show"}
    return [said[address] for address in addresses]


def test_an_object_is_shown_as_its_own_repr_shows_it(interpreter, start, leakinspect):
    target = start("reprs.py", interpreter)
    reprs = target.ask_json("reprs")
    for text, expected in zip(shown(leakinspect, target, reprs), reprs.values()):
        if text.endswith("...") and not expected.endswith("..."):
            assert expected.startswith(text[:-3])
        else:
            assert text == expected


def test_what_is_too_long_is_cut_and_what_has_no_form_still_shows(interpreter, start, leakinspect):
    target = start("reprs.py", interpreter)
    number, moment, items, letters = shown(leakinspect, target, target.ask_json("unusual"))
    assert number == "<int of 16610 bits>"
    assert "time.struct_time" in moment
    assert items.startswith("[0, 1, 2, ") and items.endswith("...")
    assert letters.startswith("'yyy") and letters.endswith("...")
