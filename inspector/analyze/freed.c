// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/freed.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "base/interrupt.h"

/** What is known to go, and whose references are still to be taken off. */
struct freeing {
	const struct heap *heap;
	const struct garbage *garbage;
	/** By object: references to it from what goes. */
	uint32_t *taken;
	uint64_t *goes;
	uint32_t *pending;
	size_t pending_count;
	uint64_t *counts;
};

static void let_go(struct freeing *freeing, uint32_t object)
{
	bits_set(freeing->goes, object);
	freeing->counts[freeing->heap->type[object]]++;
	freeing->pending[freeing->pending_count++] = object;
}

// Immortal and static ones have no count that could reach 0.
static bool can_go(const struct freeing *freeing, uint32_t object)
{
	const struct heap *heap = freeing->heap;

	return freeing->garbage->state[object] == GARBAGE_NOT_TRACKED && heap->refcount[object] &&
	       heap->refcount[object] != UINT32_MAX && !(heap->flags[object] & HEAP_STATIC) &&
	       !bits_get(freeing->goes, object);
}

static void take_references(struct freeing *freeing, uint32_t object)
{
	const heap_edge *edges = heap_edges(freeing->heap, object);
	uint32_t count = heap_edge_count(freeing->heap, object);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t to = heap_edge_target(edges[i]);
		if (heap_edge_kind(edges[i]) != HEAP_EDGE_GC &&
		    heap_edge_kind(edges[i]) != HEAP_EDGE_OWNED)
			continue;
		if (can_go(freeing, to) && ++freeing->taken[to] == freeing->heap->refcount[to])
			let_go(freeing, to);
	}
}

static struct error *freeing_run(struct freeing *freeing)
{
	enum { INTERRUPT_EVERY = 1 << 20 };
	const struct heap *heap = freeing->heap;
	struct error *error = NULL;

	for (uint32_t i = 0; i < heap->object_count; i++)
		if (freeing->garbage->state[i] == GARBAGE_UNREACHABLE)
			let_go(freeing, i);
	// Each object is let go once, so that there is room for all.
	for (size_t done = 0; freeing->pending_count && !error; done++) {
		take_references(freeing, freeing->pending[--freeing->pending_count]);
		if (done % INTERRUPT_EVERY == 0)
			error = interrupt_check();
	}
	return error;
}

struct error *freed_count(const struct heap *heap, const struct garbage *garbage, uint64_t **ret)
{
	size_t room = (size_t)heap->object_count + 1;
	_cleanup_free_ uint32_t *taken = calloc(room, sizeof(*taken));
	_cleanup_free_ uint32_t *pending = calloc(room, sizeof(*pending));
	_cleanup_free_ uint64_t *goes = bits_alloc(heap->object_count);
	_cleanup_free_ uint64_t *counts = calloc((size_t)heap->type_count + 1, sizeof(*counts));
	struct freeing freeing = {heap, garbage, taken, goes, pending, 0, counts};

	if (!taken || !pending || !goes || !counts)
		return error_no_memory();
	struct error *error = freeing_run(&freeing);
	if (!error)
		*ret = take_ptr(counts);
	return error;
}
