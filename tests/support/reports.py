# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what leakinspect reports, and checking what must hold for every report."""

COLUMNS = ("count", "tracked", "size", "refs")


def rows(report):
    """{name: row} of a `types` report that read everything at a consistent moment."""
    target = report["target"]
    assert target["consistent"] is True, target
    problems = report["problems"]
    assert problems["unreadable"] == 0 and problems["truncated"] == 0, problems
    return checked_rows(report)


def checked_rows(report):
    """{name: row} of any `types` report: no name twice, and the total is the sum of the rows."""
    found = {row["name"]: row for row in report["types"]}
    assert len(found) == len(report["types"]), "a name stands in two rows"
    for column in COLUMNS:
        assert report["total"][column] == sum(row[column] for row in found.values()), column
    for row in found.values():
        assert 0 <= row["tracked"] <= row["count"] and row["count"] > 0, row
    return found


def column(report, name):
    """{type name: value} of one column, types with 0 left out."""
    return {key: row[name] for key, row in rows(report).items() if row[name]}


def listed(report):
    """{type name: how many of them gc.get_objects() lists}: the tracked ones but those of the
    permanent generation, into which CPython 3.12 puts immortal ones by itself."""
    found = {name: row["tracked"] - row["frozen"] for name, row in rows(report).items()}
    return {name: count for name, count in found.items() if count}


def changes(before, after, name):
    """{type name: change} of one column from one report to another, those without left out."""
    old, new = column(before, name), column(after, name)
    return difference(old, new)


def difference(old, new):
    """{key: new - old} where they differ; what is missing counts as 0."""
    return {key: new.get(key, 0) - old.get(key, 0) for key in sorted(set(old) | set(new))
            if new.get(key, 0) != old.get(key, 0)}


def mismatches(expected, got):
    """{key: (expected, got)} where they differ; what is missing counts as 0."""
    return {key: (expected.get(key, 0), got.get(key, 0))
            for key in sorted(set(expected) | set(got)) if expected.get(key, 0) != got.get(key, 0)}
