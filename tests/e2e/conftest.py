# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the end-to-end tests. tests/README.md tells how to use them."""

import json
import os
import subprocess

import pytest

from support import extension as extensions, interpreters
from support.demo import Demo, PROGRAM
from support.target import Target
from support.watching import Watching

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Leakinspect:
    """The program under test. Its cache and its history lie in a folder of this test run."""

    def __init__(self, folder):
        self.path = os.path.abspath(os.environ.get("LEAKINSPECT")
                                    or os.path.join(REPOSITORY, "build", "leakinspect"))
        self.home = str(folder)
        self.cache = os.path.join(self.home, "cache")

    def environment(self, extra=None):
        """Environment for running it; the values of @a extra that are None are taken away."""
        env = {**os.environ, "HOME": self.home, "XDG_CACHE_HOME": self.cache,
               "XDG_STATE_HOME": os.path.join(self.home, "state"),
               "XDG_DATA_HOME": os.path.join(self.home, "data"), "NO_COLOR": "1",
               **(extra or {})}
        return {key: value for key, value in env.items() if value is not None}

    def run(self, *args, env=None, timeout=120, **options):
        """Runs it and returns the subprocess.CompletedProcess with text, whatever its status."""
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        return subprocess.run([self.path, *map(str, args)], capture_output=True, text=True,
                              env=self.environment(env), timeout=timeout, check=False, **options)

    def start(self, *args, env=None, **options):
        """Starts it and returns the subprocess.Popen."""
        return subprocess.Popen([self.path, *map(str, args)], env=self.environment(env), **options)

    def __call__(self, verb, *args, status=0, **options):
        """Runs a verb that must end with @a status and returns its JSON document."""
        done = self.run(verb, "--json", *args, **options)
        assert done.returncode == status, "leakinspect %s: status %d\n%s" % (
            verb, done.returncode, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def leakinspect(tmp_path_factory):
    """leakinspect("types", pid) -> the JSON document; leakinspect.run(...) -> everything."""
    program = Leakinspect(tmp_path_factory.mktemp("home"))
    assert os.access(program.path, os.X_OK), "%s is not built: run make" % program.path
    return program


def _usable(interpreter, tmp_path_factory):
    """The interpreter, or a skipped test, or a failed one where all interpreters must be there."""
    if interpreter.missing:
        if interpreters.all_required():
            pytest.fail(interpreter.missing, pytrace=False)
        pytest.skip(interpreter.missing)
    if interpreter.name == "embed3.11" and not interpreter.command:
        interpreters.build_embedded(str(tmp_path_factory.mktemp("embed")))
    return interpreter


@pytest.fixture(params=[interpreter.name for interpreter in interpreters.discover()])
def interpreter(request, tmp_path_factory):
    """Every interpreter in turn. A test may narrow the choice with
    @pytest.mark.parametrize("interpreter", [names], indirect=True)."""
    return _usable(interpreters.find(request.param), tmp_path_factory)


@pytest.fixture
def debian_python(tmp_path_factory):
    """Debian's /usr/bin/python3.11, for tests where one interpreter is as good as all."""
    return _usable(interpreters.find("python3.11-debian"), tmp_path_factory)


@pytest.fixture
def debug_python(tmp_path_factory):
    """Debian's debug build, /usr/bin/python3.11d."""
    return _usable(interpreters.find("python3.11d-debian"), tmp_path_factory)


@pytest.fixture
def start_demo():
    """Starts the leaking service with these options; it is stopped when the test ends."""
    started = []

    def start(*options):
        assert os.access(PROGRAM, os.X_OK), "demo/leak_demo is not built: run make demo/leak_demo"
        started.append(Demo(*options))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.wait()
        demo.process.stdout.close()
        demo.process.stderr.close()


@pytest.fixture
def start():
    """start(program, interpreter, args=(), env=None) -> Target, stopped when the test ends."""
    started = []

    def start_target(program, interpreter, args=(), env=None, **options):
        target = Target(program, interpreter, args, env, **options)
        started.append(target)
        return target

    yield start_target
    for target in started:
        target.stop()


@pytest.fixture
def watching(leakinspect):
    """watching(words...) -> Watching, which is over when the test is."""
    started = []

    def start_watch(*words):
        started.append(Watching(leakinspect, *words))
        return started[-1]

    yield start_watch
    for one in started:
        one.kill()


@pytest.fixture(scope="session")
def extension(tmp_path_factory):
    """extension(interpreter, "leaky") -> the folder with programs/leaky.c compiled for it."""
    folder = str(tmp_path_factory.mktemp("extensions"))

    def build(interpreter, name, **options):
        home = extensions.build(interpreter, name, folder, **options)
        if home is None:
            if interpreters.all_required():
                pytest.fail("no headers of %s" % interpreter.name, pytrace=False)
            pytest.skip("no headers of %s" % interpreter.name)
        return home
    return build
