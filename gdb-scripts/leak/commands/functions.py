# SPDX-License-Identifier: GPL-3.0-or-later
"""Convenience functions: $leak_type("Parent"), $leak_obj(0x...). Their values are pointers, for print, for
variables of GDB's, and for the commands here."""
import gdb

from .. import session
from ..graph import holders, references
from ..base.errors import LeakError


def _value(python, at):
    """A pointer to the struct of the object's type where that is known, else PyObject *."""
    kind = references.object_type(python, at)
    struct = python.members.struct_of_type(python, kind)
    target = struct if struct is not None else python.layout.structs.type("PyObject")
    return gdb.Value(at).cast(target.pointer())


class LeakType(gdb.Function):
    """$leak_type("NAME"): the first tracked object of a type, as a PyObject *."""

    def __init__(self):
        super().__init__("leak_type")

    def invoke(self, name):
        try:
            here = session.current()
            at, = holders.choose(here, name.string())
            return gdb.Value(at).cast(gdb.lookup_type("PyObject").pointer())
        except LeakError as error:
            raise gdb.GdbError(str(error)) from None


class LeakObject(gdb.Function):
    """$leak_obj(ADDRESS): a pointer to the object there, typed by its own struct where that is known."""

    def __init__(self):
        super().__init__("leak_obj")

    def invoke(self, address):
        try:
            return _value(session.current().python(), int(address))
        except LeakError as error:
            raise gdb.GdbError(str(error)) from None
