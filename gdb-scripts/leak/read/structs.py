# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and places of C's structs, from GDB's own type information. No offset is written down here
or anywhere else in this package.

Three outcomes are kept apart: a member is there, it is absent (None: another version of Python), or
GDB could not tell (an exception)."""
import gdb

from ..base.errors import LeakError

# What GDB says where there is no such type, and not where reading its file failed.
ABSENT = ("No type named", "No struct type named", "No union type named")
NESTING_MAX = 16


class Field:
    """Where a member lies. Offsets and sizes are in bytes, bit numbers count from the field's
    beginning; `count` is the length of an array, 0 of a flexible one, 1 of everything else."""

    __slots__ = ("offset", "size", "count", "bit", "bits", "signed", "type")

    def __init__(self, offset, kind, bit=0, bits=0):
        self.offset = offset
        self.type = kind
        self.size = kind.sizeof
        self.count = 1
        if kind.code == gdb.TYPE_CODE_ARRAY:
            low, high = kind.range()
            self.count = max(high - low + 1, 0)
        self.bit = bit
        self.bits = bits
        self.signed = kind.code == gdb.TYPE_CODE_INT and getattr(
            kind, "is_signed", not kind.name or "unsigned" not in kind.name)

    def value(self, data, start=0):
        """The number that @data (bytes) holds for it, the struct beginning at @start."""
        at = start + self.offset
        number = int.from_bytes(data[at:at + min(self.size, 8)], "little", signed=self.signed)
        if self.bits:
            number = (number >> self.bit) & ((1 << self.bits) - 1)
        return number


class Structs:
    """Answers of one program space, kept until its files change."""

    def __init__(self):
        self._types = {}
        self._fields = {}

    def type(self, name):
        """The struct, union or other type that @name ("PyObject", "struct gc_generation") stands for,
        with its members; None when the program knows no such type."""
        if name not in self._types:
            self._types[name] = self._look_up(name)
        return self._types[name]

    def _look_up(self, name):
        try:
            found = gdb.lookup_type(name).strip_typedefs()
        except gdb.error as error:
            if str(error).startswith(ABSENT):
                return None
            raise LeakError("GDB cannot look up the type %s: %s" % (name, error)) from error
        # A file that only declares a struct gives one without members; another may define it.
        if found.code == gdb.TYPE_CODE_STRUCT and not found.fields() and found.tag \
                and name != "struct " + found.tag:
            return self._look_up("struct " + found.tag)
        return found

    def size(self, *names):
        """Size of the first of these types that exists; None when there is none."""
        for name in names:
            found = self.type(name)
            if found is not None and found.sizeof:
                return found.sizeof
        return None

    def field(self, *paths):
        """The first of these members ("PyGC_Head:gc.gc_next") that exists; None when none does."""
        for path in paths:
            if path not in self._fields:
                name, _, members = path.partition(":")
                self._fields[path] = self._find(self.type(name), members.split("."))
            if self._fields[path] is not None:
                return self._fields[path]
        return None

    def _find(self, struct, names):
        offset, bit, bits = 0, 0, 0
        for name in names:
            found = member_of(struct, name)
            if found is None:
                return None
            member, before = found
            position = before + member.bitpos
            bits = member.bitsize
            # The bytes that hold a bit field, and where in them it begins.
            offset += position // 8
            bit = position % 8
            struct = member.type.strip_typedefs()
        if bits:
            offset, bit = offset - offset % struct.sizeof, bit + offset % struct.sizeof * 8
        return Field(offset, struct, bit, bits)


def member_of(struct, name, depth=0):
    """(gdb.Field, bits before what contains it) of a member, also one of an anonymous struct or union
    within; None when there is none."""
    if struct is None or struct.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return None
    for field in struct.fields():
        if field.name == name and hasattr(field, "bitpos"):
            return field, 0
        if not field.name and depth < NESTING_MAX:
            found = member_of(field.type.strip_typedefs(), name, depth + 1)
            if found:
                return found[0], found[1] + field.bitpos
    return None


def _symbols(name):
    """Variables and functions of that name, global ones first. Of a variable that only its declaration
    describes ("unresolved") GDB finds the address all the same."""
    for look_up in (gdb.lookup_global_symbol, gdb.lookup_static_symbol):
        symbol = look_up(name)
        if symbol is not None and not symbol.needs_frame and (
                symbol.is_variable or symbol.is_function
                or symbol.addr_class == gdb.SYMBOL_LOC_UNRESOLVED):
            yield symbol


def symbol_address(name):
    """Where a variable or function of the program is, static ones too; None when there is none."""
    for symbol in _symbols(name):
        try:
            address = symbol.value().address
        except gdb.error as error:
            raise LeakError("GDB knows %s and not where it is: %s" % (name, error)) from error
        if address is not None:
            return int(address)
    return _linker_address(name)


def _linker_address(name):
    """By the linker's names alone, as link-time optimization may have left them ("arenas.lto_priv")."""
    before = gdb.parameter("language")
    gdb.execute("set language c", to_string=True)
    try:
        for suffix in ("", ".lto_priv", ".lto_priv.0"):
            try:
                return int(gdb.parse_and_eval("(long)&'%s%s'" % (name, suffix))) & (1 << 64) - 1
            except gdb.error:
                continue  # No such symbol; GDB has no other way to say so.
    finally:
        gdb.execute("set language " + before, to_string=True)
    return None


def symbol_type(name):
    """The type of a variable, None when there is no such variable."""
    for symbol in _symbols(name):
        return symbol.type.strip_typedefs()
    return None
