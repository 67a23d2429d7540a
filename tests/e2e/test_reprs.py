# SPDX-License-Identifier: GPL-3.0-or-later
"""What `show` says that repr() might say, beside what the program's own repr() says."""


def shown(leakinspect, target, address):
    return leakinspect("show", target.pid, address)["object"]["repr"]


def test_an_object_is_shown_as_its_own_repr_shows_it(interpreter, start, leakinspect):
    target = start("reprs.py", interpreter)
    for address, expected in target.ask_json("reprs").items():
        text = shown(leakinspect, target, address)
        if text.endswith("...") and not expected.endswith("..."):
            assert expected.startswith(text[:-3])
        else:
            assert text == expected


def test_what_is_too_long_is_cut_and_what_has_no_form_still_shows(interpreter, start, leakinspect):
    target = start("reprs.py", interpreter)
    number, moment, items, letters = [shown(leakinspect, target, address)
                                      for address in target.ask_json("unusual")]
    assert number == "<int of 16610 bits>"
    assert "time.struct_time" in moment
    assert items.startswith("[0, 1, 2, ") and items.endswith("...")
    assert letters.startswith("'yyy") and letters.endswith("...")
