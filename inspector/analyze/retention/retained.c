// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/retained.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/names.h"
#include "base/array.h"
#include "base/interrupt.h"
#include "base/pages.h"

static size_t bytes_of(const struct retained *retained, size_t item_bytes)
{
	return ((size_t)retained->object_count + 2) * item_bytes;
}

static bool is_part(const struct heap *heap, const struct dominators *dominators, uint32_t number)
{
	return number && heap->flags[dominators->order[number]] & HEAP_PART;
}

static void add_up(const struct heap *heap, const struct dominators *dominators,
		   struct retained *retained)
{
	uint32_t count = dominators->object_count;

	for (uint32_t i = 1; i <= count; i++) {
		retained->bytes[i] = heap->size_bytes[dominators->order[i]];
		retained->objects[i] = is_part(heap, dominators, i) ? 0 : 1;
	}
	// Those below come later.
	for (uint32_t i = count; i > 0; i--) {
		retained->bytes[dominators->above[i]] += retained->bytes[i];
		retained->objects[dominators->above[i]] += retained->objects[i];
	}
}

// In two passes, as always: count, fill.
static void list_children(const struct dominators *dominators, struct retained *retained)
{
	uint32_t count = dominators->object_count;
	uint32_t *first = retained->first;

	for (uint32_t i = 1; i <= count; i++)
		first[dominators->above[i] + 1]++;
	for (uint32_t i = 0; i <= count; i++)
		first[i + 1] += first[i];
	// Backwards, so that each list's end moves to its beginning, and children are in order.
	for (uint32_t i = count; i > 0; i--)
		retained->children[--first[dominators->above[i] + 1]] = i;
	for (uint32_t i = 0; i <= count; i++)
		first[i] = first[i + 1];
	first[count + 1] = count;
}

struct error *retained_find(const struct heap *heap, const struct dominators *dominators,
			    struct retained *ret)
{
	*ret = (struct retained){.object_count = dominators->object_count};
	ret->bytes = pages_alloc(bytes_of(ret, sizeof(*ret->bytes)));
	ret->objects = pages_alloc(bytes_of(ret, sizeof(*ret->objects)));
	ret->first = pages_alloc(bytes_of(ret, sizeof(*ret->first)));
	ret->children = pages_alloc(bytes_of(ret, sizeof(*ret->children)));
	if (!ret->bytes || !ret->objects || !ret->first || !ret->children)
		return error_no_memory();
	add_up(heap, dominators, ret);
	list_children(dominators, ret);
	return interrupt_check();
}

void retained_deinit(struct retained *retained)
{
	pages_free(retained->bytes, bytes_of(retained, sizeof(*retained->bytes)));
	pages_free(retained->objects, bytes_of(retained, sizeof(*retained->objects)));
	pages_free(retained->first, bytes_of(retained, sizeof(*retained->first)));
	pages_free(retained->children, bytes_of(retained, sizeof(*retained->children)));
	*retained = (struct retained){0};
}

// The child with the most bytes; 0 without any.
static uint32_t largest_child(const struct retained *retained, uint32_t number)
{
	uint32_t largest = 0;

	for (uint32_t i = retained->first[number]; i < retained->first[number + 1]; i++) {
		uint32_t child = retained->children[i];
		if (!largest || retained->bytes[child] > retained->bytes[largest])
			largest = child;
	}
	return largest;
}

uint32_t retained_accumulation(const struct heap *heap, const struct dominators *dominators,
			       const struct retained *retained, uint32_t number)
{
	uint32_t found = number;

	for (;;) {
		uint32_t child = largest_child(retained, number);
		if (!child || retained->bytes[child] / 4 < retained->bytes[number] / 5)
			return found;
		number = child;
		if (!is_part(heap, dominators, child))
			found = child;
	}
}

static bool is_larger(const struct retained_order *order, uint32_t left, uint32_t right)
{
	uint64_t a = order->retained->bytes[left], b = order->retained->bytes[right];

	return a != b ? a > b : left < right;
}

static void order_sink(struct retained_order *order, size_t at)
{
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < order->count &&
			    is_larger(order, order->list[least], order->list[child]))
				least = child;
		if (least == at)
			return;
		uint32_t moved = order->list[at];
		order->list[at] = order->list[least];
		order->list[least] = moved;
		at = least;
	}
}

