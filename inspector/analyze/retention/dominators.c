// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/dominators.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/retention/paths.h"
#include "base/array.h"
#include "base/bits.h"
#include "base/interrupt.h"
#include "base/pages.h"

/*
 * All arrays but one are by number: a depth-first search numbers objects as it meets them, which is close
 * to how they refer to each other, so that what the algorithm looks at next is mostly near.
 */

enum { INTERRUPT_EVERY = 1 << 20, AHEAD = 16 };

/** In `ancestor`. */
static const uint32_t OUTSIDE = UINT32_MAX;

/** In `number`, while the order of unreachable objects is found. */
static const uint32_t SEEN = UINT32_MAX;

struct tree {
	const struct heap *heap;
	size_t bytes;
	/** By object; 0: not met. */
	uint32_t *number;
	uint32_t *order;
	/** Whom the search came from; 0 of those that outside holds. */
	uint32_t *parent;
	uint32_t *semi;
	/** The forest that eval() looks up in: 0 of a tree's root, OUTSIDE below what is outside. */
	uint32_t *ancestor;
	uint32_t *best;
	/** The dominator, or, of a vertex that waits in a bucket, the next one there. */
	uint32_t *above;
	/** Of each vertex the first of those whose semidominator it is. */
	uint32_t *bucket;
	/** Referrers of vertex v, where it has several: referrers[first[v]] up to referrers[first[v + 1]]. */
	uint32_t *first;
	uint32_t *referrers;
	size_t referrer_count;
	/** A bit for each vertex that outside holds. */
	uint64_t *is_held;
	uint32_t count;
	uint32_t *path;
	size_t path_capacity;
};

static struct error *tree_allocate(struct tree *tree)
{
	size_t count = (size_t)tree->heap->object_count + 2;
	uint32_t **const arrays[] = {&tree->number, &tree->order,    &tree->parent,
				     &tree->semi,   &tree->ancestor, &tree->best,
				     &tree->above,  &tree->bucket,   &tree->first};

	tree->bytes = count * sizeof(uint32_t);
	for (size_t i = 0; i < ARRAY_COUNT(arrays); i++) {
		*arrays[i] = pages_alloc(tree->bytes);
		if (!*arrays[i])
			return error_no_memory();
	}
	tree->is_held = bits_alloc(count);
	return tree->is_held ? NULL : error_no_memory();
}

static void tree_deinit(struct tree *tree)
{
	uint32_t *const arrays[] = {tree->number, tree->order,    tree->parent,
				    tree->semi,   tree->ancestor, tree->best,
				    tree->above,  tree->bucket,   tree->first};

	for (size_t i = 0; i < ARRAY_COUNT(arrays); i++)
		pages_free(arrays[i], tree->bytes);
	pages_free(tree->referrers, tree->referrer_count * sizeof(uint32_t));
	free(tree->is_held);
	free(tree->path);
}

/** A depth-first search under way; its stack lies in arrays that are used later. */
struct search {
	const struct heap *heap;
	uint32_t *stack;
	uint32_t *next_edge;
	uint32_t depth;
};

static void search_enter(struct search *search, uint32_t object)
{
	search->stack[search->depth] = object;
	search->next_edge[search->depth++] = search->heap->first_edge[object];
}

// The next object that was not met yet and that the one on top refers to; HEAP_NO_OBJECT when there is none.
static uint32_t search_next(struct search *search, const uint32_t *number)
{
	const struct heap *heap = search->heap;
	uint32_t object = search->stack[search->depth - 1];
	uint32_t *edge = &search->next_edge[search->depth - 1];

	while (*edge < heap->first_edge[object + 1]) {
		heap_edge reference = heap->edges[(*edge)++];
		uint32_t to = heap_edge_target(reference);
		if (number[to] == 0 && heap_edge_holds(reference))
			return to;
	}
	return HEAP_NO_OBJECT;
}

static void tree_number(struct tree *tree, uint32_t object, uint32_t parent)
{
	tree->number[object] = ++tree->count;
	tree->order[tree->count] = object;
	tree->parent[tree->count] = parent;
}

static struct error *tree_search(struct tree *tree, uint32_t start)
{
	struct search search = {
		.heap = tree->heap, .stack = tree->semi, .next_edge = tree->ancestor};

