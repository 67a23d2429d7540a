# SPDX-License-Identifier: GPL-3.0-or-later
"""One of everything that the interpreter and its library can make, alive and in the middle of its
work: iterators half consumed, generators suspended and running, files open, parsers that have read
half. What an interpreter does not have is left out. kept has it all."""
from __future__ import division

import array
import collections
import contextlib
import functools
import gc
import io
import itertools
import operator
import os
import socket
import sys
import tempfile
import threading
import types
import weakref

PYTHON3 = sys.version_info[0] > 2
kept = []
parts = []


def part(function):
    parts.append(function)
    return function


class Plain(object):
    """Takes any attribute."""

    def method(self, *arguments):
        return self


class Slotted(object):
    __slots__ = ("one", "two", "__weakref__")


class SlottedChild(Slotted):
    __slots__ = ("three", "__dict__")


class Old:
    """Old-style in Python 2."""

    def method(self):
        pass


class Meta(type):
    def __new__(meta, name, bases, attributes):
        made = type.__new__(meta, name, bases, attributes)
        made.instances = []
        return made


def halfway(iterator, steps=1):
    for _ in range(steps):
        next(iterator, None)
    kept.append(iterator)
    return iterator


@part
def instances():
    kept.extend([Plain() for _ in range(5)])
    for count in (1, 5, 25, 35, 200):
        one = Plain()
        for number in range(count):
            setattr(one, "attribute_%d" % number, [number])
        kept.append(one)
    looked_at = Plain()
    looked_at.one = looked_at
    kept.append(vars(looked_at))
    odd_keys = Plain()
    vars(odd_keys)[1] = vars(odd_keys)[(1, 2)] = odd_keys
    replaced = Plain()
    replaced.one = 1
    replaced.__dict__ = {"two": [2], 3: 4}
    deleted = Plain()
    deleted.one, deleted.two, deleted.three = [], {}, ()
    del deleted.two
    kept.extend([odd_keys, replaced, deleted])
    slotted, empty, child = Slotted(), Slotted(), SlottedChild()
    slotted.one = child.three = [slotted]
    child.one, child.any = empty, slotted
    kept.extend([slotted, empty, child, SlottedChild()])
    old = Old()
    old.itself = old
    kept.extend([old, Old(), old.method, Old.method])


@part
def classes():
    for base in (list, dict, tuple, set, frozenset, int, float, str, bytearray, type, Exception,
                 collections.deque, collections.OrderedDict, io.BytesIO, io.StringIO, weakref.ref,
                 threading.Thread, property, types.ModuleType):
        for slots in ({}, {"__slots__": ()}, {"__slots__": ("more",)}):
            try:
                kept.append(type("Kind", (base,), slots))
            except TypeError:
                continue
            if base in (list, dict, tuple, set, frozenset, int, bytearray, Exception,
                        collections.deque, collections.OrderedDict, io.BytesIO, property):
                one = kept[-1]()
                if "__slots__" not in slots:
                    one.attribute = [one]
                elif slots["__slots__"]:
                    one.more = [one]
                kept.append(one)
    top = Meta("Top", (object,), {"__slots__": ("a", "b"), "__doc__": "text"})
    low = Meta("Low", (top, Plain), {"method": lambda self: None, "p": property(len)})
    made = low()
    made.a = made.other = top()
    low.instances.append(made)
    kept.extend([top, low])
    many_subclasses = type("Base", (object,), {})
    kept.extend([type("Sub%d" % number, (many_subclasses,), {}) for number in range(20)])
    # Some are gone again.
    del kept[-5:]


@part
def containers():
    kept.append([[], [1], [[]], list(range(1000))])
    kept.append([(), (1,), ([],), ((([],),),), tuple(range(1000))])
    kept.append([{}, {1: 2}, {1: []}, dict.fromkeys(range(300), []), {(1, 2): {"a": []}}])
    emptied = dict.fromkeys(range(100), [])
    for number in range(90):
        del emptied[number]
    kept.append(emptied)
    kept.append([set(), set([1]), set(range(100)), frozenset([(), (1,)]), frozenset(range(50))])
    shrunk = set((number, []) and (number,) for number in range(500))
    for number in range(0, 400):
        shrunk.discard((number,))
    kept.append(shrunk)
    kept.append([collections.deque([[n]]) for n in range(3)] + [collections.deque(range(500), 77)])
    rotated = collections.deque([n] for n in range(200))
    rotated.rotate(30)
    for _ in range(50):
        rotated.popleft()
    kept.append(rotated)
    ordered = collections.OrderedDict((str(n), [n]) for n in range(60))
    for number in range(0, 60, 3):
        del ordered[str(number)]
    ordered.move_to_end("1") if PYTHON3 else None
    ordered.attribute = [ordered]
    kept.append(ordered)
    tree = collections.defaultdict(lambda: collections.defaultdict(list))
    tree[1][2].append(tree)
    kept.extend([tree, collections.Counter("abracadabra"), collections.defaultdict()])
    kept.append(slice([1], [2], [3]))
    kept.append([array.array("d", [1.5] * 50), bytearray(b"x" * 50), memoryview(bytearray(b"abc"))])
    kept.append(memoryview(bytearray(range(10)))[2:5])
    kept.append(memoryview(kept[-1]))
    if not PYTHON3:
        kept.append(buffer(bytearray(b"abc")))  # noqa: F821


