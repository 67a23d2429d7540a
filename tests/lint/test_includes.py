# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of this folder find what they are there to find."""

import os

import pytest

import habits
import includes
import sources

HEAD = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"


@pytest.fixture
def tree(tmp_path):
    """tree({path: text}) -> the folder they were written to."""
    def write(files):
        for path, text in files.items():
            place = tmp_path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return str(tmp_path)

    return write


def whats(problems):
    return [what for _, _, what in problems]


def test_an_upward_include_is_found_with_its_line(tree):
    root = tree({"inspector/mem/source.h": "#include <stdint.h>\n\n#include \"heap/heap.h\"\n",
                 "inspector/heap/heap.h": ""})
    assert includes.check(root) == [
        ("inspector/mem/source.h", 3,
         "mem includes upward: inspector/heap/heap.h is on the floor heap")]


@pytest.mark.parametrize("name", ["heap/heap.h", "../heap/heap.h"])
@pytest.mark.parametrize("spelled", ['#include "%s"\n', '  #  include  "%s"\n'])
def test_an_upward_include_is_found_however_it_is_spelled(tree, name, spelled):
    root = tree({"inspector/base/text.c": spelled % name, "inspector/heap/heap.h": ""})
    assert len(includes.check(root)) == 1


def test_an_upward_include_in_angle_brackets_is_found(tree):
    root = tree({"inspector/base/text.c": "#include <heap/heap.h>\n", "inspector/heap/heap.h": ""})
    assert len(includes.check(root)) == 1


@pytest.mark.parametrize("below, above", list(zip(includes.FLOORS, includes.FLOORS[1:])))
def test_every_floor_may_not_see_the_next(tree, below, above):
    def place(floor):
        if floor == "targets":
            return "targets/target.h"
        if floor in ("session", "main"):
            return "inspector/%s.h" % floor
        return "inspector/%s/%s.h" % (floor, floor)

    root = tree({place(below): '#include "%s"\n' % place(above), place(above): ""})
    assert len(includes.check(root)) == 1


def test_a_downward_include_and_one_on_the_same_floor_are_fine(tree):
    root = tree({"inspector/mem/live.c": '#include "mem/source.h"\n#include "base/error.h"\n',
                 "inspector/mem/source.h": '#include "base/error.h"\n',
                 "inspector/base/error.h": "#include <stdint.h>\n",
                 "targets/cpython/objects/types.c": '#include "types.h"\n#include "debug/layout.h"\n',
                 "targets/cpython/objects/types.h": "",
                 "inspector/debug/layout.h": ""})
    assert includes.check(root) == []


def test_an_include_in_a_comment_is_none(tree):
    root = tree({"inspector/base/text.c": '/*\n#include "heap/heap.h"\n*/\n',
                 "inspector/heap/heap.h": ""})
    assert includes.check(root) == []


@pytest.mark.parametrize("room", ["heap", "analyze"])
def test_the_model_and_what_is_computed_from_it_know_no_process(tree, room):
    root = tree({"inspector/%s/a.c" % room: '#include "mem/source.h"\n',
                 "inspector/mem/source.h": ""})
    assert whats(includes.check(root)) == ["%s may not know mem (inspector/mem/source.h)" % room]


def test_libdwarf_belongs_to_one_file(tree):
    root = tree({"inspector/debug/dwarf_types.c": "#include <libdwarf.h>\n",
                 "inspector/debug/dwarf_types_member.c": "#include <libdwarf/libdwarf.h>\n",
                 "inspector/debug/layout.c": "#include <libdwarf.h>\n#include <dwarf.h>\n"})
    assert [problem[:2] for problem in includes.check(root)] == [("inspector/debug/layout.c", 1),
                                                                 ("inspector/debug/layout.c", 2)]


def test_a_circle_of_includes_is_found(tree):
    root = tree({"inspector/base/a.h": '#include "base/b.h"\n',
                 "inspector/base/b.h": '#include "c.h"\n',
                 "inspector/base/c.h": '#include "base/a.h"\n',
                 "inspector/base/d.h": '#include "base/a.h"\n'})
    assert whats(includes.check(root)) == [
        "includes itself: inspector/base/a.h -> inspector/base/b.h -> inspector/base/c.h"
        " -> inspector/base/a.h"]


def test_a_file_that_is_not_there_and_a_room_on_no_floor_are_found(tree):
    root = tree({"inspector/base/a.h": '#include "base/b.h"\n', "inspector/attic/c.h": ""})
    assert len(includes.check(root)) == 2


@pytest.mark.parametrize("line", ["#if PY_VERSION_HEX >= 0x030c0000", "if (version == 311)",
                                  "if (runtime->minor >= 12)", "if (python.major < 3)",
                                  "if (py_version_hex > 5)"])
def test_a_version_test_is_found(tree, line):
    root = tree({"targets/cpython/objects/dict.c": HEAD + line + "\n",
                 "targets/cpython/layout_unicode.c": HEAD + line + "\n",
                 "inspector/debug/layout_cache.c": HEAD + line + "\n"})
    assert [problem[:2] for problem in habits.check(root)] == [("targets/cpython/objects/dict.c", 2)]


@pytest.mark.parametrize("line", ["// version == 3", 'note("version == 3");', "minor = 3;",
                                  "x = minor << 8;", "print_version(major);"])
def test_a_line_that_only_mentions_a_version_is_none(tree, line):
    root = tree({"targets/cpython/objects/dict.c": HEAD + line + "\n"})
    assert habits.check(root) == []


def test_output_that_was_meant_for_debugging_is_found(tree):
    text = HEAD + 'x = snprintf(y);\n// printf("here\\n");\nprintf("here\\n");\nperror("x");\n'
    root = tree({"inspector/mem/live.c": text, "inspector/main.c": text, "tests/unit/a.c": text})
    assert [problem[:2] for problem in habits.check(root)] == [("inspector/mem/live.c", 4),
                                                               ("inspector/mem/live.c", 5)]


def test_a_long_file_and_one_without_a_licence_are_found(tree):
    root = tree({"inspector/base/long.c": HEAD + "\n" * 600, "inspector/base/bare.c": "\n"})
    assert len(habits.check(root)) == 2


def test_code_only_keeps_the_lines_and_takes_comments_and_strings():
    text = 'a /* "b */ c\n"d // e" f // g\n\'"\' h /* i\n j */ k'
    assert sources.code_only(text) == 'a   c\n"" f  \n\'\' h  \n k'


def test_the_project_itself_has_no_such_problem():
    assert includes.check(sources.REPOSITORY) == []
    assert habits.check(sources.REPOSITORY) == []
    assert os.path.exists(os.path.join(sources.REPOSITORY, "Makefile"))