	if (tree->number[start]) {
		bits_set(tree->is_held, tree->number[start]);
		return NULL;
	}
	tree_number(tree, start, 0);
	bits_set(tree->is_held, tree->count);
	search_enter(&search, start);
	while (search.depth) {
		uint32_t to = search_next(&search, tree->number);
		if (to == HEAP_NO_OBJECT) {
			search.depth--;
			continue;
		}
		tree_number(tree, to, tree->number[search.stack[search.depth - 1]]);
		search_enter(&search, to);
		if (tree->count % INTERRUPT_EVERY == 0) {
			struct error *error = interrupt_check();
			if (error)
				return error;
		}
	}
	return NULL;
}

/*
 * The order in which unreachable objects are finished by a search: read backwards, each object that is not
 * met yet belongs to a group that no other of those still to come refers to (Kosaraju's argument).
 */
static uint32_t tree_finish_order(struct tree *tree, uint32_t *finished)
{
	struct search search = {
		.heap = tree->heap, .stack = tree->semi, .next_edge = tree->ancestor};
	uint32_t count = 0;

	for (uint32_t start = 0; start < tree->heap->object_count; start++) {
		if (tree->number[start])
			continue;
		tree->number[start] = SEEN;
		search_enter(&search, start);
		while (search.depth) {
			uint32_t to = search_next(&search, tree->number);
			if (to == HEAP_NO_OBJECT) {
				finished[count++] = search.stack[--search.depth];
				continue;
			}
			tree->number[to] = SEEN;
			search_enter(&search, to);
		}
	}
	for (uint32_t i = 0; i < count; i++)
		tree->number[finished[i]] = 0;
	return count;
}

static struct error *tree_number_all(struct tree *tree, uint32_t *ret_reached)
{
	const struct heap *heap = tree->heap;
	struct error *error = NULL;

	for (size_t i = 0; i < heap->root_count && !error; i++)
		error = tree_search(tree, heap->roots[i].object);
	for (size_t i = 0; i < heap->leak_count && !error; i++)
		error = tree_search(tree, heap->leaks[i].object);
	if (error)
		return error;
	*ret_reached = tree->count;
	uint32_t *finished = tree->above;
	for (uint32_t i = tree_finish_order(tree, finished); i-- > 0 && !error;)
		if (!tree->number[finished[i]])
			error = tree_search(tree, finished[i]);
	memset(tree->above, 0, tree->bytes);
	return error;
}

// Calls for each reference that counts, by the numbers of both ends.
#define TREE_EACH_REFERENCE(tree, from, to)                                                     \
	for (uint32_t from = 1; from <= (tree)->count; from++)                                  \
		for (uint32_t edge_ = (tree)->heap->first_edge[(tree)->order[from]],            \
			      end_ = (tree)->heap->first_edge[(tree)->order[from] + 1], to = 0; \
		     edge_ < end_ && (to = tree_target(tree, edge_, end_), true); edge_++)

static inline uint32_t tree_target(const struct tree *tree, uint32_t edge, uint32_t end)
{
	heap_edge reference = tree->heap->edges[edge];

	if (edge + AHEAD < end)
		__builtin_prefetch(
			&tree->number[heap_edge_target(tree->heap->edges[edge + AHEAD])]);
	return heap_edge_holds(reference) ? tree->number[heap_edge_target(reference)] : 0;
}

/*
 * Who refers to whom, for vertices with several referrers. One that has a single one is dominated by it,
 * one that outside holds by nobody.
 */
static struct error *tree_reverse(struct tree *tree)
{
	uint32_t *counts = tree->bucket;
	uint64_t sum = 0;

	TREE_EACH_REFERENCE(tree, from, to)
	counts[to]++;
	for (uint32_t i = 1; i <= tree->count; i++) {
		tree->first[i] = (uint32_t)sum;
		if (counts[i] > 1 && !bits_get(tree->is_held, i))
			sum += counts[i];
	}
	tree->first[tree->count + 1] = (uint32_t)sum;
	tree->referrer_count = sum;
	tree->referrers = pages_alloc(sum * sizeof(uint32_t));
	if (!tree->referrers)
		return error_no_memory();
	memcpy(counts, tree->first, tree->bytes);
	TREE_EACH_REFERENCE(tree, from, to)
	if (to && counts[to] < tree->first[to + 1])
		tree->referrers[counts[to]++] = from;
	memset(counts, 0, tree->bytes);
	return NULL;
}

