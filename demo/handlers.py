# SPDX-License-Identifier: GPL-3.0-or-later
"""The URLs of leak_demo, each a leak from the literature. Imported by leak_demo.c as `leak_demo`."""

import collections
import gc
import http.server
import itertools
import json
import os
import signal
import socketserver
import sys
import threading
import time

import _leak_demo

# What every leaked thing drags along, so that the leak also shows in the memory of the process.
PAYLOAD_BYTES = 10000


# /cycle: an uncollectable cycle

class Parent:
    """Holds its child, and the child holds it: neither count of references ever reaches 0."""

    def __init__(self):
        self.payload = bytearray(PAYLOAD_BYTES)
        self.child = Child(self)

    def __del__(self):
        self.payload = None


class Child:
    def __init__(self, parent):
        self.parent = parent

    def __del__(self):
        self.parent = None


# Before Python 3.4 the two `__del__` were enough. Which one is to run first? The collector cannot
# know, runs neither, and puts both objects into gc.garbage.
_leak_demo.give_legacy_finalizer(Parent)
_leak_demo.give_legacy_finalizer(Child)


def make_cycle():
    Parent()


def make_fixed():
    parent = Parent()
    child = parent.child
    del child.parent


# /pending: a cycle the collector could free, if somebody let it

class PendingParent:
    def __init__(self):
        self.payload = bytearray(PAYLOAD_BYTES)
        self.child = PendingChild(self)

    def __del__(self):
        self.payload = None


class PendingChild:
    def __init__(self, parent):
        self.parent = parent

    def __del__(self):
        self.parent = None


def make_pending():
    PendingParent()


# /global: a list that only grows

class Visit:
    def __init__(self):
        self.at = time.time()
        self.payload = bytearray(PAYLOAD_BYTES)


VISITS = []


def make_global():
    VISITS.append(Visit())


# /session: a request that a session keeps

class Request:
    def __init__(self):
        self.payload = bytearray(PAYLOAD_BYTES)

    def parse(self):
        raise ValueError("the form has no such field")

    def finish(self):
        self.payload = None


SESSIONS = {}
SESSION_NUMBERS = itertools.count(1)


def make_session():
    request = Request()
    try:
        request.parse()
    except ValueError as error:
        # Twice held: by the method bound to it, and by the error, whose traceback has this frame
        # with its local variable `request`, and every caller's frame behind it.
        SESSIONS[next(SESSION_NUMBERS)] = {"on_finish": request.finish, "error": error}


def make_nothing():
    pass


# /stats: the truth

def type_name(kind):
    if kind.__module__ in ("builtins", None):
        return kind.__qualname__
    return "%s.%s" % (kind.__module__, kind.__qualname__)


def count_types(objects):
    return dict(collections.Counter(type_name(type(item)) for item in objects).most_common())


def rss_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


REQUESTS = collections.Counter()
REQUESTS_LOCK = threading.Lock()


def stats():
    with REQUESTS_LOCK:
        requests = dict(REQUESTS)
    return {
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "rss": rss_bytes(),
        "requests": requests,
        "gc_enabled": gc.isenabled(),
        "garbage": len(gc.garbage),
        "garbage_by_type": count_types(gc.garbage),
        "types": count_types(gc.get_objects()),
    }


def collect():
    found = gc.collect()
    return dict(stats(), collected=found)


def as_json(report):
    # Not json.dumps(indent=...): its encoder is a knot of closures, so under --no-gc the report
    # itself would leak.
    lines = []
    for key, value in report.items():
        text = json.dumps(value)
        if isinstance(value, dict) and value:
            items = ["  %s: %d" % (json.dumps(name), count) for name, count in value.items()]
            text = "{\n%s\n }" % ",\n".join(items)
        lines.append(" %s: %s" % (json.dumps(key), text))
    return "{\n%s\n}\n" % ",\n".join(lines)


# The service

MAKERS = {
    "/cycle": make_cycle,
    "/pending": make_pending,
    "/fixed": make_fixed,
    "/global": make_global,
    "/session": make_session,
    "/ok": make_nothing,
}
REPORTS = {
    "/stats": stats,
    "/collect": collect,
}


class Handler(http.server.BaseHTTPRequestHandler):
    # A client that says nothing must not hold a thread for ever.
    timeout = 30

    def do_GET(self):
        path = self.path.partition("?")[0]
        with REQUESTS_LOCK:
            REQUESTS[path if path in MAKERS else "other"] += 1
        if path in MAKERS:
            MAKERS[path]()
            self.answer(200, "text/plain", "%s: done\n" % path)
        elif path in REPORTS:
            self.answer(200, "application/json", as_json(REPORTS[path]()))
        elif path == "/":
            urls = list(MAKERS) + list(REPORTS)
            self.answer(200, "text/plain", "\n".join(urls) + "\n")
        else:
            self.answer(404, "text/plain", "no such page; / lists them\n")

    def answer(self, status, kind, words):
        body = words.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        # A line for each request would drown the one line that matters.
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def server_bind(self):
        # http.server would ask the resolver for the name of 127.0.0.1.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        # A client that goes away early is its own business.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def serve(port, no_gc):
    """Serves until SIGTERM or SIGINT."""
    if no_gc:
        gc.disable()
    try:
        server = Server(("127.0.0.1", port), Handler)
    except OSError as error:
        raise SystemExit("leak_demo: 127.0.0.1:%d: %s; --port 0 takes a free port"
                         % (port, error.strerror)) from None

    def stop(signum, frame):
        # shutdown() waits for the loop, which this very thread runs.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    print("leak_demo: ready at http://127.0.0.1:%d/ pid %d" % (server.server_port, os.getpid()),
          flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(timeout=1)
