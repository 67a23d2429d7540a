# SPDX-License-Identifier: GPL-3.0-or-later
"""How an inspected program talks with its test: it says "ready", then answers every line of standard
input with a line, and ends when standard input closes. Nothing else gets to standard output.

While it waits for a line, its heap is the one that the answer to "census" counted, to the object:
both happen in the same frame of serve(), and neither call makes an object the collector tracks. So
the read gets its arguments from a tuple that is there already, the collector is off, and what the
counting itself makes (all of it in _tally) is gone before the answer is written."""
import gc
import os
import signal
import sys
from json.encoder import encode_basestring_ascii

# A program nobody talks to ends all the same.
signal.alarm(600)

_channel = os.dup(1)
_null = os.open(os.devnull, os.O_WRONLY)
os.dup2(_null, 1)

_module_of = type.__dict__["__module__"].__get__
_name_of = type.__dict__.get("__qualname__", type.__dict__["__name__"]).__get__
_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__
_old_style = None
if sys.version_info[0] == 2:
    class _Old:
        pass
    # Instances of old-style classes are all of one type; they count under their class.
    _old_style = type(_Old())
    # read() with arguments makes a tuple of them for the time of the call in Python 2.
    _read, _read_arguments = sys.stdin.readline, ()
else:
    _read, _read_arguments = os.read, (0, 1 << 16)


def type_name(kind):
    """The type's name as a report shows it: module.qualname, bare for builtins."""
    if isinstance(kind, type):
        module, name = _module_of(kind), _name_of(kind)
    else:
        module, name = kind.__module__, kind.__name__
    if not isinstance(module, str) or module in ("", "builtins", "__builtin__"):
        return name
    return module + "." + name


def _is_asked(kind):
    """Whether sys.getsizeof() of its instances runs no code of Python: that may do anything."""
    if not isinstance(kind, type):
        return True
    # None: a static type of C that nobody has finished; getsizeof() does.
    for base in _mro_of(kind) or ():
        if isinstance(base, type) and "__sizeof__" in _dict_of(base):
            return not hasattr(_dict_of(base)["__sizeof__"], "__code__")
    return True


def _tally(objects):
    """JSON of {type name: [count, sum of sys.getsizeof, or null where that is not asked]}."""
    rows, asked = {}, {}
    old_style, sizes = _old_style, sys.getsizeof
    for thing in objects:
        kind = type(thing)
        if kind is old_style:
            kind = thing.__class__
        if kind not in asked:
            asked[kind] = _is_asked(kind)
        name = type_name(kind)
        count, total = rows.get(name, (0, 0))
        if total is not None:
            total = total + sizes(thing, 0) if asked[kind] else None
        rows[name] = (count + 1, total)
    return "{%s}" % ", ".join(["%s: [%d, %s]" % (encode_basestring_ascii(name), count,
                                                 "null" if size is None else size)
                               for name, (count, size) in sorted(rows.items())])


def say(line):
    """Writes a line to the test."""
    data = (line + "\n").encode()
    while data:
        data = data[os.write(_channel, data):]


def serve(answers=None, ready="", collector=False, look=None):
    """Says ready and answers lines: the first word names the function in @a answers, the other
    words are its arguments, what it returns is the answer ("ok" for None). "census" and
    "references" (sys.gettotalrefcount() of a debug build) are answered here, and "look" by what
    @a look makes of gc.get_objects(). The collector is switched off unless @a collector."""
    answers = answers or {}
    get_objects, read, read_arguments = gc.get_objects, _read, _read_arguments
    references = getattr(sys, "gettotalrefcount", None)
    # The first run of everything may fill a cache or finish a type: done before anybody looks.
    objects = get_objects()
    answer = _tally(objects)
    for _ in range(2 if look else 0):
        answer = look(objects)
    objects = answer = line = _ = None
    # The cache of attribute lookups may be the last to hold a name, until another one takes its
    # place, which depends on addresses.
    getattr(sys, "_clear_internal_caches", sys._clear_type_cache)()
    if not collector:
        # More than once: a tuple of tuples becomes untracked only after those it holds.
        for _ in range(5):
            gc.collect()
        gc.disable()
    say("ready " + ready)
    while True:
        line = read(*read_arguments)
        if not line:
            break
        if line.strip() == b"census":
            objects = get_objects()
            answer = _tally(objects)
            objects = None
        elif line.strip() == b"look":
            objects = get_objects()
            answer = look(objects)
            objects = None
        elif line.strip() == b"references":
            # Here, so that what is alive is what is alive while it waits.
            answer = str(references())
        else:
            answer = _answer(answers, line)
        say(answer)
        answer = line = None


def _answer(answers, line):
    words = line.decode().split()
    answer = answers[words[0]](*words[1:])
    return "ok" if answer is None else str(answer)
