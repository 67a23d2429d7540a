/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CYCLE_SEARCH_H
#define ANALYZE_CYCLE_SEARCH_H

/*
 * A shortest cycle in a component, breadth first. A step from an object into its attribute dict is
 * none: what an object keeps in a slot is as near as what it keeps in its dict. Private to analyze/.
 */

#include "analyze/components.h"
#include "heap/heap.h"

/** A reference on a cycle: number @a edge of @a object leads to the object of the next step, that of
 *  the last one to the first. */
struct cycle_step {
	uint32_t object;
	uint32_t edge;
};

/** Zero-initialised is empty and valid. */
struct cycle_path {
	struct cycle_step *steps;
	size_t count;
	size_t capacity;
	/** Steps less those into an attribute dict. */
	uint32_t hops;
};

struct cycle_search;

/** @a parts has a bit per object, set for attribute dicts: unlike their flags, it fits into a cache. */
MUST_USE struct error *cycle_search_create(const struct heap *heap,
					   const struct components *components,
					   const uint64_t *parts, struct cycle_search **ret);
void cycle_search_destroy(struct cycle_search **search);
#define _cleanup_cycle_search_ CLEANUP(cycle_search_destroy)

/**
 * A shortest cycle through @a start, a member of a component, over references of kind gc within that
 * component. *@a ret is empty when it would have more than @a hops_max hops or was not found among
 * @a looks_max references.
 */
MUST_USE struct error *cycle_search_find(struct cycle_search *search, uint32_t start,
					 uint32_t hops_max, uint64_t looks_max,
					 struct cycle_path *ret);

void cycle_path_deinit(struct cycle_path *path);
#define _cleanup_cycle_path_ CLEANUP(cycle_path_deinit)

/** Whether both lead through the same objects in the same order, wherever they begin. */
bool cycle_path_same(const struct cycle_path *left, const struct cycle_path *right);

#endif
