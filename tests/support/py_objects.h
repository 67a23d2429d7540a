/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_PY_OBJECTS_H
#define SUPPORT_PY_OBJECTS_H

/*
 * What a test puts into a py_image: strings, dicts, classes.
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

/** For py_image_create(): fills in the static types. */
void py_image_place_types(struct py_image *image);

#endif
