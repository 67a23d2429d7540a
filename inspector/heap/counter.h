/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_COUNTER_H
#define HEAP_COUNTER_H

/*
 * The sink that only counts: objects, bytes and references per type. Memory grows with the number
 * of types, not of objects.
 */

#include "heap/sink.h"

struct census_row {
	const char *name;
	/** All objects; those the collector tracks among them. */
	uint64_t count;
	uint64_t tracked;
	/** Those set aside from collections, among the tracked. */
	uint64_t frozen;
	/** As the runtime's own getsizeof tells it. */
	uint64_t size_bytes;
	/** Sum of the reference counts; immortal objects add none. */
	uint64_t refs;
};

enum { CENSUS_PROBLEM_TEXTS_MAX = 8 };

/** What was counted, types of one name in one row, most objects first, then by name. */
struct census {
	struct census_row *rows;
	size_t row_count;
	struct census_row total;
	/** Objects that were left out, as only the runtime's own caches keep them. */
	uint64_t cached_count;
	uint64_t unreadable;
	uint64_t truncated;
	/** The first few problems in words. */
	char *problem_texts[CENSUS_PROBLEM_TEXTS_MAX];
	size_t problem_text_count;
};

MUST_USE struct error *counter_create(struct heap_sink **ret);

/** One that leaves out of its census what only the runtime's own caches keep (struct heap_cached), and tells
 *  how much that is: numbers that are compared with later ones. */
MUST_USE struct error *counter_create_without_cached(struct heap_sink **ret);

/** What @a counter (of counter_create()) got so far; independent of it afterwards. Types without
 *  objects are left out. */
MUST_USE struct error *counter_census(const struct heap_sink *counter, struct census *ret);

/** Makes one row of those that have one name, and puts them in their order: for rows that did not come from a
 *  counter. The total stays. */
void census_merge(struct census *census);

void census_deinit(struct census *census);
#define _cleanup_census_ CLEANUP(census_deinit)

/** Drops all rows; the total stays. */
void census_drop_types(struct census *census);

/** The row of @a name, or NULL. */
const struct census_row *census_find(const struct census *census, const char *name);

#endif
