# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts an inspected program and talks with it, one line each way (see programs/conversation.py)."""

import json
import os
import select
import subprocess
import time

from support.interpreters import PROGRAMS, environment


class Target:
    """A running program of tests/programs, ready to be inspected."""

    def __init__(self, program, interpreter, args=(), env=None, timeout=120):
        """Runs programs/PROGRAM (a path is taken as it is) and waits until it says it is ready."""
        script = program if os.path.isabs(program) else os.path.join(PROGRAMS, program)
        self._rest = b""
        self._process = subprocess.Popen([*interpreter.command, script, *map(str, args)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         bufsize=0, env=environment(env))
        self.pid = self._process.pid
        try:
            said = self._line(timeout)
            # What stands behind the word is for the test.
            assert said.startswith("ready"), "%s said %r first" % (program, said)
            self.ready = said[len("ready"):].strip()
        except BaseException:
            self.stop()
            raise

    def ask(self, line, timeout=120):
        """Sends a line and returns the one that comes back."""
        self._process.stdin.write(line.encode() + b"\n")
        return self._line(timeout)

    def ask_json(self, line, timeout=120):
        return json.loads(self.ask(line, timeout))

    def census(self):
        """The program's own truth over gc.get_objects(): {type name: (count, size)}."""
        return {name: tuple(numbers) for name, numbers in self.ask_json("census").items()}

    def is_alive(self):
        return self._process.poll() is None

    def status(self, field):
        """A line of /proc/PID/status: status("TracerPid") is "0"."""
        with open("/proc/%d/status" % self.pid, encoding="ascii", errors="replace") as status:
            for line in status:
                key, _, value = line.partition(":")
                if key == field:
                    return value.strip()
        raise KeyError(field)

    def stop(self):
        """Ends the program and returns its exit status; again, it only tells that."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        return self._process.returncode

    def finish(self, timeout=60):
        """Closes its standard input, at which a healthy program ends by itself with status 0."""
        self._process.stdin.close()
        return self._process.wait(timeout)

    def _line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            readable = left > 0 and select.select([self._process.stdout], [], [], left)[0]
            assert readable, "pid %d has not answered for %d s" % (self.pid, timeout)
            read = os.read(self._process.stdout.fileno(), 1 << 16)
            assert read, "pid %d ended, status %s" % (self.pid, self._process.wait(timeout))
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()
