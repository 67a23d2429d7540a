/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_DESCRIBE_DESCRIBE_H
#define TARGETS_CPYTHON_DESCRIBE_DESCRIBE_H

/*
 * What repr() might say of an object, told from its memory alone. The builtin types as repr() writes
 * them; what derives from them the same way, whatever __repr__ it has; all others in the default form
 * `<module.Type object at 0x...>`.
 */

#include "base/text.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/objects/types.h"

enum py_describe_form {
	PY_DESCRIBE_REPR,
	/** What it is and how large: "<str of 12 characters>", "<int of 3 digits>", "<dict of 5>". Names of
	 *  code and of files stay: classes, functions, modules. No other character of the process. */
	PY_DESCRIBE_SHAPE,
	/** As a key: "<str of 12>". */
	PY_DESCRIBE_SHAPE_SHORT,
};

/**
 * Appends what repr() might say of the object at @a at, as UTF-8, in at most @a chars_max characters
 * (cut with "..."). No code of the process runs. An unreadable object gives "<unreadable>". Containers
 * deeper than PY_DESCRIBE_DEPTH_MAX end in "...".
 */
MUST_USE struct error *py_describe(const struct py_layout *layout, struct py_types *types,
				   struct mem_window *window, addr_t at, enum py_describe_form form,
				   size_t chars_max, struct text *into);

enum {
	PY_DESCRIBE_DEPTH_MAX = 16,
	/** Slots of a set or entries of a dict that are looked at, most of which may be empty. */
	PY_DESCRIBE_SLOTS_MAX = 1 << 17,
};

#endif
