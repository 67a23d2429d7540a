// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/components.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/sweep.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/pages.h"

/*
 * Sweeps take off what cannot be in a component, which is most of a heap (strings, numbers, what only
 * they are held by), and the giant that a whole program's modules, functions and classes are. What is
 * left is searched depth first.
 *
 * One array holds all that Pearce's search knows of an object, and becomes components.of:
 *
 *   0                     not visited
 *   1 ... n               visited, not yet in a component: the lowest number reachable from it
 *   FINISHED | component  in a component
 *   ALONE                 in none; sorts behind all others
 */
static const uint32_t FINISHED = 1U << 31;
static const uint32_t ALONE = UINT32_MAX;

/** In a stack entry: nothing below has been reached from the object. Ids have 30 bits. */
static const uint32_t IS_ROOT = 1U << 31;

/** Fills @a of; *@a ret_left objects are left to be searched, *@a ret_found components known. */
static struct error *prepare(const struct sweep_graph *graph, const uint8_t *skip, uint32_t *of,
			     uint32_t *ret_left, uint32_t *ret_found)
{
	uint32_t count = graph->heap->object_count;
	_cleanup_free_ uint64_t *left = calloc((size_t)count / 64 + 1, sizeof(*left));
	_cleanup_free_ uint64_t *giant = calloc((size_t)count / 64 + 1, sizeof(*giant));
	uint32_t giant_count;
	struct error *error;

	if (!left || !giant)
		return error_no_memory();
	for (uint32_t i = 0; i < count; i++) {
		if (!skip || !skip[i])
			bits_set(left, i);
	}
	error = sweep_trim(graph, left);
	if (!error)
		error = sweep_giant(graph, left, giant, &giant_count);
	if (!error && giant_count)
		error = sweep_trim(graph, left);
	if (error)
		return error;
	*ret_left = 0;
	*ret_found = giant_count ? 1 : 0;
	for (uint32_t i = 0; i < count; i++) {
		bool is_left = bits_get(left, i);

		*ret_left += is_left;
		of[i] = is_left ? 0 : bits_get(giant, i) ? FINISHED : ALONE;
	}
	return NULL;
}

/**
 * The object being visited is in here; the path that led to it is in the first @a depth entries of
 * @a stack, each with the next of its references in @a next_edge. The entries from @a waiting on are
 * visited objects whose component is not complete. An object is on one side only, so that the sides
 * do not meet.
 */
struct search {
	struct sweep_graph graph;
	uint32_t *of;
	uint32_t *stack;
	uint32_t *next_edge;
	uint32_t depth;
	uint32_t waiting;
	uint32_t size;
	/** The next number to give to a visited object. */
	uint32_t number;
	uint32_t component_count;

	uint32_t object;
	uint32_t root_flag;
	uint32_t edge;
	uint32_t end;
	/** See sweep_ignored(). */
	uint32_t ignored;
};

static void search_enter(struct search *search, uint32_t object)
{
	const struct heap *heap = search->graph.heap;

	search->object = object;
	search->root_flag = IS_ROOT;
	search->edge = heap->first_edge[object];
	search->end = heap->first_edge[object + 1];
	search->of[object] = search->number++;
	search->ignored = sweep_ignored(&search->graph, object);
	for (uint32_t i = search->edge; i < search->end; i++) {
		uint32_t to = heap_edge_target(heap->edges[i]);

		__builtin_prefetch(&search->of[to]);
		__builtin_prefetch(&heap->first_edge[to]);
	}
}

static bool refers_to_itself(const struct sweep_graph *graph, uint32_t object)
{
	const heap_edge *edges = heap_edges(graph->heap, object);
	uint32_t ignored = sweep_ignored(graph, object);

	for (uint32_t i = 0; i < heap_edge_count(graph->heap, object); i++) {
		if (sweep_edge_counts(graph, edges[i], ignored) &&
		    heap_edge_target(edges[i]) == object)
			return true;
	}
	return false;
}

/** All that the current object leads to is visited. */
static void search_leave(struct search *search)
{
	uint32_t *of = search->of;
	uint32_t object = search->object;
	uint32_t value = FINISHED | search->component_count;
	bool single;

	if (!search->root_flag) {
		search->stack[--search->waiting] = object;
		return;
	}
	single = search->waiting == search->size || of[search->stack[search->waiting]] < of[object];
	if (single && !refers_to_itself(&search->graph, object)) {
		of[object] = ALONE;
		--search->number;
		return;
	}
	while (search->waiting < search->size && of[search->stack[search->waiting]] >= of[object]) {
		of[search->stack[search->waiting++]] = value;
		--search->number;
	}
	of[object] = value;
	--search->number;
	search->component_count++;
}

/** @a to was reached from the current object and has been looked at. */
static void search_take_over(struct search *search, uint32_t to)
{
	if (search->of[to] < search->of[search->object]) {
		search->of[search->object] = search->of[to];
		search->root_flag = 0;
	}
}

