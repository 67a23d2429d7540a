# SPDX-License-Identifier: GPL-3.0-or-later
"""The struct that only a function knows: what a type's tp_dealloc or tp_traverse calls its object. Their
parameters and local variables point to it, and its members that point to something beginning with a
PyObject are where an object keeps others."""
import gdb

from .structs import symbol_address

NESTING_MAX = 12
MEMBERS_MAX = 4096
GUESS_WORDS_MAX = 64
FUNCTION_BYTES_MAX = 1 << 13
# Members that point to an object and do not own it, where the name alone tells.
BORROWED = ("f_gen", "wr_next", "wr_prev", "gi_iframe", "cr_iframe", "ag_iframe", "_f_frame_data",
            "f_localsplus", "_spec_cache.getitem", "_spec_cache.init")


class Struct:
    """`members`: [(offset, pointers in a row, name)]; `size` in bytes; `type` as GDB knows it."""

    def __init__(self, name, kind, size, members):
        self.name = name
        self.type = kind
        self.size = size
        self.members = members


def _strip(kind):
    """Without typedefs and const."""
    return kind.strip_typedefs().unqualified().strip_typedefs()


class Members:
    """Of one program: what was found out about its functions."""

    def __init__(self, structs):
        self._base = structs.type("PyObject")
        self._type_tag = structs.type("PyTypeObject").tag
        self._functions = {}
        self._structs = {}

    def of_function(self, at, size):
        """The struct nearest to @size bytes that the function at @at works on; None when there is
        none, or no debug information."""
        if at not in self._functions:
            self._functions[at] = self._candidates(at)
        best = None
        for struct in self._functions[at]:
            if struct.size > size + 32 or struct.size <= self._base.sizeof:
                continue
            # A part of the object, most often its beginning, is better than nothing.
            if best is None or abs(size - struct.size) < abs(size - best.size):
                best = struct
        return best

    def struct_of_type(self, python, kind):
        """The gdb.Type of a type's objects; None where no function tells, or only of a part."""
        word, layout = python.memory.word, python.layout
        for at in (word(kind.at + layout.type_dealloc), word(kind.at + layout.type_traverse)):
            found = self.of_function(at, kind.basicsize) if at else None
            if found is not None and found.size == kind.basicsize:
                return found.type
        return None

    def _candidates(self, at):
        """Structs that the function's parameters and variables point to, those of what was inlined
        into it from the same source file, too."""
        found = []
        for symbol in _symbols_within(at):
            kind = _strip(symbol.type)
            if kind.code != gdb.TYPE_CODE_PTR:
                continue
            struct = self.struct(kind.target())
            if struct is not None and struct not in found:
                found.append(struct)
        return found

    def struct(self, kind):
        """The Struct of a type that begins with a PyObject; None of another one."""
        name, original = kind.name, kind
        kind = _strip(kind)
        if kind.code != gdb.TYPE_CODE_STRUCT or not self.is_object(kind):
            return None
        key = kind.name or kind.tag or name or str(kind)
        if (key, kind.sizeof) not in self._structs:
            found = []
            self._walk(kind, 0, "", found, 0)
            # The head written out as macros do: its pointers are no references of this kind.
            found = [one for one in found if one[0] >= self._base.sizeof]
            self._structs[key, kind.sizeof] = Struct(name or key, original, kind.sizeof, found)
        return self._structs[key, kind.sizeof]

    def is_object(self, kind, depth=0):
        """Whether a struct begins with a PyObject, itself one or with its members written out."""
        kind = _strip(kind)
        if kind.code != gdb.TYPE_CODE_STRUCT or depth > NESTING_MAX:
            return False
        if kind.tag and kind.tag == self._base.tag:
            return True
        fields = [field for field in kind.fields() if hasattr(field, "bitpos")]
        head = [field.name for field in self._base.fields()]
        if head and [field.name for field in fields[:len(head)]] == head:
            return True
        return bool(fields) and self.is_object(fields[0].type, depth + 1)

    def _walk(self, kind, offset, path, found, depth):
        if depth > NESTING_MAX or len(found) > MEMBERS_MAX:
            return
        if kind.tag and kind.tag == self._base.tag:
            return
        for field in kind.fields():
            if not hasattr(field, "bitpos") or field.bitsize:
                continue
            at = offset + field.bitpos // 8
            name = ".".join(filter(None, (path, field.name)))
            inner, count = _strip(field.type), 1
            if inner.code == gdb.TYPE_CODE_ARRAY:
                low, high = inner.range()
                count, inner = max(high - low + 1, 0), _strip(inner.target())
            if inner.code == gdb.TYPE_CODE_PTR:
                if self.is_object(inner.target()):
                    found.append((at, max(count, 1), name))
            elif inner.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
                for place in range(min(count, 64)):
                    self._walk(inner, at + place * inner.sizeof, name if count == 1 else
                               "%s[%d]" % (name, place), found, depth + 1)


