# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong, as a sentence for a person: what failed, where, and what to do about it."""


class LeakError(Exception):
    """A command ends with it, and GDB shows its text alone."""


class Fault(LeakError):
    """Memory that cannot be read."""

    def __init__(self, at, bytes_count=8):
        super().__init__("cannot read %d bytes at 0x%x" % (bytes_count, at))
        self.at = at
