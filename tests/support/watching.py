# SPDX-License-Identifier: GPL-3.0-or-later
"""A `leakinspect watch` that runs beside a test, and the servers that read what it publishes."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

# As fast as it goes: the pause of a test hurts nobody.
FAST = ("-i", "50ms", "--max-pause-share", "100%")


def wait_for(condition, what, timeout=60):
    """What @a condition comes to say, once that is true."""
    end = time.monotonic() + timeout
    while True:
        said = condition()
        if said:
            return said
        assert time.monotonic() < end, "no %s within %d s" % (what, timeout)
        time.sleep(0.05)


class Watching:
    """A running watch; JSON and all else is read at its end."""

    def __init__(self, leakinspect, *words):
        self.process = leakinspect.start("watch", *words, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True)
        self.ended = None

    def url(self, timeout=60):
        """Where its metrics are, as it says first on stderr."""
        readable = select.select([self.process.stderr], [], [], timeout)[0]
        said = self.process.stderr.readline() if readable else ""
        found = re.fullmatch(r"leakinspect: metrics at (http://\S+)\n", said)
        assert found, said
        return found.group(1)

    def end(self, number=signal.SIGINT, timeout=60):
        """(exit status, stdout, stderr) of it, asked to stop unless @a number is None."""
        if not self.ended:
            if number is not None:
                self.process.send_signal(number)
            out, err = self.process.communicate(timeout=timeout)
            self.ended = self.process.returncode, out, err
        return self.ended

    def report(self, number=signal.SIGINT):
        status, out, err = self.end(number)
        assert status == 0, err
        return json.loads(out)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.process.stdout.close()
        self.process.stderr.close()


def get(url, accept=None, method="GET"):
    """(status, content type, text)"""
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """{(name, (label values)): value}"""
    found = {}
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = name, tuple(value for _, value in LABEL.findall(labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A program that serves on a free port of 127.0.0.1, ended by stop()."""

    def __init__(self, command, folder):
        self.log = open(os.path.join(str(folder), os.path.basename(command[0]) + ".log"), "wb")
        # Were we killed, it would end by itself.
        self.process = subprocess.Popen(["timeout", "--kill-after=5", "600", *command],
                                        cwd=str(folder), stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


class Prometheus(Server):
    """One of its own, which scrapes @a url each second."""

    CONFIG = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: leakinspect
    static_configs:
      - targets: ['%s']
"""

    def __init__(self, url, folder):
        config = os.path.join(str(folder), "prometheus.yml")
        with open(config, "w", encoding="ascii") as file:
            file.write(self.CONFIG % urllib.parse.urlsplit(url).netloc)
        port = free_port()
        self.url = "http://127.0.0.1:%d/" % port
        super().__init__(["prometheus", "--config.file=" + config,
                          "--storage.tsdb.path=" + os.path.join(str(folder), "data"),
                          "--web.listen-address=127.0.0.1:%d" % port], folder)

    def query(self, text):
        """[(labels, value)] of an expression; [] while it does not answer."""
        try:
            status, _, said = get(self.url + "api/v1/query?"
                                  + urllib.parse.urlencode({"query": text}))
        except OSError:
            return []
        if status != 200:
            return []
        return [(row["metric"], float(row["value"][1])) for row in
                json.loads(said)["data"]["result"]]
