// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/cycle_search.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/bits.h"
#include "base/cleanup.h"

/** An object that was reached: through reference @a edge of that of entry @a from. */
struct entry {
	uint32_t object;
	uint32_t from;
	uint32_t edge;
	uint32_t hops;
};

/** In entry.hops: its references were looked at together with its owner's. */
static const uint32_t LOOKED_AT = 1U << 31;

struct cycle_search {
	const struct heap *heap;
	const struct components *components;
	const uint64_t *parts;
	/** A bit per object; those set are in entries. */
	uint64_t *seen;
	struct entry *entries;
	size_t count;
	size_t capacity;
	uint64_t looks;
	bool closed;
};

struct error *cycle_search_create(const struct heap *heap, const struct components *components,
				  const uint64_t *parts, struct cycle_search **ret)
{
	_cleanup_cycle_search_ struct cycle_search *search = calloc(1, sizeof(*search));

	if (!search)
		return error_no_memory();
	search->heap = heap;
	search->components = components;
	search->parts = parts;
	search->seen = bits_alloc(heap->object_count);
	if (!search->seen)
		return error_no_memory();
	*ret = take_ptr(search);
	return NULL;
}

void cycle_search_destroy(struct cycle_search **search)
{
	if (!*search)
		return;
	free((*search)->seen);
	free((*search)->entries);
	free(*search);
	*search = NULL;
}

static bool is_part(const struct cycle_search *search, uint32_t object)
{
	return bits_get(search->parts, object);
}

static struct error *reach(struct cycle_search *search, struct entry entry)
{
	struct error *error = array_reserve(&search->entries, &search->capacity, search->count + 1,
					    sizeof(*search->entries));

	if (error)
		return error;
	search->entries[search->count++] = entry;
	bits_set(search->seen, entry.object);
	return NULL;
}

/** Looks at the references of entry @a from; ends with search.closed and the last edge of the cycle
 *  in *@a ret_last when one leads to @a start. */
static struct error *look_at(struct cycle_search *search, uint32_t from, uint32_t start,
			     struct entry *ret_last)
{
	const struct heap *heap = search->heap;
	const uint32_t *of = search->components->of;
	uint32_t object = search->entries[from].object;
	uint32_t hops = search->entries[from].hops & ~LOOKED_AT;
	uint32_t count = heap_edge_count(heap, object);

	for (uint32_t i = 0; i < count; i++) {
		heap_edge edge = heap_edges(heap, object)[i];
		uint32_t to = heap_edge_target(edge);
		struct entry entry = {.object = to, .from = from, .edge = i, .hops = hops + 1};
		struct error *error;

		search->looks++;
		if (heap_edge_kind(edge) != HEAP_EDGE_GC)
			continue;
		if (to == start) {
			*ret_last = entry;
			search->closed = true;
			return NULL;
		}
		if (bits_get(search->seen, to) || of[to] != of[start])
			continue;
		if (is_part(search, to) && !is_part(search, object))
			entry.hops = hops | LOOKED_AT;
		error = reach(search, entry);
		if (error)
			return error;
	}
	return NULL;
}

/** Asks for memory that entries to come will need. */
static void look_ahead(const struct cycle_search *search, uint32_t number)
{
	enum { OBJECTS_AHEAD = 16, LISTS_AHEAD = 8, TARGETS_AHEAD = 4 };
	const struct heap *heap = search->heap;
	const struct entry *entry = &search->entries[number];
	uint32_t object;

	if (number + OBJECTS_AHEAD >= search->count)
		return;
	__builtin_prefetch(&heap->first_edge[entry[OBJECTS_AHEAD].object]);
	__builtin_prefetch(heap_edges(heap, entry[LISTS_AHEAD].object));
	object = entry[TARGETS_AHEAD].object;
	for (uint32_t i = 0; i < heap_edge_count(heap, object) && i < TARGETS_AHEAD; i++) {
		uint32_t to = heap_edge_target(heap_edges(heap, object)[i]);

		__builtin_prefetch(&search->components->of[to]);
	}
}

/** Looks at entry @a from and at the attribute dicts found with it, which are no farther away. */
static struct error *look_at_all(struct cycle_search *search, uint32_t from, uint32_t start,
				 struct entry *ret_last)
{
	uint32_t first = (uint32_t)search->count;
	struct error *error = look_at(search, from, start, ret_last);
	uint32_t behind = (uint32_t)search->count;

	for (uint32_t i = first; !error && !search->closed && i < behind; i++) {
		if (search->entries[i].hops & LOOKED_AT)
			error = look_at(search, i, start, ret_last);
	}
	return error;
}

static struct error *trace_back(const struct cycle_search *search, const struct entry *last,
				struct cycle_path *ret)
{
	const struct entry *entry = last;
	size_t count = 0;
	struct error *error;

	for (;; count++) {
		if (entry->from == UINT32_MAX)
			break;
		entry = &search->entries[entry->from];
	}
	error = array_reserve(&ret->steps, &ret->capacity, count, sizeof(*ret->steps));
	if (error)
		return error;
	ret->count = count;
	ret->hops = last->hops;
	for (entry = last; count--; entry = &search->entries[entry->from]) {
		ret->steps[count].object = search->entries[entry->from].object;
		ret->steps[count].edge = entry->edge;
	}
	return NULL;
}

struct error *cycle_search_find(struct cycle_search *search, uint32_t start, uint32_t hops_max,
				uint64_t looks_max, struct cycle_path *ret)
{
	struct entry last = {0};
	struct error *error;

	ret->count = 0;
	search->count = 0;
	search->looks = 0;
	search->closed = false;
	error = reach(search, (struct entry){.object = start, .from = UINT32_MAX});
	for (uint32_t i = 0; !error && !search->closed && i < search->count; i++) {
		if (search->entries[i].hops & LOOKED_AT)
			continue;
		if (search->entries[i].hops >= hops_max || search->looks > looks_max)
			break;
		look_ahead(search, i);
		error = look_at_all(search, i, start, &last);
	}
	for (size_t i = 0; i < search->count; i++)
		search->seen[search->entries[i].object / 64] = 0;
	if (!error && search->closed)
		error = trace_back(search, &last, ret);
	return error;
}

void cycle_path_deinit(struct cycle_path *path)
{
	free(path->steps);
	*path = (struct cycle_path){0};
}

static size_t lowest(const struct cycle_path *path)
{
	size_t best = 0;

	for (size_t i = 1; i < path->count; i++) {
		if (path->steps[i].object < path->steps[best].object)
			best = i;
	}
	return best;
}

bool cycle_path_same(const struct cycle_path *left, const struct cycle_path *right)
{
	size_t from_left = lowest(left);
	size_t from_right = lowest(right);

	if (left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++) {
		if (left->steps[(from_left + i) % left->count].object !=
		    right->steps[(from_right + i) % right->count].object)
			return false;
	}
	return true;
}
