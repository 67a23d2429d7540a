// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "analyze/picture_parts.h"
#include "base/array.h"
#include "base/interrupt.h"

/** How many objects are looked at between two looks at whether to stop. */
enum { LOOKS_BETWEEN_CHECKS = 1 << 14 };

// The class of @object as an object, or HEAP_NO_OBJECT.
static uint32_t class_of(const struct heap *heap, uint32_t object)
{
	addr_t at = heap->types[heap->type[object]].at;

	return at ? heap_find(heap, at) : HEAP_NO_OBJECT;
}

bool painter_is_class_reference(const struct painter *painter, uint32_t from, uint32_t to)
{
	uint32_t node;

	if (!bits_get(painter->classes, to) || class_of(painter->heap, from) != to)
		return false;
	if (!painter_find(painter, to, &node))
		return true;
	return !painter->picture->nodes[node].is_asked &&
	       !painter->picture->nodes[node].is_on_cycle;
}

static struct error *add(struct painter *painter, uint32_t object, bool is_weak)
{
	struct neighbours *list = &painter->neighbours;
	struct error *error =
		array_reserve(&list->list, &list->capacity, list->count + 1, sizeof(*list->list));

	if (error)
		return error;
	list->list[list->count++] = (struct neighbour){.object = object, .is_weak = is_weak};
	return list->count % LOOKS_BETWEEN_CHECKS ? NULL : interrupt_check();
}

// Who refers to @to, which is the object of @node or its attribute dict.
static struct error *add_referrers(struct painter *painter, const struct picture_node *node,
				   uint32_t to)
{
	const struct heap *heap = painter->heap;
	const struct heap_referrers *referrers = &painter->attributes.referrers;
	uint32_t before = HEAP_NO_OBJECT;
	struct error *error = NULL;

	for (uint32_t i = referrers->first[to]; !error && i < referrers->first[to + 1]; i++) {
		uint32_t from = referrers->ids[i];
		uint32_t owner;
		if (from == before)
			continue;
		before = from;
		error = attributes_owner(&painter->attributes, from, &owner);
		if (!error && owner != node->object &&
		    !painter_is_class_reference(painter, from, to))
			error = add(painter, owner,
				    heap_find_holding(heap, from, to) == HEAP_NO_EDGE);
	}
	return error;
}

static struct error *add_referents(struct painter *painter, const struct picture_node *node,
				   uint32_t from)
{
	const heap_edge *edges = heap_edges(painter->heap, from);
	uint32_t count = heap_edge_count(painter->heap, from);
	struct error *error = NULL;

	for (uint32_t i = 0; !error && i < count; i++) {
		uint32_t to = heap_edge_target(edges[i]);
		uint32_t owner;
		if (painter_is_class_reference(painter, from, to))
			continue;
		error = attributes_owner(&painter->attributes, to, &owner);
		if (!error && owner != node->object)
			error = add(painter, owner, !heap_edge_holds(edges[i]));
	}
	return error;
}

static int compare_objects(const void *left, const void *right)
{
	const struct neighbour *a = left, *b = right;

	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	return a->is_weak - b->is_weak;
}

// Each object once, with its strongest reference.
static void make_unique(struct neighbours *neighbours)
{
	size_t kept = 0;

	if (!neighbours->count)
		return;
	qsort(neighbours->list, neighbours->count, sizeof(*neighbours->list), compare_objects);
	for (size_t i = 0; i < neighbours->count; i++)
		if (!kept || neighbours->list[kept - 1].object != neighbours->list[i].object)
			neighbours->list[kept++] = neighbours->list[i];
	neighbours->count = kept;
}

struct error *painter_look(struct painter *painter, uint32_t node, enum picture_way way)
{
	const struct picture_node seen_from = painter->picture->nodes[node];
	struct error *error = interrupt_check();

	painter->neighbours.count = 0;
	if (!error && way == PICTURE_REFERRERS)
		error = add_referrers(painter, &seen_from, seen_from.object);
	else if (!error)
		error = add_referents(painter, &seen_from, seen_from.object);
	if (!error && seen_from.dict != HEAP_NO_OBJECT && way == PICTURE_REFERRERS)
		error = add_referrers(painter, &seen_from, seen_from.dict);
	else if (!error && seen_from.dict != HEAP_NO_OBJECT)
		error = add_referents(painter, &seen_from, seen_from.dict);
	make_unique(&painter->neighbours);
	return error;
}

static int compare_types(const void *left, const void *right, void *context)
{
	const struct neighbour *a = left, *b = right;
	const uint32_t *type = ((const struct heap *)context)->type;

	if (a->is_weak != b->is_weak)
		return a->is_weak - b->is_weak;
	if (type[a->object] != type[b->object])
		return type[a->object] < type[b->object] ? -1 : 1;
	return (a->object > b->object) - (a->object < b->object);
}

static int compare_ranks(const void *left, const void *right)
{
	const struct neighbour *a = left, *b = right;

	if (a->is_weak != b->is_weak)
		return a->is_weak - b->is_weak;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->of_type != b->of_type)
		return a->of_type < b->of_type ? -1 : 1;
	return (a->object > b->object) - (a->object < b->object);
}

void painter_group(struct painter *painter)
{
	if (painter->neighbours.count)
		qsort_r(painter->neighbours.list, painter->neighbours.count,
			sizeof(*painter->neighbours.list), compare_types, (void *)painter->heap);
}

void painter_rank(struct painter *painter)
{
	const struct heap *heap = painter->heap;
	struct neighbour *list = painter->neighbours.list;
	size_t count = painter->neighbours.count;
	size_t begin = 0;

	if (!count)
		return;
	painter_group(painter);
	while (begin < count) {
		size_t end = begin;
		while (end < count && list[end].is_weak == list[begin].is_weak &&
		       heap->type[list[end].object] == heap->type[list[begin].object])
			end++;
		for (size_t i = begin; i < end; i++) {
			list[i].rank = (uint32_t)(i - begin);
			list[i].of_type = (uint32_t)(end - begin);
		}
		begin = end;
	}
	qsort(list, count, sizeof(*list), compare_ranks);
}
