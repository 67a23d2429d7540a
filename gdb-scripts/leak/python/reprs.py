# SPDX-License-Identifier: GPL-3.0-or-later
"""What repr() would say of an object, from memory alone and within a limit of characters. A class's own
__repr__ is code of the program and is not run: an object of such a class is written in the form of
the builtin type that it derives from, or as <module.Type object at 0x...>."""
import struct

from ..read import layout as flags
from ..base.errors import Fault, LeakError

CHARS_MAX = 80
ITEMS_SHOWN = 100
DEPTH_MAX = 6
DIGITS_MAX = 64


class _Full(Exception):
    """The limit is reached."""


class Reprs:
    """Of one moment."""

    def __init__(self, python):
        self._objects = python.objects
        self._layout = python.layout
        self._memory = python.memory
        at = python.layout.type_at
        names = {"PyBool_Type": self._bool, "PyFloat_Type": self._float, "PySet_Type": self._set,
                 "PyFrozenSet_Type": self._set, "PyFunction_Type": self._function,
                 "PyCFunction_Type": self._builtin, "PyMethod_Type": self._method,
                 "PyModule_Type": self._module, "PyCell_Type": self._cell,
                 "PyClass_Type": self._old_class, "PyInstance_Type": self._old_instance,
                 "_PyWeakref_RefType": self._weakref, "PyFrame_Type": self._frame,
                 "PyCode_Type": self._code}
        self._by_type = {at(name): method for name, method in names.items() if at(name)}
        self._single = {at("_Py_NoneStruct"): "None", at("_Py_EllipsisObject"): "Ellipsis",
                        at("_Py_NotImplementedStruct"): "NotImplemented"}
        self._single.pop(None, None)

    def of(self, at, chars_max=CHARS_MAX):
        """Never fails; cut with "..."."""
        self._left, self._pieces, self._open = chars_max, [], []
        try:
            self._object(at)
        except _Full:
            return "".join(self._pieces)[:max(chars_max - 3, 0)] + "..."
        return "".join(self._pieces)

    def _say(self, text):
        self._pieces.append(text)
        self._left -= len(text)
        if self._left < 0:
            raise _Full

    def _object(self, at):
        try:
            self._any(at)
        except (Fault, LeakError, ValueError, OverflowError):
            self._say("<unreadable at 0x%x>" % at)

    def _any(self, at):
        if at in self._single:
            self._say(self._single[at])
            return
        kind = self._objects.type_of(at) if at and not at & 7 else None
        if kind is None:
            self._say("<no object at 0x%x>" % at)
            return
        own = self._by_type.get(kind.at) or self._by_flags(kind)
        if own:
            own(at, kind)
        else:
            self._plain(at, kind)

    def _by_flags(self, kind):
        for bit, method in ((flags.UNICODE_SUBCLASS, self._text), (flags.BYTES_SUBCLASS, self._bytes),
                            (flags.LONG_SUBCLASS, self._long), (flags.INT_SUBCLASS, self._int),
                            (flags.LIST_SUBCLASS, self._list), (flags.TUPLE_SUBCLASS, self._tuple),
                            (flags.DICT_SUBCLASS, self._dict), (flags.TYPE_SUBCLASS, self._class)):
            # In Python 3 that bit of int's means nothing.
            if kind.flags & bit and (method != self._int or self._layout.is_python2):
                return method
        return None

    def _plain(self, at, kind):
        self._say("<%s object at 0x%x>" % (kind.name, at))

    def _word(self, at):
        return self._memory.word(at)

    def _text(self, at, _kind):
        text = self._objects.text(at, max(self._left, 0) + 8)
        if text is None:
            raise Fault(at)
        quoted = repr(text)
        self._say("u" + ascii(text) if self._layout.is_python2 else quoted)

    def _bytes(self, at, _kind):
        quoted = repr(self._objects.bytes(at, max(self._left, 0) + 8))
        self._say(quoted[1:] if self._layout.is_python2 else quoted)

    def _int(self, at, kind):
        value = struct.unpack("<q", self._memory.read(at + self._layout.int_value, 8))[0]
        self._say(str(value))

    def _long(self, at, kind):
        value = self._long_value(at)
        if value is None:
            self._say("<int of many digits at 0x%x>" % at)
        else:
            self._say(str(value) + ("L" if self._layout.is_python2 else ""))

    def _long_value(self, at):
        """None where it is too long to be read."""
        layout = self._layout
        if layout.long_tag is not None:
            # Include/internal/pycore_long.h: sign in the lowest two bits, digits above three.
            tag = self._word(at + layout.long_tag)
            count, sign = tag >> 3, (1, 0, -1, 0)[tag & 3]
        else:
            size = struct.unpack("<q", self._memory.read(at + layout.var_size, 8))[0]
            count, sign = abs(size), -1 if size < 0 else 1
        if count > DIGITS_MAX:
            return None
        width = layout.digit_bytes
        data = self._memory.read(at + layout.long_digits, count * width)
        # PyLong_SHIFT: a digit of 4 bytes holds 30 bits, one of 2 holds 15.
        shift = 30 if width == 4 else 15
        return sign * sum(int.from_bytes(data[place * width:(place + 1) * width], "little")
                          << shift * place for place in range(count))

    def _bool(self, at, _kind):
        layout = self._layout
        value = self._word(at + layout.int_value) if layout.is_python2 else self._long_value(at)
        self._say(str(bool(value)))

    def _float(self, at, _kind):
        self._say(repr(struct.unpack("<d", self._memory.read(at + self._layout.float_value, 8))[0]))

    def _container(self, at, begin, end, items, one):
        if at in self._open:
            self._say(begin + "..." + end)
            return
        if len(self._open) >= DEPTH_MAX:
            self._say("...")
            return
        self._open.append(at)
        self._say(begin)
        for place, item in enumerate(items):
            if place:
                self._say(", ")
            if place == ITEMS_SHOWN:
                self._say("...")
                break
            one(item)
        self._say(end)
        self._open.pop()

    def _items(self, items_at, count):
        shown = min(max(count, 0), ITEMS_SHOWN + 1)
        return self._memory.words(items_at, shown) if shown else []

    def _list(self, at, _kind):
        count = self._word(at + self._layout.var_size)
        items_at = self._word(at + self._layout.list_items)
        self._container(at, "[", "]", self._items(items_at, count), self._object)

    def _tuple(self, at, _kind):
        count = self._word(at + self._layout.var_size)
        items = self._items(at + self._layout.tuple_items, count)
        self._container(at, "(", ",)" if count == 1 else ")", items, self._object)

    def _dict(self, at, _kind):
        def pair(both):
            self._object(both[0])
            self._say(": ")
            self._object(both[1])
        self._container(at, "{", "}", self._objects.dict_pairs(at), pair)

    def _set(self, at, kind):
        layout, memory = self._layout, self._memory
        count = min(self._word(at + layout.set_mask) + 1, 1 << 16)
        step = layout.set_entry_bytes >> 3
        words = memory.words(self._word(at + layout.set_table), count * step)
        keys = words[layout.set_entry_key >> 3::step]
        hashes = words[layout.set_entry_hash >> 3::step]
        # The dummy left by a deletion has a hash of -1, which no object has.
        items = [key for key, value in zip(keys, hashes) if key and value != (1 << 64) - 1]
        begin = "{" if kind.name == "set" and items and not layout.is_python2 else kind.name + "(["
        self._container(at, begin, "}" if begin == "{" else "])", items, self._object)

    def _class(self, at, _kind):
        found = self._objects.type(at)
        self._say("<class '%s'>" % (found.name if found else "?"))

    def _name_at(self, at):
        return self._objects.text(self._word(at)) or "?"

    def _function(self, at, _kind):
        self._say("<function %s at 0x%x>" % (self._name_at(at + self._layout.function_name), at))

    def _builtin(self, at, _kind):
        layout = self._layout
        definition = self._word(at + layout.cfunction_def)
        name = self._memory.text(self._word(definition + layout.method_def_name), 100)
        self._say("<built-in function %s>" % name)

    def _method(self, at, _kind):
        layout = self._layout
        self._say("<bound method %s of " % self._name_at(
            self._word(at + layout.method_function) + layout.function_name))
        self._object(self._word(at + layout.method_self))
        self._say(">")

    def _module(self, at, _kind):
        name = self._objects.dict_get(self._word(at + self._layout.module_dict), "__name__")
        self._say("<module %r>" % (self._objects.text(name) or "?"))

    def _cell(self, at, _kind):
        value = self._word(at + self._layout.cell_value)
        self._say("<cell at 0x%x: %s>" % (at, "%s object at 0x%x" % (
            self._objects.name_of(value), value) if value else "empty"))

    def _old_class(self, at, _kind):
        self._say("<class %s at 0x%x>" % (self._objects.old_style_name(at), at))

    def _old_instance(self, at, _kind):
        self._say("<%s instance at 0x%x>" % (self._objects.name_of(at), at))

    def _weakref(self, at, _kind):
        to = self._word(at + self._layout.weakref_object)
        dead = to in self._single
        self._say("<weakref at 0x%x; %s>" % (at, "dead" if dead else "to '%s' at 0x%x" % (
            self._objects.name_of(to), to)))

    def _code(self, at, _kind):
        self._say("<code object %s at 0x%x>" % (self._name_at(at + self._layout.code_name), at))

    def _frame(self, at, _kind):
        self._say("<frame at 0x%x>" % at)
