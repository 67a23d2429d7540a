/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_LAYOUT_PATH_H
#define DEBUG_LAYOUT_PATH_H

/*
 * The grammar of a member path, apart from what it is looked up in:
 * step { "." name | "[" number "]" }, a step being a name or, for a type that is an array, "[n]".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct layout_step {
	/** A member's name, `length` chars within the path; NULL for an element. */
	const char *name;
	size_t length;
	/** Of the element. */
	uint32_t index;
};

/**
 * Takes the next step off *@a cursor (at first the path) into *@a ret; *@a present is false at the
 * end. ERROR_USAGE when @a path, for the message, does not follow the grammar.
 */
MUST_USE struct error *layout_path_next(const char *path, const char **cursor, bool *present,
					struct layout_step *ret);

#endif
