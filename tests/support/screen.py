# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal as a person sees it: a program in tmux, keys sent to it, and what stands on the screen then."""

import os
import re
import subprocess
import time

# What differs from run to run, and what stands for it.
VARYING = [
    # As many characters, so that columns stay columns.
    (re.compile(r"0x[0-9a-f]+"), lambda found: "0x" + "A" * (len(found.group()) - 2)),
    (re.compile(r"/\S*/\.build-id/\S+"), "DEBUG-FILE"),
    # Told once it is a second.
    (re.compile(r", as of [\d.]+ s ago$"), ""),
    (re.compile(r"\b(stood still for|lived for) [\d.]+ (?:us|ms|s)\b"), r"\1 TIME"),
    (re.compile(r"\bcpython (\d+\.\d+)\.\d+\b"), r"cpython \1.N"),
    (re.compile(r"^\d+ cycles without"), "N cycles without"),
    (re.compile(r"\bleakinspect \d+\.\d+\.\d+$"), "leakinspect VERSION"),
]


class Screen:
    """A terminal of its own with a shell in it, which says "shell$ "."""

    def __init__(self, folder, env, columns=100, rows=32):
        self.socket = os.path.join(str(folder), "tmux")
        self.env = {key: value for key, value in env.items()
                    if key not in ("TMUX", "TMUX_PANE", "PAGER", "LESS", "INPUTRC")}
        self.env.update({"TERM": "screen", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null",
                         "LESSHISTFILE": "-", "HISTFILE": "",
                         # A hangup in the midst of LeakSanitizer's work would stop that for ever.
                         "ASAN_OPTIONS": env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                   "timeout", "--foreground", "900", "env", "PS1=shell$ ", "bash", "--norc", "-i")
        try:
            self.wait_for(r"^shell\$")
        except BaseException:
            self.stop()
            raise

    def _tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], env=self.env, check=True,
                              capture_output=True, text=True).stdout

    def type(self, text):
        """As it stands: no key names."""
        self._tmux("send-keys", "-l", "--", text)

    def press(self, *keys):
        """By name: Tab, Enter, C-c, Space."""
        self._tmux("send-keys", *keys)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def look(self):
        """What stands on it; a line that was too long for it is one line."""
        shown = self._tmux("capture-pane", "-p", "-J")
        return "\n".join(line.rstrip() for line in shown.rstrip("\n").split("\n")) + "\n"

    def wait_for(self, pattern, timeout=30):
        """Until a line matches at its end; what stands there then."""
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern + r"\s*\Z", re.MULTILINE)
        while True:
            shown = self.look()
            if expression.search(shown):
                return shown
            assert time.monotonic() < deadline, "no %r on the screen:\n%s" % (pattern, shown)
            time.sleep(0.02)

    def stop(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False,
                       capture_output=True)


def normal(shown, replaced):
    """@a shown with what varies replaced: first the texts of @a replaced, {text: what stands for it}."""
    for text, stands_for in replaced.items():
        shown = shown.replace(text, stands_for)
    for expression, stands_for in VARYING:
        shown = "\n".join(expression.sub(stands_for, line) for line in shown.split("\n"))
    return shown
