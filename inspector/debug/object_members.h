/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_OBJECT_MEMBERS_H
#define DEBUG_OBJECT_MEMBERS_H

/*
 * The struct that only a function knows: what a type's tp_dealloc or tp_traverse calls its object.
 * The function's parameters and local variables (those of what was inlined into it from the same
 * source file, too) point to it; its members that point to something beginning with a given struct
 * (PyObject) are where an object keeps others. Nothing here says whether it owns them.
 *
 * Answers are saved with the module's layout (by build-id), so that the next start reads no DWARF.
 */

#include "debug/module.h"

struct object_member {
	/** From the struct's beginning, in bytes. */
	uint32_t offset_bytes;
	/** Pointers in a row: 1, or the length of an array of declared length; 0 for a flexible one. */
	uint32_t count;
	/** "func_code"; "dict.keys" within a nested struct. Owned by the module. */
	const char *name;
};

struct object_members {
	/** The typedef's name, or the tag. Owned by the module, as is the list. */
	const char *struct_name;
	uint64_t struct_bytes;
	const struct object_member *list;
	size_t count;
};

/**
 * The struct beginning with @a base ("PyObject") that the function at the runtime address
 * @a function_at works on: of those its parameters and variables point to, the one whose size is
 * nearest to @a size_bytes (tp_basicsize; 0: unknown), and that is larger than @a base itself and
 * not much larger than @a size_bytes. Where it is smaller, it is a part of the object, most often
 * its beginning (what a traverse of subclasses knows): compare `struct_bytes`. What types are
 * (PyTypeObject, and what begins with it) must have exactly that size. *@a present false when there
 * is none, no such function, or no debug information for the module (whose lack is no error here).
 */
MUST_USE struct error *object_members_of_function(struct module *module, addr_t function_at,
						  const char *base, uint64_t size_bytes,
						  bool *present, struct object_members *ret);

/** The same for a struct or typedef by its name. */
MUST_USE struct error *object_members_of_struct(struct module *module, const char *name,
						const char *base, bool *present,
						struct object_members *ret);

#endif