@part
def iterators():
    things = [[number] for number in range(30)]
    table = dict((number, [number]) for number in range(30))
    for made in (things, tuple(things), table, set(range(30)), "text" * 9, bytearray(b"abc" * 9),
                 array.array("i", range(9)), collections.deque(things), collections.OrderedDict(table),
                 range(30), u"\u20ac" * 9, b"bytes" * 9, io.BytesIO(b"a\nb\nc\n")):
        halfway(iter(made), 2)
        if hasattr(made, "__reversed__") or isinstance(made, (list, tuple, str, bytes)):
            halfway(reversed(made), 3)
    used_up = iter(things)
    for _ in used_up:
        pass
    kept.append(used_up)
    for name in ("keys", "values", "items", "viewkeys", "viewvalues", "viewitems", "iterkeys",
                 "itervalues", "iteritems"):
        for made in (table, collections.OrderedDict(table)):
            if hasattr(made, name):
                kept.append(getattr(made, name)())
                if not name.startswith("view") and PYTHON3 or name.startswith("iter"):
                    halfway(iter(getattr(made, name)()), 2)
    for maker in (lambda: zip(things, things), lambda: map(lambda *each: each, things, things),
                  lambda: filter(None, things), lambda: enumerate(things),
                  lambda: iter(lambda: 1, 2), lambda: reversed(things),
                  lambda: iter(Sequence())):
        made = maker()
        halfway(made, 1) if hasattr(made, "__iter__") and hasattr(
            made, "__next__" if PYTHON3 else "next") and type(made) is not type(map) else None
    kept.append(enumerate(things, 1 << 70))


class Sequence(object):
    """Iterated by its index."""

    def __getitem__(self, place):
        return [place]


@part
def itertools_objects():
    things = [[number] for number in range(9)]
    made = [itertools.accumulate(things, operator.add)] if PYTHON3 else [
        itertools.izip(things, things), itertools.imap(len, iter(things)),
        itertools.ifilter(None, things), itertools.ifilterfalse(None, things),
        itertools.izip_longest(things, "ab", fillvalue=[])]
    if PYTHON3:
        made += [itertools.filterfalse(None, things),
                 itertools.zip_longest(things, "ab", fillvalue=[])]
    made += [itertools.chain(things, iter(things)), itertools.chain.from_iterable([things, things]),
             itertools.combinations(things, 3), itertools.combinations_with_replacement(things, 2),
             itertools.compress(things, [1] * 9), itertools.count(), itertools.count(1.5, 2),
             itertools.count(1 << 70), itertools.cycle(iter(things)),
             itertools.dropwhile(lambda one: one == [0], things), itertools.groupby(things, len),
             itertools.islice(iter(things), 1, 7, 2), itertools.permutations(things, 3),
             itertools.product(things, things), itertools.product(things, repeat=3),
             itertools.repeat([1]), itertools.repeat([1], 5),
             itertools.starmap(max, zip(things, things)), itertools.takewhile(bool, things)]
    for name in ("pairwise", "batched"):
        if hasattr(itertools, name):
            made.append(getattr(itertools, name)(*([things, 2] if name == "batched" else [things])))
    for iterator in made:
        halfway(iterator, 2)
    grouped = halfway(itertools.groupby([1, 1, 1, 2, 2], lambda number: number % 2))
    _, group = next(grouped)
    halfway(group)
    for tee in itertools.tee(iter(range(200)), 3):
        halfway(tee, len(kept) % 90)
    ahead, behind = itertools.tee([n] for n in range(200))
    halfway(ahead, 150)
    halfway(behind, 3)
    cycling = itertools.cycle([[1], [2]])
    halfway(cycling, 5)


