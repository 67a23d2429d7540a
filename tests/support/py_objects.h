/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_PY_OBJECTS_H
#define SUPPORT_PY_OBJECTS_H

/*
 * What a test puts into a py_image: strings, lists, tuples, dicts, classes.
 */

#include "support/py_image.h"

struct py_image_item {
	addr_t key;
	addr_t value;
};

enum py_image_dict {
	/** One table; with entries for str keys alone where the era has them. */
	PY_IMAGE_COMBINED,
	/** One table with entries for any keys. */
	PY_IMAGE_GENERAL,
	/** A table of keys, shared, and values apart. Not in Python 2. */
	PY_IMAGE_SPLIT,
};

/** Before 3.11 a table's dk_lookup, + 16 * enum py_image_dict: nobody looks there. */
static const addr_t PY_IMAGE_LOOKUP_AT = 0x555557000000;

/** A string as that era's interpreter keeps names in: compact ASCII, Python 2's str. */
addr_t py_image_str(struct py_image *image, const char *text);

/** A str of @a length characters of @a kind (1, 2 or 4) bytes each, compact. Not in Python 2. */
addr_t py_image_wide_str(struct py_image *image, uint32_t kind, const void *characters,
			 size_t length);

/** Characters of a str whose data stand apart: Python 2's unicode, legacy strings since. */
addr_t py_image_loose_str(struct py_image *image, uint32_t kind, const void *characters,
			  size_t length);

/** An untracked dict. A key or value of 0 leaves a hole in the entries. */
addr_t py_image_dict(struct py_image *image, enum py_image_dict kind,
		     const struct py_image_item *items, size_t count);
/** Its table of keys, of Python 2 the table. */
addr_t py_image_dict_keys(const struct py_image *image, addr_t dict);

/** A class statement's: a tracked heap type with a dict that tells its module. */
addr_t py_image_class(struct py_image *image, const char *module, const char *name,
		      uint64_t basicsize, uint64_t flags);

/** What `__slots__` leaves behind the class object: a PyMemberDef. */
struct py_image_slot {
	const char *name;
	/** 16 for an object (T_OBJECT_EX). */
	uint32_t type;
	uint64_t offset;
};

/** The same with slots. */
addr_t py_image_slotted_class(struct py_image *image, const char *module, const char *name,
			      uint64_t basicsize, uint64_t flags, const struct py_image_slot *slots,
			      size_t slot_count);

/** Tracked; a list has room for one item more than it holds. */
addr_t py_image_list(struct py_image *image, const addr_t *items, size_t count);
addr_t py_image_tuple(struct py_image *image, const addr_t *items, size_t count);

/** For py_image_create(): fills in the static types. */
void py_image_place_types(struct py_image *image);

#endif
