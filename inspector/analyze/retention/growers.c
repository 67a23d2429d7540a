// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/growers.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/marks.h"
#include "analyze/names.h"
#include "base/array.h"
#include "base/interrupt.h"

/** Plain data is a suspect in any number when it is this share of all memory: one part of so many. */
enum { DATA_SHARE = 5, LARGE_SHARE = 20 };

/** How many of each type a container holds. */
struct kinds {
	uint32_t *counts;
	uint32_t *examples;
	/** Those that are not 0. */
	uint32_t *seen;
	size_t seen_count;
};

struct search {
	const struct heap *heap;
	const struct paths *paths;
	const struct dominators *dominators;
	const struct retained *retained;
	/** By type: the first of its name. */
	uint32_t *first_types;
	/** A bit per object: classes, and modules. */
	uint64_t *is_make_up;
	/** And what the runtime keeps for itself. */
	uint64_t *is_runtimes;
	struct kinds kinds;
	struct growers *growers;
	size_t capacity;
};

static struct error *search_prepare(struct search *search)
{
	const struct heap *heap = search->heap;
	size_t types = (size_t)heap->type_count + 1;
	struct error *error = names_first_types(heap, &search->first_types);

	if (error)
		return error;
	error = marks_of_classes(heap, &search->is_make_up);
	if (error)
		return error;
	search->is_runtimes = bits_alloc(heap->object_count);
	search->kinds.counts = calloc(types, sizeof(uint32_t));
	search->kinds.examples = calloc(types, sizeof(uint32_t));
	search->kinds.seen = calloc(types, sizeof(uint32_t));
	if (!search->is_runtimes || !search->kinds.counts || !search->kinds.examples ||
	    !search->kinds.seen)
		return error_no_memory();
	for (size_t i = 0; i < heap->root_count; i++) {
		const struct heap_root_row *root = &heap->roots[i];
		if (root->kind == HEAP_ROOT_MODULE)
			bits_set(search->is_make_up, root->object);
		if (root->kind == HEAP_ROOT_INTERPRETER || root->kind == HEAP_ROOT_INTERNED ||
		    root->kind == HEAP_ROOT_STATIC_TYPE)
			bits_set(search->is_runtimes, root->object);
	}
	return NULL;
}

static void search_deinit(struct search *search)
{
	free(search->first_types);
	free(search->is_make_up);
	free(search->is_runtimes);
	free(search->kinds.counts);
	free(search->kinds.examples);
	free(search->kinds.seen);
}

// The kinds of what @a object holds, of objects that hold others (or, if not @a tracked, plain data).
static void kinds_count(struct search *search, uint32_t object, bool tracked)
{
	const struct heap *heap = search->heap;
	const heap_edge *edges = heap_edges(heap, object);
	uint32_t count = heap_edge_count(heap, object);
	struct kinds *kinds = &search->kinds;

	for (size_t i = 0; i < kinds->seen_count; i++)
		kinds->counts[kinds->seen[i]] = 0;
	kinds->seen_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t to = heap_edge_target(edges[i]);
		bool is_tracked = heap->flags[to] & (HEAP_TRACKED | HEAP_PART);
		if (!heap_edge_holds(edges[i]) || is_tracked != tracked ||
		    heap->flags[to] & HEAP_STATIC || bits_get(search->is_make_up, to))
			continue;
		uint32_t type = search->first_types[heap->type[to]];
		if (kinds->counts[type]++ == 0) {
			kinds->seen[kinds->seen_count++] = type;
			kinds->examples[type] = to;
		}
	}
}

static uint32_t kinds_most(const struct kinds *kinds, uint64_t *ret_count)
{
	uint32_t most = 0;

	*ret_count = 0;
	for (size_t i = 0; i < kinds->seen_count; i++) {
		uint32_t type = kinds->seen[i];
		if (kinds->counts[type] <= *ret_count)
			continue;
		most = type;
		*ret_count = kinds->counts[type];
	}
	return most;
}

/** What a container holds of one kind. */
struct of_kind {
	/** What each retains, summed. */
	uint64_t bytes;
	/** Those that nothing else holds nearer to a root. */
	uint64_t own_count;
};

static void of_kind_sum(const struct search *search, const struct grower *grower,
			struct of_kind *ret)
{
	const struct heap *heap = search->heap;
	const heap_edge *edges = heap_edges(heap, grower->object);
	uint32_t count = heap_edge_count(heap, grower->object);

	*ret = (struct of_kind){0};
	for (uint32_t i = 0; i < count; i++) {
		uint32_t to = heap_edge_target(edges[i]);
		if (!heap_edge_holds(edges[i]) ||
		    search->first_types[heap->type[to]] != grower->type)
			continue;
		uint32_t via = search->paths->via[to];
		ret->bytes += search->retained->bytes[search->dominators->number[to]];
		ret->own_count += via == grower->object || via & PATHS_START;
	}
	// One that is held twice by it does not count twice for more than there is.
	if (ret->bytes > search->retained->bytes[0])
		ret->bytes = search->retained->bytes[0];
}

