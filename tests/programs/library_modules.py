# SPDX-License-Identifier: GPL-3.0-or-later
"""More for library_objects.kept: what the modules of the library make, those in C above all. All of
them are imported, and every type in them is made an instance of, where it needs no argument."""
import gc
import io
import os
import re
import sys
import sysconfig

from library_objects import PYTHON3, Meta, Plain, halfway, kept, part

# They crash on purpose, are about the process, or make objects that must not be alone.
NOT_IMPORTED = ("_testcapi", "_testinternalcapi", "_xxtestfuzz", "_testexternalinspection",
                "_testclinic", "_testclinic_limited", "_testlimitedcapi", "_testsinglephase",
                "_tkinter", "_curses_panel", "_ctypes_test", "readline", "faulthandler", "antigravity",
                "nis", "ossaudiodev", "linuxaudiodev", "_testimportmultiple", "parser", "crypt", "spwd")
NOT_MADE = ("_socketobject", "SocketType", "socket", "SubInterpreter", "FlagFrame", "BZ2File",
            "Connection")


def modules_in_c():
    names = set(sys.builtin_module_names)
    folder = sysconfig.get_config_var("DESTSHARED")
    if folder and os.path.isdir(folder):
        names.update(name.split(".")[0] for name in os.listdir(folder) if ".so" in name)
    for name in sorted(names):
        if name in NOT_IMPORTED or name.startswith("_test"):
            continue
        try:
            yield __import__(name)
        except ImportError:
            continue


@part
def instances_of_types_in_c():
    # In an order that is always the same.
    for module in list(modules_in_c()):
        for name, kind in sorted(vars(module).items()):
            if not isinstance(kind, type) or name in NOT_MADE:
                continue
            if issubclass(kind, type) or "nterpreter" in name or "thread" in name.lower():
                continue
            for arguments in ((), ([],), (b"",), (u"",), (1,), (max,)):
                try:
                    kept.append(kind(*arguments))
                    break
                except Exception:
                    continue


@part
def databases():
    import sqlite3
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.text_factory = lambda text: text
    database.execute("create table things(id integer primary key, name text, data blob)")
    database.executemany("insert into things values (?, ?, ?)",
                         [(None, "thing %d" % n, memoryview(b"x") if PYTHON3 else None)
                          for n in range(100)])
    database.create_function("twice", 1, lambda value: value * 2)
    database.create_collation("backwards", lambda one, two: (one < two) - (one > two))
    database.set_authorizer(lambda *words: 0)
    database.set_progress_handler(lambda: 0, 1000)
    if hasattr(database, "set_trace_callback"):
        database.set_trace_callback(lambda text: None)

    class Sum(object):
        def step(self, value):
            pass

        def finalize(self):
            return 1
    database.create_aggregate("own", 1, Sum)
    cursor = database.execute("select id, name from things")
    cursor.row_factory = lambda cursor, row: [row]
    kept.extend([database, cursor, cursor.fetchmany(3), database.cursor(),
                 database.execute("select * from things").fetchone()])
    halfway(database.execute("select twice(id) from things"), 3)
    if hasattr(database, "blobopen"):
        kept.append(database.blobopen("things", "data", 1))


@part
def xml_in_c():
    from xml.etree import ElementTree
    from xml.parsers import expat
    text = "<all>%s</all>" % "".join("<n a='%d'>t<m/>u</n>" % n for n in range(50))
    top = ElementTree.fromstring(text)
    kept.extend([top, ElementTree.ElementTree(top), ElementTree.TreeBuilder()])
    for iterator in (top.iter(), top.iter("m"), top.iterfind("n"), top.itertext()):
        halfway(iterator, 7)
    parser = ElementTree.XMLParser()
    parser.feed(text[:100])
    kept.append(parser)
    halfway(ElementTree.iterparse(io.BytesIO(text.encode())), 5)
    if hasattr(ElementTree, "XMLPullParser"):
        pulling = ElementTree.XMLPullParser(["start", "end"])
        pulling.feed(text[:200])
        kept.append(pulling)
        halfway(pulling.read_events())
    builder = ElementTree.TreeBuilder()
    builder.start("one", {})
    builder.data("text")
    builder.start("two", {"a": "b"})
    kept.append(builder)
    low = expat.ParserCreate("utf-8", "}")
    seen = []
    low.StartElementHandler = lambda *words: seen.append(words)
    low.CharacterDataHandler = seen.append
    low.buffer_text = True
    low.Parse(text[:150])
    kept.extend([low, low.ExternalEntityParserCreate(None)])


