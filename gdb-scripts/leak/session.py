# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands share: the layout of each program space, the mirror of each inferior, and when each of
them is out of date."""
import gdb

from .python.edges import Edges
from .base.errors import LeakError
from .python.finalizers import Finalizers
from .python.labels import Labels
from .read.layout import Layout
from .read.memory import Memory
from .python.objects import Objects
from .python.reprs import Reprs
from .read.runtime import Runtime

_layouts = {}
_sessions = {}
_connected = []


class Session:
    """One inferior. `python()` is the interpreter in it at this moment."""

    def __init__(self, inferior):
        self.pid = inferior.pid
        self.memory = Memory(inferior)
        self._python = None
        # Graphs and the like that commands keep until the inferior runs: {name: anything}.
        self.kept = {}
        # What `leak diff` compares with: {type name: tracked objects}.
        self.baseline = None
        # Answers given so far, for `leak handoff`: {verb: its document}.
        self.asked = {}

    def forget(self):
        self.memory.forget()
        self.kept.clear()
        self._python = None

    def python(self):
        if self._python is None:
            self._python = Python(layout(), self.memory)
        return self._python


class Python:
    """Layout, runtime state and objects of one moment."""

    def __init__(self, layout_of_it, memory):
        self.layout = layout_of_it
        self.memory = memory
        self.runtime = Runtime(layout_of_it, memory)
        self.objects = Objects(layout_of_it, memory)
        self.members = layout_of_it.members
        self.reprs = Reprs(self)
        self.finalizers = Finalizers(self)
        # Sentences about what could not be read, beyond torn lists.
        self.problems = []
        self._edges = None
        self._labels = None

    def problem(self, sentence):
        if sentence not in self.problems:
            self.problems.append(sentence)

    @property
    def labels(self):
        if self._labels is None:
            self._labels = Labels(self)
        return self._labels

    @property
    def edges(self):
        if self._edges is None:
            self._edges = Edges(self)
        return self._edges


def layout():
    space = gdb.current_progspace()
    key = id(space)
    if key not in _layouts or _layouts[key][0] is not space:
        _layouts[key] = space, Layout()
    return _layouts[key][1]


def current():
    """The session of the selected inferior, which must have memory to read."""
    inferior = gdb.selected_inferior()
    if not inferior.is_valid() or not inferior.threads():
        raise LeakError("there is no process and no core file here: start gdb with -p PID or "
                        "`gdb PYTHON CORE`, or use `attach PID`, `core-file CORE` or "
                        "`target remote HOST:PORT`")
    known = _sessions.get(inferior.num)
    if known is None or known.pid != inferior.pid:
        known = _sessions[inferior.num] = Session(inferior)
    return known


def existing():
    """The session of the selected inferior if there is one; for what must not fail."""
    return _sessions.get(gdb.selected_inferior().num)


def _forget_memory(_event=None):
    for session in _sessions.values():
        session.forget()


def _forget_files(_event=None):
    # Another file may hold the types, or the same ones elsewhere.
    _layouts.clear()
    _forget_memory()


def _forget_inferior(event):
    _sessions.pop(event.inferior.num, None)


def watch():
    """From now on GDB's events decide what is out of date."""
    registry = (("cont", _forget_memory), ("memory_changed", _forget_memory),
                ("register_changed", _forget_memory), ("exited", _forget_memory),
                ("inferior_call", _forget_memory), ("new_objfile", _forget_files),
                ("clear_objfiles", _forget_files), ("free_objfile", _forget_files),
                ("inferior_deleted", _forget_inferior), ("stop", _forget_memory))
    for name, handler in registry:
        connect(name, handler)


def connect(name, handler):
    """An event that this GDB does not have yet never comes."""
    event = getattr(gdb.events, name, None)
    if event is not None:
        event.connect(handler)
        _connected.append((event, handler))


def unwatch():
    while _connected:
        event, handler = _connected.pop()
        event.disconnect(handler)
