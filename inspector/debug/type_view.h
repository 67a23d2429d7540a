/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_TYPE_VIEW_H
#define DEBUG_TYPE_VIEW_H

/*
 * What a type of the debug information is behind typedefs, qualifiers and declarations: its size,
 * its kind, its elements. Members are dwarf_types.c's business.
 */

#include "debug/dwarf_index.h"
#include "debug/layout.h"

/** A type, or what is left of an array's type after some of its dimensions. */
struct type_view {
	/** Owned; NULL is void. */
	struct Dwarf_Die_s *die;
	unsigned dimension;
};

void type_view_cleanup(struct type_view *view);
#define _cleanup_view_ CLEANUP(type_view_cleanup)

struct type_view_description {
	enum layout_kind kind;
	uint64_t bytes;
	/** Of an array; 0 when unknown. */
	uint64_t element_count;
};

/** Whether @a tag is that of a struct or union. */
bool type_view_is_struct(unsigned tag);

/** Replaces *@a die by its type, or a struct by its definition in a type unit; NULL when it has
 *  none. */
MUST_USE struct error *type_view_step(struct dwarf_index *index, struct Dwarf_Die_s **die);

/** Replaces *@a die (which may be NULL) by what it is behind typedefs, qualifiers and declarations;
 *  NULL for void. *@a ret_tag is its tag then, 0 for void. */
MUST_USE struct error *type_view_strip(struct dwarf_index *index, struct Dwarf_Die_s **die,
				       unsigned *ret_tag);

/** Size of what is left of @a view, which is used up; absent for void, functions,
 *  incomplete types. */
MUST_USE struct error *type_view_bytes(struct dwarf_index *index, struct type_view *view,
				       bool *present, uint64_t *ret);

/** The same with kind and length. When absent, kind and length are valid all the same. */
MUST_USE struct error *type_view_describe(struct dwarf_index *index, struct type_view *view,
					  bool *present, struct type_view_description *ret);

/** Moves @a view to its element @a number and adds its distance to *@a offset; *@a present false
 *  when it is no array or has no such. Flexible arrays have every element. */
MUST_USE struct error *type_view_to_element(struct dwarf_index *index, struct type_view *view,
					    uint32_t number, bool *present, uint64_t *offset);

/** Elements of @a array (an array's entry), those of all its dimensions; 0 when one is of
 *  no length. */
MUST_USE struct error *type_view_array_count(struct dwarf_index *index, struct Dwarf_Die_s *array,
					     uint64_t *ret);

#endif