@part
def foreign_functions():
    import ctypes

    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int), ("next", ctypes.c_void_p)]

    class Either(ctypes.Union):
        _fields_ = [("number", ctypes.c_long), ("point", Point), ("object", ctypes.py_object)]

    class Deep(ctypes.BigEndianStructure):
        _fields_ = [("numbers", ctypes.c_int * 5), ("bits", ctypes.c_int, 3)]

    class Linked(ctypes.Structure):
        pass
    Linked._fields_ = [("next", ctypes.POINTER(Linked)), ("text", ctypes.c_char_p),
                       ("either", Either), ("call", ctypes.CFUNCTYPE(ctypes.c_int)),
                       ("array", ctypes.c_char_p * 3)]
    one, two = Linked(), Linked()
    one.next = ctypes.pointer(two)
    two.next = ctypes.pointer(one)
    one.text = b"some text"
    one.either.object = [1]
    one.call = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)
    one.array[1] = b"more"
    library = ctypes.CDLL(None)
    library.getpid.restype = ctypes.c_long
    library.getpid.argtypes = [ctypes.c_int]
    library.abs.errcheck = lambda *words: words[0]
    kept.extend([one, two, one.next, one.either, (Point * 4)(), Deep(), ctypes.pointer(Point()),
                 ctypes.byref(one), ctypes.c_int(5), ctypes.c_char_p(b"text"), ctypes.py_object([]),
                 ctypes.create_string_buffer(100), (ctypes.py_object * 3)([], {}), library,
                 library.getpid, library.abs, ctypes.cast(one.next, ctypes.c_void_p), Point.x,
                 ctypes.cast(ctypes.pointer(one), ctypes.POINTER(Linked)), ctypes.pythonapi.Py_IncRef,
                 ctypes.CFUNCTYPE(ctypes.py_object, ctypes.py_object)(max),
                 (ctypes.c_int * 5).from_buffer(bytearray(20)), ctypes.POINTER(Point)()])


@part
def expressions():
    pattern = re.compile("(?P<one>a)(b)?|c")
    text = "abacab" * 5
    kept.extend([pattern, pattern.match(text), pattern.search(text, 2), pattern.scanner(text),
                 re.compile(b"x(y)*")])
    halfway(pattern.finditer(text), 2)
    kept.append(kept[-1])
    scanner = re.Scanner([("a", lambda scanner, token: token)]) if hasattr(re, "Scanner") else None
    kept.append(scanner)


@part
def pickles_and_tables():
    import copy
    import csv
    import json
    import marshal
    import pickle
    import struct
    import zlib
    made = [[1, "text", (1, [2])], {"a": Plain}, [[]]]
    for protocol in (0, 2):
        pickler = pickle.Pickler(io.BytesIO(), protocol)
        pickler.dump(made)
        kept.append(pickler)
    unpickler = pickle.Unpickler(io.BytesIO(pickle.dumps(made, 2) * 2))
    kept.append([unpickler, unpickler.load()])
    if PYTHON3:
        kept.extend([pickler.memo, unpickler.memo])

        class Own(pickle.Pickler):
            def persistent_id(self, thing):
                return None
        own = Own(io.BytesIO())
        own.dispatch_table = {Plain: max}
        own.dump(made)
        kept.append(own)
    else:
        import cPickle
        import cStringIO
        pickler = cPickle.Pickler(cStringIO.StringIO(), 2)
        pickler.dump(made)
        kept.extend([pickler, cPickle.Unpickler(cStringIO.StringIO(cPickle.dumps(made, 2))),
                     cStringIO.StringIO("text")])
    reader = csv.reader(["a,b", "c,d"] * 5)
    halfway(reader, 2)
    kept.extend([csv.writer(io.StringIO()), csv.DictReader(["a,b", "1,2"]), csv.get_dialect("excel")])
    kept.extend([json.JSONEncoder(), json.JSONDecoder(object_hook=max), json.decoder.c_scanstring,
                 json.JSONDecoder().scan_once, struct.Struct("<iq"), zlib.compressobj(),
                 zlib.decompressobj(), copy.deepcopy(made), marshal.loads(marshal.dumps((1, (2,))))])
    encoder = json.encoder.c_make_encoder
    if encoder:
        words = [{}, max, str, None, ":", ",", True, False, True]
        kept.append(encoder(*words))
    if PYTHON3:
        halfway(struct.iter_unpack("<i", b"12345678" * 3))
    for name in ("bz2", "lzma"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        kept.extend([getattr(module, "BZ2Compressor" if name == "bz2" else "LZMACompressor")(),
                     getattr(module, "BZ2Decompressor" if name == "bz2" else "LZMADecompressor")()])


@part
def numbers_and_dates():
    import datetime
    import decimal
    import fractions
    import random

    class Zone(datetime.tzinfo):
        def utcoffset(self, when):
            return datetime.timedelta(0)

        def dst(self, when):
            return None
    zone = Zone()
    kept.extend([decimal.getcontext(), decimal.Context(prec=9, traps=[decimal.Inexact]),
                 decimal.Decimal("1.25"), fractions.Fraction(1, 3), random.Random(5), zone,
                 datetime.datetime(2020, 1, 1, tzinfo=zone), datetime.time(1, tzinfo=zone),
                 decimal.localcontext(), decimal.getcontext().flags, decimal.getcontext().traps])
    if PYTHON3:
        kept.append(datetime.timezone(datetime.timedelta(hours=1), "name"))
    try:
        import zoneinfo
        kept.append(zoneinfo.ZoneInfo("UTC"))
        kept.append(zoneinfo.ZoneInfo.no_cache("Europe/Berlin"))
    except Exception:
        pass


@part
def security():
    import hashlib
    import hmac
    import ssl
    kept.extend([hashlib.md5(b"x"), hashlib.sha256(b"x"), hashlib.new("sha512"),
                 hmac.new(b"key", b"text", "md5" if PYTHON3 else hashlib.md5)])
    context = ssl.create_default_context()
    context.check_hostname = False
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if hasattr(ssl, "PROTOCOL_TLS_SERVER")
                             else ssl.PROTOCOL_SSLv23)
    if hasattr(serving, "set_servername_callback"):
        serving.set_servername_callback(lambda *words: None)
    kept.append(serving)
    kept.append(context)
    if hasattr(ssl, "MemoryBIO"):
        kept.extend([ssl.MemoryBIO(), context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()),
                     context.cert_store_stats()])


