# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles an extension module of tests/programs for an interpreter, with that interpreter's headers."""

import functools
import os
import subprocess

from support.interpreters import PROGRAMS

SUFFIX = ("__import__('sysconfig').get_config_var('EXT_SUFFIX') "
          "or __import__('sysconfig').get_config_var('SO')")
INCLUDE = "__import__('sysconfig').get_path('include')"


@functools.cache
def build(interpreter, name, folder, debug_information=True):
    """Compiles programs/NAME.c into a folder of the interpreter's own within @a folder and returns
    it: what that interpreter may have on its path. None where it has no headers."""
    include = interpreter.evaluate(INCLUDE)
    if not os.path.exists(os.path.join(include, "Python.h")):
        return None
    home = os.path.join(folder, interpreter.name + ("" if debug_information else "-bare"))
    os.makedirs(home, exist_ok=True)
    module = os.path.join(home, name + interpreter.evaluate(SUFFIX))
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-shared", "-fPIC",
                    "-g" if debug_information else "-g0", "-isystem", include, "-o", module,
                    os.path.join(PROGRAMS, name + ".c")], timeout=120, check=True)
    return home
