# SPDX-License-Identifier: GPL-3.0-or-later
"""What pymalloc's pools hold: objects of at most 512 bytes, whether the collector tracks them or not,
found block by block. Freed blocks are known from each pool's own list. The sizes of pools and blocks are
macros, which debug information does not have; they follow from what pools say of themselves."""
from collections import Counter

from ..read import layout as flags
from ..base.errors import Fault, LeakError
from ..base.report import Progress
from ..read.structs import symbol_address

ARENAS_MAX = 1 << 20
POOL_SIZES = (1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16)
ALIGNMENTS = (16, 8)
# PYTHONMALLOC=debug and debug builds put two words before each block (Objects/obmalloc.c).
DEBUG_WORDS = 2
# Reference counts that may be an address; and those that are none, whatever they are.
COUNT_PLAIN, COUNT_IMMORTAL, COUNT_MAX = 1 << 16, 1 << 31, 1 << 33


class Pools:
    def __init__(self, session):
        self._python = python = session.python()
        self._layout = python.layout
        self._memory = python.memory
        self._places = {}
        self.counts = Counter()
        self.bytes = Counter()
        self.pools = 0
        self.unreadable = 0
        # {address of a type: words before its objects, or None where it is no type}
        self._debug = self._has_debug_hooks()
        arenas = self._arenas()
        progress = Progress("walking pools")
        try:
            for place, (begin, end) in enumerate(arenas):
                self._walk_arena(begin, end)
                progress.step(place, len(arenas))
        finally:
            progress.end()

    def _arenas(self):
        """[(first address, where the part that was given to pools ends)]"""
        layout, memory = self._layout, self._memory
        if layout.arena_bytes is None or layout.pool_header_bytes is None:
            raise LeakError("the debug information does not describe pymalloc's arenas")
        at, count = self._table()
        if not at or not 0 < count <= ARENAS_MAX:
            raise LeakError("no arenas of pymalloc: PYTHONMALLOC=malloc, or nothing was made yet")
        found = []
        for place in range(count):
            entry = memory.read(at + place * layout.arena_bytes, layout.arena_bytes)
            address = layout.fields["arena_address"].value(entry)
            if address:
                found.append((address, layout.fields["arena_pool_address"].value(entry)))
        return found

    def _table(self):
        """(address, length) of the table of arenas: a static variable, or the main interpreter's."""
        layout, word = self._layout, self._memory.word
        variable = symbol_address("arenas")
        if variable is not None:
            count = symbol_address("maxarenas")
            return word(variable), int.from_bytes(self._memory.read(count, 4), "little")
        field = layout.fields["interp_obmalloc"]
        if field is None or layout.obmalloc_arenas is None:
            raise LeakError("GDB does not find the arenas of pymalloc in this build")
        state = self._python.runtime.interpreters[-1] + field.offset
        if field.size == 8:
            state = word(state)
        count = layout.fields["obmalloc_maxarenas"]
        return (word(state + layout.obmalloc_arenas),
                count.value(self._memory.read(state + count.offset, 4), -count.offset))

    def _has_debug_hooks(self):
        """The allocator of objects is then the debug one, which calls the raw ones."""
        at = symbol_address("_PyObject")
        hooks = symbol_address("_PyMem_DebugMalloc")
        field = self._layout.structs.field("PyMemAllocatorEx:malloc")
        if at is None:
            runtime = self._layout.structs.field("_PyRuntimeState:allocators.standard.obj")
            if runtime is None or field is None or self._python.runtime.runtime_at is None:
                return self._layout.structs.type("PyMemAllocatorEx") is None and symbol_address(
                    "_PyObject_DebugMalloc") is not None
            at = self._python.runtime.runtime_at + runtime.offset
        if hooks is None or field is None:
            return False
        return self._memory.word(at + field.offset) == hooks

    def _pool_size(self, begin):
        """Of an arena: the size at which its first pool's header is one."""
        for size in POOL_SIZES:
            at = (begin + size - 1) // size * size
            try:
                if self._block_size(self._header(at), size):
                    return size
            except Fault:
                continue
        return None

    def _header(self, at):
        return self._memory.read(at, self._layout.pool_header_bytes)

    def _block_size(self, header, pool_size):
        """0 where it is no header of a pool of @pool_size: `maxnextoffset` is set to the pool's size
        less that of a block when the pool gets its size of blocks."""
        fields = self._layout.fields
        index = fields["pool_szidx"].value(header)
        most = fields["pool_maxnextoffset"].value(header)
        for alignment in ALIGNMENTS:
            size = (index + 1) * alignment
            if size <= 512 and most + size == pool_size and \
                    fields["pool_nextoffset"].value(header) <= pool_size + size:
                return size
        return 0

    def _walk_arena(self, begin, end):
        size = self._pool_size(begin)
        if size is None:
            return
        for at in range((begin + size - 1) // size * size, end, size):
            try:
                self._walk_pool(at, size)
            except Fault:
                self.unreadable += 1

    def _walk_pool(self, at, pool_size):
        fields, memory = self._layout.fields, self._memory
        header = self._header(at)
        size = self._block_size(header, pool_size)
        if not size or not fields["pool_count"].value(header):
            return
        self.pools += 1
        free, link = set(), fields["pool_freeblock"].value(header)
        words = memory.words(at, pool_size // 8)
        while at <= link < at + pool_size and link not in free:
            free.add(link)
            link = words[(link - at) >> 3]
        first = (self._layout.pool_header_bytes + 15) // 16 * 16
        for block in range(first, min(fields["pool_nextoffset"].value(header), pool_size - size + 1),
                           size):
            if at + block not in free:
                self._look(words, block >> 3, size >> 3)

    def _look(self, words, block, count):
        """The object in a block of @count words, if it is an untracked one."""
        layout = self._layout
        start = block + (DEBUG_WORDS if self._debug else 0)
        to_type, to_count = layout.object_type >> 3, layout.object_refcnt >> 3
        for before in self._befores():
            place = start + before
            if place + to_type >= block + count:
                return
            kind_at = words[place + to_type]
            if not kind_at or kind_at & 7 or not words[place + to_count]:
                continue
            kind = self._place_of(kind_at)
            if kind is None or kind[0] != before:
                continue
            if not self._is_count(words[place + to_count]) and not self._fits(words, place, before,
                                                                             count, kind):
                continue
            head = place - (layout.gc_head_bytes >> 3)
            if kind[1] and self._is_tracked(words, head):
                return
            self.counts[kind[2]] += 1
            self.bytes[kind[2]] += count * 8
            return

    def _is_count(self, word):
        """Whether a word can be nothing but a reference count; those of immortal objects are high."""
        if self._layout.has_immortals and COUNT_IMMORTAL <= word < COUNT_MAX:
            return True
        return word < COUNT_PLAIN

    def _fits(self, words, place, before, count, kind):
        """What looks like a reference count may be an address, and the block an array of pointers: then
        the block's size must be that of such an object."""
        basic, item = kind[3], kind[4]
        size = basic
        if item:
            at = place + (self._layout.var_size >> 3)
            if at >= len(words) or words[at] > 512:
                return False
            size += item * words[at]
        own = before * 8 + size + (3 * 8 + DEBUG_WORDS * 8 if self._debug else 0)
        return count * 8 - 16 < own <= count * 8 and words[place + (
            self._layout.object_refcnt >> 3)] < COUNT_MAX

    def _is_tracked(self, words, head):
        layout = self._layout
        if layout.gc_refs is None:
            return bool(words[head + (layout.gc_next >> 3)])
        # Up to 3.7 the count says so: _PyGC_REFS_UNTRACKED is -2.
        refs = words[head + (layout.gc_refs >> 3)]
        refs = refs - (1 << 64) if refs >> 63 else refs
        return refs >> (0 if layout.is_python2 else 1) != -2

    def _befores(self):
        """Words that may stand before an object in its block."""
        head = self._layout.gc_head_bytes >> 3
        return (0, head, 2, head + 2) if self._layout.preheader_flags else (0, head)

    def _place_of(self, kind_at):
        if kind_at not in self._places:
            kind = self._python.objects.type(kind_at)
            place = None
            if kind is not None:
                before = (self._layout.gc_head_bytes >> 3 if kind.is_gc else 0) + (
                    2 if kind.flags & self._layout.preheader_flags else 0)
                place = before, kind.is_gc and not kind.flags & flags.TYPE_SUBCLASS, kind.name, \
                    kind.basicsize, kind.itemsize
            self._places[kind_at] = place
        return self._places[kind_at]
