# SPDX-License-Identifier: GPL-3.0-or-later
"""A running GDB with the commands of gdb-scripts/ loaded, one line each way."""

import json
import os
import select
import subprocess
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(REPOSITORY, "gdb-scripts", "leak.gdb")
# Nothing of the user's, nothing from the net, no questions.
OPTIONS = ["-nx", "-q", "-iex", "set debuginfod enabled off", "-iex",
           "set auto-load python-scripts off", "-iex", "set pagination off", "-iex",
           "set confirm off", "-iex", "set width 0"]
# A line that GDB prints when it is done with what came before.
DONE = "== done =="


def batch(*arguments, timeout=120, script=SCRIPT, **options):
    """gdb -batch with leak.gdb loaded and @arguments behind it; a CompletedProcess with text. Commands
    are given as -ex by the caller, as a user would."""
    return subprocess.run(["gdb", *OPTIONS, "-batch", "-x", script, *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


class Gdb:
    """GDB without a terminal; ended by close()."""

    def __init__(self, *arguments):
        self._rest = b""
        self._process = subprocess.Popen(
            ["gdb", *OPTIONS, "-iex", "set prompt", "-x", SCRIPT, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self.ask()

    def ask(self, *commands, timeout=120):
        """Runs commands; everything that GDB printed."""
        lines = list(commands) + ["echo \\n%s\\n" % DONE]
        self._process.stdin.write("".join(line + "\n" for line in lines).encode())
        said, end = [], time.monotonic() + timeout
        while True:
            line = self._line(end)
            if line.strip() == DONE:
                return "".join(said)
            said.append(line)

    def json(self, command, timeout=120):
        """The JSON document that a command of leak's prints."""
        said = self.ask(command + " -json", timeout=timeout)
        documents = [line for line in said.splitlines() if line.startswith('{"verb"')]
        assert len(documents) == 1, said
        return json.loads(documents[0])

    def close(self):
        """Ends it; what it was attached to goes on."""
        if self._process.poll() is None:
            try:
                self._process.stdin.write(b"detach\nquit\n")
                self._process.wait(20)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _line(self, end):
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            readable = left > 0 and select.select([self._process.stdout], [], [], left)[0]
            assert readable, "gdb has not answered; it said %r" % self._rest[-2000:]
            read = os.read(self._process.stdout.fileno(), 1 << 16)
            assert read, "gdb ended, status %s" % self._process.wait(20)
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace") + "\n"