static void search_from(struct search *search, uint32_t start)
{
	const struct heap *heap = search->graph.heap;

	search_enter(search, start);
	for (;;) {
		if (search->edge < search->end) {
			heap_edge edge = heap->edges[search->edge++];
			uint32_t to = heap_edge_target(edge);

			if (!sweep_edge_counts(&search->graph, edge, search->ignored))
				continue;
			if (search->of[to]) {
				search_take_over(search, to);
				continue;
			}
			search->stack[search->depth] = search->object | search->root_flag;
			search->next_edge[search->depth++] = search->edge;
			search_enter(search, to);
		} else {
			uint32_t done = search->object;
			uint32_t entry;

			search_leave(search);
			if (!search->depth)
				return;
			entry = search->stack[--search->depth];
			search->object = entry & ~IS_ROOT;
			search->root_flag = entry & IS_ROOT;
			search->edge = search->next_edge[search->depth];
			search->end = heap->first_edge[search->object + 1];
			search->ignored = sweep_ignored(&search->graph, search->object);
			search_take_over(search, done);
		}
	}
}

/** Numbers the components by their smallest member. */
static struct error *collect(uint32_t object_count, uint32_t found_count,
			     struct components *components)
{
	_cleanup_free_ uint32_t *number = NULL;
	uint32_t *of = components->of;
	uint32_t next = 0;
	size_t member_count = 0;

	// One place more: the members of component i are put down at first[i + 1], which ends as the
	// start of the one behind.
	components->first = calloc((size_t)found_count + 2, sizeof(*components->first));
	number = malloc(((size_t)found_count + 1) * sizeof(*number));
	if (!components->first || !number)
		return error_no_memory();
	memset(number, 0xff, ((size_t)found_count + 1) * sizeof(*number));
	for (uint32_t i = 0; i < object_count; i++) {
		uint32_t *slot;

		if (of[i] == ALONE)
			continue;
		slot = &number[of[i] & ~FINISHED];
		if (*slot == UINT32_MAX)
			*slot = next++;
		of[i] = *slot;
		components->first[of[i] + 2]++;
		member_count++;
	}
	for (uint32_t i = 0; i < found_count; i++)
		components->first[i + 2] += components->first[i + 1];
	components->members = malloc((member_count + 1) * sizeof(*components->members));
	if (!components->members)
		return error_no_memory();
	for (uint32_t i = 0; i < object_count; i++) {
		if (of[i] != ALONE)
			components->members[components->first[of[i] + 1]++] = i;
	}
	components->count = found_count;
	return NULL;
}

static struct error *search_all(struct search *search)
{
	uint32_t count = search->graph.heap->object_count;
	size_t bytes = search->size * sizeof(uint32_t);
	struct error *error;

	search->waiting = search->size;
	search->stack = pages_alloc(bytes);
	search->next_edge = pages_alloc(bytes);
	error = search->stack && search->next_edge ? interrupt_check() : error_no_memory();
	for (uint32_t i = 0; !error && i < count; i++) {
		if (!search->of[i])
			search_from(search, i);
	}
	pages_free(search->stack, bytes);
	pages_free(search->next_edge, bytes);
	return error;
}

// The object that each type is, for references of objects to their own.
static uint32_t *find_classes(const struct heap *heap)
{
	uint32_t *classes = malloc((heap->type_count + (size_t)1) * sizeof(*classes));

	for (uint32_t i = 0; classes && i < heap->type_count; i++)
		classes[i] = heap->index ? heap_find(heap, heap->types[i].at) : HEAP_NO_OBJECT;
	return classes;
}

struct error *components_find(const struct heap *heap, unsigned kinds, const uint8_t *skip,
			      const uint8_t *classless, struct components *ret)
{
	_cleanup_components_ struct components components = {0};
	_cleanup_free_ uint32_t *classes = classless ? find_classes(heap) : NULL;
	struct search search = {
		.graph = {.heap = heap, .kinds = kinds, .classless = classless, .classes = classes},
		.number = 1,
	};
	struct error *error;

	if (classless && !classes)
		return error_no_memory();

	components.object_count = heap->object_count;
	components.of = pages_alloc(components.object_count * sizeof(*components.of));
	if (!components.of)
		return error_no_memory();
	error = prepare(&search.graph, skip, components.of, &search.size, &search.component_count);
	if (error)
		return error;
	search.of = components.of;
	error = search_all(&search);
	if (error)
		return error;
	error = collect(heap->object_count, search.component_count, &components);
	if (error)
		return error;
	*ret = components;
	components = (struct components){0};
	return NULL;
}

void components_deinit(struct components *components)
{
	free(components->first);
	free(components->members);
	pages_free(components->of, components->object_count * sizeof(*components->of));
	*components = (struct components){0};
}
