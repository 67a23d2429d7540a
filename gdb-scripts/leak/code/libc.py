# SPDX-License-Identifier: GPL-3.0-or-later
"""glibc's string functions, which it chooses among many with instructions of their own: a few that a
traversal may call are stood in for, and so is the one that finds a thread's variables."""
import os
import re

import gdb

# "__strcmp_avx2", "__memcpy_avx_unaligned_erms", "strlen"
NAME = re.compile(r"^_*([a-z_]+?)(?:_(?:sse2|ssse3|sse4|avx|avx2|avx512|evex|erms)\w*)? in section")
BYTES_MAX = 1 << 20


def stand_in(at):
    """A function of ours for the one of glibc that begins at @at; None where that is another file's,
    or one that is followed as it is."""
    path = gdb.solib_name(at) or ""
    if not os.path.basename(path).startswith(("libc.", "libc-", "ld-")):
        return None
    found = NAME.match(gdb.execute("info symbol 0x%x" % at, to_string=True))
    function = found and FUNCTIONS.get(found.group(1))
    return function and _as_block(function)


def _as_block(function):
    """In the form of a translated run of instructions: returns to the caller."""
    def block(machine, r, x, *helpers):
        r[0] = function(machine, helpers, r[7], r[6], r[2]) & (1 << 64) - 1
        back = helpers[3](r[4])
        r[4] += 8
        return back
    return block


def _text(load8, at):
    found = bytearray()
    while len(found) < BYTES_MAX:
        byte = load8(at + len(found))
        if not byte:
            break
        found.append(byte)
    return bytes(found)


def _compare(left, right):
    return (left > right) - (left < right)


def _strcmp(_machine, helpers, left, right, _third):
    return _compare(_text(helpers[0], left), _text(helpers[0], right))


def _strncmp(_machine, helpers, left, right, count):
    return _compare(_text(helpers[0], left)[:count], _text(helpers[0], right)[:count])


def _strlen(_machine, helpers, at, _second, _third):
    return len(_text(helpers[0], at))


def _bytes(load8, at, count):
    return bytes(load8(at + place) for place in range(min(count, BYTES_MAX)))


def _memcmp(_machine, helpers, left, right, count):
    return _compare(_bytes(helpers[0], left, count), _bytes(helpers[0], right, count))


def _memcpy(_machine, helpers, to, source, count):
    for place, byte in enumerate(_bytes(helpers[0], source, count)):
        helpers[4](to + place, byte)
    return to


def _memset(_machine, helpers, to, value, count):
    for place in range(min(count, BYTES_MAX)):
        helpers[4](to + place, value & 0xff)
    return to


def _tls_get_addr(machine, _helpers, _index, _second, _third):
    return machine.thread_variable_at


FUNCTIONS = {"strcmp": _strcmp, "strncmp": _strncmp, "strlen": _strlen, "memcmp": _memcmp,
             "memcpy": _memcpy, "memmove": _memcpy, "memset": _memset,
             "tls_get_addr": _tls_get_addr}
