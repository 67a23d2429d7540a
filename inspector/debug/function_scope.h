/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_FUNCTION_SCOPE_H
#define DEBUG_FUNCTION_SCOPE_H

/*
 * The parameters and local variables of one function, of its blocks and of what was inlined into
 * it. A function that was compiled apart from its definition (LTO, clones like .part, .isra and
 * .constprop) refers to the latter, which is searched as well: either may lack what the other has.
 *
 * What was inlined from another source file is left out: helpers of a type stand beside its other
 * functions, and what comes from elsewhere (PyObject_ClearWeakRefs) is about other objects.
 */

#include "debug/die.h"

enum {
	/** Blocks and inlined functions within each other, and all of them together. What is beyond
	 *  is not looked at: what a function works on, it names early. */
	SCOPE_DEPTH_LIMIT = 12,
	SCOPES_LIMIT = 512,
	SCOPE_VARIABLES_LIMIT = 1 << 14,
};

struct function_scope_visitor {
	/** @a type is the visitor's own for the call only, and may be replaced by it. */
	struct error *(*variable)(void *context, struct Dwarf_Die_s **type);
	void *context;
};

/** Calls @a visitor with the type of each variable of @a function (a subprogram), outer scopes
 *  first. */
MUST_USE struct error *function_scope_walk(const struct die_file *file,
					   struct Dwarf_Die_s *function,
					   const struct function_scope_visitor *visitor);

#endif
