# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that wait, each in another kind of code: generators, coroutines, deep recursion, exec'd code
with odd file names, callbacks from C, code that is traced or imported. "stacks" answers what the
process itself says runs in each: {kernel id: [[function, file, line], ...]}, the outermost first, texts as
hexadecimal UTF-8. "names" answers {kernel id: which kind}. With "deep N" there is one more thread that has
called itself N times, with "bare DIR" one without Python functions, by the extension module in DIR."""
import binascii
import functools
import json
import os
import sys
import threading
import time

import conversation

gate = threading.Lock()
gate.acquire()
kinds = {}
started = []
PYTHON2 = sys.version_info[0] == 2


def wait(*_):
    gate.acquire()


def recurse(depth):
    if depth:
        return recurse(depth - 1)
    return wait()


def numbers():
    yield 1
    wait()
    yield 2


def outer_numbers():
    for number in numbers():
        yield number


class Odd(object):
    def method(self):
        return [(lambda x: wait())(each) for each in [1]]

    def __getattr__(self, name):
        return self.method()

    def __del__(self):
        wait()


class Context(object):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        wait()


def in_context():
    with Context():
        len("")


def over_lines():
    return dict(
        first=1,
        second=wait(
            1,
            2,
        ),
        third=3)


def in_finally():
    try:
        raise ValueError("first")
    except ValueError:
        try:
            return 1
        finally:
            wait()


# The table of lines has to skip more than one byte can say, forwards and backwards.
FAR = """
def far():
    return dict(first=len(""), second=[%s
        wait()][0], third=len(""))
""" % ("\n" * 700)
exec(compile(FAR, "far.py", "exec"))


def traced():
    sys.settrace(lambda *_: lambda *_: None)
    recurse(3)


def class_body():
    class Local(object):
        wait()


def key_function():
    return sorted([3, 1], key=wait)


def reduced():
    return functools.reduce(lambda a, b: wait(), [1, 2, 3]) if not PYTHON2 else \
        reduce(lambda a, b: wait(), [1, 2, 3])


def asleep():
    time.sleep(100000)


def reading():
    os.read(os.pipe()[0], 1)


def imported():
    folder = os.environ["STACKS_FOLDER"]
    with open(os.path.join(folder, "waits_when_imported.py"), "w") as script:
        script.write("import __main__\n\n\n__main__.wait()\n")
    sys.path.insert(0, folder)
    import waits_when_imported  # noqa


def executed(file):
    def run():
        code = compile("def inner():\n\n    wait()\n\n\ninner()\n", file, "exec")
        exec(code, {"wait": wait})
    return run


def dropped():
    Odd()


CODE3 = """
import asyncio, types

async def innermost():
    wait()

@types.coroutine
def bridge():
    yield from innermost().__await__()

async def middle():
    async with Manager():
        async for each in generate():
            await bridge()

class Manager:
    async def __aenter__(self):
        pass
    async def __aexit__(self, *_):
        pass

async def generate():
    yield 1

def coroutine():
    middle().send(None)

def delegating():
    def inner():
        yield 1
        wait()
    def outer():
        yield from inner()
    list(outer())

def event_loop():
    async def main():
        await asyncio.sleep(0)
        await middle()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())

def comprehension():
    return {each: [wait() for other in [each]] for each in [1]}

def thrown():
    def catching():
        try:
            yield 1
        except ValueError:
            wait()
    running = catching()
    next(running)
    running.throw(ValueError("thrown"))
"""

ODD_FILES = ["", "<odd \"name\">", "line\nbreak.py", "a\\b\tc", "x" * 3000 + ".py"]
if PYTHON2:
    ODD_FILES += ["caf\xe9.py"]
else:
    ODD_FILES += [u"caf\xe9/\u4e16/\U0001f40d.py", u"bytes\udcff.py"]

jobs = [
    ("recursion", lambda: recurse(300)), ("generator", lambda: list(outer_numbers())),
    ("getattr", lambda: Odd().nothing), ("del", dropped), ("context", in_context),
    ("lines", over_lines), ("finally", in_finally), ("far", far),  # noqa
    ("traced", traced),
    ("class", class_body), ("key", key_function), ("reduce", reduced), ("asleep", asleep),
    ("reading", reading), ("map", lambda: list(map(wait, [1, 2]))),
    ("eval", lambda: eval("[wait() for each in [1]]")),
] + [("file %d" % number, executed(file)) for number, file in enumerate(ODD_FILES)]
if not PYTHON2:
    exec(compile(CODE3, "<three>", "exec"))
    # One thread at a time imports in Python 2.
    jobs += [("imported", imported)]
    jobs += [(each.__name__, each) for each in (coroutine, delegating, event_loop, comprehension,  # noqa
                                                thrown)]  # noqa
if sys.argv[1:2] == ["deep"]:
    sys.setrecursionlimit(200000)
    threading.stack_size(1 << 29)
    jobs = [("deep", lambda: recurse(int(sys.argv[2])))]


def thread_id():
    return int(os.readlink("/proc/thread-self").split("/")[-1])


def start(name, job):
    def run():
        kinds[thread_id()] = name
        started.append((threading.current_thread().ident, thread_id()))
        job()
    thread = threading.Thread(target=run)
    thread.daemon = True
    thread.start()


def text(name):
    raw = name if isinstance(name, bytes) else name.encode("utf-8", *([] if PYTHON2 else
                                                                     ["surrogatepass"]))
    return binascii.hexlify(raw).decode("ascii")


def stack_of(frame):
    found = []
    while frame:
        found.append([text(frame.f_code.co_name), text(frame.f_code.co_filename), frame.f_lineno])
        frame = frame.f_back
    return found[::-1]


def snapshot():
    frames = sys._current_frames()
    return {"%d" % tid: stack_of(frames[ident]) for ident, tid in started}


def state_of(tid):
    with open("/proc/self/task/%s/stat" % tid) as stat:
        return stat.read().rpartition(")")[2].split()[0]


def settled():
    """All threads, when each of them is where it will stay."""
    while True:
        before = snapshot()
        time.sleep(0.05)
        after = snapshot()
        if before == after and len(after) == len(jobs) and \
                all(state_of(tid) == "S" for tid in after):
            return after


def stacks():
    found = settled()
    found["%d" % thread_id()] = stack_of(sys._getframe())
    return json.dumps(found)


def names():
    return json.dumps({"%d" % tid: name for tid, name in kinds.items()})


if sys.argv[1:2] == ["bare"]:
    jobs = []
    sys.path.insert(0, sys.argv[2])
    import waits
    kinds[waits.start_bare()] = "bare"
if sys.argv[1:2] == ["holding"]:
    jobs = []
    sys.path.insert(0, sys.argv[2])
    import waits
    # The other thread never gives the GIL back once it has it: then this one is no longer heard.
    conversation.say("ready")
    start("holding", waits.hold)
    wait()
for name, job in jobs:
    start(name, job)
conversation.serve({"stacks": stacks, "names": names})