def _block_at(at):
    try:
        return gdb.block_for_pc(at)
    except (gdb.error, RuntimeError):
        return None  # No debug information there.


def _outermost(block):
    """The function itself, not what was inlined into it; None when there is none."""
    function = None
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            function = block
        block = block.superblock
    return function


def _symbols_within(at):
    """Parameters and variables of the function that begins at @at. GDB gives a block's surroundings
    and not what is in it: so the blocks are found by the addresses they span."""
    function = _outermost(_block_at(at))
    # A function in parts (its unlikely one elsewhere) has a block that spans more than itself.
    if function is None or int(function.function.value().address) != at:
        return
    source, seen = function.function.symtab.filename, set()
    for pc in range(at, min(function.end, at + FUNCTION_BYTES_MAX), 2):
        block = _block_at(pc)
        while block is not None and not block.is_static and not block.is_global:
            key = block.start, block.end, block.function and block.function.name
            if key in seen:
                break
            seen.add(key)
            if block.function is None or block.function.symtab.filename == source:
                for symbol in block:
                    if symbol.is_argument or symbol.is_variable or symbol.needs_frame:
                        yield symbol
            block = block.superblock


def is_borrowed(struct, name):
    last = name.rpartition(".")[2]
    if "weak" in name or name in BORROWED or last in BORROWED:
        return True
    other = {"next": "prev", "prev": "next"}.get(last)
    return other is not None and any(known == other for _, _, known in struct.members)


def owned_of(edges, plan):
    """[(offset, count, kind, name)] of the words where objects of a type may keep references: "owned",
    "weak", or "guess" where nothing describes them."""
    if plan.struct is not None:
        return plan.struct
    layout, word = edges.layout, edges.memory.word
    base = plan.type.at
    dealloc = word(base + layout.type_dealloc)
    subtype = symbol_address("subtype_dealloc")
    for _ in range(64):
        if dealloc != subtype or not base:
            break
        # The nearest base that is written in C lays the struct out.
        base = word(base + layout.type_base)
        dealloc = word(base + layout.type_dealloc) if base else 0
    plan.struct = _owned_of_base(edges, base, dealloc) if base else []
    return plan.struct


def _owned_of_base(edges, base, dealloc):
    layout, word = edges.layout, edges.memory.word
    size = word(base + layout.type_basicsize)
    if size <= edges.known_size(base):
        return []
    weak_at = word(base + layout.type_weaklistoffset)
    head = layout.object_type + 8
    if size <= head:
        return []
    table = edges.python.members
    best = None
    for function in (dealloc, word(base + layout.type_traverse)):
        found = table.of_function(function, size) if function else None
        if found and (best is None or abs(size - found.size) < abs(size - best.size)):
            best = found
    if best is None:
        return [(offset, 1, "guess", None)
                for offset in range(head, min(size, head + 8 * GUESS_WORDS_MAX) - 7, 8)
                if offset != weak_at]
    result = []
    is_weakref = best.name in ("PyWeakReference", "_PyWeakReference")
    for offset, count, name in best.members:
        if is_weakref and offset == layout.weakref_object:
            result.append((offset, count, "weak", name))
        elif not is_borrowed(best, name) and offset != weak_at and offset + 8 <= size:
            result.append((offset, count, "owned", name))
    return result


def references(edges, plan, at, owned=None):
    """[(address, kind, name)] of an object by its struct's members alone."""
    found = []
    for offset, count, kind, name in owned_of(edges, plan) if owned is None else owned:
        for place, to in enumerate(edges.memory.words(at + offset, count)):
            if to and not to & 7 and (kind != "guess" or edges.is_object(to)):
                found.append((to, kind, name if count == 1 else "%s[%d]" % (name, place)))
    return found
