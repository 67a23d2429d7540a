# SPDX-License-Identifier: GPL-3.0-or-later
"""What leakinspect says when it cannot: one sentence or two with the reason and the fix, nothing on
standard output, and the exit status that its manual promises."""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from support.interpreters import PROGRAMS, Interpreter
from support.reports import rows
from support.target import Target

FAILED, UNSUPPORTED = 1, 4
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# Runs a command where /proc/sys/kernel says that Yama is there.
WITH_YAMA = ["unshare", "--mount", "sh", "-c",
             "mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&"
             ' echo "$0" >/proc/sys/kernel/yama/ptrace_scope && exec "$@"']

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def assert_refused(done, status, *words):
    """It ended with this status, no answer, and one message in which all these words stand."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("leakinspect: "), done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def assert_every_verb_refuses(leakinspect, pid, status, *words):
    for verb in (["types"], ["info", "--json"], ["attach", "-c", "types"]):
        assert_refused(leakinspect.run(verb[0], pid, *verb[1:]), status, *words)


@pytest.fixture
def run_as(leakinspect):
    """run_as([prefix of the command], args...) runs leakinspect where every user may start it."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    program = shutil.copy(leakinspect.path, folder)

    def run(prefix, *args):
        return subprocess.run([*prefix, program, *map(str, args)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False,
                              env=leakinspect.environment())

    yield run
    shutil.rmtree(folder)


@pytest.fixture
def sleeper():
    """A process that is no Python."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def nobodys(debian_python, start):
    """A Python of a user without any privilege."""
    return start("idle.py", Interpreter("nobody's", [*NOBODY, *debian_python.command]))


def comm(pid):
    try:
        with open("/proc/%d/comm" % pid, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def test_there_is_no_such_process(leakinspect):
    # Above all process ids that Linux hands out.
    assert_every_verb_refuses(leakinspect, 1 << 22, FAILED, "no process 4194304")


def test_a_process_that_has_ended_is_no_such_process(leakinspect, sleeper):
    sleeper.kill()
    sleeper.wait()
    assert_every_verb_refuses(leakinspect, sleeper.pid, FAILED, "no process %d" % sleeper.pid)


@needs_root
def test_a_process_of_another_user(run_as, debian_python, start):
    target = start("idle.py", debian_python)
    assert_refused(run_as(NOBODY, "types", target.pid), FAILED,
                   "process %d (python3" % target.pid, "belongs to user root",
                   "run leakinspect as that user or as root (sudo leakinspect ...)")


@needs_root
def test_root_without_the_capability(run_as, nobodys):
    assert_refused(run_as(["setpriv", "--bounding-set=-sys_ptrace"], "types", nobodys.pid), FAILED,
                   "CAP_SYS_PTRACE", "start the container with --cap-add=SYS_PTRACE")


@needs_root
@pytest.mark.parametrize("scope, fix", [
    (1, "sysctl -w kernel.yama.ptrace_scope=0"), (2, "run with sudo"), (3, "boot")])
def test_yama_restricts_who_may_attach(run_as, nobodys, scope, fix):
    """As most machines of tests have no Yama: what it says is told by a file of ours, and in a user
    namespace of its own nobody is refused by the kernel what is outside."""
    prefix = [*WITH_YAMA, str(scope), *NOBODY, "unshare", "--user"]
    if subprocess.run([*prefix, "true"], check=False, timeout=60).returncode != 0:
        pytest.skip("no namespaces here")
    assert_refused(run_as(prefix, "types", nobodys.pid), FAILED,
                   "kernel.yama.ptrace_scope is %d" % scope, fix)


def test_ones_own_process_is_not_refused_to_anybody(run_as, nobodys):
    assert run_as(NOBODY if os.geteuid() == 0 else [], "types", nobodys.pid).returncode == 0


def test_a_kernel_thread(leakinspect):
    if comm(2) != "kthreadd":
        pytest.skip("kernel threads cannot be seen from in here")
    assert_every_verb_refuses(leakinspect, 2, UNSUPPORTED, "process 2 (kthreadd)", "kernel thread")


def test_a_zombie(leakinspect, sleeper):
    sleeper.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert_every_verb_refuses(leakinspect, sleeper.pid, UNSUPPORTED, "(sleep) is a zombie")


def test_a_thread_of_a_process(leakinspect, debian_python, start):
    target = start("facts.py", debian_python, ["threads", "3"])
    for tid in map(int, os.listdir("/proc/%d/task" % target.pid)):
        if tid != target.pid:
            assert_every_verb_refuses(leakinspect, tid, FAILED, "%d is a thread" % tid,
                                      "give the id of the process: %d" % target.pid)


def test_a_process_that_somebody_traces(leakinspect, debian_python, start):
    target = start("idle.py", debian_python)
    tracer = start("tracer.py", debian_python, [target.pid])
    assert_every_verb_refuses(leakinspect, target.pid, FAILED, "already traced by %s (process %d)" % (
        comm(tracer.pid), tracer.pid), "end that session first")
    # Its tracer was not disturbed.
    assert target.status("TracerPid") == str(tracer.pid)
    tracer.stop()
    leakinspect("types", target.pid)


def test_no_python(leakinspect, sleeper):
    assert_every_verb_refuses(leakinspect, sleeper.pid, UNSUPPORTED, "cpython")


def test_a_program_of_32_bits(leakinspect, tmp_path):
    program = str(tmp_path / "idle32")
    built = subprocess.run([os.environ.get("CC", "cc"), "-m32", "-O1", "-static", "-nostdlib",
                            "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie", "-o",
                            program, os.path.join(PROGRAMS, "idle32.c")],
                           capture_output=True, timeout=60, check=False)
    if built.returncode != 0:
        pytest.skip("the compiler makes no 32-bit programs")
    try:
        process = subprocess.Popen([program], stdout=subprocess.PIPE)
    except OSError:
        pytest.skip("the kernel runs no 32-bit programs")
    with process:
        ready = process.stdout.readline()
        try:
            if ready != b"ready\n":
                pytest.skip("the kernel runs no 32-bit programs")
            assert_every_verb_refuses(leakinspect, process.pid, UNSUPPORTED,
                                      "(idle32) is a 32-bit program")
        finally:
            process.kill()


@pytest.fixture(scope="module")
def lifecycle(tmp_path_factory):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "python-3.11-embed"],
                           capture_output=True, text=True, timeout=60, check=False)
    if flags.returncode != 0:
        pytest.skip("no libpython3.11")
    program = str(tmp_path_factory.mktemp("lifecycle") / "lifecycle")
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g", "-o", program,
                    os.path.join(PROGRAMS, "lifecycle.c"), *flags.stdout.split()], timeout=120,
                   check=True)
    return program


def test_a_python_that_is_not_initialised_yet_or_no_longer(leakinspect, lifecycle, start):
    target = start(lifecycle, Interpreter("lifecycle", []))
    assert_every_verb_refuses(leakinspect, target.pid, UNSUPPORTED, "not initialised yet")
    assert target.ask("on") == "initialised"
    leakinspect("types", target.pid)
    assert target.ask("on") == "finalised"
    # Some versions say for ever after that they are finalizing.
    assert_every_verb_refuses(leakinspect, target.pid, UNSUPPORTED, "this Python is")
    assert target.finish() == 0


def test_a_python_that_is_finalizing(interpreter, leakinspect, start):
    target = start("finalizing.py", interpreter)
    assert target.ask("end") == "finalizing"
    if interpreter.version < (3, 0):
        # Python 2 keeps no record of it, and what it still has can be counted.
        rows(leakinspect("types", target.pid))
    else:
        assert_every_verb_refuses(leakinspect, target.pid, UNSUPPORTED, "finalizing")
    assert target.finish() == 0


def test_a_process_that_ends_half_way(leakinspect, debian_python):
    chance = random.Random(4)
    refused = 0
    with_time = Target("idle.py", debian_python)
    begin = time.monotonic()
    leakinspect("types", with_time.pid)
    leakinspect("types", with_time.pid)
    duration = (time.monotonic() - begin) / 2
    with_time.stop()

    for _ in range(60):
        target = Target("idle.py", debian_python)
        run = leakinspect.start("types", target.pid, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        time.sleep(chance.uniform(0, duration))
        os.kill(target.pid, signal.SIGKILL)
        stdout, stderr = run.communicate(timeout=30)
        # Ended, though its parent has not been told: that is what the test itself is to do.
        zombie = run.returncode == UNSUPPORTED and "is a zombie" in stderr
        if run.returncode != 0 and not zombie:
            refused += 1
            assert run.returncode == FAILED, stderr
            assert stdout == ""
            assert re.fullmatch(r"leakinspect: .*(has ended|no process|is ending).*\n", stderr)
        target.stop()

    assert refused > 0


class CopiedPython:
    """Debian's python3.11 and its debug file under a build-id of their own."""

    def __init__(self, command, folder):
        notes = subprocess.run(["readelf", "-n", command], capture_output=True, text=True,
                               timeout=60, check=True).stdout
        old = bytes.fromhex(re.search(r"Build ID: ([0-9a-f]+)", notes).group(1))
        new = bytes(reversed(old))
        self.build_id = new.hex()
        debug = "/usr/lib/debug/.build-id/%s/%s.debug" % (old.hex()[:2], old.hex()[2:])
        if not os.path.exists(debug):
            pytest.skip("no %s: install python3.11-dbg" % debug)
        self.program = str(folder / "python")
        with open(command, "rb") as file:
            program = file.read()
        with open(debug, "rb") as file:
            self.debug = file.read().replace(old, new)
        with open(self.program, "wb") as file:
            file.write(program.replace(old, new))
        os.chmod(self.program, 0o755)

    def start(self, start):
        return start("idle.py", Interpreter("copy", [self.program]), env={"PYTHONHOME": "/usr"})

    def install_debug(self, folder, content):
        """Puts a debug file there; the environment in which leakinspect finds it, and has never
        seen another one."""
        place = folder / "debug" / ".build-id" / self.build_id[:2]
        place.mkdir(parents=True, exist_ok=True)
        (place / (self.build_id[2:] + ".debug")).write_bytes(content)
        return {"LEAKINSPECT_DEBUG_PATH": str(folder / "debug"),
                "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.fixture(scope="module")
def copied_python(tmp_path_factory):
    if not os.access("/usr/bin/python3.11", os.X_OK):
        pytest.skip("no /usr/bin/python3.11")
    return CopiedPython("/usr/bin/python3.11", tmp_path_factory.mktemp("copy"))


def test_a_python_without_debug_information(leakinspect, copied_python, start):
    target = copied_python.start(start)
    assert_every_verb_refuses(leakinspect, target.pid, UNSUPPORTED, copied_python.build_id,
                              "install the debug package")


def test_the_package_of_the_debug_information_is_named(run_as, debian_python, start):
    """Where there is no /usr/lib/debug."""
    target = start("idle.py", debian_python)
    prefix = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /usr/lib/debug && exec "$@"',
              "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False,
                      timeout=60).returncode != 0:
        pytest.skip("no namespaces here")
    prefix = ["env", "XDG_CACHE_HOME=/nonexistent", *prefix]
    assert_refused(run_as(prefix, "types", target.pid), UNSUPPORTED, "python3.11-dbg")


def damages(debug):
    """(name, bytes) of debug files that something happened to."""
    for length in (0, 1, 16, 63, 64, 4096, len(debug) // 4, len(debug) // 2, len(debug) - 4096,
                   len(debug) - 1):
        yield "cut to %d bytes" % length, debug[:length]
    half = len(debug) // 2
    yield "the second half is zeros", debug[:half] + bytes(len(debug) - half)
    yield "the beginning is zeros", bytes(4096) + debug[4096:]
    yield "the section headers are ones", debug[:-4096] + b"\xff" * 4096
    chance = random.Random(5)
    for number in range(8):
        broken = bytearray(debug)
        for _ in range(1 << number):
            broken[chance.randrange(len(debug))] ^= 1 << chance.randrange(8)
        yield "%d bits are wrong" % (1 << number), bytes(broken)


def test_a_damaged_debug_file(leakinspect, copied_python, start, tmp_path):
    target = copied_python.start(start)
    whole = copied_python.install_debug(tmp_path / "whole", copied_python.debug)
    truth = rows(leakinspect("types", target.pid, env=whole))
    refused = 0

    for number, (name, content) in enumerate(damages(copied_python.debug)):
        env = copied_python.install_debug(tmp_path / str(number), content)
        done = leakinspect.run("types", target.pid, env=env, timeout=60)
        if done.returncode == 0:
            # The damage is where nobody looked: then nothing may be wrong.
            assert rows(leakinspect("types", target.pid, env=env)) == truth, name
            continue
        refused += 1
        assert done.returncode in (FAILED, UNSUPPORTED), "%s: %s" % (name, done.stderr)
        assert_refused(done, done.returncode)
        assert copied_python.build_id in done.stderr or "debug" in done.stderr, done.stderr
        assert target.status("TracerPid") == "0"

    assert refused > 10
