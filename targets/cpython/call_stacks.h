/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_CALL_STACKS_H
#define TARGETS_CPYTHON_CALL_STACKS_H

/*
 * Which functions run in which thread, each with its file and line: frames in words.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

/** target_ops.call_stacks(): of the moment that @a window shows. */
MUST_USE struct error *py_call_stacks(const struct py_layout *layout, struct mem_window *window,
				      struct target_call_stacks *ret);

#endif
