# SPDX-License-Identifier: GPL-3.0-or-later
"""leak break, leak handoff: what has to do with the program's running."""
import json
import os
import shutil
import subprocess
import sys

import gdb

from .. import session
from ..read import layout as flags
from .command import LeakCommand
from ..base.errors import Fault, LeakError
from ..python.frames import Frames
from ..base.report import safe
from ..read.structs import symbol_address
from ..python.walk import Walk

# Where the first argument of a function is, by GDB's name of the machine.
ARGUMENT = {"i386:x86-64": "rdi", "aarch64": "x0"}
STACK_SHOWN = 20


class _AllocationBreakpoint(gdb.Breakpoint):
    """Stops where an object of one type is allocated: the type is the first argument."""

    def __init__(self, at, type_at, name, register):
        super().__init__("*0x%x" % at, gdb.BP_BREAKPOINT, internal=False)
        self._type_at = type_at
        self._register = register
        self.type_name = name

    def stop(self):
        return int(gdb.newest_frame().read_register(self._register)) & (1 << 64) - 1 == self._type_at


class Break(LeakCommand):
    name = "break"
    summary = "stop when an instance of a type is made, and show the Python stack"
    text = """A breakpoint on what allocates the type's instances (its tp_alloc). Objects that the interpreter makes
in another way, as it does with many builtin types, are not seen. `info breakpoints` and `delete` work
as with any other breakpoint."""
    arguments = "TYPE"
    least = most = 1
    examples = (("leak break myapp.Session", "then: continue"),)
    completes_types = True

    def run(self, report, options, words):
        here = session.current()
        python = here.python()
        architecture = gdb.selected_inferior().architecture().name()
        register = next((register for name, register in ARGUMENT.items()
                         if architecture.startswith(name)), None)
        if register is None:
            raise LeakError("leak break does not know where %s passes arguments" % architecture)
        kind = find_type(python, words[0])
        where = python.memory.word(kind.at + python.layout.type_alloc)
        if not where:
            raise LeakError("%s has no tp_alloc: its instances cannot be seen being made" % kind.name)
        places = [where]
        # From 3.12 on the evaluator makes instances of classes without asking their tp_alloc.
        managed = symbol_address("_PyType_NewManagedObject")
        if managed and kind.flags & python.layout.managed_dict:
            places.append(managed)
        numbers = [_AllocationBreakpoint(at, kind.at, kind.name, register).number for at in places]
        report.set("breakpoints", numbers)
        report.line("breakpoint%s %s: instances of %s" % (
            "" if len(numbers) == 1 else "s", ", ".join(map(str, numbers)), safe(kind.name)))


def find_type(python, word):
    """The TypeInfo that a name or an address means."""
    try:
        at = int(word, 0)
    except ValueError:
        at = None
    if at is None:
        at = _type_called(python, word)
    found = python.objects.type(at)
    if found is None:
        raise LeakError("there is no type at 0x%x" % at)
    return found


def _type_called(python, word):
    """Of the tracked objects' types and of the classes among the tracked objects."""
    walk, exact, last = Walk(python.layout, python.memory, python.runtime.collecting), set(), {}
    objects = python.objects
    candidates = set()
    for generation in python.runtime.generations:
        addresses, types = walk.objects(generation)
        candidates.update(types)
        for at, kind_at in zip(addresses, types):
            kind = objects.type(kind_at)
            if kind is not None and kind.flags & flags.TYPE_SUBCLASS:
                candidates.add(at)
    for at in candidates:
        found = objects.type(at)
        if found is None:
            continue
        if found.name == word:
            exact.add(at)
        elif found.name.rpartition(".")[2] == word:
            last[found.name] = at
    if len(exact) > 1:
        raise LeakError("%d types are called %s; give one's address: %s"
                        % (len(exact), word, ", ".join("0x%x" % at for at in sorted(exact)[:8])))
    if exact:
        return exact.pop()
    if len(last) > 1:
        raise LeakError('"%s" is the last part of several types: %s; give the whole name'
                        % (word, ", ".join(sorted(last))))
    if not last:
        raise LeakError('no class "%s" in this program; give its name as `leak types` shows it, or '
                        "its address" % word)
    return next(iter(last.values()))


