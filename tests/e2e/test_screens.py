# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's session at the console, screen by screen: what stood there is kept in screens/.

LEAKINSPECT_SCREENS=write writes those files anew; look at what git says then."""

import os
import re
import time

import pytest

from support.screen import Screen, normal

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "screens")


@pytest.fixture
def target(debian_python, start):
    return start("screens.py", debian_python)


class Session:
    def __init__(self, leakinspect, target, folder):
        self.target = target
        self.prompt = r"^leakinspect %d>" % target.pid
        self.screen = Screen(folder, leakinspect.environment())
        self.program = leakinspect.path
        with open("/proc/%d/cmdline" % target.pid, encoding="utf-8") as words:
            arguments = words.read().rstrip("\0").replace("\0", " ")
        self.replaced = {arguments: "/usr/bin/python3 screens.py", leakinspect.path: "leakinspect",
                         str(target.pid): "PID"}

    def attach(self):
        self.screen.type("clear; %s attach %d" % (self.program, self.target.pid))
        self.screen.press("Enter")
        self.screen.wait_for(self.prompt)

    def run(self, line, until=None):
        """Types a line; waits for what stands at the end of the screen then."""
        self.screen.type(line)
        self.screen.press("Enter")
        return self.screen.wait_for(until or self.prompt)

    def clear(self):
        self.screen.press("C-l")
        self.screen.wait_for(r"\A" + self.prompt)

    def expect(self, name):
        """That the screen comes to be the one of that name."""
        path = os.path.join(FOLDER, name + ".txt")
        if os.environ.get("LEAKINSPECT_SCREENS") == "write":
            time.sleep(0.3)
            with open(path, "w", encoding="utf-8") as file:
                file.write(normal(self.screen.look(), self.replaced))
            return
        with open(path, encoding="utf-8") as file:
            expected = file.read()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            shown = normal(self.screen.look(), self.replaced)
            if shown == expected:
                return
            time.sleep(0.05)
        assert shown == expected


@pytest.fixture
def session(leakinspect, target, tmp_path):
    one = Session(leakinspect, target, tmp_path)
    yield one
    one.screen.stop()


def test_a_session_at_the_console(session):
    screen = session.screen
    session.target.ask("leak 3")
    session.attach()
    session.expect("attach")

    # A verb and a type on the Tab key.
    screen.type("ref")
    screen.press("Tab", "Tab")
    screen.wait_for(r"refs\n" + session.prompt.lstrip("^") + r" ref")
    session.expect("tab-verbs")
    screen.press("C-u")
    session.run("types -n 3 --filter __main__.")
    session.clear()
    screen.type("refe")
    screen.press("Tab")
    screen.wait_for("referrers")
    screen.type("__main__.O")
    screen.press("Tab")
    screen.wait_for("Owner")
    session.expect("tab-type")

    # A long table, a page at a time; q comes back.
    screen.press("Enter")
    screen.wait_for(r"^:")
    session.expect("pager-first-page")
    screen.press("Space")
    session.expect("pager-second-page")
    screen.press("q")
    screen.wait_for(session.prompt)
    session.expect("pager-left")

    session.clear()
    session.run("set pager off")
    session.run("set")
    session.expect("set")
    session.clear()
    session.run("set limit 3")
    session.run("referrers __main__.Owner")
    session.expect("limit")
    session.clear()
    session.run("cycles")
    session.expect("cycles")

    # A type that came later is there after refresh.
    session.target.ask("late")
    session.clear()
    session.run("show __main__.Late")
    session.run("refresh")
    session.run("show __main__.Late -q")
    session.expect("refresh")
    session.clear()
    session.run("quit", until=r"^shell\$")
    session.run("echo the shell is back", until=r"^the shell is back\nshell\$")
    session.expect("quit")
    assert session.target.is_alive() and session.target.status("TracerPid") == "0"


def test_ctrl_c_in_a_long_verb_and_in_the_pager(session):
    screen = session.screen
    session.target.ask("grow 1500000")
    session.attach()
    session.clear()
    screen.type("cycles --all")
    screen.press("Enter")
    # Its memory is being copied, and what takes longer begins.
    deadline = time.monotonic() + 20
    while session.target.status("TracerPid") == "0" and time.monotonic() < deadline:
        pass
    screen.press("C-c")
    screen.wait_for(session.prompt)
    session.expect("ctrl-c")
    session.clear()
    screen.type("referrers __main__.Owner")
    screen.press("Enter")
    screen.wait_for(r"^:")
    screen.press("C-c")
    screen.wait_for(session.prompt)
    session.clear()
    session.run("version")
    session.expect("ctrl-c-in-pager")
    assert session.target.is_alive() and session.target.status("TracerPid") == "0"


def test_a_window_that_becomes_narrower(session):
    screen = session.screen
    session.attach()
    session.clear()
    screen.type("types --filter __main__.Item --sort count -n 5 -q -v --no-color --json")
    screen.resize(40, 20)
    time.sleep(0.2)
    screen.press("C-u")
    screen.type("version")
    screen.press("Enter")
    screen.wait_for(session.prompt)
    shown = screen.look()
    assert re.search(r"^leakinspect \d+\.\d+\.\d+$", shown, re.MULTILINE), shown
    session.run("types -n 30", until=r"^:")
    screen.press("q")
    screen.wait_for(session.prompt)
