# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios for collection.py: cycles through what the standard library is made of."""
import collections
import functools
import io
import itertools
import sys

from scenario import Node, ring, scenario, since


@scenario
def a_partial():
    one = Node()
    one.call = functools.partial(one.method, one, key=one)


@since(3)
def caches_of_functions():
    one = Node()
    for size in (0, 3, None):
        @functools.lru_cache(maxsize=size)
        def cached(*arguments, **keywords):
            return one, arguments
        for number in range(5):
            cached(number)
            cached(one, number=number)
        setattr(one, "cached_%s" % size, cached)


@since(3)
def a_cached_method_of_a_class():
    class Gone(object):
        @functools.lru_cache(maxsize=None)
        def method(self, number):
            return [self, number]
    Gone().method(1)
    Gone().method(2)


@scenario
def sort_keys():
    one = Node()
    one.key = functools.cmp_to_key(lambda left, right: 0)(one)


@scenario
def a_deque():
    one = collections.deque(range(1000))
    one.append(one)
    one.appendleft(iter(one))


@scenario
def an_ordered_dict():
    one = collections.OrderedDict((number, [number]) for number in range(50))
    one["itself"] = one
    one["values"] = iter(one.values())


@scenario
def a_default_dict():
    one = collections.defaultdict(list)
    one[1].append(one)
    other = collections.defaultdict()
    other.default_factory = lambda: other


@scenario
def counters_and_chain_maps():
    one = collections.Counter("mississippi")
    one["itself"] = one
    if hasattr(collections, "ChainMap"):
        two = collections.ChainMap({}, one)
        two["itself"] = two


@scenario
def a_named_tuple():
    Point = collections.namedtuple("Point", "x y")
    within = []
    within.append(Point(within, Point))


@scenario
def iterators_of_iterators():
    holder = []
    holder.append(iter(holder))
    holder.append(reversed(holder))
    holder.append(enumerate(holder))
    holder.append(zip(holder, holder))
    holder.append(map(str, holder))
    holder.append(filter(None, holder))
    holder.append(itertools.chain(holder, holder))
    holder.append(itertools.cycle(holder))
    holder.append(itertools.islice(holder, 5))
    holder.append(itertools.repeat(holder))
    holder.append(itertools.count(holder) if False else itertools.starmap(str, holder))
    holder.append(itertools.product(holder[:1], repeat=2))
    holder.append(itertools.combinations(holder[:3], 2))
    holder.append(itertools.permutations(holder[:3], 2))
    holder.append(itertools.groupby(holder))
    holder.extend(itertools.tee(holder, 3))
    holder.append(itertools.takewhile(bool, holder))
    holder.append(iter(lambda: holder, None))
    for iterator in (holder[7], holder[8], holder[12], holder[13], holder[14], holder[15]):
        next(iterator)


@scenario
def views_and_iterators_of_dicts():
    one = {"a": []}
    one["views"] = [one.keys(), one.values(), one.items()]
    one["iterators"] = [iter(view) for view in one["views"]]


@scenario
def a_file_in_memory():
    class Buffer(io.BytesIO):
        pass
    one = io.BytesIO(b"some bytes")
    one_text = io.TextIOWrapper(io.BufferedReader(one))
    one.text = one_text
    two = Buffer()
    two.itself = two
    three = io.StringIO(u"text")
    three.itself = three


@scenario
def an_element_tree():
    from xml.etree import ElementTree
    top = ElementTree.fromstring("<a><b c='d'/><e>text</e></a>")
    # An element does not know its parent, except when told.
    top[0].set("parent", top)
    top.text = [top]


@scenario
def a_parser_of_xml():
    from xml.parsers import expat
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda *words: parser
    parser.EndElementHandler = parser.Parse


@scenario
def structures_of_ctypes():
    import ctypes

    class Linked(ctypes.Structure):
        pass
    Linked._fields_ = [("next", ctypes.POINTER(Linked)), ("call", ctypes.py_object)]
    one, two = Linked(), Linked()
    one.next, two.next = ctypes.pointer(two), ctypes.pointer(one)
    one.attribute = one


@scenario
def a_callback_of_ctypes():
    import ctypes
    one = Node()
    kind = ctypes.CFUNCTYPE(ctypes.c_int)
    one.callback = kind(lambda: one and 0)
    one.array = (kind * 2)(one.callback, one.callback)