@part
def functions():
    def closure(one, two=[], **three):
        def inner(four=[one]):
            return one, two, unset
        unset = [1]
        return inner

    def never_set():
        def inner():
            return later
        if inner is None:
            later = 1
        return inner
    kept.extend([closure(1), closure([2], [3]), never_set(), lambda one=[]: one])
    kept.append([function.__closure__ for function in kept[-4:]])
    annotated = closure({})
    annotated.attribute = [annotated]
    annotated.__annotations__ = {"return": [int]}
    kept.append(annotated)
    if PYTHON3:
        annotated.__kwdefaults__ = {"key": []}
        kept.append(types.SimpleNamespace(a=[1], b={}))
        kept.append(types.MappingProxyType({"a": []}))
    one = Plain()
    kept.extend([one.method, one.__str__, one.__init__, Plain.method, Plain.__str__, [].append,
                 object().__str__, {}.__setitem__, "".join, dict.fromkeys, str.join, int.__add__,
                 type.__dict__["__mro__"], types.FunctionType.__dict__["__code__"], Plain.__dict__,
                 Plain.__dict__["__dict__"], Slotted.__dict__["one"], len, (5).__add__])
    kept.extend([property(len, max, min, "text"), property(one.method), classmethod(one.method),
                 staticmethod([]), super(SlottedChild, SlottedChild()),
                 super(SlottedChild, SlottedChild), super(SlottedChild)])
    kept.extend([functools.partial(max, [1], key=len), functools.cmp_to_key(max),
                 functools.cmp_to_key(max)([1]), operator.itemgetter(1), operator.itemgetter(1, 2),
                 operator.attrgetter("a.b", "c"), operator.methodcaller("a", [1], b=[2])])
    partial = functools.partial(partial_target, [3])
    partial.attribute = [partial]
    kept.append(functools.partial(partial, more=1))
    if hasattr(functools, "partialmethod"):
        kept.append(functools.partialmethod(max, 1))
        kept.append(functools.singledispatch(max))
        for size in (0, 7, None):
            for typed in (False, True):
                cached = functools.lru_cache(maxsize=size, typed=typed)(lambda *a, **k: [a, k])
                for number in range(20):
                    cached(number % 9)
                    cached([].__class__, "x", k=number % 3)
                cached.attribute = [cached]
                kept.append(cached)
    if hasattr(functools, "cached_property"):
        kept.append(functools.cached_property(max))
    kept.append(types.MethodType(len, [1]))
    kept.append(compile("def f(a, b=1): return lambda: a", "file.py", "exec"))
    kept.append(contextlib.contextmanager(max))


def partial_target(*arguments, **keywords):
    return arguments, keywords


def fail(depth):
    local = [depth]
    if depth:
        fail(depth - 1)
    raise ValueError(local)


