# SPDX-License-Identifier: GPL-3.0-or-later
"""An object's size is the one sys.getsizeof() tells, over all shapes of it."""

import pytest

from support.reports import changes, difference


@pytest.mark.parametrize("allocator", ["default", "malloc"])
def test_size_grows_by_the_sum_of_getsizeof_and_nothing_else_changes(
        interpreter, allocator, start, leakinspect):
    if allocator != "default" and interpreter.version < (3, 6):
        pytest.skip("PYTHONMALLOC came with Python 3.6")
    target = start("sizes.py", interpreter,
                   env={} if allocator == "default" else {"PYTHONMALLOC": allocator})
    wrong = {}
    before = leakinspect("types", target.pid)
    for shape in target.ask_json("shapes"):
        made = target.ask_json("make " + shape)
        after = leakinspect("types", target.pid)
        counts = {name: count for name, (count, _) in made.items()}
        sizes = {name: size for name, (_, size) in made.items()}
        off = (difference(counts, changes(before, after, "count")),
               difference(sizes, changes(before, after, "size")))
        if any(off):
            # What is counted and not tracked may be no object at all.
            tracked = changes(before, after, "tracked")
            wrong[shape] = {"count": off[0], "size": off[1],
                            "tracked": {name: tracked.get(name, 0) for name in off[0]}}
        before = after
    assert wrong == {}


def test_the_program_made_every_type_that_the_test_is_about(interpreter, start):
    target = start("sizes.py", interpreter)
    made = set()
    for shape in target.ask_json("shapes"):
        made |= set(target.ask_json("make " + shape))
    assert made >= {"dict", "list", "tuple", "set", "frozenset", "collections.deque",
                    "__main__.Plain", "__main__.Slotted", "__main__.Both", "__main__.List",
                    "__main__.Dict", "__main__.Tuple", "__main__.Set", "__main__.Deque"}