def show_stack(event):
    """After a stop at one of ours: the Python stack of the thread that makes the object."""
    ours = [one for one in getattr(event, "breakpoints", None) or ()
            if isinstance(one, _AllocationBreakpoint)]
    if not ours:
        return
    try:
        python = session.current().python()
        frames = Frames(python)
        thread = gdb.selected_thread()
        state = frames.thread_of(thread.ptid[1] or thread.ptid[0], None)
        if state is None:
            # Before 3.11 Python knows threads by what pthread calls them; one at work has the GIL.
            current_at = python.runtime.current_thread()[1]
            state = python.memory.word(current_at) if current_at else 0
        gdb.write("an instance of %s is being made\n" % safe(ours[0].type_name))
        for place, frame in enumerate(frames.of_thread(state)[:STACK_SHOWN] if state else ()):
            gdb.write("  #%-2d %s\n" % (place, safe(str(frame))))
    except (Fault, LeakError, gdb.error) as error:
        gdb.write("the Python stack cannot be read: %s\n" % error)


class Handoff(LeakCommand):
    name = "handoff"
    summary = "go on with leakinspect: detach and start it, or write a core"
    text = """Without FILE, GDB detaches and starts leakinspect on the process, where it is installed: its console on
a terminal, otherwise what it says of the questions asked here so far. With FILE a core of the process is
written there, and what was found so far to FILE.json, for another place and time."""
    arguments = "[FILE]"
    most = 1
    examples = (("leak handoff", "detach and start leakinspect"),
                ("leak handoff /tmp/service.core", "write a core and the findings"))

    def run(self, report, options, words):
        here = session.current()
        if words:
            self._write(report, here, os.path.expanduser(words[0]))
            return
        inferior = gdb.selected_inferior()
        if not self._is_live():
            raise LeakError("this is no live process of this machine: leak handoff FILE writes a "
                            "core, and leakinspect takes PIDs")
        program = os.environ.get("LEAKINSPECT") or shutil.which("leakinspect")
        if not program or not os.access(program, os.X_OK):
            raise LeakError("leakinspect is not on PATH; install it, or write a core for another "
                            "machine: leak handoff FILE")
        pid, verbs = inferior.pid, [verb for verb in here.asked if verb in ("types", "cycles",
                                                                            "garbage")]
        gdb.execute("detach")
        arguments = [program, "attach", str(pid)]
        if not sys.stdin.isatty():
            for verb in verbs or ["types"]:
                arguments += ["-c", verb]
        gdb.write("%s\n" % " ".join(arguments))
        gdb.flush()
        status = subprocess.run(arguments, check=False).returncode
        report.set("status", status)
        if status:
            raise LeakError("leakinspect ended with status %d" % status)

    @staticmethod
    def _is_live():
        connection = getattr(gdb.selected_inferior(), "connection", None)
        kind = getattr(connection, "type", "native")
        return kind == "native" and os.path.isdir("/proc/%d" % gdb.selected_inferior().pid)

    @staticmethod
    def _write(report, here, path):
        for name in (path, path + ".json"):
            if os.path.exists(name):
                raise LeakError("%s exists already; give another name" % name)
        try:
            gdb.execute("gcore " + path, to_string=True)
        except gdb.error as error:
            raise LeakError("GDB could not write a core to %s: %s" % (path, error)) from error
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump({"pid": gdb.selected_inferior().pid, "found": here.asked}, file)
            file.write("\n")
        report.set("core", path)
        report.line("core: %s" % path)
        report.line("what was found so far: %s.json" % path)
        report.note("look into it with: gdb PYTHON %s, then source leak.gdb" % path)
