# SPDX-License-Identifier: GPL-3.0-or-later
"""A heap as real code leaves it: runs much of the standard library and keeps what came out. What an
interpreter does not have (asyncio in Python 2, a module that was not built) is left out. Says after
"ready" which parts ran; the argument --no-PART leaves one out, --with-ballast adds memory that is one
object, and --with-mapping a file of that size, mapped to be changed in private."""
from __future__ import division

import collections
import io
import os
import sys
import threading
import unittest

import conversation

UNITTESTS = ["test_textwrap", "test_functools", "test_contextlib", "test_generators", "test_descr",
             "test_enum", "test_dataclasses", "test_class", "test_defaultdict",
             "test_typing", "test_super", "test_scope"]
BALLAST_BYTES = 160 << 20
kept = []


def unittests():
    """The interpreter's own tests: classes and instances of every odd kind."""
    names = []
    for name in UNITTESTS:
        try:
            __import__("test." + name)
        except ImportError:
            continue
        names.append("test." + name)
    if not names:
        raise ImportError("test")
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    stream = io.StringIO() if sys.version_info[0] > 2 else io.BytesIO()
    kept.append(unittest.TextTestRunner(stream=stream, verbosity=0).run(suite))


def emails():
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText
    import email
    for number in range(50):
        message = MIMEMultipart()
        message["Subject"] = "number %d" % number
        message.attach(MIMEText("text %d" % number))
        kept.append(email.message_from_string(message.as_string()))


def json_documents():
    import json
    text = json.dumps({"rows": [{"id": n, "tags": ["a", None, n / 3]} for n in range(300)]})
    kept.append(json.loads(text))
    kept.append(json.loads(text, object_hook=lambda row: collections.OrderedDict(row)))


def asyncio_tasks():
    import asyncio
    loop = asyncio.new_event_loop()
    async_sleep = asyncio.sleep
    futures = [loop.create_future() for _ in range(20)]
    done = loop.run_until_complete(asyncio.wait([loop.create_task(async_sleep(0.001, n))
                                                 for n in range(50)]))
    # A loop that still has work: suspended coroutines, callbacks and handles stay.
    waiting = [loop.create_task(asyncio.wait_for(future, 1000)) for future in futures]
    loop.run_until_complete(async_sleep(0.01))
    kept.extend([loop, done, waiting])


def decimals():
    import decimal
    import fractions
    context = decimal.Context(prec=50)
    kept.append([context.divide(decimal.Decimal(n), decimal.Decimal(7)) for n in range(200)])
    kept.append([fractions.Fraction(n, 7) for n in range(200)])
    kept.append(context)


def sqlite_rows():
    import sqlite3
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.execute("create table things(id integer, name text, weight real)")
    database.executemany("insert into things values (?, ?, ?)",
                         [(n, "thing %d" % n, n / 2) for n in range(500)])
    kept.extend([database, database.execute("select * from things").fetchall(),
                 database.execute("select * from things")])


def xml_trees():
    from xml.dom import minidom
    from xml.etree import ElementTree
    text = "<all>%s</all>" % "".join("<one n='%d'>t<two/></one>" % n for n in range(200))
    kept.extend([ElementTree.fromstring(text), minidom.parseString(text)])
    parser = ElementTree.XMLParser()
    parser.feed("<half><way>")
    kept.append(parser)


def collection_types():
    point = collections.namedtuple("point", "x y")
    kept.append([point(n, -n) for n in range(100)])
    kept.append(collections.deque(range(500), 100))
    kept.append(collections.Counter("mississippi"))
    kept.append(collections.OrderedDict((str(n), [n]) for n in range(100)))
    tree = collections.defaultdict(lambda: collections.defaultdict(list))
    for number in range(100):
        tree[number % 7][number % 3].append(number)
    kept.append(tree)
    kept.extend([set([n, (n,)]) for n in range(50)])
    kept.extend([frozenset([n, (n,)]) for n in range(50)])


def c_types():
    import ctypes

    class Node(ctypes.Structure):
        _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char * 8)]
    kept.append([Node(n) for n in range(20)])
    kept.append((Node * 5)())
    kept.append(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1))
    kept.append(ctypes.CDLL(None).getpid)


def threads():
    local = threading.local()

    def work():
        local.seen = [threading.current_thread()]
        kept.append(local.seen)
    workers = [threading.Thread(target=work) for _ in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    kept.extend([workers, local, threading.Condition(), threading.Event()])


def suspended():
    """Generators half-way, with their frames; exceptions with tracebacks."""
    def count(limit):
        for number in range(limit):
            yield number
    for number in range(50):
        generator = count(number + 2)
        next(generator)
        kept.append(generator)
        try:
            [].pop()
        except IndexError as error:
            kept.append((error, sys.exc_info()[2]))


def old_style_classes():
    if sys.version_info[0] > 2:
        raise ImportError("old-style classes")

    class Old:
        def __init__(self, n):
            self.n = n
    kept.extend([Old(n) for n in range(77)])


def odd_names():
    """Types whose module and name are not what one expects."""
    def make(name, module):
        kind = type(name, (object,), {"__module__": module})
        kept.extend([kind] + [kind() for _ in range(3)])
    make("PlainModule", "some.package")
    make("NumberModule", 42)
    make("NoneModule", None)
    make("EmptyModule", "")
    make("Builtins", "builtins")
    make("with space", "and more")
    make("x" * 500, "y" * 500)
    if sys.version_info[0] > 2:
        make("K\u00e4se\u4e2d\U0001f40d", "m\u00f6dul")
        nested = type("Short", (), {"__qualname__": "Outer.<locals>.Short"})
        kept.extend([nested, nested()])


def many_modules():
    """Imports what there is, for its module globals, classes, functions and closures."""
    for name in ("argparse csv difflib doctest ftplib gettext hashlib inspect logging.handlers "
                 "mailbox multiprocessing optparse pickle pprint pydoc random shelve smtplib "
                 "socketserver ssl string subprocess tarfile tempfile typing uuid weakref "
                 "http.server http.client urllib.request urllib2 zipfile concurrent.futures "
                 "statistics ipaddress selectors").split():
        try:
            __import__(name)
        except ImportError:
            pass


def files_and_processes():
    import logging
    import re
    import subprocess
    import tempfile
    kept.append(tempfile.TemporaryFile())
    kept.append(io.TextIOWrapper(io.BufferedReader(io.FileIO(os.devnull))))
    kept.append(subprocess.Popen(["true"], stdin=subprocess.PIPE))
    kept[-1].wait()
    kept.append([re.compile("a{%d}(b|c)*" % n) for n in range(20)])
    kept.append(logging.getLogger("leak.inspect.deep"))


def ballast():
    kept.append(bytearray(BALLAST_BYTES))


def mapping():
    import mmap
    import tempfile
    with tempfile.TemporaryFile() as file:
        file.truncate(BALLAST_BYTES)
        kept.append(mmap.mmap(file.fileno(), BALLAST_BYTES, access=mmap.ACCESS_COPY))


def main(arguments):
    ran = []
    for part in (many_modules, emails, json_documents, asyncio_tasks, decimals, sqlite_rows,
                 xml_trees, collection_types, c_types, threads, suspended, old_style_classes,
                 odd_names, files_and_processes, unittests):
        if "--no-%s" % part.__name__ in arguments:
            continue
        try:
            part()
        except ImportError:
            continue
        ran.append(part.__name__)
    for part in (ballast, mapping):
        if "--with-%s" % part.__name__ in arguments:
            part()
    return " ".join(ran)


if __name__ == "__main__":
    conversation.serve(ready=main(sys.argv[1:]))
