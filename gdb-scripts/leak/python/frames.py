# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's own stacks: which functions run, on which line, and what their variables hold. Up to 3.10 a
running function has a frame object; from 3.11 on frames are structs on a stack of the thread's own."""
from ..base.errors import Fault

FRAMES_MAX = 1 << 16
VALUES_MAX = 1 << 16
TABLE_BYTES_MAX = 1 << 20
# enum _frameowner of Include/internal/pycore_frame.h.
OWNED_BY_THREAD, OWNED_BY_GENERATOR = 0, 1


class Frame:
    """`function`, `file`, `line`; `held`: [(name, address)] of the objects that the frame holds."""

    def __init__(self, thread, function, file, line, held):
        self.thread = thread
        self.function = function
        self.file = file
        self.line = line
        self.held = held

    def __str__(self):
        return "%s at %s:%s" % (self.function, self.file, self.line)


class Frames:
    def __init__(self, python):
        self._python = python
        self._layout = python.layout
        self._memory = python.memory
        self._objects = python.objects
        # Why a chain of frames ended early.
        self.problems = []

    def all(self):
        """[Frame] of all threads, the innermost of each first."""
        found = []
        for _, thread in self._python.runtime.thread_states():
            found += self.of_thread(thread)
        return found

    def of_thread(self, thread):
        layout, word = self._layout, self._memory.word
        found, seen = [], set()
        try:
            at = self._innermost(thread)
            name = self._thread_name(thread)
            while at and at not in seen and len(found) < FRAMES_MAX:
                seen.add(at)
                if layout.iframe_previous is not None:
                    frame = self._of_struct(at, name)
                    at = word(at + layout.iframe_previous)
                else:
                    frame = self._of_object(at, name)
                    at = word(at + layout.frame_back)
                if frame:
                    found.append(frame)
        except Fault as fault:
            self.problems.append("the stack of thread 0x%x cannot be followed beyond 0x%x"
                                 % (thread, fault.at))
        return found

    def _thread_name(self, thread):
        layout, word = self._layout, self._memory.word
        if layout.thread_native_id is not None:
            return "thread %d" % word(thread + layout.thread_native_id)
        return "thread 0x%x" % word(thread + layout.thread_id)

    def thread_of(self, native_id, pthread):
        """The thread state of the operating system's thread; None when it runs no Python."""
        layout, word = self._layout, self._memory.word
        for _, thread in self._python.runtime.thread_states():
            if layout.thread_native_id is not None:
                if word(thread + layout.thread_native_id) == native_id:
                    return thread
            elif word(thread + layout.thread_id) == pthread:
                return thread
        return None

    def _innermost(self, thread):
        layout, word = self._layout, self._memory.word
        if layout.thread_current_frame is not None:
            return word(thread + layout.thread_current_frame)
        if layout.thread_cframe is not None and layout.cframe_current is not None:
            return word(word(thread + layout.thread_cframe) + layout.cframe_current)
        return word(thread + layout.thread_frame)

    def _of_object(self, at, thread):
        layout = self._layout
        code = self._memory.word(at + layout.frame_code)
        field = layout.fields["frame_lasti"]
        last = field.value(self._memory.read(at + field.offset, field.size), -field.offset)
        if layout.structs.field("PyCodeObject:co_linetable") is not None:
            last *= 2  # 3.10 counts code units.
        function, file, line = self._place(code, last)
        return Frame(thread, function, file, line, [("frame", at)])

    def _of_struct(self, at, thread):
        layout, memory = self._layout, self._memory
        owner = memory.read(at + layout.iframe_owner, 1)[0]
        # Those of frame objects are objects; those on C's stack mark where C has called Python.
        if owner not in (OWNED_BY_THREAD, OWNED_BY_GENERATOR):
            return None
        code = memory.word(at + layout.iframe_code) & ~7
        start = self._layout.structs.field("PyCodeObject:co_code_adaptive").offset
        last = memory.word(at + layout.iframe_instruction) - (code + start)
        function, file, line = self._place(code, last)
        return Frame(thread, function, file, line, self._variables(at, code))

    def _variables(self, at, code):
        """[(name, address)] of the variables and of the function's own parts."""
        layout, memory = self._layout, self._memory
        names = memory.word(code + layout.code_names)
        count = min(memory.word(names + layout.var_size), VALUES_MAX)
        held = []
        values = memory.words(at + layout.iframe_locals, count) if count else []
        for place, value in enumerate(values):
            # From 3.14 on the lowest bits of a value are flags.
            if value & ~7:
                name = memory.word(names + layout.tuple_items + 8 * place)
                held.append((self._objects.text(name) or "?", value & ~7))
        held.append(("code", code))
        function = layout.structs.field("_PyInterpreterFrame:f_funcobj", "_PyInterpreterFrame:f_func")
        if function is not None and memory.word(at + function.offset):
            held.append(("function", memory.word(at + function.offset) & ~7))
        return held

    def _place(self, code, last):
        """(function, file, line); the parts that cannot be read are "?"."""
        layout, memory, text = self._layout, self._memory, self._objects.text
        field = layout.fields["code_firstline"]
        first = field.value(memory.read(code + field.offset, field.size), -field.offset)
        function = text(memory.word(code + layout.code_name)) or "?"
        file = text(memory.word(code + layout.code_file)) or "?"
        return function, file, self._line(code, first, last)

    def _line(self, code, first, last):
        structs = self._layout.structs
        field = structs.field("PyCodeObject:co_linetable", "PyCodeObject:co_lnotab")
        table = self._memory.word(code + field.offset)
        size = self._memory.word(table + self._layout.var_size)
        if size > TABLE_BYTES_MAX:
            return first
        data = self._memory.read(table + self._layout.bytes_data, size)
        if structs.field("PyCodeObject:co_linetable") is None:
            return _line_of_pairs(data, first, last, not self._layout.is_python2)
        if structs.field("PyCodeObject:co_code_adaptive") is None:
            return _line_of_ranges(data, first, last)
        return _line_of_locations(data, first, last)


def _signed_byte(byte):
    return byte - 256 if byte > 127 else byte


def _line_of_pairs(data, line, last, is_signed):
    """Objects/lnotab_notes.txt up to 3.9: steps of code and of lines."""
    at = 0
    for place in range(0, len(data) - 1, 2):
        at += data[place]
        if at > last:
            break
        line += _signed_byte(data[place + 1]) if is_signed else data[place + 1]
    return line


def _line_of_ranges(data, line, last):
    """3.10: how far each range goes, and its line less that of the one before; -128 is none."""
    end = 0
    for place in range(0, len(data) - 1, 2):
        end += data[place]
        delta = _signed_byte(data[place + 1])
        if delta != -128:
            line += delta
        if end > last:
            break
    return line


def _line_of_locations(data, line, last):
    """3.11 and later (Objects/locations.md): entries of a kind, a length, and numbers of six bits."""
    place, end = 0, 0
    while place < len(data):
        kind, length = data[place] >> 3 & 15, (data[place] & 7) + 1
        place += 1
        if kind in (13, 14):
            number, shift, at = 0, 0, place
            while at < len(data):
                number |= (data[at] & 63) << shift
                shift += 6
                at += 1
                if not data[at - 1] & 64:
                    break
            line += -(number >> 1) if number & 1 else number >> 1
        elif 10 <= kind <= 12:
            line += kind - 10
        while place < len(data) and not data[place] & 128:
            place += 1
        end += 2 * length
        if end > last:
            break
    return line
