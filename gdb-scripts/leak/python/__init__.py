# SPDX-License-Identifier: GPL-3.0-or-later
"""CPython's objects: the lists they are in, what they refer to, what they would say of themselves."""
