// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/garbage.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/pages.h"

/** How far ahead memory is asked for: references to come in the one pass, objects in the other. */
enum { EDGES_AHEAD = 24, OBJECTS_AHEAD = 12, LISTS_AHEAD = 6 };

static void set_states(const struct heap *heap, uint8_t *state)
{
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (heap_is_collectable(heap, i))
			state[i] = GARBAGE_UNREACHABLE;
		else if (heap->flags[i] & HEAP_TRACKED)
			state[i] = GARBAGE_FROZEN;
		else
			state[i] = GARBAGE_NOT_TRACKED;
	}
}

/**
 * The candidates' counts less the references among candidates, 0 where there are more of those than
 * were counted. A count that is not known is one that no references use up.
 */
static void subtract_references(const struct heap *heap, const uint8_t *state, uint32_t *refs)
{
	size_t edge_count = heap->first_edge[heap->object_count];

	for (uint32_t i = 0; i < heap->object_count; i++)
		refs[i] = heap->flags[i] & HEAP_IMMORTAL ? UINT32_MAX : heap->refcount[i];
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (state[i] != GARBAGE_UNREACHABLE)
			continue;
		for (size_t e = heap->first_edge[i]; e < heap->first_edge[i + 1]; e++) {
			uint32_t to = heap_edge_target(heap->edges[e]);

			if (e + EDGES_AHEAD < edge_count)
				__builtin_prefetch(
					&refs[heap_edge_target(heap->edges[e + EDGES_AHEAD])], 1);
			if (heap_edge_kind(heap->edges[e]) == HEAP_EDGE_GC && refs[to] &&
			    refs[to] != UINT32_MAX)
				--refs[to];
		}
	}
}

/** Objects that were reached; what they refer to is next. */
struct queue {
	uint32_t *objects;
	uint32_t count;
};

/** All that can be reached from the queue through objects in state @a from becomes @a to. */
static void spread(const struct heap *heap, uint8_t *state, struct queue *queue,
		   enum garbage_state from, enum garbage_state to)
{
	for (uint32_t i = 0; i < queue->count; i++) {
		uint32_t object = queue->objects[i];
		const heap_edge *edge = heap_edges(heap, object);
		const heap_edge *end = edge + heap_edge_count(heap, object);

		if (i + OBJECTS_AHEAD < queue->count)
			__builtin_prefetch(&heap->first_edge[queue->objects[i + OBJECTS_AHEAD]]);
		if (i + LISTS_AHEAD < queue->count)
			__builtin_prefetch(heap_edges(heap, queue->objects[i + LISTS_AHEAD]));
		for (; edge < end; edge++) {
			uint32_t target = heap_edge_target(*edge);

			if (heap_edge_kind(*edge) != HEAP_EDGE_GC || state[target] != from)
				continue;
			state[target] = (uint8_t)to;
			queue->objects[queue->count++] = target;
		}
	}
}

/** Candidates start as unreachable. @a words has one for each object. */
static void find_states(const struct heap *heap, uint8_t *state, uint32_t *words)
{
	// The queue takes the place of the counts: both go up through the objects, and it is never
	// ahead when it is filled.
	struct queue queue = {.objects = words};

	subtract_references(heap, state, words);
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (state[i] != GARBAGE_UNREACHABLE || !words[i])
			continue;
		state[i] = GARBAGE_REACHABLE;
		queue.objects[queue.count++] = i;
	}
	spread(heap, state, &queue, GARBAGE_UNREACHABLE, GARBAGE_REACHABLE);

	queue.count = 0;
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (state[i] != GARBAGE_UNREACHABLE || !(heap->flags[i] & HEAP_LEGACY_FINALIZER))
			continue;
		state[i] = GARBAGE_UNCOLLECTABLE;
		queue.objects[queue.count++] = i;
	}
	spread(heap, state, &queue, GARBAGE_UNREACHABLE, GARBAGE_UNCOLLECTABLE);
}

static struct error *tally_create(const struct heap *heap, struct garbage_type **ret)
{
	*ret = calloc((size_t)heap->type_count + 1, sizeof(**ret));
	return *ret ? NULL : error_no_memory();
}

static void tally_add(struct garbage_type *tally, const struct heap *heap, uint32_t object)
{
	struct garbage_type *type = &tally[heap->type[object]];

	type->count++;
	type->size_bytes += heap->size_bytes[object];
}

static int compare_types(const void *left, const void *right, void *context)
{
	const struct garbage_type *a = left;
	const struct garbage_type *b = right;
	const struct heap *heap = context;
	int by_name;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	by_name = strcmp(heap->types[a->type].name, heap->types[b->type].name);
	return by_name ? by_name : (a->type > b->type) - (a->type < b->type);
}

/** Moves what was counted from @a tally to @a ret. */
static struct error *tally_finish(struct garbage_type *tally, const struct heap *heap,
				  struct garbage_types *ret)
{
	size_t count = 0;

	for (uint32_t i = 0; i < heap->type_count; i++)
		count += tally[i].count > 0;
	ret->list = malloc((count + 1) * sizeof(*ret->list));
	if (!ret->list)
		return error_no_memory();
	for (uint32_t i = 0; i < heap->type_count; i++) {
		if (!tally[i].count)
			continue;
		tally[i].type = i;
		ret->list[ret->count++] = tally[i];
	}
	qsort_r(ret->list, ret->count, sizeof(*ret->list), compare_types, (void *)heap);
	return NULL;
}

