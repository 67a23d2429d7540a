// SPDX-License-Identifier: GPL-3.0-or-later
// Who refers to whom, in two passes: count, fill. Every thread has a range of targets of its own and
// reads all references: reading them in order is cheap next to the jumps to the targets, and so
// referrers stand in ascending order without sorting and without atomic operations.
#include "heap/reverse.h"

#include <stdlib.h>

#include "base/pages.h"
#include "heap/crew.h"
#include "heap/heap.h"

struct heap_reverse {
	size_t object_count;
	size_t edge_count;
	/** object_count + 2 elements. */
	uint32_t *first;
	uint32_t *ids;
};

void reverse_destroy(struct heap_reverse *reverse)
{
	if (!reverse)
		return;
	pages_free(reverse->ids, reverse->edge_count * sizeof(*reverse->ids));
	pages_free(reverse->first, (reverse->object_count + 2) * sizeof(*reverse->first));
	free(reverse);
}

uint64_t reverse_bytes(const struct heap_reverse *reverse)
{
	if (!reverse)
		return 0;
	return sizeof(*reverse) + reverse->edge_count * sizeof(*reverse->ids) +
	       (reverse->object_count + 2) * sizeof(*reverse->first);
}

struct reverse_work {
	const struct heap *heap;
	struct heap_reverse *reverse;
	/** Thread i has the targets bounds[i] up to bounds[i + 1]. */
	uint32_t bounds[CREW_MAX + 1];
};

static void reverse_count(void *context, size_t number)
{
	enum { AHEAD = 24 };
	struct reverse_work *work = context;
	uint32_t low = work->bounds[number], span = work->bounds[number + 1] - low;
	const heap_edge *edges = work->heap->edges;
	size_t edge_count = work->reverse->edge_count;
	// Two places behind its object: see reverse_fill().
	uint32_t *counts = work->reverse->first + 2 + low;

	for (size_t i = 0; i < edge_count; i++) {
		if (i + AHEAD < edge_count) {
			uint32_t coming = heap_edge_target(edges[i + AHEAD]) - low;
			if (coming < span)
				__builtin_prefetch(&counts[coming], 1);
		}
		uint32_t target = heap_edge_target(edges[i]) - low;
		if (target < span)
			counts[target]++;
	}
}

// first[i + 1] is where the next referrer of i goes; when all are there, it is where those of i end,
// which is what it has to be.
static void reverse_fill(void *context, size_t number)
{
	enum { AHEAD_CURSOR = 48, AHEAD_ID = 24 };
	struct reverse_work *work = context;
	const struct heap *heap = work->heap;
	uint32_t low = work->bounds[number], span = work->bounds[number + 1] - low;
	const heap_edge *edges = heap->edges;
	size_t edge_count = work->reverse->edge_count;
	uint32_t *cursors = work->reverse->first + 1 + low;
	uint32_t *ids = work->reverse->ids;
	size_t i = 0;

	for (uint32_t from = 0; from < heap->object_count; from++) {
		for (; i < heap->first_edge[from + 1]; i++) {
			if (i + AHEAD_CURSOR < edge_count) {
				uint32_t later = heap_edge_target(edges[i + AHEAD_CURSOR]) - low;
				uint32_t coming = heap_edge_target(edges[i + AHEAD_ID]) - low;
				if (later < span)
					__builtin_prefetch(&cursors[later], 1);
				if (coming < span)
					__builtin_prefetch(&ids[cursors[coming]], 1);
			}
			uint32_t target = heap_edge_target(edges[i]) - low;
			if (target < span)
				ids[cursors[target]++] = from;
		}
	}
}

// The first object at which at least @a place referrers stand before it.
static uint32_t reverse_bound(const struct heap_reverse *reverse, uint64_t place)
{
	size_t low = 0, high = reverse->object_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (reverse->first[middle + 1] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static struct error *reverse_make(const struct heap *heap, struct heap_reverse *reverse,
				  unsigned thread_count)
{
	struct reverse_work work = {.heap = heap, .reverse = reverse};
	size_t object_count = heap->object_count;

	reverse->object_count = object_count;
	reverse->edge_count = heap->first_edge[object_count];
	reverse->first = pages_alloc((object_count + 2) * sizeof(*reverse->first));
	reverse->ids = pages_alloc(reverse->edge_count * sizeof(*reverse->ids));
	if (!reverse->first || !reverse->ids)
		return error_no_memory();
	if (thread_count < 1)
		thread_count = 1;
	if (thread_count > CREW_MAX)
		thread_count = CREW_MAX;
	for (unsigned i = 0; i <= thread_count; i++)
		work.bounds[i] = (uint32_t)((uint64_t)object_count * i / thread_count);
	crew_run(thread_count, thread_count, reverse_count, &work);
	for (size_t i = 0; i < object_count; i++)
		reverse->first[i + 2] += reverse->first[i + 1];
	// Now by references: something that half the heap refers to is common.
	for (unsigned i = 1; i < thread_count; i++)
		work.bounds[i] =
			reverse_bound(reverse, (uint64_t)reverse->edge_count * i / thread_count);
	crew_run(thread_count, thread_count, reverse_fill, &work);
	return NULL;
}

struct error *heap_reverse(struct heap *heap, unsigned thread_count, struct heap_referrers *ret)
{
	if (!heap->reverse) {
		struct heap_reverse *reverse = calloc(1, sizeof(*reverse));
		if (!reverse)
			return error_no_memory();
		struct error *error = reverse_make(heap, reverse, thread_count);
		if (error) {
			reverse_destroy(reverse);
			return error;
		}
		heap->reverse = reverse;
	}
	*ret = (struct heap_referrers){.first = heap->reverse->first, .ids = heap->reverse->ids};
	return NULL;
}
