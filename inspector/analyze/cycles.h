/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CYCLES_H
#define ANALYZE_CYCLES_H

/*
 * Cycles as a person counts them: the strongly connected components of the references that the
 * collector sees, but for those of living objects to their classes, grouped by shape and by what will
 * become of them. An attribute dict counts as part
 * of its object. The shape of a component is that of a shortest cycle in it through an object with a
 * finalizer (through any, where none has one): types and attribute names,
 * "Parent.child -> Child.parent", beginning with an object that has a finalizer, and among those with
 * the reference whose name sorts first.
 */

#include "analyze/garbage.h"
#include "heap/heap.h"

enum cycle_state {
	/** In gc.garbage, or unreachable and not to be freed. */
	CYCLE_UNCOLLECTABLE,
	/** Unreachable: the next collection frees it. */
	CYCLE_PENDING,
	CYCLE_REACHABLE,
	/** All of it is in the permanent generation. */
	CYCLE_FROZEN,
};

/** The word of CLI.md. */
const char *cycle_state_name(enum cycle_state state);

enum { CYCLE_EXAMPLE_MAX = 16 };

struct cycle_row {
	/** Owned. */
	char *shape;
	enum cycle_state state;
	/** Cycles of this shape and state; their objects (an attribute dict is none of its own) and the
	 *  size of these with their attribute dicts. */
	uint64_t count;
	uint64_t object_count;
	uint64_t size_bytes;
	/** Types of all members, attribute dicts aside, most objects first; owned. */
	uint32_t *types;
	size_t type_count;
	/** Those of them with a finalizer; owned. */
	uint32_t *finalizers;
	size_t finalizer_count;
	/** The objects of one such cycle in its order, at most CYCLE_EXAMPLE_MAX; one that gc.garbage has, if any
	 *  of them is there. */
	uint32_t example[CYCLE_EXAMPLE_MAX];
	size_t example_count;
	/** For reachable ones: an object outside the example's component that refers into it and the
	 *  object referred to; HEAP_NO_OBJECT when only C code does. */
	uint32_t holder;
	uint32_t held;
};

/** Sorted: uncollectable, pending, reachable, frozen; most cycles first; then by shape. */
struct cycles {
	struct cycle_row *rows;
	size_t count;
	/** Cycles in all, and those left out for having no finalizer. */
	uint64_t cycle_count;
	uint64_t without_finalizer_count;
};

/** @a all: those without a finalizer, too. @a garbage is that of @a heap. */
MUST_USE struct error *cycles_find(const struct heap *heap, const struct garbage *garbage, bool all,
				   struct cycles *ret);

void cycles_deinit(struct cycles *cycles);
#define _cleanup_cycles_ CLEANUP(cycles_deinit)

#endif
