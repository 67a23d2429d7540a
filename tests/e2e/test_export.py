# SPDX-License-Identifier: GPL-3.0-or-later
"""An exported heap opens in the sqlite3 shell, and has what the other verbs tell."""

import json
import shutil
import sqlite3
import subprocess

import pytest

from support.reports import column

COUNTS = "SELECT t.name, count(*) FROM objects o JOIN types t ON t.id = o.type GROUP BY t.name"


def shell(path, statement):
    if shutil.which("sqlite3") is None:
        pytest.skip("no sqlite3 shell: install sqlite3")
    done = subprocess.run(["sqlite3", "-json", str(path), statement], capture_output=True, text=True,
                          timeout=300, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout or "[]")


def export(leakinspect, target, path, *options):
    done = leakinspect.run("export", target.pid, "-o", path, *options, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_million_objects_are_what_types_counts(debian_python, start, leakinspect, tmp_path):
    target = start("million.py", debian_python)
    path = tmp_path / "heap.sqlite"
    export(leakinspect, target, path)
    assert shell(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    counts = {row["name"]: row["count(*)"] for row in shell(path, COUNTS)}
    assert counts["__main__.Thing"] == 250000
    assert sum(counts.values()) > 1000000
    types = column(leakinspect("types", target.pid), "count")
    assert {name: count for name, count in types.items() if counts.get(name, 0) < count} == {}
    # The graph also has static objects, which no one allocated.
    for name in ("__main__.Thing", "list", "float", "dict", "function", "frame"):
        assert counts.get(name, 0) == types.get(name, 0), name
    links = shell(path, "SELECT r.label AS label, count(*) AS count FROM refs r"
                        " JOIN objects o ON o.id = r.src JOIN types t ON t.id = o.type"
                        " WHERE t.name = '__main__.Thing' GROUP BY r.label")
    found = {row["label"]: row["count"] for row in links}
    assert found[".number"] == found[".other"] == 250000


def test_tracked_objects_and_sizes_are_those_of_types(interpreter, start, leakinspect, tmp_path):
    target = start("library_code.py", interpreter, args=["--no-unittests"])
    path = tmp_path / "heap.sqlite"
    export(leakinspect, target, path)
    types = column(leakinspect("types", target.pid), "tracked")
    with sqlite3.connect(path) as database:
        tracked = dict(database.execute(
            "SELECT t.name, count(*) FROM objects o JOIN types t ON t.id = o.type"
            " WHERE o.tracked GROUP BY t.name"))
    assert tracked == types


def test_a_file_that_is_there_is_kept_unless_told_otherwise(debian_python, start, leakinspect,
                                                            tmp_path):
    target = start("idle.py", debian_python)
    path = tmp_path / "heap.sqlite"
    path.write_text("mine")
    done = leakinspect.run("export", target.pid, "-o", path)
    assert done.returncode != 0 and "--force" in done.stderr
    assert path.read_text() == "mine"
    export(leakinspect, target, path, "--force")
    with sqlite3.connect(path) as database:
        assert dict(database.execute("SELECT key, value FROM meta"))
        tables = {name for name, in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"meta", "types", "objects", "refs", "roots"} <= tables
    assert [each.name for each in tmp_path.iterdir()] == ["heap.sqlite"]
