# SPDX-License-Identifier: GPL-3.0-or-later
"""The GDB section of the README: its commands print what stands there; and `make install` makes GDB load
them by itself."""

import os
import re
import shlex
import subprocess

from support.gdb import OPTIONS, REPOSITORY

README = os.path.join(REPOSITORY, "README.md")
# What differs from one process to the next.
VARIES = re.compile(r"0x[0-9a-f]+|\d[\d,]*")


def section():
    with open(README, encoding="utf-8") as file:
        text = file.read()
    return re.search(r"^## From inside GDB\n(.*?)^## ", text, re.MULTILINE | re.DOTALL).group(1)


def commands():
    """[(command, [lines shown])] of the section's console block."""
    block = re.search(r"^```console\n(.*?)^```", section(), re.MULTILINE | re.DOTALL).group(1)
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def alike(line):
    """A line without its numbers and the spaces that keep columns."""
    return " ".join(VARIES.sub("N", line).split())


def test_the_readme_s_commands_print_what_stands_there(debian_python, start, tmp_path):
    target = start("pairs.py", debian_python)
    core = str(tmp_path / "service.core")
    seen = 0
    for command, shown in commands():
        words = shlex.split(re.sub(r"-p \d+", "-p %d" % target.pid, command).replace(
            "/tmp/service.core", core))
        assert words[0] == "gdb"
        done = subprocess.run(["gdb", *OPTIONS, *words[1:]], cwd=REPOSITORY, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              check=False)
        said = [alike(line.replace(core, "/tmp/service.core")) for line in done.stdout.splitlines()]
        for line in shown:
            if line == "..." or not line:
                continue
            seen += 1
            if "_distutils_hack" in line:
                # Which module leads there first depends on where it lies.
                assert "module N" in said or any(one.startswith("module ") for one in said)
                continue
            assert alike(line) in said, (line, done.stdout, done.stderr)
    assert seen > 15


def test_the_table_names_every_command():
    text = section()
    for name in ("types", "diff", "cycles", "garbage", "show", "refs", "referrers", "path", "stats",
                 "untracked", "break", "handoff"):
        assert re.search(r"\b%s\b" % name, text), name


def test_installed_commands_are_loaded_with_the_interpreter(debian_python, start, tmp_path):
    target = start("pairs.py", debian_python)
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(["make", "-s", "install-gdb", "PREFIX=%s" % tmp_path], cwd=REPOSITORY, check=True,
                   timeout=60, stdin=subprocess.DEVNULL, env=environment)
    scripts = str(tmp_path / "share" / "gdb" / "auto-load")
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off",
         "-iex", "add-auto-load-scripts-directory " + scripts,
         "-iex", "add-auto-load-safe-path " + scripts, "-p", str(target.pid), "-ex", "leak cycles"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert "Parent.child -> Child.parent" in done.stdout, done.stderr
    # Nothing is compiled into the place it was installed to.
    assert not [name for _, folders, _ in os.walk(tmp_path) for name in folders
                if name == "__pycache__"]
