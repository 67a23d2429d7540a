/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_SWEEP_H
#define ANALYZE_SWEEP_H

/*
 * What sweeps over all references find out about components before anything is searched depth first:
 * references are read in order and what is known of an object are a few bits that stay in a cache,
 * where a search waits for memory at every object. Sweeps find out all that is cheap to find out, and
 * nothing that is not so; their number and their work are bounded. Private to analyze/.
 */

#include "base/bits.h"
#include "heap/heap.h"

struct sweep_graph {
	const struct heap *heap;
	/** Kinds of references that count: bit 1 << enum heap_edge_kind. */
	unsigned kinds;
	/** A byte per object: those with one that is not 0 do not refer to their own class. NULL: all do. */
	const uint8_t *classless;
	/** The class of each type, HEAP_NO_OBJECT where it is no object; NULL when `classless` is. */
	const uint32_t *classes;
};

/** The one object that @a from is taken not to refer to, or HEAP_NO_OBJECT. */
static inline uint32_t sweep_ignored(const struct sweep_graph *graph, uint32_t from)
{
	return graph->classless && graph->classless[from] ? graph->classes[graph->heap->type[from]]
							  : HEAP_NO_OBJECT;
}

/** @a ignored is that of the object the reference is from. */
static inline bool sweep_edge_counts(const struct sweep_graph *graph, heap_edge edge,
				     uint32_t ignored)
{
	return (graph->kinds >> heap_edge_kind(edge) & 1) & (heap_edge_target(edge) != ignored);
}

/** Takes off @a left (base/bits.h) objects that cannot be in a component of what is left, because nothing in it
 *  refers to them or they refer to nothing in it. */
MUST_USE struct error *sweep_trim(const struct sweep_graph *graph, uint64_t *left);

/** If a component makes up a good part of @a left, moves it from there to @a ret (all 0 before) and
 *  sets *@a ret_count to its size, to 0 otherwise. It may miss one. */
MUST_USE struct error *sweep_giant(const struct sweep_graph *graph, uint64_t *left, uint64_t *ret,
				   uint32_t *ret_count);

#endif
