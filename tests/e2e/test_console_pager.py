# SPDX-License-Identifier: GPL-3.0-or-later
"""The console's pager and settings, and file names on the Tab key, at a terminal."""

import os
import re
import signal
import stat
import termios
import time

import pytest

from test_console import ESCAPES, Terminal


@pytest.fixture
def idle(debian_python, start):
    return start("idle.py", debian_python)


@pytest.fixture
def terminal(leakinspect):
    opened = []

    def open_terminal(pid, *words, env=None):
        opened.append(Terminal(leakinspect, pid, words, env))
        opened[-1].until_prompt()
        return opened[-1]

    yield open_terminal
    for console in opened:
        console.stop()


@pytest.fixture
def pager(tmp_path):
    """pager(SCRIPT) -> what PAGER is to be: a program that runs it and says its process id."""
    def make(script):
        program = tmp_path / "pager"
        program.write_text("#!/bin/sh\necho pager $$ begins\n%s" % script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return str(program)
    return make


def modes(console):
    """What the terminal is set to, as far as a program can leave it changed."""
    return termios.tcgetattr(console.child.child_fd)[:4]


def test_less_shows_a_long_answer_and_q_comes_back(terminal, idle):
    console = terminal(idle.pid, env={"PAGER": None})
    before = modes(console)
    console.child.sendline("types")
    console.child.expect_exact("\n:")
    console.child.send(" ")
    console.child.expect_exact(":")
    console.child.send("q")
    console.until_prompt()
    assert modes(console) == before
    assert re.search(r"leakinspect \d", console.ask("version"))
    assert console.leave() == 0


def test_ctrl_c_in_less_comes_back(terminal, idle):
    console = terminal(idle.pid, env={"PAGER": None})
    before = modes(console)
    console.child.sendline("types")
    console.child.expect_exact("\n:")
    console.child.sendintr()
    console.until_prompt()
    assert modes(console) == before
    # It ended the pager, and nothing that comes later.
    assert "everything was read" in console.ask("types -n 2")
    assert console.leave() == 0


def test_a_pager_of_ones_own_gets_the_whole_answer(terminal, idle, pager, tmp_path):
    console = terminal(idle.pid, env={"PAGER": pager("cat > '%s/seen'\n" % tmp_path) + " -x"})
    assert re.search(r"^pager \d+ begins", console.ask("types"))
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("process %d" % idle.pid) and seen.endswith("everything was read\n")
    # Help is an answer, too; a short one is not paged.
    assert "pager" not in console.ask("types -n 3")
    assert "begins" in console.ask("help types") or "usage" not in console.ask("version")


def test_a_pager_that_does_not_heed_ctrl_c_is_ended(terminal, idle, pager):
    console = terminal(idle.pid, env={"PAGER": pager("trap '' INT TERM; stty -echo raw\n"
                                                     "while :; do sleep 0.1; done\n")})
    before = modes(console)
    console.child.sendline("types")
    console.child.expect(r"pager (\d+) begins")
    pid = int(console.child.match.group(1))
    deadline = time.monotonic() + 30
    while modes(console) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    # The terminal is raw now: Ctrl-C is no signal any more, another one is.
    os.kill(console.child.pid, signal.SIGINT)
    console.until_prompt()
    assert not os.path.exists("/proc/%d" % pid)
    assert modes(console) == before


def test_sigterm_during_the_pager_ends_both(terminal, idle, pager):
    console = terminal(idle.pid, env={"PAGER": pager("exec sleep 1000\n")})
    console.child.sendline("types")
    console.child.expect(r"pager (\d+) begins")
    pid = int(console.child.match.group(1))
    console.child.kill(signal.SIGTERM)
    console.child.expect(r"interrupted by TERM")
    console.child.wait()
    assert not os.path.exists("/proc/%d" % pid)
    assert idle.is_alive() and idle.status("TracerPid") == "0"


@pytest.mark.parametrize("value", ["", "cat", "no-such-program-anywhere", "less 'unclosed"])
def test_without_a_pager_the_answer_is_printed(terminal, idle, value):
    console = terminal(idle.pid, env={"PAGER": value})
    assert "everything was read" in console.ask("types")


def test_set_pager_off(terminal, idle, pager):
    console = terminal(idle.pid, env={"PAGER": pager("cat\n")})
    assert "begins" in console.ask("types")
    assert console.ask("set pager off") == ""
    answer = console.ask("types")
    assert "begins" not in answer and "everything was read" in answer
    assert re.match(r"pager +off ", console.ask("set pager"))
    assert "begins" not in console.ask("set")


def test_settings_hold_for_the_lines_to_come(terminal, idle):
    console = terminal(idle.pid)
    console.ask("set limit 2")
    assert re.search(r"^\(\d+ more types\)", console.ask("types"), re.MULTILINE)
    assert not re.search(r"more types", console.ask("types -n 0"))
    console.ask("set snapshot clone")
    assert "a clone of it was read" in console.ask("types")
    assert "a clone of it was read" not in console.ask("types --snapshot copy")
    assert re.match("snapshot +copy ", console.ask("set snapshot"))
    assert "there is no setting 'pagr'" in console.ask("set pagr off")
    assert "pager is on or off" in console.ask("set pager of")
    listed = console.ask("set")
    assert re.search(r"^limit +2 ", listed, re.MULTILINE)


def test_lines_that_nobody_types_have_no_pager(leakinspect, idle, pager):
    done = leakinspect.run("attach", idle.pid, "-c", "set limit 2", "-c", "types",
                           env={"PAGER": pager("cat\n")})
    assert done.returncode == 0
    assert "begins" not in done.stdout and "more types" in done.stdout


def test_tab_completes_files(terminal, idle, tmp_path):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "heap-of-today.txt").write_text("mine")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "heap.txt").write_text("mine")
    console = terminal(idle.pid)
    console.child.send("types -o %s/pl\the\t\n" % tmp_path)
    assert "'%s/plain/heap.txt' exists" % tmp_path in console.until_prompt()
    console.child.send("types --output=%s/pl\the\t\n" % tmp_path)
    assert "'%s/plain/heap.txt' exists" % tmp_path in console.until_prompt()
    console.child.send("types -o %s/a\the\t\n" % tmp_path)
    assert "'%s/a folder/heap-of-today.txt' exists" % tmp_path in console.until_prompt()
    assert (tmp_path / "plain" / "heap.txt").read_text() == "mine"


def test_tab_completes_settings(terminal, idle):
    console = terminal(idle.pid)
    console.child.send("set pa\tof\t\n")
    assert ESCAPES.sub("", console.until_prompt()).startswith("set pager off")
    assert re.match(r"pager +off ", console.ask("set pager"))


def resize(console, rows, columns):
    """Until the console has answered in the new window: it draws its prompt anew in between."""
    console.child.setwinsize(rows, columns)
    console.child.sendline("version")
    console.child.expect(r"leakinspect [0-9.]+\r\n")
    console.until_prompt()


def test_a_window_that_changes_is_noticed(terminal, idle, pager):
    console = terminal(idle.pid, env={"PAGER": pager("cat\n")})
    assert "begins" not in console.ask("types -n 20")
    resize(console, 12, 100)
    assert "begins" in console.ask("types -n 20")
    resize(console, 60, 100)
    assert "begins" not in console.ask("types -n 20")
