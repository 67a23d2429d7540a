# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a function of the inferior here, in GDB: its instructions are disassembled by GDB, made into
Python (translate.py), and run over the mirror. The inferior runs nothing and is written nothing; what the
function writes goes into a table of our own that is forgotten afterwards.

So a type's own tp_traverse tells which references the collector sees, for every build and every
extension module, on a core file as well as on a live process."""
import gdb

from . import libc
from ..base.errors import Fault, LeakError
from ..read.memory import BLOCK_MASK, BLOCK_SHIFT
from ..read.structs import symbol_address
from .translate import INSTRUCTIONS_MAX, M64, Block, Unknown, holds

# Addresses that no program has: a stack of ours, the visitor, and where the function returns to.
STACK_AT = 0x00ffff0000000000
STACK_BYTES = 1 << 20
VISIT_AT = 0x00fffe0000000000
RETURN_AT = 0x00fffd0000000000
# Runs of instructions for one object: some for each reference of a large one.
BLOCKS_MAX = 1 << 22
INSTRUCTIONS_ASKED = 12
THREAD_AT = 0x00fffc0000000000
THREAD_BYTES = 1 << 16


class Stopped(LeakError):
    """The function could not be followed to its end; says why."""


class Unreadable(Stopped):
    """Nor can it be for this object; for others it may."""


class Machine:
    """@thread: a thread of Python's, and where the runtime keeps the current one (None: in a variable
    of the thread itself). Code that asks for it finds this one, as the collector would be run by one."""

    def __init__(self, memory, thread=None):
        self._memory = memory
        self._thread_at, self._current_at = thread or (0, None)
        self._blocks = {}
        self._written = {}
        self._architecture = gdb.selected_inferior().architecture()
        self.r = [0] * 16
        self.x = [0] * 16
        self.f = (0, 0, 0, 64)
        self.visit_at = VISIT_AT
        self.visited = []
        # Of what stands at %fs the stack guard is read, as if it were 0, and below it variables of
        # the thread, of which Python has one: which thread it is.
        self.thread_pointer = self.thread_variable_at = THREAD_AT
        self.holds = holds
        self._helpers = self._make_helpers()

    @staticmethod
    def is_supported():
        return gdb.selected_inferior().architecture().name().startswith("i386:x86-64")

    def visits(self, function_at, object_at):
        """What a tp_traverse visits of an object, in order."""
        self.call(function_at, object_at, VISIT_AT, 0)
        return self.visited

    def call(self, function_at, *arguments):
        """Runs a function to its end; what it returns, 64 bits."""
        r, blocks, helpers = self.r, self._blocks, self._helpers
        self.visited = []
        self._written.clear()
        if self._current_at is not None and not self._memory.word(self._current_at):
            self._written[self._current_at] = self._thread_at
        for place, argument in zip((7, 6, 2, 1), arguments):
            r[place] = argument
        # As after a call: the stack is 8 off a multiple of 16.
        r[4] = STACK_AT + STACK_BYTES // 2 - 8
        self._written[r[4]] = RETURN_AT
        at = function_at
        for _ in range(BLOCKS_MAX):
            block = blocks.get(at)
            if block is None:
                if at == RETURN_AT:
                    return r[0]
                if at == VISIT_AT:
                    self.visited.append(r[7])
                    r[0] = 0
                    at = self._written[r[4]]
                    r[4] += 8
                    continue
                block = blocks[at] = self._translate(at)
            try:
                at = block(self, r, self.x, *helpers)
            except Fault as fault:
                raise Unreadable("0x%x cannot be read" % fault.at) from fault
        raise Stopped("its code does not end")

    @staticmethod
    def divide(number, by):
        if not by:
            raise Stopped("its code divides by 0")
        quotient = abs(number) // abs(by)
        return quotient if (number < 0) == (by < 0) else -quotient

    def _translate(self, at):
        known = libc.stand_in(at)
        if known:
            return known
        block = Block(self._resolve)
        here = at
        while not block.ended:
            try:
                lines = self._disassemble(here)
            except (gdb.MemoryError, gdb.error) as error:
                raise Stopped("there is no code at 0x%x" % here) from error
            for line in lines:
                try:
                    block.add(line["asm"], line["addr"] + line["length"])
                except (Unknown, ValueError, IndexError, TypeError) as error:
                    if block.lines:
                        # What comes before it may branch away; only who gets here needs it.
                        block.finish(line["addr"])
                        break
                    raise Stopped("its code has an instruction that is not followed: %s"
                                  % " ".join(line["asm"].split())) from error
                here = line["addr"] + line["length"]
                if block.ended:
                    break
                if len(block.lines) > INSTRUCTIONS_MAX * 4:
                    block.finish(here)
                    break
        names = {}
        exec(compile(block.source(), "<code at 0x%x>" % at, "exec"), names)
        return names["block"]

    def _disassemble(self, at):
        """A few instructions, in AT&T's way of writing, whatever the user has set."""
        before = gdb.parameter("disassembly-flavor")
        if before != "att":
            gdb.execute("set disassembly-flavor att", to_string=True)
        try:
            return self._architecture.disassemble(at, count=INSTRUCTIONS_ASKED)
        except (gdb.MemoryError, gdb.error):
            # The last of a page behind which there is nothing.
            return self._architecture.disassemble(at, count=1)
        finally:
            if before != "att":
                gdb.execute("set disassembly-flavor %s" % before, to_string=True)

    @staticmethod
    def _resolve(name, target):
        """A function of another file: the table of linkage may not be filled yet, its name is known."""
        return symbol_address(name) or target

    def _make_helpers(self):
        """load8 to store64 as closures: they are most of what runs."""
        written, blocks, memory = self._written, self._memory.blocks, self._memory
        stack_from, stack_to = STACK_AT, STACK_AT + STACK_BYTES
        thread_from, thread_to = THREAD_AT - THREAD_BYTES, THREAD_AT + THREAD_BYTES
        thread_at = self._thread_at

        def load64(at):
            if not at & 7:
                if at in written:
                    return written[at]
                try:
                    return blocks[at >> BLOCK_SHIFT][(at & BLOCK_MASK) >> 3]
                except KeyError:
                    if stack_from <= at < stack_to:
                        return 0
                    if thread_from <= at < thread_to:
                        return thread_at if at <= THREAD_AT else 0
                    return memory.word(at)
            low = at & 7
            whole = load64(at - low) | load64(at - low + 8) << 64
            return whole >> low * 8 & M64

        def narrow(bits):
            mask = (1 << bits) - 1

            def load(at):
                low = at & 7
                if low * 8 + bits <= 64:
                    return load64(at - low) >> low * 8 & mask
                return load64(at) & mask
            return load

        def store64(at, value):
            if at & 7:
                store(at, value, 64)
            else:
                written[at] = value

        def store(at, value, bits):
            low = at & 7
            base, shift = at - low, low * 8
            mask = ((1 << bits) - 1) << shift
            whole = load64(base)
            if shift + bits > 64:
                whole |= load64(base + 8) << 64
            whole = whole & ~mask | value << shift
            written[base] = whole & M64
            if shift + bits > 64:
                written[base + 8] = whole >> 64

        def narrow_store(bits):
            return lambda at, value: store(at, value, bits)

        return (narrow(8), narrow(16), narrow(32), load64,
                narrow_store(8), narrow_store(16), narrow_store(32), store64)