void retained_order_add(struct retained_order *order, uint32_t number)
{
	order->all++;
	if (order->count < order->count_max) {
		size_t at = order->count++;
		for (; at && is_larger(order, order->list[(at - 1) / 2], number); at = (at - 1) / 2)
			order->list[at] = order->list[(at - 1) / 2];
		order->list[at] = number;
		return;
	}
	if (!order->count || !is_larger(order, number, order->list[0]))
		return;
	order->list[0] = number;
	order_sink(order, 0);
}

struct error *retained_order_init(struct retained_order *order)
{
	// Nobody has more than there are objects.
	if (order->count_max > order->retained->object_count)
		order->count_max = order->retained->object_count;
	order->list = calloc(order->count_max + 1, sizeof(*order->list));
	return order->list ? NULL : error_no_memory();
}

void retained_order_finish(struct retained_order *order, uint32_t **ret, size_t *ret_count,
			   size_t *ret_all)
{
	*ret = order->list;
	*ret_count = order->count;
	*ret_all = order->all;
	while (order->count > 1) {
		uint32_t least = order->list[0];
		order->list[0] = order->list[--order->count];
		order->list[order->count] = least;
		order_sink(order, 0);
	}
}

static void largest_add_children(const struct retained *retained, uint32_t number,
				 const struct heap *heap, const struct dominators *dominators,
				 struct retained_order *order)
{
	for (uint32_t i = retained->first[number]; i < retained->first[number + 1]; i++) {
		uint32_t child = retained->children[i];
		// What an attribute dict holds is its owner's; it has none itself.
		if (number && is_part(heap, dominators, child))
			for (uint32_t j = retained->first[child]; j < retained->first[child + 1];
			     j++)
				retained_order_add(order, retained->children[j]);
		else
			retained_order_add(order, child);
	}
}

struct error *retained_largest(const struct heap *heap, const struct dominators *dominators,
			       const struct retained *retained, uint32_t number, size_t count_max,
			       uint32_t **ret, size_t *ret_count, size_t *ret_all)
{
	struct retained_order order = {.retained = retained, .count_max = count_max};
	struct error *error = retained_order_init(&order);

	if (error)
		return error;
	largest_add_children(retained, number, heap, dominators, &order);
	retained_order_finish(&order, ret, ret_count, ret_all);
	return NULL;
}

static int compare_types(const void *left, const void *right)
{
	const struct retained_type *a = left, *b = right;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return (a->type > b->type) - (a->type < b->type);
}

/*
 * Down and up the tree, with a count for each type of how many of it are above: the outermost of a type
 * holds all of the others below it.
 */
static struct error *types_add_up(const struct heap *heap, const struct dominators *dominators,
				  const struct retained *retained, const uint32_t *first_types,
				  struct retained_type *types)
{
	_cleanup_free_ uint32_t *open = calloc((size_t)heap->type_count + 1, sizeof(*open));
	size_t bytes = bytes_of(retained, sizeof(uint32_t));
	uint32_t *next = pages_alloc(bytes);
	if (!open || !next) {
		pages_free(next, bytes);
		return error_no_memory();
	}
	memcpy(next, retained->first, bytes);
	for (uint32_t at = 0;;) {
		if (next[at] < retained->first[at + 1]) {
			at = retained->children[next[at]++];
			uint32_t type = first_types[heap->type[dominators->order[at]]];
			types[type].count++;
			if (open[type]++ == 0)
				types[type].bytes += retained->bytes[at];
			continue;
		}
		if (at == 0)
			break;
		open[first_types[heap->type[dominators->order[at]]]]--;
		at = dominators->above[at];
	}
	pages_free(next, bytes);
	return NULL;
}

struct error *retained_by_type(const struct heap *heap, const struct dominators *dominators,
			       const struct retained *retained, struct retained_type **ret,
			       size_t *ret_count)
{
	_cleanup_free_ struct retained_type *types =
		calloc((size_t)heap->type_count + 1, sizeof(*types));
	_cleanup_free_ uint32_t *first_types = NULL;
	size_t count = 0;

	if (!types)
		return error_no_memory();
	struct error *error = names_first_types(heap, &first_types);
	if (error)
		return error;
	for (uint32_t i = 0; i < heap->type_count; i++)
		types[i].type = i;
	error = types_add_up(heap, dominators, retained, first_types, types);
	if (error)
		return error;
	for (uint32_t i = 0; i < heap->type_count; i++)
		if (types[i].count)
			types[count++] = types[i];
	if (count)
		qsort(types, count, sizeof(*types), compare_types);
	*ret = take_ptr(types);
	*ret_count = count;
	return NULL;
}
