# SPDX-License-Identifier: GPL-3.0-or-later
"""The leaking service of demo/, run and loaded by ab."""

import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.request

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(REPOSITORY, "demo", "leak_demo")
REQUESTS = 500


class Demo:
    """A running demo/leak_demo, ready."""

    def __init__(self, *options, program=PROGRAM):
        self.process = subprocess.Popen([program, "--port", "0", *options], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        readable = select.select([self.process.stdout], [], [], 60)[0]
        self.ready = self.process.stdout.readline() if readable else ""
        found = re.fullmatch(r"leak_demo: ready at (http://127\.0\.0\.1:\d+/) pid (\d+)\n",
                             self.ready)
        if not found:
            self.process.kill()
            said = self.process.communicate()[1]
            raise AssertionError("the demo said %r and %r" % (self.ready, said))
        self.url = found.group(1)
        assert int(found.group(2)) == self.pid

    def get(self, page):
        with urllib.request.urlopen(self.url + page, timeout=60) as answer:
            return answer.read().decode()

    def stats(self, page="stats"):
        return json.loads(self.get(page))

    def load(self, page, requests=REQUESTS):
        """Requests from ab, four at a time; all must succeed."""
        done = subprocess.run(["ab", "-q", "-n", str(requests), "-c", "4", self.url + page],
                              capture_output=True, text=True, timeout=300, check=True)
        assert re.search(r"Complete requests: +%d\b" % requests, done.stdout), done.stdout
        assert re.search(r"Failed requests: +0\b", done.stdout), done.stdout
        assert "Non-2xx responses" not in done.stdout, done.stdout

    def types_at_rest(self):
        """Counts by type with no load on it, as often asked as it takes to see each of the few
        states there are: the main thread may or may not still be waiting for the thread that
        answers to have started."""
        seen = []
        for _ in range(20):
            time.sleep(0.05)  # the thread of the request before ends
            seen.append(self.stats()["types"])
        return seen

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns its exit status and what it wrote to standard error."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said
