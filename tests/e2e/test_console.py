# SPDX-License-Identifier: GPL-3.0-or-later
"""The console: at a terminal with readline, with lines from -c, and with lines from stdin."""

import json
import os
import re
import signal
import stat
import subprocess

import pexpect
import pytest

# What readline and the terminal put between the characters.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07")


@pytest.fixture
def idle(debian_python, start):
    return start("idle.py", debian_python)


class Terminal:
    """A console in a terminal of its own."""

    def __init__(self, leakinspect, pid, words=(), env=None):
        self.prompt = "leakinspect %d> " % pid
        environment = leakinspect.environment({"TERM": "xterm", "INPUTRC": "/dev/null",
                                               "PAGER": "cat"})
        environment.update(env or {})
        environment = {key: value for key, value in environment.items() if value is not None}
        self.child = pexpect.spawn(leakinspect.path, ["attach", str(pid), *words],
                                   env=environment, timeout=60, encoding="utf-8",
                                   dimensions=(50, 200))

    def until_prompt(self):
        """What was said until the next prompt, without what the terminal needs."""
        self.child.expect_exact(self.prompt)
        return ESCAPES.sub("", self.child.before).replace("\r", "")

    def ask(self, line):
        """The answer to a line, without its echo."""
        self.child.sendline(line)
        return self.until_prompt().partition("\n")[2]

    def leave(self):
        """Ctrl-D; the exit status."""
        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        self.child.wait()
        return self.child.exitstatus

    def stop(self):
        self.child.close(force=True)


@pytest.fixture
def terminal(leakinspect):
    opened = []

    def open_terminal(pid, *words, env=None):
        opened.append(Terminal(leakinspect, pid, words, env))
        return opened[-1]

    yield open_terminal
    for console in opened:
        console.stop()


def test_the_banner_tells_what_it_attached_to(terminal, idle):
    console = terminal(idle.pid)
    banner = console.until_prompt()
    assert re.search(r"^attached to process %d: .*idle\.py$" % idle.pid, banner, re.MULTILINE)
    assert re.search(r"^cpython 3\.11\.\d+, release build, described by /\S+$", banner,
                     re.MULTILINE)
    assert re.search(r"stood still for [\d.]+ (us|ms|s) and runs again", banner)
    assert idle.status("TracerPid") == "0"
    assert console.leave() == 0


def test_quiet_has_no_banner(terminal, idle):
    assert terminal(idle.pid, "-q").until_prompt() == ""


@pytest.mark.parametrize("line", ["quit", "exit"])
def test_quit_and_exit_leave(terminal, idle, line):
    console = terminal(idle.pid)
    console.until_prompt()
    console.child.sendline(line)
    console.child.expect(pexpect.EOF)
    console.child.wait()
    assert console.child.exitstatus == 0
    assert idle.is_alive()


def test_verbs_stand_without_target(terminal, idle):
    console = terminal(idle.pid)
    console.until_prompt()
    table = console.ask("types -n 3 --sort=size")
    assert re.search(r"^TYPE +COUNT +TRACKED +SIZE +REFS$", table, re.MULTILINE)
    assert "everything was read" in table
    assert json.loads(console.ask("types --json -n 1"))["target"]["pid"] == idle.pid
    assert "thresholds" in console.ask("info")
    assert idle.is_alive() and idle.status("TracerPid") == "0"


def test_help_is_that_of_the_console(terminal, idle):
    console = terminal(idle.pid)
    console.until_prompt()
    overview = console.ask("help")
    assert re.search(r"^  quit ", overview, re.MULTILINE)
    assert not re.search(r"^  attach ", overview, re.MULTILINE)
    assert console.ask("help types").startswith("usage: types [OPTIONS]\n")
    assert console.ask("types --help") == console.ask("help types")


