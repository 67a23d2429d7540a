# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what an expression is: how the tests ask an interpreter about itself."""
from __future__ import print_function
import platform  # noqa: F401  (for the expression)
import sys

print(eval(sys.argv[1]))
