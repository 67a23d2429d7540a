#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Habits of the house that a compiler does not know.

    tests/lint/habits.py [ROOT]

Versions of the runtime are named in targets/cpython/layout* and runtime* alone; everywhere else the
code asks which members exist. Only main, the console, the prompt of repl, the progress line and watch (where
its metrics are served) write to the terminal by themselves. A file has at most 600 lines. A source file tells
its licence.
"""

import fnmatch
import re
import sys

import sources

LINES_MAX = 600

# base, mem and debug are not in it: they know no runtime, and versions of file formats are theirs.
VERSIONED = ["targets/*", "inspector/heap/*", "inspector/analyze/*", "inspector/ui/*",
             "inspector/session.*", "inspector/main.c"]
VERSION_FREE = ["targets/cpython/layout*", "targets/cpython/runtime*"]
COMPARED = r"\s*(?:==|!=|<=|>=|<(?!<)|>(?!>))"
VERSION_TEST = re.compile(r"\bPY_(?:VERSION|MAJOR|MINOR|MICRO)\w*|\b(?:\w*version\w*|major|minor)\b"
                          + COMPARED)

TALKERS = ["inspector/main.c", "inspector/options.c", "inspector/ui/console/console*.c",
           "inspector/ui/progress*.c", "inspector/ui/verbs/cmd_repl.c", "inspector/ui/verbs/cmd_watch.c",
           "inspector/ui/console/repl_line.c",
           "inspector/ui/answers/code_answer.c"]
TALK = re.compile(r"\bstderr\b|\b(?:perror|printf|puts|putchar|vprintf)\s*\(")

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"


def matches(path, patterns):
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def check_lines(path, code, expression, what):
    problems = []
    for number, line in sources.numbered(code):
        found = expression.search(line)
        if found:
            problems.append((path, number, "%s: %s" % (what, found.group().strip())))
    return problems


def check_c(path, text):
    problems = []
    code = sources.code_only(text)
    if matches(path, VERSIONED) and not matches(path, VERSION_FREE):
        problems += check_lines(path, code, VERSION_TEST,
                                "asks for a version and not for a member")
    if path.startswith(("inspector/", "targets/")) and not matches(path, TALKERS):
        problems += check_lines(path, code, TALK, "writes to the terminal by itself")
    return problems


def check(root):
    """All problems: [(path, line, what)]."""
    problems = []
    everywhere = ["inspector", "targets", "gdb-scripts", "tests", "demo"]
    for path in sources.find(root, everywhere, (".c", ".h", ".py", ".sh")):
        text = sources.read(root, path)
        count = text.count("\n")
        if count > LINES_MAX:
            problems.append((path, count, "has %d lines; over %d a file is two files"
                             % (count, LINES_MAX)))
        if LICENCE not in text[:200]:
            problems.append((path, 1, "does not begin with its licence, " + LICENCE))
        if path.endswith((".c", ".h")):
            problems += check_c(path, text)
    return problems


if __name__ == "__main__":
    sys.exit(sources.report(check(sys.argv[1] if len(sys.argv) > 1 else sources.REPOSITORY)))
