# SPDX-License-Identifier: GPL-3.0-or-later
"""leak: the GDB companion of leakinspect. leak.gdb loads it; README.md tells how it is made."""


def load():
    """Defines the commands and functions, and watches what makes their knowledge out of date."""
    from . import command, session
    from . import cmd_graph, cmd_types

    session.watch()
    command.Leak()
    for kind in (cmd_types.Types, cmd_graph.GarbageCommand, cmd_graph.CyclesCommand):
        kind()
