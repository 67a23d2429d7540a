/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_NAME_INDEX_H
#define DEBUG_NAME_INDEX_H

/*
 * Which entry of the debug information has a name: filled unit by unit by dwarf_types.c, which owns
 * the names. Knows nothing of DWARF.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum name_kind {
	NAME_TYPEDEF,
	/** A struct, union or enum tag, or a base type, with a complete definition. */
	NAME_TAG,
	NAME_VARIABLE,
	/** Defined, not just declared. */
	NAME_FUNCTION,
};

struct name_entry {
	/** Not owned; lives as long as the debug information is open. */
	const char *name;
	/** Of the entry within its section. */
	uint64_t offset;
	/** Number of the compile unit, in the order of the file. */
	uint32_t unit;
	uint32_t hash;
	/** Number + 1 of the next entry in the same bucket; 0 ends the chain. */
	uint32_t next;
	uint8_t kind;
	/** In .debug_info, not in .debug_types. */
	bool in_info;
};

/** Zero-initialised is empty and valid. */
struct name_index {
	struct name_entry *list;
	size_t count;
	size_t capacity;
	uint32_t *buckets;
	size_t bucket_count;
};

void name_index_deinit(struct name_index *index);

/** Adds an entry (`hash` and `next` are set here). Of a typedef or tag only the first stays; of the
 *  variables all, of the functions the first two. */
MUST_USE struct error *name_index_add(struct name_index *index, struct name_entry entry);

/**
 * The first entry of @a kind named @a name whose number is @a from or more; *@a ret is its number
 * in `list`, which stays its own. False when there is none.
 */
bool name_index_find(const struct name_index *index, enum name_kind kind, const char *name,
		     size_t from, size_t *ret);

#endif