// Of the vertices from @a vertex up to, but without, the root of its tree: the one with the smallest semi.
static struct error *tree_eval(struct tree *tree, uint32_t vertex, uint32_t *ret)
{
	uint32_t *ancestor = tree->ancestor, *best = tree->best, *semi = tree->semi;
	size_t depth = 0;

	// All that have somebody above their ancestor, from the bottom up.
	for (uint32_t at = vertex, over = ancestor[at]; over && over != OUTSIDE && ancestor[over];
	     at = over, over = ancestor[at]) {
		struct error *error = array_reserve(&tree->path, &tree->path_capacity, depth + 1,
						    sizeof(*tree->path));
		if (error)
			return error;
		tree->path[depth++] = at;
	}
	while (depth) {
		uint32_t at = tree->path[--depth], over = ancestor[at];
		if (semi[best[over]] < semi[best[at]])
			best[at] = best[over];
		ancestor[at] = ancestor[over];
	}
	*ret = best[vertex];
	return NULL;
}

static struct error *tree_semidominator(struct tree *tree, uint32_t vertex)
{
	uint32_t semi = tree->parent[vertex];

	if (bits_get(tree->is_held, vertex))
		semi = 0;
	for (uint32_t i = tree->first[vertex]; i < tree->first[vertex + 1]; i++) {
		uint32_t from = tree->referrers[i], least = from;
		// Who has the smaller number is not linked yet.
		if (from > vertex) {
			struct error *error = tree_eval(tree, from, &least);
			if (error)
				return error;
		}
		if (tree->semi[least] < semi)
			semi = tree->semi[least];
	}
	tree->semi[vertex] = semi;
	return NULL;
}

// All whose semidominator is @a vertex are below it by now.
static struct error *tree_empty_bucket(struct tree *tree, uint32_t vertex)
{
	uint32_t next;

	for (uint32_t waits = tree->bucket[vertex]; waits; waits = next) {
		uint32_t least;
		struct error *error = tree_eval(tree, waits, &least);
		if (error)
			return error;
		next = tree->above[waits];
		tree->above[waits] = tree->semi[least] < tree->semi[waits] ? least : vertex;
	}
	tree->bucket[vertex] = 0;
	return NULL;
}

static struct error *tree_dominate(struct tree *tree)
{
	struct error *error = NULL;

	for (uint32_t i = 0; i <= tree->count; i++) {
		tree->semi[i] = tree->best[i] = i;
		tree->ancestor[i] = 0;
	}
	for (uint32_t vertex = tree->count; vertex > 0 && !error; vertex--) {
		uint32_t parent = tree->parent[vertex];
		error = tree_semidominator(tree, vertex);
		if (error)
			break;
		uint32_t semi = tree->semi[vertex];
		if (semi) {
			tree->above[vertex] = tree->bucket[semi];
			tree->bucket[semi] = vertex;
		}
		tree->ancestor[vertex] = parent ? parent : OUTSIDE;
		error = tree_empty_bucket(tree, parent);
		if (!error && vertex % INTERRUPT_EVERY == 0)
			error = interrupt_check();
	}
	for (uint32_t vertex = 1; vertex <= tree->count && !error; vertex++)
		if (tree->above[vertex] != tree->semi[vertex])
			tree->above[vertex] = tree->above[tree->above[vertex]];
	return error;
}

struct error *dominators_find(const struct heap *heap, struct dominators *ret)
{
	struct tree tree = {.heap = heap};
	struct error *error = tree_allocate(&tree);

	*ret = (struct dominators){.object_count = heap->object_count};
	if (!error)
		error = tree_number_all(&tree, &ret->reached_count);
	if (!error)
		error = tree_reverse(&tree);
	if (!error)
		error = tree_dominate(&tree);
	if (!error) {
		ret->order = take_ptr(tree.order);
		ret->above = take_ptr(tree.above);
		ret->number = take_ptr(tree.number);
	}
	tree_deinit(&tree);
	return error;
}

void dominators_deinit(struct dominators *dominators)
{
	size_t bytes = ((size_t)dominators->object_count + 2) * sizeof(uint32_t);

	pages_free(dominators->order, bytes);
	pages_free(dominators->above, bytes);
	pages_free(dominators->number, bytes);
	*dominators = (struct dominators){0};
}