// The label by which its holder holds it; of what a root holds, nothing.
static struct error *holder_label(const struct search *search, uint32_t object, struct text *into)
{
	const struct heap *heap = search->heap;
	uint32_t before = search->paths->via[object];

	if (before & PATHS_START)
		return NULL;
	uint32_t number = heap_find_holding(heap, before, object);
	return number == HEAP_NO_EDGE ? NULL : heap_label(heap, before, number, into);
}

/*
 * Whether it is the program's or the runtime's make-up, as far as its holder tells: a name with two
 * underscores before it (__dict__, __globals__, __subclasses__) is the runtime's.
 */
static struct error *is_make_up(const struct search *search, uint32_t object, bool *ret)
{
	static const char prefix[] = ".__";
	const struct heap *heap = search->heap;
	_cleanup_text_ struct text label = {0};

	*ret = true;
	if (heap->flags[object] & HEAP_PART || object == heap->garbage_list ||
	    bits_get(search->is_runtimes, object) || !paths_reach(search->paths, object))
		return NULL;
	struct error *error = holder_label(search, object, &label);
	*ret = label.length && !strncmp(text_chars(&label), prefix, strlen(prefix));
	return error;
}

static struct error *grower_add(struct search *search, struct grower grower)
{
	struct growers *growers = search->growers;
	bool make_up;
	struct error *error = is_make_up(search, grower.object, &make_up);

	if (error || make_up)
		return error;
	error = array_reserve(&growers->list, &search->capacity, growers->count + 1,
			      sizeof(*growers->list));
	if (!error)
		growers->list[growers->count++] = grower;
	return error;
}

static bool is_enough_data(const struct search *search, const struct grower *grower)
{
	uint64_t all = search->retained->bytes[0];

	return (grower->count >= GROWER_DATA_COUNT_MIN && grower->bytes >= all / LARGE_SHARE) ||
	       grower->bytes >= all / DATA_SHARE;
}

static struct error *look_at(struct search *search, uint32_t object)
{
	struct grower grower = {.object = object};
	struct of_kind of_kind;

	kinds_count(search, object, true);
	grower.type = kinds_most(&search->kinds, &grower.count);
	bool is_data = grower.count < GROWER_COUNT_MIN;
	if (is_data) {
		kinds_count(search, object, false);
		grower.type = kinds_most(&search->kinds, &grower.count);
		if (grower.count < GROWER_COUNT_MIN)
			return NULL;
	}
	grower.example = search->kinds.examples[grower.type];
	grower.bytes = search->retained->bytes[search->dominators->number[object]];
	of_kind_sum(search, &grower, &of_kind);
	// A copy of a namespace, and what else has objects that live elsewhere, is not what keeps them.
	if (of_kind.own_count < GROWER_COUNT_MIN)
		return NULL;
	if (of_kind.bytes > grower.bytes)
		grower.bytes = of_kind.bytes;
	if (is_data && !is_enough_data(search, &grower))
		return NULL;
	return grower_add(search, grower);
}

static int compare_growers(const void *left, const void *right)
{
	const struct grower *a = left, *b = right;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return (a->object > b->object) - (a->object < b->object);
}

static void compare_with_peers(struct search *search)
{
	const struct heap *heap = search->heap;
	struct growers *growers = search->growers;
	size_t compared = growers->count < GROWERS_COMPARED ? growers->count : GROWERS_COMPARED;

	for (uint32_t i = 0; i < heap->object_count && compared; i++) {
		if (!heap->types[heap->type[i]].grows)
			continue;
		for (size_t j = 0; j < compared; j++) {
			struct grower *grower = &growers->list[j];
			if (heap->type[grower->object] != heap->type[i] || grower->object == i)
				continue;
			grower->peer_count++;
			grower->peer_near_count += heap_edge_count(heap, i) >= grower->count / 10;
		}
	}
}

struct error *growers_find(const struct heap *heap, const struct paths *paths,
			   const struct dominators *dominators, const struct retained *retained,
			   struct growers *ret)
{
	enum { INTERRUPT_EVERY = 1 << 20 };
	struct search search = {
		.heap = heap,
		.paths = paths,
		.dominators = dominators,
		.retained = retained,
		.growers = ret,
	};

	*ret = (struct growers){0};
	struct error *error = search_prepare(&search);
	for (uint32_t i = 0; i < heap->object_count && !error; i++) {
		if (i % INTERRUPT_EVERY == 0)
			error = interrupt_check();
		if (!error && heap_edge_count(heap, i) >= GROWER_COUNT_MIN &&
		    heap->types[heap->type[i]].grows)
			error = look_at(&search, i);
	}
	if (!error && ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), compare_growers);
	if (!error)
		compare_with_peers(&search);
	search_deinit(&search);
	return error;
}

void growers_deinit(struct growers *growers)
{
	free(growers->list);
	*growers = (struct growers){0};
}
