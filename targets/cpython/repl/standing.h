/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REPL_STANDING_H
#define TARGETS_CPYTHON_REPL_STANDING_H

/*
 * Where the interpreter stands at a moment, for code to be run in a clone of it. Firm is a moment at
 * which nobody holds the GIL: all objects are as they should be, and whoever takes it next finds them
 * so. Firm, too, is a thread with the GIL that is in the evaluation loop itself, between two
 * instructions or in a simple one. Anywhere else in the interpreter it may be half way through a list or
 * a free block; elsewhere, in malloc() or another library, it may hold a lock that nobody will release.
 */

#include "debug/module.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

/** Contract of target_ops.standing(). @a python is the module with the interpreter. */
MUST_USE struct error *py_standing(const struct py_layout *layout, struct module *python,
				   const struct target_moment *moment, struct target_standing *ret);

#endif
