/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_OBJECT_STRUCT_H
#define DEBUG_OBJECT_STRUCT_H

/*
 * Structs that begin with a base, as all objects of CPython begin with PyObject: by a first member
 * that is one or begins with one, or, as macros did it in Python 2, by members of the same names
 * at the same places. dwarf_objects.c's own.
 */

#include "base/addr_map.h"
#include "debug/dwarf_index.h"
#include "debug/object_members.h"

enum { OBJECT_HEAD_MEMBERS_MAX = 8 };

struct object_head_member {
	const char *name;
	uint64_t offset;
};

struct object_base {
	/** Not owned. */
	struct dwarf_index *index;
	/** Owned; the name that was asked for. */
	char *name;
	/** NULL when it has none, or when there is no such type. */
	const char *tag;
	/** The tag of what its head points to, which is what types are (PyTypeObject); NULL when
	 *  it has none. */
	const char *type_tag;
	/** 0 when there is no such type, and nothing begins with it then. */
	uint64_t bytes;
	struct object_head_member head[OBJECT_HEAD_MEMBERS_MAX];
	size_t head_count;
	/** Where a type is, to whether it points to something that begins with the base. */
	struct addr_map pointers;
};

void object_base_deinit(struct object_base *base);

/** Makes @a base (zero, or another one's) that of the type @a name. */
MUST_USE struct error *object_base_set(struct object_base *base, struct dwarf_index *index,
				       const char *name);

/** What a type is. Owns `type`. */
struct object_struct {
	/** The definition; NULL when it does not begin with the base. */
	struct Dwarf_Die_s *type;
	/** The typedef's name, or the tag. */
	const char *name;
	uint64_t bytes;
};

void object_struct_cleanup(struct object_struct *object);
#define _cleanup_object_struct_ CLEANUP(object_struct_cleanup)

/** What *@a type, which is used up, is. */
MUST_USE struct error *object_struct_of(struct object_base *base, struct Dwarf_Die_s **type,
					struct object_struct *ret);

/** The same for what it points to; not `type` but a pointer to it. */
MUST_USE struct error *object_struct_pointed_to(struct object_base *base, struct Dwarf_Die_s **type,
						struct object_struct *ret);

/** Whether @a type is or begins with what types are: all code has pointers to those. */
MUST_USE struct error *object_struct_is_type(struct object_base *base, struct Dwarf_Die_s *type,
					     bool *ret);

/** Whether @a type has nothing but the base and a number of items (PyVarObject): no object's own
 *  struct, and yet what functions call objects of any type. */
MUST_USE struct error *object_struct_is_head(struct object_base *base, struct Dwarf_Die_s *type,
					     bool *ret);

/** A growing struct object_members; its names are its own. Zero-initialised is empty and valid. */
struct object_list {
	struct object_member *list;
	size_t count;
	size_t capacity;
};

void object_list_deinit(struct object_list *list);
#define _cleanup_object_list_ CLEANUP(object_list_deinit)

/** The members behind the base that point to something beginning with it. */
MUST_USE struct error *object_struct_members(struct object_base *base, struct Dwarf_Die_s *type,
					     struct object_list *into);

#endif