@part
def errors():
    for depth in range(5):
        try:
            fail(depth)
        except ValueError as error:
            kept.append((error, sys.exc_info()[2]))
            error.attribute = [error]
    if PYTHON3:
        try:
            try:
                fail(1)
            except ValueError as error:
                raise KeyError([1])
        except KeyError as error:
            error.__cause__ = ValueError("cause")
            kept.append(error)
    for maker in (lambda: open("/nonexistent"), lambda: __import__("nonexistent"),
                  lambda: b"\xff".decode("utf-8"), lambda: u"\u20ac".encode("latin-1"),
                  lambda: compile("a b", "file.py", "exec"), lambda: sys.exit([1]),
                  lambda: nonexistent, lambda: Plain().nonexistent, lambda: next(iter([])),  # noqa
                  lambda: {}[()], lambda: 1 // 0, lambda: os.stat("/nonexistent")):
        try:
            maker()
        except BaseException as error:  # all of them are wanted
            kept.append(error)
    kept.extend([StopIteration([1]), SystemExit([2]), OSError(2, "text", [3]), ImportError([4]),
                 UnicodeTranslateError(u"text", 1, 2, "reason"), SyntaxError("m", ("f", 1, 2, "t"))])
    if "ExceptionGroup" in dir(__import__("builtins" if PYTHON3 else "__builtin__")):
        kept.append(ExceptionGroup("group", [ValueError([1]), TypeError()]))  # noqa: F821


@part
def generators():
    def generate(*arguments):
        local = list(arguments)
        for number in range(10):
            local.append(number)
            try:
                with threading.Lock():
                    yield [number, local]
            finally:
                number = None

    def nested():
        stack = [generate(1), (1, generate(2))]
        for one in stack[0]:
            yield [x for x in (1, 2)] + [one, (yield one)]
    for steps in range(4):
        halfway(generate([steps]), steps)
        halfway(nested(), steps)
    kept.append(generate())
    kept.append((each for each in [[1], [2]]))
    halfway(one + two for one in [[1], [2]] for two in [[3], [4]])
    finished = generate()
    for _ in finished:
        pass
    kept.append(finished)
    closed = halfway(generate())
    closed.close()

    def in_handler():
        try:
            raise ValueError([1])
        except ValueError as error:
            yield error
    halfway(in_handler())


@part
def threads_at_work():
    """One inside a generator that runs, one in a handler, one with a thread-local and much on its
    stack. They wait for a lock that nobody gives."""
    ready = []
    never = threading.Lock()
    never.acquire()
    local = threading.local()

    def generate():
        inner = [[1], {}]
        ready.append(1)
        never.acquire()
        yield inner

    def in_generator():
        made = generate()
        kept.append(made)
        return [[1], next(made), made]

    def in_handler():
        try:
            fail(2)
        except ValueError:
            ready.append(1)
            return (Plain(), [Plain(), never.acquire()], {})

    def with_local():
        local.one, local.itself = [1], local
        ready.append(1)
        never.acquire()

    for work in (in_generator, in_handler, with_local):
        thread = threading.Thread(target=work)
        thread.daemon = True
        thread.start()
        kept.append(thread)
    pause = threading.Event()
    while len(ready) < 3:
        pause.wait(0.01)
    # From their last line of Python into the lock.
    pause.wait(0.05)
    local.main = [local]
    kept.extend([local, never, threading.RLock(), threading.Condition(), threading.Event(),
                 threading.Semaphore(), threading.Timer(1, max), threading.Lock()])
    if hasattr(threading, "Barrier"):
        kept.append(threading.Barrier(2))


@part
def frames():
    def outer(first):
        second = {"a": first}

        def inner():
            return sys._getframe(), second
        return inner()
    kept.append(outer([1]))
    frame = outer([2])[0]
    kept.append([frame, frame.f_locals, frame.f_back and frame.f_back.f_code])
    kept.append(sys._getframe())


@part
def weak_references():
    for kind in (Plain, Slotted):
        one, gone = kind(), kind()
        kept.extend([one, weakref.ref(one), weakref.ref(one, max), weakref.proxy(one),
                     weakref.proxy(one, min), weakref.ref(gone), weakref.ref(gone, [].append),
                     weakref.proxy(gone)])
    values, keys, some = (weakref.WeakValueDictionary(), weakref.WeakKeyDictionary(),
                          weakref.WeakSet())
    for number in range(10):
        one = Plain()
        values[number], keys[one] = one, [one]
        some.add(one)
        if number % 2:
            kept.append(one)
    one = None
    gc.collect()
    kept.extend([values, keys, some, weakref.ref(fail), weakref.ref(Plain), weakref.proxy(fail)])
    if hasattr(weakref, "WeakMethod"):
        kept.extend([weakref.WeakMethod(kept[0].method) if hasattr(kept[0], "method") else None,
                     weakref.finalize(Plain, max, [1])])
    for guarded in (iter(values.items()), iter(some)):
        halfway(guarded)


@part
def files():
    raw, temporary = io.FileIO(os.devnull), tempfile.TemporaryFile()
    kept.extend([raw, temporary, io.BufferedReader(io.FileIO(os.devnull)),
                 io.BufferedWriter(io.FileIO(os.devnull, "w")), io.BytesIO(b"bytes"),
                 io.StringIO(u"text"), io.TextIOWrapper(io.BytesIO(b"a\r\nb\n"), newline=None),
                 io.open(os.dup(temporary.fileno()), "r+b"),
                 io.BufferedRWPair(io.BytesIO(), io.BytesIO()), io.open(os.devnull),
                 io.open(os.devnull, "rb"), open(os.devnull), tempfile.NamedTemporaryFile(),
                 tempfile.SpooledTemporaryFile(), io.IncrementalNewlineDecoder(None, True)])
    text = io.TextIOWrapper(io.BytesIO(u"\u20ac one\ntwo\n".encode("utf-8") * 50), "utf-8")
    text.readline()
    text.attribute = [text]
    raw.attribute = [raw]
    written = io.TextIOWrapper(io.BytesIO(), "utf-8")
    written.write(u"pending")
    view = io.BytesIO(b"abcdef")
    kept.extend([text, written, view])
    if PYTHON3:
        kept.append(view.getbuffer())
        kept.append(os.scandir("/"))
        next(kept[-1])
        kept.append(os.stat("/"))
        kept.append(os.times())
    one, two = socket.socketpair()
    kept.extend([one, two, one.makefile("rb"), socket.socket()])
    for name in ("select", "selectors", "mmap", "fcntl", "signal", "subprocess"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        if name == "select":
            poll = module.poll()
            poll.register(one, 1)
            kept.extend([poll, module.epoll()])
        elif name == "selectors":
            selector = module.DefaultSelector()
            selector.register(one, 1, [1])
            kept.append(selector)
        elif name == "mmap":
            kept.append(module.mmap(-1, 4096))


def make_all(arguments=()):
    """Runs the parts; answers which did not run, with the reason."""
    failed = []
    for function in parts:
        if "--no-%s" % function.__name__ in arguments:
            continue
        try:
            function()
        except ImportError:
            continue
        except Exception as error:
            failed.append("%s: %s: %s" % (function.__name__, type(error).__name__, error))
    return failed
