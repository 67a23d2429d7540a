# SPDX-License-Identifier: GPL-3.0-or-later
"""A heap with one of everything in it, after much code of the library has run. The line "look" writes
to the file of the first argument, for every object that gc.get_objects() lists, a line: its address,
the number of its type, the addresses of gc.get_referents(), in hexadecimal; the last line is a JSON
list of the types' names. It answers how many lines there are. Arguments --no-PART leave parts out;
what failed stands after "ready".

Nothing that the writing needs is among the objects, as the list of them was made before; the frame
that called alone holds something else when it reads again, and is left out. So is one module of
Python 3.12, which visits free objects: asking for them would free them once more."""
import gc
import json
import os
import sys
import warnings

import conversation

warnings.simplefilter("ignore")

import library_code  # noqa: E402
import library_objects  # noqa: E402
import library_modules  # noqa: E402, F401
if library_objects.PYTHON3:
    import library_async  # noqa: F401

# Since Python 3.11 a running function has no frame object, unless somebody asked for it.
FRAMES_ARE_OBJECTS = sys.version_info < (3, 11)
# Its traverse goes over its list of free iterators, whose next dealloc makes a loop of that list.
VISITS_FREE_OBJECTS = id(sys.modules["_asyncio"]) if sys.version_info[:2] == (3, 12) else 0


def look(objects):
    left_out = (id(sys._getframe(2)) if FRAMES_ARE_OBJECTS else 0, VISITS_FREE_OBJECTS)
    referents, names, numbers, lines, count = gc.get_referents, [], {}, [], 0
    target = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for thing in objects:
        if id(thing) in left_out:
            continue
        kind = type(thing)
        if kind not in numbers:
            numbers[kind] = len(names)
            names.append(conversation.type_name(kind))
        words = [id(thing), numbers[kind]] + [id(one) for one in referents(thing)]
        lines.append(" ".join(["%x" % word for word in words]))
        count += 1
        if len(lines) > 1000:
            write(target, lines)
            lines = []
    lines.append(json.dumps(names))
    write(target, lines)
    os.close(target)
    return count


def write(target, lines):
    data = ("\n".join(lines) + "\n").encode()
    while data:
        data = data[os.write(target, data):]


def main():
    failed = library_objects.make_all(sys.argv[2:])
    library_code.main(sys.argv[2:])
    return "; ".join(failed)


conversation.serve(ready=main().replace("\n", " "), look=lambda objects: str(look(objects)))
