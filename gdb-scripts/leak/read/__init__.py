# SPDX-License-Identifier: GPL-3.0-or-later
"""The inferior's memory and GDB's types: offsets of members, the mirror, the runtime's state."""
