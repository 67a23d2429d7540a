# SPDX-License-Identifier: GPL-3.0-or-later
"""Code in a sealed clone: it sees what the process has, and reaches nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pexpect
import pytest

from support.as_before import assert_as_before, children

COLLECT = "__import__('gc').collect()"


def evaluate(leakinspect, target, expression, *options):
    return leakinspect("eval", target.pid, expression, *options)


def test_a_collection_in_the_clone_finds_what_the_process_then_finds(interpreter, start,
                                                                     leakinspect):
    target = start("serving.py", interpreter)
    target.ask("loops 1000")
    report = evaluate(leakinspect, target, COLLECT)
    # The same again: what was collected was the clone's.
    again = evaluate(leakinspect, target, COLLECT)["value"]
    assert (report["value"], again, report["type"]) == (target.ask("collect"), again, "int")
    assert int(again) >= 1000
    assert_as_before(target)


def test_a_collection_that_is_due_does_not_come_first(interpreter, start, leakinspect):
    target = start("due.py", interpreter)
    assert evaluate(leakinspect, target, COLLECT)["value"] == "50"
    assert evaluate(leakinspect, target, "__import__('gc').isenabled()")["value"] == "True"
    report = leakinspect("garbage", "--verify", target.pid)
    assert report["verified"]["returned"] == 50
    assert_as_before(target)


LINES = """\
cache
cache['answer'] = 43
cache['answer'] + 1
_
def twice(number):
    return 2 * number

twice(4)
for letter in 'ab':
    print(letter)

text = '''one
two'''
text
if False:
    pass
else:
    twice(5)

