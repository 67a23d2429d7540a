#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Includes point down: a file includes only from its own floor or from one below.

    tests/lint/includes.py [ROOT]

And: no header includes itself by a detour; a few rooms know less than their floor would allow; a few
system headers belong to one room.
"""

import fnmatch
import os
import re
import sys

import sources

FLOORS = ["base", "mem", "cpu", "debug", "heap", "targets", "analyze", "ui", "session",
          "main"]

# The files that lie in inspector/ itself.
TOP_FILES = {"session": "session", "session_look": "session", "session_graph": "session",
             "session_held": "session", "session_code": "session",
             "session_stacks": "session", "session_verify": "session",
             "options": "main", "main": "main"}

# The model and what is computed from it stay pure: no process, no file, no interpreter.
ONLY = {
    "cpu": {"base", "mem", "cpu"},
    "heap": {"base", "heap"},
    "analyze": {"base", "heap", "analyze"},
}

# Headers that only some files may see: what another library would have to replace.
DWARF_READERS = ["inspector/debug/dwarf_types*.c", "inspector/debug/die.c"]
OWNED = {
    "libdwarf*.h": DWARF_READERS,
    "dwarf.h": DWARF_READERS,
    "microhttpd.h": ["inspector/ui/metrics/metrics_server.c"],
    "sqlite3.h": ["inspector/ui/answers/export_file.c"],
    # leakinspect knows CPython by its DWARF alone.
    "Python.h": [],
}

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)


def floor_of(path):
    """The floor a file lies on, or None where there are none (tests, demo)."""
    parts = path.split("/")
    if parts[0] == "targets":
        return "targets"
    if parts[0] != "inspector":
        return None
    if len(parts) == 2:
        return TOP_FILES.get(os.path.splitext(parts[1])[0])
    return parts[1]


def includes_of(text):
    """[(line, name, whether it stands in quotes)]"""
    # A comment holds no include, but a string in an #include line is a name: so comments only.
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found.group().count("\n"), text,
                  flags=re.DOTALL)
    return [(text.count("\n", 0, found.start()) + 1, found.group(2), found.group(1) == '"')
            for found in INCLUDE.finditer(text)]


def resolve(root, path, name, quoted):
    """The file of the project that an include means, or None: as the compiler looks for it."""
    for folder in ([os.path.dirname(path)] if quoted else []) + ["inspector", ""]:
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def check_include(path, line, included):
    """What is wrong with @a path including the project's file @a included, as problems."""
    own, other = floor_of(path), floor_of(included)
    if other not in FLOORS:
        return [(path, line, "includes %s, which is on no floor" % included)]
    if FLOORS.index(other) > FLOORS.index(own):
        return [(path, line, "%s includes upward: %s is on the floor %s" % (own, included, other))]
    if other not in ONLY.get(own, FLOORS):
        return [(path, line, "%s may not know %s (%s)" % (own, other, included))]
    return []


def check_owned(path, line, name):
    for pattern, owners in OWNED.items():
        if fnmatch.fnmatch(os.path.basename(name), pattern) and not any(
                fnmatch.fnmatch(path, owner) for owner in owners):
            return [(path, line, "includes <%s>, which is for %s"
                     % (name, " and ".join(owners) or "nobody"))]
    return []


def find_cycle(graph):
    """A list of files, each including the next and the last one the first; [] if there is none."""
    done = set()

    def visit(path, way):
        if path in way:
            return way[way.index(path):]
        if path in done:
            return []
        done.add(path)
        for included in graph.get(path, ()):
            cycle = visit(included, way + [path])
            if cycle:
                return cycle
        return []

    for path in sorted(graph):
        cycle = visit(path, [])
        if cycle:
            return cycle
    return []


def check(root):
    """All problems: [(path, line, what)]."""
    problems = []
    graph = {}
    for path in sources.find(root, ["inspector", "targets"], (".c", ".h")):
        if floor_of(path) not in FLOORS:
            problems.append((path, 1, "is on no floor; the floors are " + " < ".join(FLOORS)))
            continue
        for line, name, quoted in includes_of(sources.read(root, path)):
            problems += check_owned(path, line, name)
            included = resolve(root, path, name, quoted)
            if included:
                graph.setdefault(path, []).append(included)
                problems += check_include(path, line, included)
            elif quoted:
                problems.append((path, line, "includes \"%s\", which is not there" % name))
    cycle = find_cycle(graph)
    if cycle:
        problems.append((cycle[0], 1, "includes itself: " + " -> ".join(cycle + cycle[:1])))
    return problems


if __name__ == "__main__":
    sys.exit(sources.report(check(sys.argv[1] if len(sys.argv) > 1 else sources.REPOSITORY)))
