# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the interpreters that the tests run on: those that must exist on a machine of the project,
and others that happen to be here."""

import functools
import glob
import os
import re
import shutil
import subprocess

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "programs")
VERSIONS = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


class Interpreter:
    """A command that runs a Python script in one process: `[*command, script, *args]`."""

    def __init__(self, name, command, missing=None):
        self.name = name
        self.command = command
        # Why it cannot be used here, or None.
        self.missing = missing

    def __repr__(self):
        return "<Interpreter %s>" % self.name

    @functools.cached_property
    def version_text(self):
        """As platform.python_version() says, "3.11.2"."""
        return self.evaluate("platform.python_version()")

    @property
    def version(self):
        """(3, 11)"""
        return tuple(int(part) for part in self.version_text.split(".")[:2])

    @functools.cached_property
    def is_debug(self):
        """Built with Py_DEBUG: it counts references in total."""
        return self.evaluate("hasattr(sys, 'gettotalrefcount')") == "True"

    @functools.cache
    def evaluate(self, expression):
        """What the interpreter says the expression is; sys and platform are imported."""
        script = os.path.join(PROGRAMS, "evaluate.py")
        done = subprocess.run([*self.command, script, expression], capture_output=True, text=True,
                              timeout=60, check=True, env=environment())
        return done.stdout.rstrip("\n")


def environment(extra=None):
    """Environment of an inspected program: ours without what would change an interpreter."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("PYTHON", "PYENV", "COVERAGE", "ASAN", "UBSAN"))}
    # No .pyc files of eleven interpreters in the source tree; strings hashed alike in every run.
    kept.update(PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", **(extra or {}))
    return kept


def _number(path):
    return [int(part) for part in re.findall(r"\d+", os.path.basename(path))]


def _pyenv():
    """The newest patch release of each minor version: {"3.11": ".../versions/3.11.7/bin/python"}"""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found = {}
    for folder in sorted(glob.glob(os.path.join(root, "versions", "[23].*")), key=_number):
        python = os.path.join(folder, "bin", "python")
        minor = re.match(r"(\d+\.\d+)\.\d+$", os.path.basename(folder))
        if minor and os.access(python, os.X_OK):
            found[minor.group(1)] = python
    return found


def _on_path(minor):
    """pythonX.Y from PATH, unless it is a shim that starts nothing or the system's own."""
    python = shutil.which("python" + minor)
    if python is None or os.path.realpath(python) == "/usr/bin/python3.11":
        return None
    done = subprocess.run([python, "-c", "pass"], capture_output=True, timeout=60, check=False)
    return python if done.returncode == 0 else None


def _system(name, package):
    path = os.path.join("/usr/bin", name)
    missing = None if os.access(path, os.X_OK) else "no %s: install %s" % (path, package)
    return Interpreter(name + "-debian", [path], missing)


def _embedded():
    """The program around libpython3.11.so; its command is filled in by build_embedded()."""
    done = subprocess.run(["pkg-config", "--exists", "python-3.11-embed"], capture_output=True,
                          timeout=60, check=False)
    missing = None if done.returncode == 0 else "no libpython3.11: install libpython3.11-dev"
    return Interpreter("embed3.11", [], missing)


@functools.cache
def discover():
    """All interpreters, the missing ones of those that should be there among them."""
    pyenv = _pyenv()
    found = []
    for minor in VERSIONS + sorted(set(pyenv) - set(VERSIONS), key=_number):
        python = pyenv.get(minor) or _on_path(minor)
        missing = None if python else "no python%s in ~/.pyenv/versions or on PATH" % minor
        found.append(Interpreter("python" + minor, [python], missing))
    found.append(_system("python3.11", "python3.11 python3.11-dbg"))
    found.append(_system("python3.11d", "python3.11-dbg"))
    found.append(_embedded())
    return found


def find(name):
    """The interpreter of that name: "python3.9", "python3.11-debian", "embed3.11"."""
    return next(interpreter for interpreter in discover() if interpreter.name == name)


def build_embedded(folder):
    """Compiles programs/embed.c into the folder, once."""
    interpreter = find("embed3.11")
    if interpreter.missing or interpreter.command:
        return
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "python-3.11-embed"],
                           capture_output=True, text=True, timeout=60, check=True).stdout.split()
    program = os.path.join(folder, "embed")
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g", "-o", program,
                    os.path.join(PROGRAMS, "embed.c"), *flags], timeout=120, check=True)
    interpreter.command = [program]


def all_required():
    """Whether a missing interpreter is a failure here and not a reason to skip."""
    return os.environ.get("LEAKINSPECT_REQUIRE_ALL") == "1" or os.environ.get("CI") == "true"
