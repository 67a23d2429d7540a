/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_DESCRIBE_DESCRIBE_NUMBERS_H
#define TARGETS_CPYTHON_DESCRIBE_DESCRIBE_NUMBERS_H

/*
 * Objects that are numbers: bool, int, Python 2's long, float, complex, and what derives from them.
 */

#include "targets/cpython/describe/repr.h"
#include "targets/cpython/objects/types.h"

/** Writes the object at @a at of @a type; false when that is no number. */
bool py_numbers_write(struct py_repr *repr, const struct py_type *type, addr_t at);

/** How many decimal digits the int at @a at has, 0 for numbers of other kinds and for so large ones that
 *  nobody counts; false when it is no number. */
bool py_numbers_count_digits(struct py_repr *repr, const struct py_type *type, addr_t at,
			     size_t *ret);

/** Whether the int at @a at (Python 2's long) is @a wanted, 0 or 1. */
bool py_numbers_is(const struct py_layout *layout, struct mem_window *window, addr_t at,
		   uint32_t wanted);

#endif
