/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CYCLE_THROUGH_H
#define ANALYZE_CYCLE_THROUGH_H

/*
 * A shortest cycle through an object that somebody asks about.
 */

#include "analyze/cycle_search.h"

/**
 * A shortest cycle through the first of @a ids (@a count of them) that is on one, over references that the
 * collector sees, gc.garbage's aside. One that needs an object's reference to its own class counts only
 * where none of them is on another. *@a ret (zero-initialised) stays empty when none of them is on a cycle.
 */
MUST_USE struct error *cycle_through(const struct heap *heap, const uint32_t *ids, size_t count,
				     struct cycle_path *ret);

/** Appends its shape in words, "Parent.child -> Child.parent". */
MUST_USE struct error *cycle_through_shape(const struct heap *heap, const struct cycle_path *path,
					   struct text *into);

#endif
