// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bits.h"
#include "base/interrupt.h"
#include "base/pages.h"

enum {
	TURN_PROGRAM,
	TURN_INTERPRETER,
	TURN_C,
	TURN_LEAKED,
	TURN_STATIC,
	TURN_COUNT,
	/** Objects between two looks at whether somebody wants us to stop. */
	INTERRUPT_EVERY = 1 << 20,
};

static unsigned turn_of(enum heap_root_kind kind)
{
	static const unsigned char turns[HEAP_ROOT_KIND_COUNT] = {
		[HEAP_ROOT_MODULE] = TURN_PROGRAM,
		[HEAP_ROOT_GARBAGE] = TURN_PROGRAM,
		[HEAP_ROOT_FRAME] = TURN_PROGRAM,
		[HEAP_ROOT_THREAD] = TURN_PROGRAM,
		[HEAP_ROOT_INTERPRETER] = TURN_INTERPRETER,
		[HEAP_ROOT_C_VARIABLE] = TURN_C,
		[HEAP_ROOT_C_MEMORY] = TURN_C,
		[HEAP_ROOT_C_STACK] = TURN_C,
		[HEAP_ROOT_STATIC_TYPE] = TURN_STATIC,
		[HEAP_ROOT_INTERNED] = TURN_STATIC,
	};

	return turns[kind];
}

/** Where each turn begins in the list of starts. */
struct turns {
	size_t first[TURN_COUNT + 1];
};

static struct error *find_starts(const struct heap *heap, struct paths *paths, struct turns *turns)
{
	size_t next[TURN_COUNT + 1] = {0};

	for (size_t i = 0; i < heap->root_count; i++)
		next[turn_of(heap->roots[i].kind) + 1]++;
	next[TURN_LEAKED + 1] += heap->leak_count;
	for (unsigned i = 0; i < TURN_COUNT; i++)
		next[i + 1] += next[i];
	memcpy(turns->first, next, sizeof(next));
	paths->start_count = next[TURN_COUNT];
	paths->starts = calloc(paths->start_count + 1, sizeof(*paths->starts));
	if (!paths->starts)
		return error_no_memory();
	// A start's number has 31 bits, one word says "not reached".
	if (paths->start_count >= PATHS_START - 1)
		return error_create(ERROR_FAILED, "there are too many roots");
	for (size_t i = 0; i < heap->root_count; i++)
		paths->starts[next[turn_of(heap->roots[i].kind)]++] =
			(struct path_start){heap->roots[i].object, (uint32_t)i};
	for (size_t i = 0; i < heap->leak_count; i++)
		paths->starts[next[TURN_LEAKED]++] =
			(struct path_start){heap->leaks[i].object, PATH_LEAK};
	return NULL;
}

/** Breadth first: objects wait in @a queue until their references are looked at. */
struct search {
	const struct heap *heap;
	const uint8_t *avoided;
	uint32_t *via;
	uint32_t *queue;
	size_t read;
	size_t written;
};

static bool may_enter(const struct search *search, uint32_t object)
{
	return search->via[object] == PATHS_NOT_REACHED &&
	       !(search->avoided && search->avoided[object]);
}

// An attribute dict is looked at together with its owner: what is in it is as near as what is in a slot.
static void look_at(struct search *search, uint32_t object)
{
	const struct heap *heap = search->heap;
	uint32_t part = HEAP_NO_OBJECT;

	for (;;) {
		const heap_edge *edges = heap_edges(heap, object);
		uint32_t count = heap_edge_count(heap, object);
		bool is_part = heap->flags[object] & HEAP_PART;
		part = HEAP_NO_OBJECT;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t to = heap_edge_target(edges[i]);
			if (!heap_edge_holds(edges[i]) || !may_enter(search, to))
				continue;
			search->via[to] = object;
			if (!is_part && part == HEAP_NO_OBJECT && heap->flags[to] & HEAP_PART)
				part = to;
			else
				search->queue[search->written++] = to;
		}
		if (part == HEAP_NO_OBJECT)
			return;
		object = part;
	}
}

static void enter_starts(struct search *search, const struct paths *paths, size_t first, size_t end,
			 bool modules)
{
	for (size_t i = first; i < end; i++) {
		const struct path_start *start = &paths->starts[i];
		bool is_module = start->root != PATH_LEAK &&
				 search->heap->roots[start->root].kind == HEAP_ROOT_MODULE;
		if (is_module != modules || !may_enter(search, start->object))
			continue;
		search->via[start->object] = PATHS_START | (uint32_t)i;
		search->queue[search->written++] = start->object;
	}
}

