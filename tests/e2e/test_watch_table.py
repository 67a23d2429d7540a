# SPDX-License-Identifier: GPL-3.0-or-later
"""watch at a terminal: a screen that is drawn anew in place, and the terminal as it was afterwards."""

import re
import time

import pytest

from support.screen import Screen

KEPT = r"__main__\.Kept"


@pytest.fixture
def growing(debian_python, start):
    return start("growing.py", debian_python)


@pytest.fixture
def screen(leakinspect, tmp_path):
    """screen(words of watch...) -> the Screen it runs on."""
    started = []

    def start(*words, **size):
        started.append(Screen(tmp_path, leakinspect.environment(), **size))
        started[-1].type("%s watch %s" % (leakinspect.path, " ".join(map(str, words))))
        started[-1].press("Enter")
        return started[-1]

    yield start
    for one in started:
        one.stop()


def wait_for(screen, pattern, timeout=60):
    """The match, anywhere on the screen, as soon as there is one, and all that is shown."""
    end = time.monotonic() + timeout
    while True:
        shown = screen.look()
        found = re.search(pattern, shown, re.MULTILINE)
        if found:
            return found, shown
        assert time.monotonic() < end, "no %r on the screen:\n%s" % (pattern, shown)
        time.sleep(0.05)


FAST = ("-i", "200ms", "--max-pause-share", "100%")


def test_types_are_shown_by_growth_in_place(growing, screen):
    # Wide enough for the program's path, wherever that is.
    one = screen(growing.pid, *FAST, columns=250)
    wait_for(one, r"^watching %d for \d+ s, every 200 ms: .*growing\.py$" % growing.pid)
    wait_for(one, r"^rss [\d.]+ MiB \(\+0 B\)   objects [\d,]+ \(\+0\)   garbage 0 \(\+0\)   "
                  r"stood still [\d.]+ %$")
    growing.ask("grow 1000")
    _, shown = wait_for(one, r"^%s +1,000 +\+1,000 +\+[\d,]+ +\+[\d.]+ KiB +once$" % KEPT)
    lines = shown.split("\n")
    # From the top of the screen, and one table however often it was drawn.
    assert lines[0].startswith("watching ") and lines[2] == ""
    assert re.match(r"TYPE +COUNT +GROWTH +PER MINUTE +SIZE +TREND$", lines[3])
    assert shown.count("TREND") == 1
    assert re.match(KEPT + " ", lines[4])
    growing.ask("grow 500")
    wait_for(one, r"^%s +1,500 +\+1,500 .* grows$" % KEPT)


def test_the_time_goes_on_between_two_points(growing, screen):
    one = screen(growing.pid, "-i", "1h")
    wait_for(one, r"^watching \d+ for 1 s,")
    wait_for(one, r"^watching \d+ for 3 s,")


def test_the_terminal_is_as_it_was_and_the_answer_is_on_it(growing, screen):
    one = screen(growing.pid, *FAST)
    wait_for(one, "^watching ")
    growing.ask("grow 1000")
    wait_for(one, r"^%s +1,000" % KEPT)
    one.press("C-c")
    shown = one.wait_for(r"^everything was read\nshell\$")
    # What was typed still stands above the answer: the screen of before is back.
    assert re.search(r"^shell\$ .*leakinspect watch %d" % growing.pid, shown, re.MULTILINE)
    assert "watching" not in shown.split("\n", 1)[1].replace("leakinspect watch", "")
    assert re.search(r"^%s +1,000 +\+1,000" % KEPT, shown, re.MULTILINE)
    assert re.search("^the process stood still for [^ ]+ % of that time", shown, re.MULTILINE)
    # The cursor is there again, and long lines wrap.
    one.type("echo " + "x" * 120)
    assert one._tmux("display-message", "-p", "#{cursor_flag} #{wrap_flag} #{alternate_on}") == \
        "1 1 0\n"
    assert growing.status("TracerPid") == "0"


def test_it_fits_itself_into_the_window(growing, screen):
    one = screen(growing.pid, *FAST, columns=100, rows=30)
    wait_for(one, "^watching ")
    growing.ask("grow 1000")
    wait_for(one, r"^%s +1,000" % KEPT)
    one.resize(40, 5)
    end = time.monotonic() + 30
    while True:
        lines = one.look().rstrip("\n").split("\n")
        if len(lines) == 5 and all(len(line) <= 40 for line in lines) and \
                lines[0].startswith("watching ") and lines[4].startswith("__main__.Kept"):
            break
        assert time.monotonic() < end, lines
        time.sleep(0.05)
    one.resize(100, 30)
    wait_for(one, r"^%s +1,000 +\+1,000 +\+[\d,]+ +\+[\d.]+ KiB +\w+$" % KEPT)


def test_conditions_and_workers_are_told_below(debian_python, start, screen):
    prefork = start("prefork.py", debian_python)
    worker = int(prefork.ask("spawn 1"))
    one = screen(prefork.pid, "--children", *FAST, "--when", "'growth(__main__.Kept)>5/min'",
                 columns=120)
    wait_for(one, r"^watching 2 processes for ")
    wait_for(one, r"^%d +rss [\d.]+ MiB" % worker)
    prefork.ask("grow 10")
    found, shown = wait_for(one, r"^\d\d:\d\d:\d\d  process %d: growth\(__main__\.Kept\)>5/min: "
                                 r"it is 10/min$" % worker)
    assert re.search(r"^ *%d  %s +10 +\+10 " % (worker, KEPT), shown, re.MULTILINE)
    prefork.ask("retire")
    wait_for(one, r"^\d\d:\d\d:\d\d  process %d is not watched any more: the process has ended$"
             % worker)


def test_it_ends_with_the_process(growing, screen):
    one = screen(growing.pid, "-i", "1h")
    wait_for(one, "^watching ")
    growing.finish()
    one.wait_for(r"^ended: the process has ended\n(?:.*\n)*shell\$")


def test_a_terminal_that_is_dumb_gets_lines(growing, leakinspect, tmp_path):
    one = Screen(tmp_path, leakinspect.environment())
    try:
        one.type("TERM=dumb %s watch %d -c 2 -i 100ms" % (leakinspect.path, growing.pid))
        one.press("Enter")
        wait_for(one, r"^TIME +RSS +VSS")
    finally:
        one.stop()
