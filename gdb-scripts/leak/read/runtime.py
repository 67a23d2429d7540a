# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter as a whole: is it up, which interpreters and threads has it, where are the lists of
the collector and what is the collector doing? The one place, with layout.py, where versions differ:
3.9 and later keep the collector in each interpreter, 3.7 and 3.8 in the runtime, 2.7 and 3.6 in
static variables; which of it is there, GDB tells."""
from ..base.errors import Fault, LeakError
from .structs import symbol_address, symbol_type

INTERPRETERS_MAX = 4096
THREADS_MAX = 1 << 16
GENERATIONS_MAX = 8
DEBUG_SAVEALL = 32


class Generation:
    """A list of the collector: where its head is, and whether gc.freeze() filled it."""

    def __init__(self, head, name, frozen):
        self.head = head
        self.name = name
        self.frozen = frozen


class Runtime:
    """Read once for each command; everything in it is of one moment."""

    def __init__(self, layout, memory):
        self.layout = layout
        self.memory = memory
        self.runtime_at = symbol_address("_PyRuntime")
        self.interpreters = self._interpreters()
        self.generations = []
        self.collecting = False
        self.enabled = None
        self.debug = 0
        self.garbage_at = 0
        self._read_collector()
        if not self.generations:
            raise LeakError("GDB finds no list of the collector in this program: the debug "
                            "information of the interpreter's own file is missing")

    def _pointer(self, at):
        return self.memory.word(at) if at else 0

    def _interpreters(self):
        layout = self.layout
        if self.runtime_at is not None and layout.runtime_interpreters is not None:
            first = self.runtime_at + layout.runtime_interpreters
        else:
            first = symbol_address("interp_head")
        if first is None:
            raise LeakError("GDB finds neither _PyRuntime nor interp_head in this program: it is "
                            "no Python, or its symbols were stripped; install its debug "
                            "information (Debian: apt install python3.11-dbg)")
        found = []
        try:
            at = self._pointer(first)
            while at:
                if len(found) == INTERPRETERS_MAX or at in found:
                    raise LeakError("the list of interpreters does not end: it is damaged, or this "
                                    "is another build than its debug information")
                found.append(at)
                at = self._pointer(at + layout.interp_next)
        except Fault as fault:
            raise LeakError(
                "the interpreter's state cannot be read (0x%x): the core file may be truncated, or "
                "the program has not started yet" % fault.at) from fault
        if not found:
            raise LeakError("this Python is not initialised yet, or is no longer: let it run and "
                            "ask again (of a core file: it may be truncated)")
        return found

    def _read_collector(self):
        layout = self.layout
        try:
            if layout.interp_gc is not None:
                # The main interpreter, whose settings count, is the oldest: the last of the list.
                for at in reversed(self.interpreters):
                    self._read_state(at + layout.interp_gc, at == self.interpreters[-1])
            elif layout.runtime_gc is not None:
                self._read_state(self.runtime_at + layout.runtime_gc, True)
            else:
                self._read_static()
        except Fault as fault:
            raise LeakError("the collector's state cannot be read (0x%x): the core file may be "
                            "truncated" % fault.at) from fault

    def _read_state(self, gc_at, is_main):
        """A struct _gc_runtime_state."""
        layout = self.layout
        if layout.gc_young is not None:
            self._add(gc_at + layout.gc_young, "young")
        for name in ("old", "generations"):
            field = layout.fields["gc_" + name]
            for place in range(min(field.count, GENERATIONS_MAX) if field else 0):
                self._add(gc_at + field.offset + place * layout.generation_bytes,
                          "%s[%d]" % (name, place))
        if layout.gc_permanent is not None:
            self._add(gc_at + layout.gc_permanent, "permanent", frozen=True)
        state = self.memory.read(gc_at, layout.structs.size("struct _gc_runtime_state"))
        if layout.gc_collecting is not None:
            self.collecting |= bool(layout.fields["gc_collecting"].value(state))
        if is_main:
            self.enabled = bool(layout.fields["gc_enabled"].value(state))
            self.debug = layout.fields["gc_debug"].value(state)
            self.garbage_at = layout.fields["gc_garbage"].value(state)

    def _read_static(self):
        layout, memory = self.layout, self.memory
        at, kind = symbol_address("generations"), symbol_type("generations")
        if at is None or kind is None:
            return
        for place in range(min(kind.sizeof // layout.generation_bytes, GENERATIONS_MAX)):
            self._add(at + place * layout.generation_bytes, "generations[%d]" % place)

        def variable(name, size=4):
            found = symbol_address(name)
            return 0 if found is None else int.from_bytes(memory.read(found, size), "little")

        self.collecting = bool(variable("collecting"))
        self.enabled = bool(variable("enabled"))
        self.debug = variable("debug")
        self.garbage_at = variable("garbage", 8)

    def _add(self, at, name, frozen=False):
        self.generations.append(Generation(at + self.layout.generation_head, name, frozen))

    def thread_states(self):
        """[(interpreter, thread state)] of all threads that Python knows."""
        layout, found, seen = self.layout, [], set()
        for interpreter in self.interpreters:
            at = self._pointer(interpreter + layout.interp_threads)
            while at and at not in seen and len(found) < THREADS_MAX:
                seen.add(at)
                found.append((interpreter, at))
                at = self._pointer(at + layout.tstate_next)
        return found

    def current_thread(self):
        """(a thread's state, where the runtime keeps that of the thread that has the GIL or None)"""
        threads = self.thread_states()
        offset = self.layout.runtime_current_thread
        if offset is not None:
            where = self.runtime_at + offset
        else:
            where = symbol_address("_PyThreadState_Current")
        # The oldest thread is at the end of the list, the main interpreter last of all.
        return threads[-1][1] if threads else 0, where
