/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_STRING_H
#define TARGETS_CPYTHON_STRING_H

/*
 * The text of str, unicode and Python 2's str objects, bounded, as UTF-8.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"

/**
 * Copies the text of the string object at @a at into @a into (of @a bytes, NUL-terminated, cut at a
 * character when too long). False when it is no string or cannot be read; "" then.
 */
bool py_string_read(const struct py_layout *layout, struct mem_window *window, addr_t at,
		    char *into, size_t bytes);

/** Whether the object at @a at is a string with just the ASCII text @a text. */
bool py_string_equals(const struct py_layout *layout, struct mem_window *window, addr_t at,
		      const char *text);

/** A NUL-terminated C string of the process; false when unreadable or longer than @a bytes - 1. */
bool py_c_string_read(struct mem_window *window, addr_t at, char *into, size_t bytes);

#endif
