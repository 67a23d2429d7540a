# SPDX-License-Identifier: GPL-3.0-or-later
"""Types by what they are called, text, and the entries of dicts, read from the mirror."""
from ..read import layout as flags
from ..base.errors import Fault

CHAIN_MAX = 64
NAME_CHARS_MAX = 512
ENTRIES_MAX = 1 << 27
BUILTIN_MODULES = ("", "builtins", "__builtin__")


class TypeInfo:
    """A type object of the inferior."""

    __slots__ = ("at", "name", "flags", "basicsize", "itemsize", "traverse", "is_gc", "is_heap",
                 "plan", "finalizer")

    def __init__(self, at):
        self.at = at
        self.plan = None
        self.finalizer = None


class Objects:
    """Of one moment: forgotten together with the mirror."""

    def __init__(self, layout, memory):
        self.layout = layout
        self.memory = memory
        self._types = {}
        self._shared = {}
        self._names = {}
        self._instance_at = layout.type_at("PyInstance_Type") if layout.is_python2 else None
        self._unicode_bytes = layout.unicode_unit_bytes

    @property
    def instance_at(self):
        """The type of all instances of old-style classes, None where there are none."""
        return self._instance_at

    def type(self, at):
        """The TypeInfo at @at, None where there is none that makes sense."""
        if at not in self._types:
            self._types[at] = self._read_type(at)
        return self._types[at]

    def type_of(self, at):
        """The TypeInfo of an object; None where it has none."""
        return self.type(self.memory.word(at + self.layout.object_type))

    def is_type(self, at):
        """Whether @at is a type object: its own type is `type` or derived from it."""
        layout, memory = self.layout, self.memory
        for _ in range(CHAIN_MAX):
            above = memory.word(at + layout.object_type)
            if above == at:
                return True
            if above & 7 or not above:
                return False
            if not memory.word(above + layout.type_flags) & flags.TYPE_SUBCLASS:
                return False
            at = above
        return False

    def _read_type(self, at):
        layout = self.layout
        if not at or at & 7:
            return None
        try:
            if not self.is_type(at):
                return None
            data = self.memory.read(at, layout.type_bytes)
            found = TypeInfo(at)
            found.flags = layout.fields["type_flags"].value(data)
            found.basicsize = layout.fields["type_basicsize"].value(data)
            found.itemsize = layout.fields["type_itemsize"].value(data)
            found.is_heap = bool(found.flags & flags.HEAP_TYPE)
            found.is_gc = bool(found.flags & flags.HAVE_GC)
            found.traverse = layout.fields["type_traverse"].value(data) if found.is_gc else 0
            found.name = self._type_name(found)
        except Fault:
            return None
        return found

    def _type_name(self, found):
        """type.__module__ and type.__qualname__ as Objects/typeobject.c tells them."""
        layout, memory = self.layout, self.memory
        if found.is_heap:
            name_at = memory.word(found.at + (layout.heaptype_qualname
                                              if layout.heaptype_qualname is not None
                                              else layout.heaptype_name))
            module_at = self.dict_get(memory.word(found.at + layout.type_dict), "__module__")
            name = self.text(name_at)
            if name is not None:
                return join_name(self.text(module_at) if module_at else "", name)
        name = memory.text(memory.word(found.at + layout.type_name), NAME_CHARS_MAX)
        module, dot, last = name.rpartition(".")
        return join_name(module, last) if dot else name

    def old_style_name(self, class_at):
        """Of a Python 2 class that is no type."""
        layout, memory = self.layout, self.memory
        try:
            name = self.text(memory.word(class_at + layout.class_name))
            module_at = self.dict_get(memory.word(class_at + layout.class_dict), "__module__")
            return join_name(self.text(module_at) if module_at else "", name or "?")
        except Fault:
            return "(class at 0x%x)" % class_at

    def type_name(self, at):
        """The name of the type at @at, whatever it is."""
        found = self.type(at)
        return found.name if found else "(type at 0x%x)" % at

    def name_of(self, at):
        """The name that an object counts under: its type's, or its old-style class's."""
        kind = self.memory.word(at + self.layout.object_type)
        if kind == self._instance_at:
            return self.old_style_name(self.memory.word(at + self.layout.instance_class))
        return self.type_name(kind)

    # Text.

    def text(self, at, chars_max=NAME_CHARS_MAX):
        """The text of a str (in Python 2 also of a unicode), cut at @chars_max; None where it is
        none or cannot be read."""
        if not at:
            return None
        try:
            found = self.memory.word(at + self.layout.object_type)
            flag_bits = self.memory.word(found + self.layout.type_flags)
            if flag_bits & flags.UNICODE_SUBCLASS:
                return self._unicode(at, chars_max)
            if flag_bits & flags.BYTES_SUBCLASS:
                return self.bytes(at, chars_max).decode("utf-8", "backslashreplace")
        except Fault:
            pass
        return None

    def bytes(self, at, count_max=NAME_CHARS_MAX):
        count = self.memory.word(at + self.layout.var_size)
        return self.memory.read(at + self.layout.bytes_data, min(count, count_max))

    def _unicode(self, at, chars_max):
        layout, memory = self.layout, self.memory
        if layout.unicode_str is not None:
            count = min(memory.word(at + layout.unicode_length), chars_max)
            data = memory.read(memory.word(at + layout.unicode_str), count * self._unicode_bytes)
            code = "utf-32-le" if self._unicode_bytes == 4 else "utf-16-le"
            return data.decode(code, "backslashreplace")
        head = memory.read(at, layout.ascii_bytes)
        count = min(layout.fields["ascii_length"].value(head), chars_max)
        width = layout.fields["ascii_kind"].value(head)
        if not layout.fields["ascii_compact"].value(head):
            # Of a subclass: the characters are in a block of their own.
            data_at = memory.word(at + layout.unicode_data)
        elif layout.fields["ascii_ascii"].value(head):
            data_at = at + layout.ascii_bytes
        else:
            data_at = at + layout.compact_bytes
        if width not in (1, 2, 4):
            return None
        code = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[width]
        return memory.read(data_at, count * width).decode(code, "backslashreplace")

    # Dicts.

    def dict_table(self, at):
        """(address of the entries, their number, bytes of one, offset of its key, of its value or
        None, address of the values of a split table or 0, its kind). A Python 2 table has a kind of
        0, an older one that of the function that searches it."""
        layout, memory = self.layout, self.memory
        if layout.dict_keys is None:
            count = memory.word(at + layout.dict_mask) + 1
            table = memory.word(at + layout.dict_table)
            return (table, min(count, ENTRIES_MAX), layout.entry_bytes, layout.entry_key,
                    layout.entry_value, 0, 0)
        keys_at = memory.word(at + layout.dict_keys)
        values_at = memory.word(at + layout.dict_values)
        entries = self.key_table(keys_at)
        if values_at and layout.values_values is not None:
            values_at += layout.values_values
        return entries[:5] + (values_at,) + entries[5:]

    def key_table(self, keys_at):
        """(address of the entries, their number, bytes of one, offset of its key, of its value,
        kind) of a keys object of 3.3 and later."""
        layout = self.layout
        fields = layout.fields
        head = self.memory.read(keys_at, layout.keys_indices)
        kind = 0
        if layout.keys_kind is not None:
            kind = fields["keys_kind"].value(head)
        elif layout.keys_lookup is not None:
            kind = fields["keys_lookup"].value(head)
        if layout.keys_log2_size is not None:
            index_bytes = 1 << min(fields["keys_log2_index_bytes"].value(head), 43)
        else:
            # DK_IXSIZE() of Objects/dictobject.c: the narrowest integer that numbers the slots.
            slots = fields["keys_size"].value(head)
            index_bytes = slots * (1 if slots <= 0xff else 2 if slots <= 0xffff
                                   else 4 if slots <= 0xffffffff else 8)
        count = fields["keys_nentries"].value(head)
        entries_at = keys_at + layout.keys_indices + index_bytes
        if not 0 <= count <= ENTRIES_MAX:
            raise Fault(keys_at)
        if layout.unicode_entry_bytes and layout.keys_kind is not None and kind:
            return (entries_at, count, layout.unicode_entry_bytes, layout.unicode_entry_key,
                    layout.unicode_entry_value, kind)
        return (entries_at, count, layout.entry_bytes, layout.entry_key, layout.entry_value, kind)

    def shared_keys(self, keys_at):
        """key_table() of keys that a class shares out: asked for each of its instances."""
        if keys_at not in self._shared:
            self._shared[keys_at] = self.key_table(keys_at)
        return self._shared[keys_at]

    def attribute_name(self, key_at):
        """The text of a key, for those of instances: few, and asked for often."""
        if key_at not in self._names:
            self._names[key_at] = self.text(key_at) or "?"
        return self._names[key_at]

    def dict_pairs(self, at):
        """[(address of key, address of value)] of what is in a dict."""
        entries_at, count, stride, to_key, to_value, values_at, _ = self.dict_table(at)
        if not count:
            return []
        step = stride >> 3
        words = self.memory.words(entries_at, count * step)
        keys = words[to_key >> 3::step]
        values = self.memory.words(values_at, count) if values_at else words[to_value >> 3::step]
        return [(key, value) for key, value in zip(keys, values) if key and value]

    def dict_get(self, at, name):
        """The value under the str @name, 0 when there is none or @at is 0."""
        if not at:
            return 0
        for key, value in self.dict_pairs(at):
            if self._is_text(key, name):
                return value
        return 0

    def _is_text(self, at, name):
        return self.text(at, len(name) + 1) == name


def join_name(module, name):
    return name if not module or module in BUILTIN_MODULES else "%s.%s" % (module, name)
