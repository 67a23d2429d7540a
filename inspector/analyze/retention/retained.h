/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_RETAINED_H
#define ANALYZE_RETENTION_RETAINED_H

/*
 * Retained sizes: what would be freed with an object, which is all that it dominates and itself.
 * Numbers are those of dominators.h: 0 is what is outside, and retains everything.
 */

#include "analyze/retention/dominators.h"

struct retained {
	uint32_t object_count;
	/** By number: bytes, and objects (the object itself is one, an attribute dict none). */
	uint64_t *bytes;
	uint32_t *objects;
	/** What number i dominates immediately: children[first[i]] up to children[first[i + 1]]. */
	uint32_t *first;
	uint32_t *children;
};

/** 20 bytes per object. */
MUST_USE struct error *retained_find(const struct heap *heap, const struct dominators *dominators,
				     struct retained *ret);
/** Zero-initialised is valid. */
void retained_deinit(struct retained *retained);
#define _cleanup_retained_ CLEANUP(retained_deinit)

/**
 * Where what @a number retains comes together: down the tree while one object below has at least four
 * fifths of what the one above has. An attribute dict is no such object; its owner is.
 */
uint32_t retained_accumulation(const struct heap *heap, const struct dominators *dominators,
			       const struct retained *retained, uint32_t number);

/** Picks the largest of many; a heap whose top is the smallest of those kept. */
struct retained_order {
	/** To be set, with how many are kept at most. */
	const struct retained *retained;
	size_t count_max;
	uint32_t *list;
	size_t count;
	size_t all;
};

MUST_USE struct error *retained_order_init(struct retained_order *order);
void retained_order_add(struct retained_order *order, uint32_t number);
/** Most bytes first, of *@a ret_all; *@a ret is the caller's to free. */
void retained_order_finish(struct retained_order *order, uint32_t **ret, size_t *ret_count,
			   size_t *ret_all);

/** The @a count_max largest of what @a number dominates immediately, most bytes first, of *@a ret_all; an
 *  object's attribute dict is looked through. *@a ret is the caller's to free. */
MUST_USE struct error *retained_largest(const struct heap *heap,
					const struct dominators *dominators,
					const struct retained *retained, uint32_t number,
					size_t count_max, uint32_t **ret, size_t *ret_count,
					size_t *ret_all);

struct retained_type {
	uint32_t type;
	/** All objects of the type. */
	uint64_t count;
	/** What would be freed with all of them, as far as single ones hold it: what one of them retains
	 *  within another counts once, and what only several hold together not at all. */
	uint64_t bytes;
};

/** Types with objects, most bytes first. *@a ret is the caller's to free. */
MUST_USE struct error *retained_by_type(const struct heap *heap,
					const struct dominators *dominators,
					const struct retained *retained, struct retained_type **ret,
					size_t *ret_count);

#endif
