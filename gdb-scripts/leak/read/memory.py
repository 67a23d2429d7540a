# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror of the inferior's memory, filled in large pieces where it is asked for, so that looking up a
pointer is a look into a dict and an index into a memoryview, not a call into GDB.

Kept until the inferior runs or its memory is written. What could not be read raises Fault; nothing
here stands in for it."""
import gdb

from ..base.errors import Fault

# A block is found by an address shifted right by this.
BLOCK_SHIFT = 16
BLOCK_BYTES = 1 << BLOCK_SHIFT
BLOCK_MASK = BLOCK_BYTES - 1
# What is asked of GDB at once, where all of it is there.
PIECE_BYTES = 1 << 20
PAGE_BYTES = 1 << 12
# Beyond it the mirror is dropped and filled again: slower, but within the memory of a small machine.
MIRROR_BYTES_MAX = 2 << 30
ADDRESS_MAX = (1 << 56) - 1


class Blocks(dict):
    """{address >> BLOCK_SHIFT: its words}; blocks with holes are not in it and raise KeyError."""

    def __init__(self, memory):
        super().__init__()
        self._load = memory.load

    def __missing__(self, number):
        return self._load(number)


class Memory:
    def __init__(self, inferior):
        self._inferior = inferior
        self.blocks = Blocks(self)
        # Blocks of which only some pages can be read: {number: {page address: bytes}}.
        self._pages = {}
        self.bytes_read = 0
        # Counts the times it was forgotten, so that what was made of it can be, too.
        self.age = 0

    def forget(self):
        self.blocks.clear()
        self._pages.clear()
        self.bytes_read = 0
        self.age += 1

    def _ask(self, at, count):
        """None where not all of it can be read."""
        try:
            data = self._inferior.read_memory(at, count)
        except (gdb.MemoryError, gdb.error, OverflowError):
            return None
        self.bytes_read += count
        return memoryview(data).cast("B")

    def load(self, number):
        """The words of a block; KeyError where it has holes."""
        if number in self._pages or not 0 <= number <= ADDRESS_MAX >> BLOCK_SHIFT:
            raise KeyError(number)
        if self.bytes_read > MIRROR_BYTES_MAX:
            self.blocks.clear()
            self.bytes_read = 0
        at = number << BLOCK_SHIFT
        begin = at - at % PIECE_BYTES
        data = self._ask(begin, PIECE_BYTES)
        if data is not None:
            words = data.cast("Q")
            step = BLOCK_BYTES // 8
            for place in range(PIECE_BYTES // BLOCK_BYTES):
                self.blocks[(begin >> BLOCK_SHIFT) + place] = words[place * step:(place + 1) * step]
            return self.blocks[number]
        data = self._ask(at, BLOCK_BYTES)
        if data is None:
            self._pages[number] = {}
            raise KeyError(number)
        self.blocks[number] = data.cast("Q")
        return self.blocks[number]

    def _page(self, at):
        """The page that begins at @at, of a block with holes; None when it is one."""
        pages = self._pages[at >> BLOCK_SHIFT]
        if at not in pages:
            pages[at] = self._ask(at, PAGE_BYTES)
        return pages[at]

    def word(self, at):
        """The pointer-sized word at @at."""
        if not at & 7:
            try:
                return self.blocks[at >> BLOCK_SHIFT][(at & BLOCK_MASK) >> 3]
            except KeyError:
                pass
        return int.from_bytes(self.read(at, 8), "little")

    def words(self, at, count):
        """@count words in a row, as a list."""
        first = (at & BLOCK_MASK) >> 3
        if not at & 7 and first + count <= BLOCK_BYTES >> 3:
            try:
                return self.blocks[at >> BLOCK_SHIFT][first:first + count].tolist()
            except KeyError:
                pass
        return memoryview(self.read(at, count * 8)).cast("Q").tolist()

    def read(self, at, count):
        """@count bytes, from as many blocks as they lie in."""
        pieces = []
        left, here = count, at
        while left > 0:
            if not 0 <= here <= ADDRESS_MAX:
                raise Fault(here, left)
            try:
                block = self.blocks[here >> BLOCK_SHIFT].cast("B")
                offset = here & BLOCK_MASK
            except KeyError:
                block = self._page(here - here % PAGE_BYTES)
                offset = here % PAGE_BYTES
                if block is None:
                    raise Fault(here, left) from None
            piece = block[offset:offset + left]
            pieces.append(piece)
            left -= len(piece)
            here += len(piece)
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)

    def text(self, at, bytes_max=512):
        """The C string at @at, cut at @bytes_max; undecodable bytes are shown as escapes."""
        data = b""
        while len(data) < bytes_max and b"\0" not in data:
            # Not beyond a page: the next one need not exist.
            here = at + len(data)
            data += self.read(here, PAGE_BYTES - here % PAGE_BYTES)
        return data.partition(b"\0")[0][:bytes_max].decode("utf-8", "backslashreplace")
