/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_DOMINATORS_H
#define ANALYZE_RETENTION_DOMINATORS_H

/*
 * The dominator tree of a heap: who must let go for an object to be freed. An object is dominated by
 * another when all ways from outside to it lead through that one; the nearest such is its immediate
 * dominator. T. Lengauer and R. Tarjan, "A fast algorithm for finding dominators in a flowgraph" (1979),
 * the simple version: references times the logarithm of objects, without recursion.
 *
 * Above all objects stands what is outside: whatever roots and leaked references hold. Objects that
 * nothing outside reaches have dominators, too: it is as if outside held one object of each group of them
 * that no other of them refers to (of a cycle, the object with the lowest id).
 */

#include "base/cleanup.h"
#include "heap/heap.h"

/** Objects are numbered from 1 here, dominators before those they dominate; 0 is what is outside. */
struct dominators {
	uint32_t object_count;
	/** By number: the object. order[0] is none. */
	uint32_t *order;
	/** By number: that of the immediate dominator. */
	uint32_t *above;
	/** By object: its number. */
	uint32_t *number;
	/** Numbers above this one are those of objects that nothing outside reaches. */
	uint32_t reached_count;
};

/** Weak references hold nothing. Takes 36 bytes per object and up to 4 per reference while it works, 12 per
 *  object afterwards. */
MUST_USE struct error *dominators_find(const struct heap *heap, struct dominators *ret);
/** Zero-initialised is valid. */
void dominators_deinit(struct dominators *dominators);
#define _cleanup_dominators_ CLEANUP(dominators_deinit)

#endif
