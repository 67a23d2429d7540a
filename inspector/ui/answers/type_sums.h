/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_TYPE_SUMS_H
#define UI_ANSWERS_TYPE_SUMS_H

/*
 * Objects summed up by the name of their type, as tables of `garbage` and `refs --leaked` have them.
 */

#include "base/cleanup.h"
#include "heap/heap.h"

struct type_sum {
	const char *name;
	uint64_t count;
	/** References counted that nothing explains; for `refs --leaked`. */
	uint64_t excess;
	uint64_t size_bytes;
};

/** Zero-initialised is empty and valid. */
struct type_sums {
	struct type_sum *list;
	size_t count;
	size_t capacity;
};

/** Adds a part; @a name lives as long as the sums. Parts of one name are joined by
 *  type_sums_finish(). */
MUST_USE struct error *type_sums_add(struct type_sums *sums, const struct type_sum *part);

/** Joins parts of one name and sorts: most objects first, then by name. */
void type_sums_finish(struct type_sums *sums);

/** All of them in one. */
struct type_sum type_sums_total(const struct type_sums *sums);

void type_sums_deinit(struct type_sums *sums);
#define _cleanup_type_sums_ CLEANUP(type_sums_deinit)

#endif
