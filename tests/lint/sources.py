# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the project's source files and reads C as far as the checks of this folder need it."""

import os
import re

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A comment, a string or a character, whichever begins first.
_NOT_CODE = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def find(root, folders, endings):
    """Paths relative to @a root, sorted, with `/` between folders."""
    found = []
    for folder in folders:
        for place, below, names in os.walk(os.path.join(root, folder)):
            below[:] = [name for name in below if name != "__pycache__"]
            found += [os.path.relpath(os.path.join(place, name), root) for name in names
                      if name.endswith(endings)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as source:
        return source.read()


def code_only(text):
    """C without comments and without what is in strings; every line keeps its number."""
    def blank(found):
        token = found.group()
        if token[0] in "\"'":
            return token[0] * 2
        return " " + "\n" * token.count("\n")

    return _NOT_CODE.sub(blank, text)


def numbered(text):
    return enumerate(text.split("\n"), start=1)


def report(problems):
    """Prints "path:line: what" for each; the exit status."""
    for path, line, what in problems:
        print("%s:%d: %s" % (path, line, what))
    return 1 if problems else 0
