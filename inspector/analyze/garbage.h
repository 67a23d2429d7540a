/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_GARBAGE_H
#define ANALYZE_GARBAGE_H

/*
 * The collector run dry: what a collection of all generations would find, by CPython's own algorithm
 * (Modules/gcmodule.c, Python/gc.c) over the graph. From the reference count of every tracked, not
 * frozen object the references among those objects are taken off; who has some left is held from
 * outside, and what it reaches is reachable. Of the rest, objects with a legacy finalizer and what
 * they reach are uncollectable; the others are freed.
 *
 * Linear in objects and references, without recursion.
 */

#include "heap/heap.h"

enum garbage_state {
	/** The collector does not look at it: untracked, static. */
	GARBAGE_NOT_TRACKED,
	GARBAGE_FROZEN,
	GARBAGE_REACHABLE,
	/** The next collection of all generations frees it. */
	GARBAGE_UNREACHABLE,
	/** Unreachable, and cannot be freed. */
	GARBAGE_UNCOLLECTABLE,
};

struct garbage_type {
	uint32_t type;
	uint64_t count;
	uint64_t size_bytes;
};

/** Sorted by count, most first, then by the type's name. */
struct garbage_types {
	struct garbage_type *list;
	size_t count;
};

struct garbage {
	/** enum garbage_state of each object. */
	uint8_t *state;
	/** What gc.collect() returns is the sum of the two. */
	uint64_t unreachable_count;
	uint64_t uncollectable_count;
	/** Of the uncollectable, those that will be put into gc.garbage: who has a legacy finalizer
	 *  itself (with DEBUG_SAVEALL: all that are unreachable). */
	uint64_t to_garbage_count;
	struct garbage_types unreachable_types;
	struct garbage_types uncollectable_types;
	struct garbage_types to_garbage_types;
	/** Already in gc.garbage, each as often as it stands there. */
	uint64_t in_garbage_count;
	struct garbage_types in_garbage_types;
	/** Unreachable objects with a finalizer that has not run yet: what it does is not known. */
	uint64_t unfinalized_count;
	/** Weak references with a callback to unreachable objects, themselves reachable. */
	uint64_t callback_count;
};

MUST_USE struct error *garbage_find(const struct heap *heap, struct garbage *ret);

/** Zero-initialised is valid. */
void garbage_deinit(struct garbage *garbage);
#define _cleanup_garbage_ CLEANUP(garbage_deinit)

#endif
