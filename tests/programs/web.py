# SPDX-License-Identifier: GPL-3.0-or-later
"""A small web service on 127.0.0.1, a thread for each request, that holds SESSIONS sessions (its
argument) and looks into one of them for each answer. Behind "ready" stands its port. Python 3.
    answered  how many requests it has answered
    collect   what gc.collect() returns"""
import gc
import http.server
import itertools
import random
import sys
import threading

import conversation


class Session(object):
    def __init__(self, number):
        self.number = number
        self.user = "user-%06d" % number
        self.tags = [self.user, number]
        self.state = {"session": self, "seen": 0}


sessions = [Session(number) for number in range(int(sys.argv[1]))]
answered = itertools.count()


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self):
        session = sessions[random.randrange(len(sessions))]
        session.state["seen"] += 1
        body = b"%s has been seen\n" % session.user.encode()
        next(answered)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
conversation.serve({"answered": lambda: int(repr(answered)[len("count("):-1]),
                    "collect": gc.collect}, ready=str(server.server_port), collector=True)