static bool has_finalizer_to_run(const struct heap *heap, uint32_t object)
{
	enum heap_finalizer finalizer = heap_finalizer(heap, object);

	return (finalizer == HEAP_FINALIZER_DEL || finalizer == HEAP_FINALIZER_BUILTIN) &&
	       !(heap->flags[object] & HEAP_FINALIZED);
}

/** What one set of objects needs to be counted. */
static struct error *count_state(const struct heap *heap, const uint8_t *state,
				 enum garbage_state wanted, uint64_t *ret_count,
				 struct garbage_types *ret)
{
	_cleanup_free_ struct garbage_type *tally = NULL;
	struct error *error = tally_create(heap, &tally);

	if (error)
		return error;
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (state[i] != wanted)
			continue;
		tally_add(tally, heap, i);
		(*ret_count)++;
	}
	return tally_finish(tally, heap, ret);
}

static struct error *count_to_garbage(const struct heap *heap, struct garbage *garbage)
{
	_cleanup_free_ struct garbage_type *tally = NULL;
	struct error *error = tally_create(heap, &tally);

	if (error)
		return error;
	for (uint32_t i = 0; i < heap->object_count; i++) {
		bool saved = heap->collector.saves_all;

		if (garbage->state[i] == GARBAGE_UNCOLLECTABLE)
			saved |= (heap->flags[i] & HEAP_LEGACY_FINALIZER) != 0;
		else if (garbage->state[i] != GARBAGE_UNREACHABLE)
			continue;
		if (!saved)
			continue;
		tally_add(tally, heap, i);
		garbage->to_garbage_count++;
	}
	return tally_finish(tally, heap, &garbage->to_garbage_types);
}

static struct error *count_in_garbage(const struct heap *heap, struct garbage *garbage)
{
	_cleanup_free_ struct garbage_type *tally = NULL;
	struct error *error;

	if (heap->garbage_list == HEAP_NO_OBJECT)
		return NULL;
	error = tally_create(heap, &tally);
	if (error)
		return error;
	for (uint32_t i = 0; i < heap_edge_count(heap, heap->garbage_list); i++) {
		heap_edge edge = heap_edges(heap, heap->garbage_list)[i];

		if (heap_edge_kind(edge) != HEAP_EDGE_GC)
			continue;
		tally_add(tally, heap, heap_edge_target(edge));
		garbage->in_garbage_count++;
	}
	return tally_finish(tally, heap, &garbage->in_garbage_types);
}

/** A weak reference's one strong reference is its callback. One that is itself about to be freed
 *  calls nothing (handle_weakrefs() of gcmodule.c); one that is uncollectable does. */
static bool calls_back(const struct heap *heap, const uint8_t *state, uint32_t object)
{
	bool is_weak = false;
	bool has_callback = false;

	for (uint32_t i = 0; i < heap_edge_count(heap, object); i++) {
		heap_edge edge = heap_edges(heap, object)[i];

		if (heap_edge_kind(edge) == HEAP_EDGE_GC)
			has_callback = true;
		else if (heap_edge_kind(edge) == HEAP_EDGE_WEAK)
			is_weak |= state[heap_edge_target(edge)] == GARBAGE_UNREACHABLE;
	}
	return is_weak && has_callback;
}

static void count_code_to_run(const struct heap *heap, struct garbage *garbage)
{
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (garbage->state[i] == GARBAGE_UNREACHABLE)
			garbage->unfinalized_count += has_finalizer_to_run(heap, i);
		else
			garbage->callback_count += calls_back(heap, garbage->state, i);
	}
}

struct error *garbage_find(const struct heap *heap, struct garbage *ret)
{
	_cleanup_garbage_ struct garbage garbage = {0};
	size_t bytes = heap->object_count * sizeof(uint32_t);
	struct error *error;
	uint32_t *words;

	garbage.state = malloc((size_t)heap->object_count + 1);
	if (!garbage.state)
		return error_no_memory();
	words = pages_alloc(bytes);
	if (!words)
		return error_no_memory();
	set_states(heap, garbage.state);
	find_states(heap, garbage.state, words);
	pages_free(words, bytes);
	error = interrupt_check();
	if (!error)
		error = count_state(heap, garbage.state, GARBAGE_UNREACHABLE,
				    &garbage.unreachable_count, &garbage.unreachable_types);
	if (!error)
		error = count_state(heap, garbage.state, GARBAGE_UNCOLLECTABLE,
				    &garbage.uncollectable_count, &garbage.uncollectable_types);
	if (!error)
		error = count_to_garbage(heap, &garbage);
	if (!error)
		error = count_in_garbage(heap, &garbage);
	if (error)
		return error;
	if (garbage.unreachable_count)
		count_code_to_run(heap, &garbage);
	*ret = garbage;
	garbage = (struct garbage){0};
	return NULL;
}

void garbage_deinit(struct garbage *garbage)
{
	free(garbage->state);
	free(garbage->unreachable_types.list);
	free(garbage->uncollectable_types.list);
	free(garbage->to_garbage_types.list);
	free(garbage->in_garbage_types.list);
	*garbage = (struct garbage){0};
}