import gc
len(gc.garbage)
"""


def test_lines_on_stdin_are_run_like_those_at_pythons_own_prompt(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    done = leakinspect.run("repl", target.pid, input=LINES)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["{'answer': 42}", "44", "44", "8", "a", "b",
                                        "'one\\ntwo'", "10", "0"]
    assert evaluate(leakinspect, target, "cache")["value"] == "{'answer': 42}"
    assert_as_before(target)


def test_a_traceback_is_shown_and_the_status_tells(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    done = leakinspect.run("repl", target.pid, "-c",
                           "import sys\nsys.stdout.write('before\\n')\ncache['no']")
    assert (done.returncode, done.stdout) == (1, "before\n")
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[1] == '  File "<string>", line 3, in <module>'
    assert done.stderr.splitlines()[-1] == "KeyError: 'no'"
    assert leakinspect.run("eval", target.pid, "1 +").returncode == 1
    assert leakinspect.run("repl", target.pid, "-c", "raise SystemExit(3)").returncode == 1
    assert leakinspect.run("repl", target.pid, "-c", "raise SystemExit").returncode == 0
    assert_as_before(target)


def test_an_expression_that_is_too_deep_says_so(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    done = leakinspect.run("eval", target.pid, "+".join(["1"] * 3000))
    if done.returncode == 0:
        assert done.stdout == "3000\n"
    else:
        assert done.returncode == 1
        assert "RecursionError" in done.stderr or "copies of the process" in done.stderr or \
            "overflow" in done.stderr, done.stderr


def test_a_null_byte_in_a_line_is_an_error_of_that_line(debian_python, start, leakinspect):
    target = start("serving.py", debian_python)
    done = leakinspect.run("repl", target.pid, input="print(1)\0 (\nprint(2)\n")
    assert done.stdout == "2\n"
    assert "null bytes" in done.stderr


def test_an_answer_that_cannot_be_written_is_told(debian_python, start, leakinspect):
    target = start("serving.py", debian_python)
    for words in ("repl", "-c", "print(1)"), ("eval", "1"):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([leakinspect.path, words[0], str(target.pid), *words[1:]],
                                  stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                  env=leakinspect.environment(), text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "No space left on device" in done.stderr, done.stderr


def test_a_script_is_run_from_its_file(debian_python, start, leakinspect, tmp_path):
    target = start("serving.py", debian_python)
    script = tmp_path / "look.py"
    script.write_text("print(sorted(cache), 'ä')\n", encoding="utf-8")
    done = leakinspect.run("repl", target.pid, "--file", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "['answer'] ä\n", "")


# What each does, and what must come of it in the clone.
REFUSED = {
    "a file written": "open(path, 'w')",
    "a file made": "os.open(path, os.O_CREAT | os.O_RDONLY)",
    "a folder made": "os.mkdir(path)",
    "a file deleted": "os.unlink(kept)",
    "a file renamed": "os.rename(kept, path)",
    "rights changed": "os.chmod(kept, 0)",
    "a socket": "__import__('socket').socket()",
    "the parent killed": "os.kill(os.getppid(), 9)",
    "the parent's group killed": "os.killpg(os.getpgid(os.getppid()), 9)",
    "itself stopped": "os.kill(os.getpid(), 19)",
    "a fork": "os.fork()",
    "a program": "os.execv('/bin/true', ['true'])",
    "a subprocess": "__import__('subprocess').Popen(['/bin/true'])",
    "a queue opened": "os.open(queue, os.O_RDONLY | os.O_NONBLOCK)",
    "a terminal opened": "os.open('/dev/tty', os.O_RDONLY)",
    "the parent's pipe opened": "os.open('/proc/%d/fd/0' % os.getppid(), os.O_RDONLY)",
}


def test_what_would_reach_out_is_refused(interpreter, start, leakinspect, tmp_path):
    target = start("serving.py", interpreter)
    kept = tmp_path / "kept"
    kept.write_text("here")
    os.mkfifo(tmp_path / "queue")
    lines = ["import os, json", "path, kept, queue = %r, %r, %r" % (
        str(tmp_path / "new"), str(kept), str(tmp_path / "queue")), "seen = {}"]
    for name, code in REFUSED.items():
        lines += ["try:", "    %s" % code, "except Exception as error:",
                  "    seen[%r] = isinstance(error, EnvironmentError)" % name,
                  "else:", "    seen[%r] = 'done'" % name]
    lines += ["print(json.dumps(seen))"]
    done = leakinspect.run("repl", target.pid, "-c", "\n".join(lines))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == dict.fromkeys(REFUSED, True)
    assert sorted(os.listdir(tmp_path)) == ["kept", "queue"]
    assert kept.read_text() == "here"
    assert_as_before(target)


def test_descriptors_of_the_process_are_not_the_clones(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    code = ("import os\nfor fd in (0, 1, 2, reads, writes):\n"
            "    print(os.readlink('/proc/self/fd/%d' % fd))\n"
            "print(os.write(writes, b'x'))\nos.close(reads)\nos.close(writes)")
    done = leakinspect.run("repl", target.pid, "-c", code)
    assert done.stdout.splitlines() == ["/dev/null"] * 5 + ["1"], done.stderr
    assert_as_before(target)


# It ends the clone, and how that is told.
DEADLY = {
    "import os\nos._exit(7)": "it ended itself with status 7",
    "while True: pass": "it did not come to an end in time",
    "import time\ntime.sleep(1000)": "it did not come to an end in time",
    "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()":
        "it did not come to an end in time",
    "import ctypes\nctypes.string_at(16)": "it crashed: SIGSEGV",
    "import os\nos.abort()": "it crashed",
}


@pytest.mark.parametrize("code", DEADLY, ids=range(len(DEADLY)))
def test_code_that_ends_its_clone_ends_nothing_else(debian_python, start, leakinspect, code):
    target = start("serving.py", debian_python)
    done = leakinspect.run("repl", target.pid, "--timeout", 1, "-c", "print('begun')\n" + code)
    assert done.returncode == 1
    assert done.stdout in ("begun\n", "")
    assert DEADLY[code] in done.stderr
    assert_as_before(target)


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.8", "python3.13"], indirect=True)
def test_endless_code_is_given_up_on_other_versions_too(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    done = leakinspect.run("repl", target.pid, "--timeout", 1, "-c", "while True: pass")
    assert done.returncode == 1 and "did not come to an end in time" in done.stderr
    assert_as_before(target)


def test_memory_without_bound_is_an_error_in_the_clone(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    code = "kept = []\nwhile True:\n    kept.append(b'x' * (1 << 26))"
    done = leakinspect.run("repl", target.pid, "-c", code)
    assert done.returncode == 1
    assert "MemoryError" in done.stderr or "the copy of the process is gone" in done.stderr
    assert_as_before(target)


def test_threads_that_waited_for_the_lock_do_not_hold_it_up(interpreter, start, leakinspect):
    target = start("serving.py", interpreter)
    code = "import time\nfor _ in range(20):\n    time.sleep(0.001)\n    sum(range(100000))\nprint('through')"
    for _ in range(3):
        done = leakinspect.run("repl", target.pid, "-c", code)
        assert (done.returncode, done.stdout) == (0, "through\n"), done.stderr
    assert_as_before(target)


def test_the_process_serves_on_while_a_session_is_open(debian_python, start, leakinspect):
    target = start("serving.py", debian_python)
    run = leakinspect.start("repl", target.pid, stdin=-1, stdout=-1)
    run.stdin.write(b"len(cache)\n")
    run.stdin.flush()
    assert run.stdout.readline() == b"1\n"
    for _ in range(3):
        before = target.ask_json("count")
        time.sleep(0.1)
        assert all(map(int.__lt__, before, target.ask_json("count")))
    run.stdin.close()
    assert run.wait(30) == 0
    run.stdout.close()
    assert_as_before(target)


@pytest.mark.skipif(not shutil.which("ab"), reason="no ab (apache2-utils)")
def test_no_request_fails_while_sessions_come_and_go(debian_python, start, leakinspect):
    target = start("web.py", debian_python, [1000])
    requests = 3000
    load = subprocess.Popen(["ab", "-q", "-n", str(requests), "-c", "4",
                             "http://127.0.0.1:%s/" % target.ready],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        sessions = 0
        while sessions == 0 or load.poll() is None:
            done = leakinspect.run("repl", target.pid, input=(
                "import gc, sys\n"
                "gc.collect() >= 0\n"
                "web = sys.modules['__main__']\n"
                "del web.sessions[:]; web.server.socket.close()\n"
                "len(web.sessions), sum(range(1000000))\n"))
            assert (done.returncode, done.stdout) == (0, "True\n(0, 499999500000)\n"), done.stderr
            sessions += 1
        said = load.communicate()[0]
    finally:
        load.kill()
        load.wait()
    assert re.search(r"^Complete requests: +%d$" % requests, said, re.MULTILINE), said
    assert re.search(r"^Failed requests: +0$", said, re.MULTILINE), said
    assert "Non-2xx" not in said
    assert target.ask_json("answered") == requests
    assert_as_before(target)


def test_killed_in_a_session_leaves_no_clone(debian_python, start, leakinspect):
    target = start("serving.py", debian_python)
    run = leakinspect.start("repl", target.pid, stdin=-1, stdout=-1)
    run.stdin.write(b"len(cache)\n")
    run.stdin.flush()
    assert run.stdout.readline() == b"1\n"
    run.send_signal(signal.SIGKILL)
    run.wait(30)
    run.stdin.close()
    run.stdout.close()
    end = time.monotonic() + 2
    while children(target.pid) and time.monotonic() < end:
        time.sleep(0.005)
    assert_as_before(target)


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b=|\x1b>|\x07")


def test_a_prompt_at_a_terminal(debian_python, start, leakinspect):
    target = start("serving.py", debian_python)
    child = pexpect.spawn(leakinspect.path, ["repl", str(target.pid), "--timeout", "60"],
                          env=leakinspect.environment({"TERM": "xterm", "INPUTRC": "/dev/null"}),
                          timeout=60, encoding="utf-8", dimensions=(50, 200))
    try:
        child.expect_exact("nothing you do here reaches the process")
        child.expect_exact(">>> ")
        child.sendline("if cache:")
        child.expect_exact("... ")
        child.sendline("    kept = 5")
        child.expect_exact("... ")
        child.sendline("")
        child.expect_exact(">>> ")
        child.sendline("kept + 1")
        child.expect_exact("6\r\n")
        child.expect_exact(">>> ")
        child.sendline("while True: pass")
        child.sendline("")
        time.sleep(0.5)
        child.sendintr()
        child.expect_exact("new copy")
        child.expect_exact(">>> ")
        child.sendline("kept")
        child.expect_exact("NameError")
        child.expect_exact(">>> ")
        child.sendeof()
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)
    assert_as_before(target)


def test_a_prompt_within_the_console(debian_python, start, leakinspect):
    target = start("serving.py", debian_python)
    done = leakinspect.run("attach", target.pid, "-c", "eval 'cache'", "-c",
                           "repl -c 'print(len(cache))'", "-c", "info -q")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{'answer': 42}\n1\n")
    assert_as_before(target)
