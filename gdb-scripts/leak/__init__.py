# SPDX-License-Identifier: GPL-3.0-or-later
"""leak: the GDB companion of leakinspect. leak.gdb loads it; README.md tells how it is made."""


def load():
    """Defines the commands and functions, and watches what makes their knowledge out of date."""
    from . import session
    from .commands import (cmd_control, cmd_graph, cmd_object, cmd_state, cmd_types, command,
                           functions, printers)

    session.watch()
    session.connect("stop", cmd_control.show_stack)
    command.Leak()
    for kind in (cmd_types.Types, cmd_graph.CyclesCommand, cmd_graph.GarbageCommand,
                 cmd_object.Show, cmd_object.Refs, cmd_object.Referrers, cmd_object.Path,
                 cmd_state.Diff, cmd_state.Stats, cmd_state.Untracked, cmd_control.Break,
                 cmd_control.Handoff):
        kind()
    functions.LeakType()
    functions.LeakObject()
    printers.register()


def unload():
    """GDB's events are no longer watched; for who loads the package anew."""
    from . import session

    session.unwatch()
