# SPDX-License-Identifier: GPL-3.0-or-later
"""Heaps that look other than they are still give exact numbers at the first stop."""

from support.reports import rows


def test_classes_without_a_name_and_shrunk_heaps_of_threads_are_no_damage(
        interpreter, start, leakinspect):
    target = start("odd_heaps.py", interpreter)
    report = leakinspect("types", target.pid)
    found = rows(report)
    assert report["target"]["stops"] == 1
    assert found["__main__."]["count"] == found["__main__."]["tracked"] == 7
    assert report["problems"] == {"unreadable": 0, "truncated": 0}


def test_no_reference_count_is_an_address(interpreter, start, leakinspect):
    """A program linked to a fixed place has low addresses, which look like counts."""
    target = start("library_code.py", interpreter, args=["--no-unittests"])
    total = leakinspect("types", target.pid)["total"]
    assert total["refs"] < 20 * total["count"]