def test_a_wrong_line_is_told_and_the_console_goes_on(terminal, idle):
    console = terminal(idle.pid)
    console.until_prompt()
    assert console.ask("tpyes") == ("leakinspect: there is no verb 'tpyes'; did you mean "
                                    "'types'?\ntry 'help'\n")
    assert "try 'help types'" in console.ask("types --nonsense")
    assert "one word too many" in console.ask("types %d" % idle.pid)
    assert "leave it to inspect another" in console.ask("types -p 1")
    assert "before the closing" in console.ask("types 'abc")
    assert "of the command line only" in console.ask("attach 1")
    assert console.ask("") == ""
    assert console.ask("   # a comment") == ""
    assert "everything was read" in console.ask("types")
    assert console.leave() == 0


def test_tab_completes_verbs_options_and_choices(terminal, idle):
    console = terminal(idle.pid)
    console.until_prompt()
    console.child.send("ty\t--so\tsi\t\n")
    answer = console.until_prompt()
    assert "types --sort size" in answer
    assert "everything was read" in answer


def test_tab_completes_types_of_the_last_census_and_stops_nobody_for_it(
        terminal, debian_python, start):
    target = start("hostile_names.py", debian_python)
    console = terminal(target.pid)
    console.until_prompt()
    # Nothing has been counted yet: nothing to complete, nobody stopped.
    console.child.send("types --filter shop.Car\t\n")
    assert "shop.Cart.Item" not in console.until_prompt().partition("\n")[0]
    console.child.send("types --filter shop.Car\t -q\n")
    assert console.until_prompt().partition("\n")[0] == "types --filter shop.Cart.Item  -q"
    # What a terminal should not be shown is not offered.
    console.child.send("types --filter shop.\t\t")
    console.child.expect_exact("shop.Snake")
    console.child.sendline("")
    assert "\x1b[31m" not in console.child.before
    console.until_prompt()


def test_ctrl_c_drops_the_line_and_not_the_console(terminal, idle):
    console = terminal(idle.pid)
    console.until_prompt()
    console.child.send("types --nons")
    console.child.expect_exact("types --nons")
    console.child.sendintr()
    console.until_prompt()
    assert "everything was read" in console.ask("types")
    assert console.leave() == 0


def test_ctrl_c_ends_a_verb_and_not_the_console(terminal, debian_python, start):
    target = start("always_collecting.py", debian_python)
    console = terminal(target.pid)
    console.until_prompt()
    for _ in range(5):
        console.child.sendline("types -q")
        console.child.expect_exact("types -q\r\n")
        console.child.sendintr()
        # Done already, or interrupted: there is a prompt again.
        console.until_prompt()
        console.child.sendline("version")
        console.child.expect("leakinspect [0-9.]+\r\n")
        console.until_prompt()
    assert target.is_alive() and target.status("TracerPid") == "0"


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_a_signal_to_end_ends_the_console_and_keeps_its_history(terminal, idle, tmp_path, name):
    console = terminal(idle.pid, env={"XDG_STATE_HOME": str(tmp_path)})
    console.until_prompt()
    console.ask("version")
    console.child.send("half a li")
    console.child.expect_exact("half a li")
    console.child.kill(getattr(signal, name))
    console.child.expect(pexpect.EOF)
    console.child.wait()
    assert console.child.exitstatus == 1
    assert (tmp_path / "leakinspect" / "history").read_text() == "version\n"
    assert idle.is_alive() and idle.status("TracerPid") == "0"


def test_ctrl_z_and_back(leakinspect, idle):
    shell = pexpect.spawn("bash", ["--norc", "-i"], timeout=60, encoding="utf-8",
                          dimensions=(50, 200),
                          env=leakinspect.environment({"TERM": "xterm", "PS1": "shell$ ",
                                                       "INPUTRC": "/dev/null"}))
    try:
        prompt = "leakinspect %d> " % idle.pid
        shell.expect_exact("shell$ ")
        shell.sendline("%s attach -q %d" % (leakinspect.path, idle.pid))
        shell.expect_exact(prompt)
        shell.sendcontrol("z")
        shell.expect_exact("shell$ ")
        shell.sendline("fg")
        shell.expect_exact(prompt)
        shell.sendline("types -q -n 1")
        shell.expect("\r\ntotal ")
        shell.expect_exact(prompt)
        shell.sendline("quit")
        shell.expect_exact("shell$ ")
    finally:
        shell.close(force=True)


