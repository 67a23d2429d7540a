# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts an inspected program and talks with it, one line each way (see programs/conversation.py)."""

import json
import os
import platform
import select
import subprocess
import time

from support.interpreters import PROGRAMS, environment

# The number of read() in /proc/PID/syscall.
READ = {"x86_64": "0", "aarch64": "63"}.get(platform.machine())


class Target:
    """A running program of tests/programs, ready to be inspected."""

    def __init__(self, program, interpreter, args=(), env=None, timeout=120, reads=True):
        """Runs programs/PROGRAM (a path is taken as it is) and waits until it says it is ready.
        @a reads: its main thread waits for lines; it need not be waited for otherwise."""
        script = program if os.path.isabs(program) else os.path.join(PROGRAMS, program)
        self._rest = b""
        self._reads = reads
        self._process = subprocess.Popen([*interpreter.command, script, *map(str, args)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         bufsize=0, env=environment(env))
        self.pid = self._process.pid
        try:
            said = self._line(timeout)
            # What stands behind the word is for the test.
            assert said.startswith("ready"), "%s said %r first" % (program, said)
            self.ready = said[len("ready"):].strip()
            self._wait_until_it_waits(timeout)
        except BaseException:
            self.stop()
            raise

    def tell(self, line):
        """Sends a line that is not answered."""
        self._process.stdin.write(line.encode() + b"\n")

    def ask(self, line, timeout=120):
        """Sends a line and returns the one that comes back, when the program waits for the next."""
        self.tell(line)
        answer = self._line(timeout)
        self._wait_until_it_waits(timeout)
        return answer

    def hear(self, timeout=60):
        """The next line that it says unasked."""
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

    def _wait_until_it_waits(self, timeout):
        """An answer is here before its program is back at reading: until then its heap is not the
        one it counted. Where the kernel tells no system calls, a sleeping program must do."""
        end = time.monotonic() + timeout
        while self._reads:
            assert time.monotonic() < end, "pid %d does not wait for a line" % self.pid
            try:
                with open("/proc/%d/syscall" % self.pid, encoding="ascii") as syscall:
                    fields = syscall.read().split()
                if fields[0] == READ and int(fields[1], 16) == 0:
                    return
            except (PermissionError, FileNotFoundError):
                if self.status("State").startswith("S"):
                    return
            except (IndexError, ValueError):
                pass  # "running"
            time.sleep(0.0002)

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