static struct error *run_turn(struct search *search, const struct paths *paths, size_t first,
			      size_t end)
{
	// What a module holds is as near as the module: its attribute dict is known to every function of it
	// that runs, too, and nobody would call that the holder.
	enter_starts(search, paths, first, end, true);
	for (size_t modules = search->written; search->read < modules;)
		look_at(search, search->queue[search->read++]);
	enter_starts(search, paths, first, end, false);
	while (search->read < search->written) {
		enum { AHEAD = 16 };
		if (search->read + AHEAD < search->written)
			__builtin_prefetch(
				&search->heap->first_edge[search->queue[search->read + AHEAD]]);
		look_at(search, search->queue[search->read++]);
		if (search->read % INTERRUPT_EVERY == 0) {
			struct error *error = interrupt_check();
			if (error)
				return error;
		}
	}
	return NULL;
}

struct error *paths_find(const struct heap *heap, const uint8_t *avoided, struct paths *ret)
{
	size_t bytes = ((size_t)heap->object_count + 1) * sizeof(uint32_t);
	struct search search = {.heap = heap, .avoided = avoided};
	struct turns turns;

	*ret = (struct paths){.object_count = heap->object_count};
	struct error *error = find_starts(heap, ret, &turns);
	if (error)
		return error;
	ret->via = pages_alloc(bytes);
	search.queue = pages_alloc(bytes);
	search.via = ret->via;
	if (!ret->via || !search.queue)
		error = error_no_memory();
	else
		memset(ret->via, 0xff, bytes);
	for (unsigned i = 0; i < TURN_COUNT && !error; i++)
		error = run_turn(&search, ret, turns.first[i], turns.first[i + 1]);
	pages_free(search.queue, bytes);
	return error;
}

void paths_deinit(struct paths *paths)
{
	pages_free(paths->via, ((size_t)paths->object_count + 1) * sizeof(uint32_t));
	free(paths->starts);
	*paths = (struct paths){0};
}

/** Where a step is kept of a path with @a total steps; PATH_STEPS_MAX when it is left out. */
static size_t place_of(size_t number, size_t total)
{
	if (total <= PATH_STEPS_MAX || number < PATH_HEAD_STEPS)
		return number;
	size_t from_end = total - number;
	return from_end <= PATH_TAIL_STEPS ? PATH_STEPS_MAX - from_end : PATH_STEPS_MAX;
}

static void path_set_length(struct path *path, size_t total)
{
	path->count = total < PATH_STEPS_MAX ? total : PATH_STEPS_MAX;
	path->skipped = total - path->count;
}

void paths_get(const struct paths *paths, const struct heap *heap, uint32_t object,
	       struct path *ret)
{
	size_t total = 1;
	uint32_t first = object;

	for (; !(paths->via[first] & PATHS_START); first = paths->via[first])
		total++;
	ret->start = paths->starts[paths->via[first] & ~PATHS_START];
	path_set_length(ret, total);
	for (size_t i = total; i-- > 0; object = paths->via[object]) {
		size_t place = place_of(i, total);
		if (place < PATH_STEPS_MAX)
			ret->steps[place] = (struct path_step){
				object,
				i ? heap_find_holding(heap, paths->via[object], object) : 0};
	}
}

/** The way up from one object: @a toward is the next object on the way down, UINT32_MAX for those not met. */
struct climb {
	const struct heap *heap;
	const uint8_t *avoided;
	struct heap_referrers referrers;
	/** A bit for each object that a start holds. */
	uint64_t *is_start;
	uint32_t *toward;
	uint32_t *queue;
	size_t read;
	size_t written;
	/** Objects with a start, in the order in which they were met. */
	uint32_t *met;
	size_t met_count;
	size_t met_capacity;
};

// Who is held by a root is not climbed beyond, but for the object itself.
static struct error *climb_run(struct climb *climb, uint32_t asked)
{
	while (climb->read < climb->written) {
		uint32_t object = climb->queue[climb->read++];
		if (bits_get(climb->is_start, object)) {
			struct error *error =
				array_reserve(&climb->met, &climb->met_capacity,
					      climb->met_count + 1, sizeof(*climb->met));
			if (error)
				return error;
			climb->met[climb->met_count++] = object;
			if (object != asked)
				continue;
		}
		for (uint32_t i = climb->referrers.first[object];
		     i < climb->referrers.first[object + 1]; i++) {
			uint32_t from = climb->referrers.ids[i];
			if (climb->toward[from] != UINT32_MAX ||
			    (climb->avoided && climb->avoided[from]) ||
			    heap_find_holding(climb->heap, from, object) == HEAP_NO_EDGE)
				continue;
			climb->toward[from] = object;
			climb->queue[climb->written++] = from;
		}
		if (climb->read % INTERRUPT_EVERY == 0) {
			struct error *error = interrupt_check();
			if (error)
				return error;
		}
	}
	return NULL;
}

