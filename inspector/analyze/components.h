/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_COMPONENTS_H
#define ANALYZE_COMPONENTS_H

/*
 * Strongly connected components of the graph of references: R. Tarjan, "Depth-first search and linear
 * graph algorithms" (1972), in the form of D. Pearce, "A space-efficient algorithm for finding
 * strongly connected components" (2016), with an explicit stack: a list of ten million links must not
 * use ours.
 */

#include "heap/heap.h"

struct components {
	/** Components of two objects and more, and single objects that refer to themselves. */
	size_t count;
	/** Members of component i: members[first[i]] up to members[first[i + 1]], ascending ids.
	 *  Components are in the order of their smallest member. */
	uint32_t *first;
	uint32_t *members;
	/** Component of each object, UINT32_MAX for those in none. */
	uint32_t *of;
	/** Elements of that. */
	size_t object_count;
};

/** References of @a kinds (bit 1 << enum heap_edge_kind) count. @a skip, when not NULL, has a byte per
 *  object: those with one that is not 0 are left out with all their references. @a classless, when not
 *  NULL, has one too: those refer to all but the object that is their own type. */
MUST_USE struct error *components_find(const struct heap *heap, unsigned kinds, const uint8_t *skip,
				       const uint8_t *classless, struct components *ret);

void components_deinit(struct components *components);
#define _cleanup_components_ CLEANUP(components_deinit)

#endif
