# SPDX-License-Identifier: GPL-3.0-or-later
"""A pretty printer for PyObject *: the type's name, the address, and what repr() would say, bounded and
from memory alone."""
import gdb

from .. import session
from ..base.errors import Fault, LeakError

CHARS_MAX = 80


class ObjectPrinter:
    def __init__(self, at):
        self._at = at

    def to_string(self):
        if not self._at:
            return "NULL"
        try:
            python = session.current().python()
            name = python.objects.name_of(self._at)
            return "(%s *) 0x%x: %s" % (name, self._at, python.reprs.of(self._at, CHARS_MAX))
        except (Fault, LeakError, gdb.error):
            return "(PyObject *) 0x%x: no object" % self._at


class Lookup:
    """What GDB asks for each value that it prints."""

    name = "leak"
    enabled = True
    subprinters = None

    def __call__(self, value):
        kind = value.type.strip_typedefs().unqualified()
        if kind.code != gdb.TYPE_CODE_PTR:
            return None
        target = kind.target()
        if target.name != "PyObject" and target.strip_typedefs().unqualified().tag != "_object":
            return None
        return ObjectPrinter(int(value) & (1 << 64) - 1)


def register():
    gdb.pretty_printers[:] = [one for one in gdb.pretty_printers
                              if getattr(one, "name", None) != Lookup.name]
    gdb.pretty_printers.append(Lookup())