static void climb_path(const struct climb *climb, uint32_t from, uint32_t object, struct path *ret)
{
	size_t total = 1;

	for (uint32_t at = from; at != object; at = climb->toward[at])
		total++;
	path_set_length(ret, total);
	uint32_t before = from, at = from;
	for (size_t i = 0; i < total; i++) {
		size_t place = place_of(i, total);
		if (place < PATH_STEPS_MAX)
			ret->steps[place] = (struct path_step){
				at, i ? heap_find_holding(climb->heap, before, at) : 0};
		before = at;
		at = climb->toward[at];
	}
}

struct climb_found {
	/** In the order in which objects were met. */
	uint32_t rank;
	uint32_t start;
};

// The nearest first; of one object, the program's own roots first.
static int climb_compare(const void *left, const void *right)
{
	const struct climb_found *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return (a->start > b->start) - (a->start < b->start);
}

// One path for each start of the objects that were met.
static struct error *climb_list(const struct climb *climb, const struct paths *starts,
				uint32_t object, size_t count_max, struct path_list *ret)
{
	_cleanup_free_ struct climb_found *found = calloc(starts->start_count + 1, sizeof(*found));
	size_t found_count = 0;

	if (!found)
		return error_no_memory();
	// Nobody waits in the queue any more.
	for (size_t i = 0; i < climb->met_count; i++)
		climb->queue[climb->met[i]] = (uint32_t)i;
	for (size_t i = 0; i < starts->start_count; i++)
		if (climb->toward[starts->starts[i].object] != UINT32_MAX)
			found[found_count++] = (struct climb_found){
				climb->queue[starts->starts[i].object], (uint32_t)i};
	qsort(found, found_count, sizeof(*found), climb_compare);
	ret->count = found_count < count_max ? found_count : count_max;
	ret->more = found_count - ret->count;
	ret->list = calloc(ret->count + 1, sizeof(*ret->list));
	if (!ret->list)
		return error_no_memory();
	for (size_t i = 0; i < ret->count; i++) {
		const struct path_start *start = &starts->starts[found[i].start];
		climb_path(climb, start->object, object, &ret->list[i]);
		ret->list[i].start = *start;
	}
	return NULL;
}

static struct error *climb_prepare(struct climb *climb, const struct paths *starts, size_t bytes)
{
	climb->is_start = bits_alloc(climb->heap->object_count);
	climb->toward = pages_alloc(bytes);
	climb->queue = pages_alloc(bytes);
	if (!climb->is_start || !climb->toward || !climb->queue)
		return error_no_memory();
	memset(climb->toward, 0xff, bytes);
	for (size_t i = 0; i < starts->start_count; i++)
		bits_set(climb->is_start, starts->starts[i].object);
	return NULL;
}

struct error *paths_from_all(struct heap *heap, unsigned thread_count, uint32_t object,
			     const uint8_t *avoided, size_t count_max, struct path_list *ret)
{
	size_t bytes = ((size_t)heap->object_count + 1) * sizeof(uint32_t);
	struct climb climb = {.heap = heap, .avoided = avoided};
	_cleanup_paths_ struct paths starts = {0};
	struct turns turns;

	*ret = (struct path_list){0};
	struct error *error = find_starts(heap, &starts, &turns);
	if (!error)
		error = heap_reverse(heap, thread_count, &climb.referrers);
	if (!error)
		error = climb_prepare(&climb, &starts, bytes);
	if (!error) {
		climb.toward[object] = object;
		climb.queue[climb.written++] = object;
		error = climb_run(&climb, object);
	}
	if (!error)
		error = climb_list(&climb, &starts, object, count_max, ret);
	free(climb.is_start);
	free(climb.met);
	pages_free(climb.toward, bytes);
	pages_free(climb.queue, bytes);
	return error;
}

void path_list_deinit(struct path_list *list)
{
	free(list->list);
	*list = (struct path_list){0};
}
