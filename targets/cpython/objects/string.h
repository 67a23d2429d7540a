/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_STRING_H
#define TARGETS_CPYTHON_OBJECTS_STRING_H

/*
 * The text of str, unicode and Python 2's str objects, bounded, as UTF-8.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"

/** Where a string's characters are: how many, how wide in bytes (1, 2 or 4), and at which address. */
struct py_string_span {
	addr_t at;
	uint64_t length;
	uint32_t width;
	/** Python 3's bytes, Python 2's str. */
	bool is_bytes;
};

/** False when there is no string at @a at. The length is what the process says: whoever reads bounds
 *  it. */
bool py_string_locate(const struct py_layout *layout, struct mem_window *window, addr_t at,
		      struct py_string_span *ret);

/** Writes @a c as UTF-8 (lone surrogates too) into @a into, at most 4 chars; how many. */
size_t py_string_encode(uint32_t c, char *into);

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
