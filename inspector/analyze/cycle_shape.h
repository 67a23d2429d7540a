/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CYCLE_SHAPE_H
#define ANALYZE_CYCLE_SHAPE_H

/*
 * What a cycle looks like, in words: "Parent.child -> Child.parent". Private to analyze/.
 */

#include "analyze/cycle_search.h"
#include "analyze/cycles.h"
#include "base/text.h"
#include "heap/heap.h"

/** Hops that a shape shows; of a longer cycle, it tells how many more there are. */
enum { CYCLE_SHAPE_HOPS_MAX = 8 };

struct cycle_shape {
	struct text text;
	/** The objects in the order of the shape, attribute dicts left out. */
	uint32_t objects[CYCLE_EXAMPLE_MAX];
	size_t object_count;
};

/** Anything that calls code when the object dies. */
bool cycle_has_finalizer(const struct heap *heap, uint32_t object);

/** The shape of @a path, which is not empty. Replaces what @a ret (zero-initialised is valid) was. */
MUST_USE struct error *cycle_shape_make(const struct heap *heap, const struct cycle_path *path,
					struct cycle_shape *ret);

void cycle_shape_deinit(struct cycle_shape *shape);
#define _cleanup_cycle_shape_ CLEANUP(cycle_shape_deinit)

#endif
