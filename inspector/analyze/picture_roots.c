// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "analyze/picture_parts.h"
#include "base/array.h"

static int compare_roots(const void *left, const void *right, void *context)
{
	const struct heap_root_row *roots = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	if (roots[a].object != roots[b].object)
		return roots[a].object < roots[b].object ? -1 : 1;
	return (a > b) - (a < b);
}

struct error *painter_sort_roots(struct painter *painter)
{
	const struct heap *heap = painter->heap;

	painter->roots = calloc(heap->root_count + 1, sizeof(*painter->roots));
	if (!painter->roots)
		return error_no_memory();
	for (size_t i = 0; i < heap->root_count; i++)
		painter->roots[i] = (uint32_t)i;
	if (heap->root_count)
		qsort_r(painter->roots, heap->root_count, sizeof(*painter->roots), compare_roots,
			heap->roots);
	return NULL;
}

// Where the roots of @object begin among the sorted ones.
static size_t first_root(const struct painter *painter, uint32_t object)
{
	const struct heap *heap = painter->heap;
	size_t low = 0, high = heap->root_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (heap->roots[painter->roots[middle]].object < object)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// The sorted root number @at when it is one of @object, else NULL.
static const struct heap_root_row *root_of(const struct painter *painter, size_t at,
					   uint32_t object)
{
	const struct heap *heap = painter->heap;

	if (at >= heap->root_count || heap->roots[painter->roots[at]].object != object)
		return NULL;
	return &heap->roots[painter->roots[at]];
}

bool painter_has_root(const struct painter *painter, uint32_t object, unsigned kinds)
{
	const struct heap_root_row *root;

	for (size_t i = first_root(painter, object); (root = root_of(painter, i, object)); i++)
		if (kinds >> root->kind & 1)
			return true;
	return false;
}

static bool is_same_root(const struct heap_root_row *left, const struct heap_root_row *right)
{
	return left->kind == right->kind && !strcmp(left->name, right->name) &&
	       !strcmp(left->part, right->part);
}

// The node of what is called as @root is, whatever it holds; UINT32_MAX when there is none.
static uint32_t find_root_node(const struct picture *picture, const struct heap_root_row *root)
{
	for (size_t i = picture->object_count; i < picture->node_count; i++)
		if (is_same_root(picture->nodes[i].root, root))
			return (uint32_t)i;
	return UINT32_MAX;
}

static struct error *add_root_node(struct picture *picture, const struct heap_root_row *root,
				   uint32_t *ret)
{
	struct error *error = array_reserve(&picture->nodes, &picture->node_capacity,
					    picture->node_count + 1, sizeof(*picture->nodes));

	if (error)
		return error;
	*ret = (uint32_t)picture->node_count;
	picture->nodes[picture->node_count++] = (struct picture_node){
		.object = HEAP_NO_OBJECT,
		.dict = HEAP_NO_OBJECT,
		.root = root,
	};
	return NULL;
}

static struct error *add_root_edge(struct picture *picture, uint32_t from, uint32_t to,
				   size_t first_edge, bool owns)
{
	enum heap_edge_kind kind = owns ? HEAP_EDGE_GC : HEAP_EDGE_GUESS;

	for (size_t i = first_edge; i < picture->edge_count; i++) {
		if (picture->edges[i].from != from)
			continue;
		picture->edges[i].count++;
		if (kind < picture->edges[i].kind)
			picture->edges[i].kind = kind;
		return NULL;
	}
	struct error *error = array_reserve(&picture->edges, &picture->edge_capacity,
					    picture->edge_count + 1, sizeof(*picture->edges));
	if (!error)
		picture->edges[picture->edge_count++] =
			(struct picture_edge){.from = from, .to = to, .kind = kind, .count = 1};
	return error;
}

// The roots of @object, which is that of node @number or its attribute dict.
static struct error *add_roots_of(struct painter *painter, uint32_t number, uint32_t object)
{
	struct picture *picture = painter->picture;
	size_t first_edge = picture->edge_count;
	const struct heap_root_row *root;
	struct error *error = NULL;

	for (size_t i = first_root(painter, object); !error && (root = root_of(painter, i, object));
	     i++) {
		uint32_t node = find_root_node(picture, root);
		// What C code has may be a word left over; a name is one whatever it owns.
		bool owns = root->owns || root->kind < HEAP_ROOT_C_VARIABLE;
		bool is_full = picture->edge_count - first_edge >= painter->question->breadth ||
			       picture->node_count >= painter->question->nodes_max;
		if (node == UINT32_MAX && is_full) {
			picture->nodes[number].more_roots++;
			continue;
		}
		if (node == UINT32_MAX)
			error = add_root_node(picture, root, &node);
		if (!error)
			error = add_root_edge(picture, node, number, first_edge, owns);
	}
	return error;
}

struct error *painter_add_roots(struct painter *painter)
{
	struct picture *picture = painter->picture;
	struct error *error = NULL;

	for (uint32_t i = 0; !error && i < picture->object_count; i++) {
		if (picture->nodes[i].steps[PICTURE_REFERRERS] == UINT32_MAX)
			continue;
		error = add_roots_of(painter, i, picture->nodes[i].object);
		if (!error && picture->nodes[i].dict != HEAP_NO_OBJECT)
			error = add_roots_of(painter, i, picture->nodes[i].dict);
	}
	return error;
}