def test_the_history_is_kept_and_private(terminal, idle, tmp_path):
    env = {"XDG_STATE_HOME": str(tmp_path)}
    console = terminal(idle.pid, env=env)
    console.until_prompt()
    console.ask("types -n 1 -q")
    console.ask("types -n 1 -q")
    console.leave()
    path = tmp_path / "leakinspect" / "history"
    assert path.read_text() == "types -n 1 -q\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again = terminal(idle.pid, env=env)
    again.until_prompt()
    again.child.send("\x1b[A\n")
    assert "types -n 1 -q" in again.until_prompt()
    again.ask("help")
    again.leave()
    # The same line again, in another run, is one line more at most.
    assert path.read_text().splitlines()[-1] == "help"


def test_a_history_that_cannot_be_kept_is_told(terminal, idle):
    console = terminal(idle.pid, env={"XDG_STATE_HOME": "/proc/nowhere"})
    console.until_prompt()
    console.ask("help")
    console.child.sendeof()
    console.child.expect_exact("cannot keep the history")
    console.child.expect(pexpect.EOF)


def test_an_end_of_the_process_is_noticed_while_nobody_types(terminal, idle):
    console = terminal(idle.pid)
    console.until_prompt()
    idle.finish()
    console.child.expect_exact("process %d has ended" % idle.pid)
    console.until_prompt()
    answer = console.ask("types")
    assert answer == ("leakinspect: process %d has ended, there is nothing left to inspect; quit "
                      "leaves\n" % idle.pid)
    assert "types" in console.ask("help")
    assert console.leave() == 0


def test_lines_of_c_are_run_in_order(leakinspect, idle):
    done = leakinspect.run("attach", idle.pid, "-q", "-c", "types -n 1", "-c", "info",
                           "--command=version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\ATYPE .*^argv .*^leakinspect \d", done.stdout, re.MULTILINE | re.DOTALL)


def test_json_of_a_line_is_one_document_and_nothing_else(leakinspect, idle):
    done = leakinspect.run("attach", idle.pid, "-c", "types --json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["verb"] == "types"


def test_the_status_is_that_of_the_first_line_that_failed(leakinspect, idle, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("")
    run = lambda *lines: leakinspect.run(
        "attach", idle.pid, *[word for line in lines for word in ("-c", line)])
    assert run("types -n 1", "version").returncode == 0
    assert run("nonsense", "types -o %s" % taken).returncode == 2
    failed = run("types -o %s" % taken, "nonsense", "version")
    assert failed.returncode == 1
    assert failed.stdout.startswith("leakinspect ")


def test_lines_of_stdin_are_run_and_the_console_ends_with_them(leakinspect, idle):
    done = leakinspect.run("attach", idle.pid, input="# a comment\n\ntypes -q -n 1\nversion")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("TYPE ")
    assert re.search(r"^leakinspect \d", done.stdout, re.MULTILINE)
    assert "> " not in done.stdout
    done = leakinspect.run("attach", idle.pid, input="nonsense\nquit\nversion\n")
    assert done.returncode == 2
    assert done.stdout == ""


def test_lines_after_the_end_of_the_process_fail_with_a_sentence(leakinspect, idle):
    process = leakinspect.start("attach", idle.pid, stdin=subprocess.PIPE, bufsize=0,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.stdin.write(b"version\n")
        assert process.stdout.readline().startswith(b"leakinspect ")
        idle.finish()
        said = process.communicate(b"types\ninfo\nversion\n", timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    sentence = b"leakinspect: process %d has ended, there is nothing left to inspect" % idle.pid
    assert said[1].count(sentence) == 2
    assert said[0].startswith(b"leakinspect ")


def test_a_console_for_nothing_fails_at_once(leakinspect):
    done = leakinspect.run("attach", os.getpid(), "-c", "types")
    assert done.returncode in (0, 1, 4)
    done = leakinspect.run("attach", 2 ** 22 + 1, "-c", "version")
    assert done.returncode == 1
    assert done.stdout == ""
