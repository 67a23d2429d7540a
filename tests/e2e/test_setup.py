# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up, installing and taking away again."""

import os
import re
import subprocess

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = os.path.join(REPOSITORY, "tests", "support", "packages.sh")


def make(*words, **options):
    # Not a part of the make that may have started us.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", *words], cwd=REPOSITORY,
                          capture_output=True, text=True, timeout=300, check=False,
                          stdin=subprocess.DEVNULL, env=environment, **options)


@pytest.fixture
def machine(tmp_path):
    """machine(installed, root=, sudo=) -> a function that runs packages.sh where these packages are
    installed, and apt-get only writes down what it was asked for."""
    programs = tmp_path / "bin"
    programs.mkdir()
    asked = tmp_path / "asked"

    def program(name, text):
        (programs / name).write_text("#!/bin/sh\n" + text)
        (programs / name).chmod(0o755)

    def build(installed, root=False, sudo=False):
        answers = "".join("echo 'ii %s'\n" % name for name in installed)
        # dpkg-query fails when one of the packages it is asked for is unknown.
        program("dpkg-query", answers + "exit 1\n")
        program("id", "echo %d\n" % (0 if root else 1000))
        program("sudo", 'shift; exec "$@"\n' if sudo else "exit 1\n")
        program("apt-get", 'echo "$@" >>%s\n' % asked)

        def run(*purposes):
            environment = dict(os.environ, PATH="%s:%s" % (programs, os.environ["PATH"]))
            done = subprocess.run(["sh", PACKAGES, *purposes], capture_output=True, text=True,
                                  timeout=60, check=False, env=environment)
            done.asked = asked.read_text().splitlines() if asked.exists() else []
            return done

        return run

    return build


BUILD = ["gcc", "libc6-dev", "make", "pkg-config", "libdwarf-dev", "libelf-dev", "libreadline-dev",
         "libjansson-dev", "libsqlite3-dev", "libmicrohttpd-dev"]


def test_nothing_is_done_where_all_is_there(machine):
    done = machine(BUILD)("build")
    assert (done.returncode, done.stdout, done.stderr, done.asked) == (0, "", "", [])


@pytest.mark.parametrize("rights", [{"root": True}, {"sudo": True}])
def test_what_is_missing_and_only_that_is_installed(machine, rights):
    done = machine(BUILD[2:], **rights)("build")
    assert done.returncode == 0, done.stderr
    assert len(done.asked) == 2
    assert done.asked[0].endswith(" update")
    assert done.asked[1].endswith(" install -y --no-install-recommends gcc libc6-dev")


def test_without_the_right_to_install_the_line_to_run_is_printed(machine):
    done = machine(BUILD[1:])("build")
    assert done.returncode == 1
    assert done.asked == []
    assert done.stderr.splitlines()[1:] == [
        "    sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc "]


def test_a_package_whose_name_only_contains_another_is_not_that_one(machine):
    done = machine(["libgcc-dev" if name == "gcc" else name for name in BUILD])("build")
    assert "recommends gcc " in done.stderr


def test_the_interpreter_comes_with_the_debug_file_of_its_version(machine):
    done = machine(BUILD)("build", "demo")
    words = done.stderr.split()
    python = next(word for word in words if re.fullmatch(r"python3\.\d+", word))
    assert python + "-dbg" in words
    assert "lib%s-dev" % python in words


def test_an_unknown_purpose_is_told(machine):
    done = machine(BUILD)("build", "nonsense")
    assert done.returncode == 2
    assert "build|demo|test|lint" in done.stderr


def test_help_names_every_target_of_the_makefile():
    said = make("help").stdout
    with open(os.path.join(REPOSITORY, "Makefile"), encoding="utf-8") as makefile:
        targets = re.findall(r"^\.PHONY: (\S+)", makefile.read(), re.MULTILINE)
    assert len(targets) > 10
    for target in set(targets) - {"objects"}:
        assert re.search(r"^%s +\S" % target, said, re.MULTILINE), target


def test_install_puts_files_in_place_and_uninstall_takes_them(leakinspect, tmp_path):
    build = os.path.basename(os.path.dirname(leakinspect.path))
    words = ["DESTDIR=%s" % tmp_path, "PREFIX=/opt/it", "BUILD=%s" % build]
    # What is there already is what is installed, whatever it was built with.
    done = make("install", *words, "-o", "all")
    assert done.returncode == 0, done.stderr
    found = sorted(os.path.relpath(os.path.join(folder, name), tmp_path)
                   for folder, _, names in os.walk(tmp_path) for name in names)
    for_gdb = [name for name in found if name.startswith("opt/it/share/gdb/")]
    assert {"opt/it/share/gdb/leakinspect/leak.gdb", "opt/it/share/gdb/leakinspect/leak/python/walk.py",
            "opt/it/share/gdb/auto-load/usr/bin/python3.11-gdb.gdb"} <= set(for_gdb)
    assert [name for name in found if name not in for_gdb] == [
                     "opt/it/bin/leakinspect",
                     "opt/it/share/bash-completion/completions/leakinspect",
                     "opt/it/share/man/man1/leakinspect.1"]
    assert os.access(tmp_path / found[0], os.X_OK)
    assert make("uninstall", *words).returncode == 0
    assert not [name for _, _, names in os.walk(tmp_path) for name in names]