@part
def newer_kinds():
    import enum
    import types
    import typing

    class Colour(enum.Enum):
        RED = [1]
        BLUE = "blue"

    class Flags(enum.IntFlag):
        ONE = 1
        TWO = 2
    variable = typing.TypeVar("variable", bound=Plain)

    class Generic(typing.Generic[variable]):
        field = typing.Optional[Plain]
    kept.extend([Colour, Flags.ONE | Flags.TWO, Generic, Generic[int](), typing.List[Plain],
                 typing.Callable[[int], str], typing.Union[int, Plain], variable])
    if sys.version_info >= (3, 9):
        kept.extend([list[Plain], dict[str, variable], tuple[Plain, ...], type(list[int])(list, (variable,))])
        kept.append(dict[str, variable][int])
        kept[-1].__parameters__
        kept[-2].__parameters__
    if sys.version_info >= (3, 10):
        kept.extend([int | Plain, typing.ParamSpec("P"), (int | variable)])
        kept[-1].__parameters__
    if sys.version_info >= (3, 11):
        kept.extend([typing.TypeVarTuple("Ts"), iter(tuple[int])])
    if sys.version_info >= (3, 12):
        space = {}
        exec("type Alias[T: int] = list[T]\ndef generic[T](one: T) -> T: return one\n"
             "class Own[T, *U, **V]:\n  def f(self): return __class__\n", space)
        space["Alias"].__value__
        kept.extend([space, space["Alias"], space["Alias"][int]])
    if sys.version_info >= (3, 7):
        import contextvars
        import dataclasses
        kept.append(dataclasses.make_dataclass("Data", [("one", int), ("two", list)])(1, [2]))
        variables = [contextvars.ContextVar("v%d" % number, default=[]) for number in range(100)]
        context = contextvars.copy_context()
        tokens = [context.run(one.set, [one]) for one in variables]
        kept.extend([context, tokens, variables, context.copy(), context.keys(), context.items()])
        for view in (context, context.values(), context.items()):
            halfway(iter(view), 5)
    kept.extend([types.SimpleNamespace(one=[1]), types.MappingProxyType(Plain.__dict__),
                 types.DynamicClassAttribute(max), types.coroutine(lambda: (yield))])


@part
def queues_and_processes():
    import collections
    import logging
    import subprocess
    try:
        import queue
    except ImportError:
        import Queue as queue
    for kind in (queue.Queue, queue.LifoQueue, getattr(queue, "SimpleQueue", queue.PriorityQueue)):
        kept.append(kind())
        kept[-1].put([1])
    point = collections.namedtuple("point", "x y")
    kept.extend([point([1], [2]), point, point._make])
    logger = logging.Logger("own")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    kept.append(logger)
    kept.append(subprocess.Popen(["true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    kept[-1].wait()
    try:
        import concurrent.futures
    except ImportError:
        return
    kept.append(concurrent.futures.Future())
    kept[-1].add_done_callback(kept.append)


@part
def syntax():
    import ast
    import symtable
    tree = ast.parse("def f(a=1):\n  return [x for x in a if x]\n")
    kept.append(tree)
    kept.append(symtable.symtable("def f(a): return lambda: a", "f", "exec"))
    kept.append(Meta("Odd", (object,), {"x": tree}))


@part
def profilers_and_hooks():
    import _lsprof
    profiler = _lsprof.Profiler()
    profiler.enable()
    gc.isenabled()
    sorted([3, 1, 2], key=lambda number: -number)
    profiler.disable()
    kept.extend([profiler, profiler.getstats()])
