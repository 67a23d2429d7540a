/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_DESCRIBE_REPR_H
#define TARGETS_CPYTHON_DESCRIBE_REPR_H

/*
 * Text of limited length, and numbers and strings in Python's notation written into it. When it is
 * full it ends in "..." and takes no more: whoever writes asks `full` and stops reading.
 */

#include "base/text.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"

struct py_repr {
	const struct py_layout *layout;
	struct mem_window *window;
	struct text *into;
	/** Characters written and allowed. */
	size_t chars;
	size_t chars_max;
	/** Nothing more fits, or `error` is set. */
	bool full;
	struct error *error;
};

enum {
	/** Characters of a string that are searched for quotes before one is chosen. */
	PY_REPR_QUOTE_SEARCH_MAX = 1 << 16,
	/** Digits of an int (of 15 or 30 bits) that are turned into decimal: about 4,600 places. */
	PY_REPR_DIGITS_MAX = 512,
};

/** Appends UTF-8. */
void py_repr_put(struct py_repr *repr, const char *chars, size_t length);
void py_repr_puts(struct py_repr *repr, const char *text);
/** At most 1 KiB at a time. */
PRINTF_LIKE(2, 3) void py_repr_putf(struct py_repr *repr, const char *format, ...);

/** What stands for an object or a part of one that cannot be read. */
void py_repr_unreadable(struct py_repr *repr);

/** 'text', u'text', b'text' of the string object at @a at. */
void py_repr_string(struct py_repr *repr, addr_t at);
/** b'text' of @a length bytes at @a data_at, as bytearray writes them. */
void py_repr_bytearray(struct py_repr *repr, addr_t data_at, uint64_t length);

/** The int of @a at's digits (Python 2's long); "<int of N bits>" when there are too many. */
void py_repr_long(struct py_repr *repr, addr_t at);
void py_repr_float(struct py_repr *repr, double value);
void py_repr_complex(struct py_repr *repr, double real, double imag);

#endif