@scenario
def a_database_that_calls_back():
    """Whether the collector knows of the callback depends on the version."""
    try:
        import sqlite3
    except ImportError:
        return
    database = sqlite3.connect(":memory:")
    database.row_factory = lambda cursor, row: (database, row)
    cursor = database.execute("select 1")
    cursor.row_factory = lambda *words: cursor


@scenario
def weights_of_python_2_and_their_buffers():
    one = Node()
    one.view = memoryview(bytearray(b"12345"))[1:3]
    one.itself = [one, slice(one, one), range(3), bytearray(3)]


@scenario
def a_pickler_with_its_memo():
    import pickle
    one = Node()
    one.target = io.BytesIO()
    one.pickler = pickle.Pickler(one.target, 2)
    one.pickler.dump([one.method.__name__, {"a": (1, 2)}, [[]]])
    one.itself = one


@scenario
def a_regular_expression():
    import re
    class Text(str):
        pass
    text = Text("abcabc")
    text.match = re.match("(a)(b)", text)
    text.found = re.finditer("a", text)
    next(text.found)
    text.scanner = re.compile("b").scanner(text)


@scenario
def readers_of_tables():
    import csv
    lines = []
    lines.append(csv.reader(lines))
    target = Node()
    target.write = len
    target.writer = csv.writer(target)


@scenario
def an_encoder_of_json():
    import json
    one = json.JSONEncoder(default=lambda thing: one)
    decoder = json.JSONDecoder(object_hook=lambda thing: decoder)
    json.dumps({"a": [1]}, indent=1)


@since(3)
def enums_and_simple_namespaces():
    import enum
    import types

    class Colour(enum.Enum):
        RED = []
        BLUE = {}
    Colour.RED.value.append(Colour)
    one = types.SimpleNamespace(a=1)
    one.itself = one
    one.proxy = types.MappingProxyType({"one": one})


@since(3, 7)
def a_data_class_and_contexts():
    import contextvars
    import dataclasses

    Gone = dataclasses.make_dataclass("Gone", ["one", ("two", list, dataclasses.field(
        default_factory=list))])
    gone = Gone(1)
    gone.two.append(gone)
    variable = contextvars.ContextVar("variable")
    context = contextvars.copy_context()
    token = context.run(variable.set, context)
    context.run(lambda: [contextvars.ContextVar("v%d" % n).set(token) for n in range(40)])


@since(3, 9)
def generic_aliases():
    holder = Node()
    holder.alias = list[holder.__class__]
    one = Node()
    one.aliases = [dict[str, int], type(list[int])(list, (one,))]
    if sys.version_info >= (3, 10):
        one.union = int | str


@scenario
def a_logger_and_its_handlers():
    import logging
    logger = logging.Logger("gone")
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    handler.logger = logger
    logger.handlers.append(logger)
    # The module holds handlers weakly; one of the callbacks takes it from a list.


@scenario
def a_queue_and_an_event():
    import threading
    try:
        import queue
    except ImportError:
        import Queue as queue
    one = queue.Queue()
    one.put(one)
    condition = threading.Condition()
    condition.itself = condition
    if hasattr(queue, "SimpleQueue"):
        simple = queue.SimpleQueue()
        simple.put(simple)


@scenario
def a_socket():
    import socket
    one = socket.socket()
    one.close()
    holder = Node()
    holder.socket, holder.itself = one, holder


@scenario
def random_and_struct_objects():
    import random
    import struct
    one = random.Random(1)
    one.itself = one
    two = Node()
    two.packing = struct.Struct("<ii")
    two.itself = two
    if sys.version_info[0] > 2:
        two.unpacking = struct.iter_unpack("<i", b"12345678")


@scenario
def decimals_and_dates():
    import datetime
    import decimal
    one = ring(Node, 1)
    one.content = [decimal.Decimal("1.5"), decimal.Context(prec=3), datetime.date(2000, 1, 1),
                   datetime.timedelta(1), decimal.localcontext()]

    class Zone(datetime.tzinfo):
        def utcoffset(self, when):
            return datetime.timedelta(0)

        def __reduce__(self):
            return Zone, ()
    zone = Zone()
    zone.when = datetime.datetime(2000, 1, 1, tzinfo=zone)
