/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_PATHS_H
#define ANALYZE_RETENTION_PATHS_H

/*
 * Shortest paths from what holds objects from outside (roots, and references that C code took and never
 * gave back) down to objects, over references that keep their target alive. A step from an object into
 * its attribute dict is none, nor is one out of a module.
 *
 * A person asks who in the program holds an object, not which word of the C library does. So roots are
 * taken in turns: those of the program (modules, gc.garbage, running functions, threads), those of the
 * interpreter, C code, leaked references, and at last static types and interned strings. A path begins at
 * a root of a later turn only when no earlier one reaches the object; within a turn none is shorter.
 */

#include "base/cleanup.h"
#include "heap/heap.h"

/** Where paths begin. */
struct path_start {
	uint32_t object;
	/** In heap->roots, or PATH_LEAK: nothing but leaked references holds it. */
	uint32_t root;
};

static const uint32_t PATH_LEAK = UINT32_MAX;

/** How each object was reached. */
struct paths {
	/** In turns, and in the order of heap->roots within one. */
	struct path_start *starts;
	size_t start_count;
	/** By object: the object that it was reached from, or PATHS_START | the number of its start, or
	 *  PATHS_NOT_REACHED. */
	uint32_t *via;
	uint32_t object_count;
};

static const uint32_t PATHS_START = 1U << 31;
static const uint32_t PATHS_NOT_REACHED = UINT32_MAX;

/** A step: from the object before to this one, by its reference number @a edge (0 in the first step, which
 *  has none before it). */
struct path_step {
	uint32_t object;
	uint32_t edge;
};

enum {
	/** Steps that are kept of a longer path, at its beginning and at its end. */
	PATH_HEAD_STEPS = 24,
	PATH_TAIL_STEPS = 24,
	PATH_STEPS_MAX = PATH_HEAD_STEPS + PATH_TAIL_STEPS,
};

struct path {
	struct path_start start;
	struct path_step steps[PATH_STEPS_MAX];
	size_t count;
	/** Steps left out behind the first PATH_HEAD_STEPS. */
	size_t skipped;
};

/** @a avoided, a byte per object, or NULL: no path leads through those that are not 0. Linear in objects
 *  and references. */
MUST_USE struct error *paths_find(const struct heap *heap, const uint8_t *avoided,
				  struct paths *ret);
/** Zero-initialised is valid. */
void paths_deinit(struct paths *paths);
#define _cleanup_paths_ CLEANUP(paths_deinit)

static inline bool paths_reach(const struct paths *paths, uint32_t object)
{
	return paths->via[object] != PATHS_NOT_REACHED;
}

/** The path to @a object, which is reached. */
void paths_get(const struct paths *paths, const struct heap *heap, uint32_t object,
	       struct path *ret);

/** Paths to one object, one from each root that holds it or that holds what leads to it, the shortest first.
 *  What a root holds is not looked behind: no path leads through the object of another's root. */
struct path_list {
	struct path *list;
	size_t count;
	/** Roots that were met beyond those. */
	size_t more;
};

/** At most @a count_max paths. Asks heap_reverse(). */
MUST_USE struct error *paths_from_all(struct heap *heap, unsigned thread_count, uint32_t object,
				      const uint8_t *avoided, size_t count_max,
				      struct path_list *ret);
/** Zero-initialised is valid. */
void path_list_deinit(struct path_list *list);
#define _cleanup_path_list_ CLEANUP(path_list_deinit)

#endif
