/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_PICTURE_H
#define ANALYZE_PICTURE_H

/*
 * What is in a picture of a few objects: those who hold them or those they hold, a few steps far and a
 * few wide, the roots that hold any of these, and every reference among what is shown. How it looks is
 * not said here. What is left out is counted, and by whom it would have hung.
 *
 * An attribute dict is part of its object, and a module's dict of its module. References of objects to their own class are left out unless
 * that class is asked about, and so are, among holders, a class's instances: they tell what the type's
 * name does. The way to the holders ends at what a module, an interpreter or gc.garbage holds; that to
 * what is held ends at classes and modules.
 *
 * Of too many holders those of rare types come first, one of each type before a second of any: among a
 * hundred thousand items that name their list, the one dict that holds it is what one looks for.
 */

#include "analyze/cycle_search.h"
#include "base/cleanup.h"
#include "heap/heap.h"

enum picture_way { PICTURE_REFERRERS, PICTURE_REFERENTS, PICTURE_WAY_COUNT };

struct picture_question {
	const uint32_t *asked;
	size_t asked_count;
	/** By way, how many steps from the objects asked about; 0 does not go that way. */
	uint32_t depth[PICTURE_WAY_COUNT];
	/** How many of the next step there are of one object, and how many roots. */
	uint32_t breadth;
	/** Of all. */
	uint32_t nodes_max;
	/** NULL, or a cycle all of which is shown before anything else is; its first object is asked about. */
	const struct cycle_path *cycle;
};

enum { PICTURE_MORE_TYPES = 3, PICTURE_EDGE_REFERENCES = 3 };

struct picture_type {
	uint32_t type;
	uint64_t count;
};

/** Objects that are not shown, and the types there are most of. */
struct picture_more {
	uint64_t count;
	struct picture_type types[PICTURE_MORE_TYPES];
	size_t type_count;
};

struct picture_node {
	/** HEAP_NO_OBJECT for a root. */
	uint32_t object;
	/** Of an object: its attribute dict (HEAP_NO_OBJECT when it has none) and which reference leads there. */
	uint32_t dict;
	uint32_t dict_number;
	/** NULL for an object. */
	const struct heap_root_row *root;
	bool is_asked;
	bool is_on_cycle;
	/** By way: steps from the objects asked about, UINT32_MAX when it was not met on that way. */
	uint32_t steps[PICTURE_WAY_COUNT];
	/** Whether the next step was taken, so that `more` is what was too many of it. */
	bool is_followed[PICTURE_WAY_COUNT];
	struct picture_more more[PICTURE_WAY_COUNT];
	/** Roots that hold it and are not shown. */
	uint64_t more_roots;
};

/** A reference of an object or of its attribute dict. */
struct picture_reference {
	uint32_t object;
	uint32_t number;
};

/** All references of one node to another; of a root, just that it holds. */
struct picture_edge {
	uint32_t from;
	uint32_t to;
	/** The strongest of them; of C code that may own none, HEAP_EDGE_GUESS. */
	enum heap_edge_kind kind;
	bool is_on_cycle;
	/** How many, and the first few. */
	uint32_t count;
	struct picture_reference references[PICTURE_EDGE_REFERENCES];
};

/** Zero-initialised is valid. */
struct picture {
	/** Those asked about first, each way outwards; roots behind all objects. */
	struct picture_node *nodes;
	size_t node_count;
	size_t node_capacity;
	size_t object_count;
	/** By the node they are from. */
	struct picture_edge *edges;
	size_t edge_count;
	size_t edge_capacity;
	/** Objects that were asked about and that there was no room for. */
	uint64_t asked_left_out;
	/** References to classes that were left out for being their objects' own. */
	uint64_t class_references;
	/** Of a cycle that is too long: the nodes before and behind the gap, and what is in it. */
	uint32_t gap_from;
	uint32_t gap_to;
	uint64_t gap_count;
};

/** Objects of a cycle that are shown; of a longer one, as many of its begin as of its end. */
enum { PICTURE_CYCLE_MAX = 24 };

/** @a heap is not const for heap_reverse() alone, which @a thread_count threads make. */
MUST_USE struct error *picture_make(struct heap *heap, unsigned thread_count,
				    const struct picture_question *question, struct picture *ret);

void picture_deinit(struct picture *picture);
#define _cleanup_picture_ CLEANUP(picture_deinit)

/** Whether there is anything at @a node that is not shown. */
static inline bool picture_is_cut(const struct picture_node *node)
{
	return node->more[PICTURE_REFERRERS].count || node->more[PICTURE_REFERENTS].count ||
	       node->more_roots;
}

#endif
