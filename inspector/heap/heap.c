// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/pages.h"
#include "heap/index.h"
#include "heap/reverse.h"

void heap_destroy(struct heap *heap)
{
	if (!heap)
		return;
	size_t count = heap->object_count;
	if (heap->labels)
		heap->labels->destroy(heap->labels);
	reverse_destroy(heap->reverse);
	heap_index_destroy(heap->index);
	if (heap->edges)
		pages_free(heap->edges, heap->first_edge[count] * sizeof(heap_edge));
	pages_free(heap->first_edge, (count + 1) * sizeof(*heap->first_edge));
	pages_free(heap->flags, count * sizeof(*heap->flags));
	pages_free(heap->type, count * sizeof(*heap->type));
	pages_free(heap->refcount, count * sizeof(*heap->refcount));
	pages_free(heap->size_bytes, count * sizeof(*heap->size_bytes));
	pages_free(heap->at, count * sizeof(*heap->at));
	free(heap->roots);
	heap_names_deinit(&heap->names);
	free(heap->leaks);
	for (size_t i = 0; i < heap->type_count; i++)
		free(heap->types[i].name);
	free(heap->types);
	for (size_t i = 0; i < heap->problem_text_count; i++)
		free(heap->problem_texts[i]);
	free(heap);
}

void heap_cleanup(struct heap **heap)
{
	heap_destroy(*heap);
}

static uint64_t heap_text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static uint64_t heap_object_bytes(const struct heap *heap)
{
	size_t each = sizeof(*heap->at) + sizeof(*heap->size_bytes) + sizeof(*heap->refcount) +
		      sizeof(*heap->type) + sizeof(*heap->flags);

	return each * (uint64_t)heap->object_count;
}

uint64_t heap_bytes(const struct heap *heap)
{
	uint64_t edge_count = heap->first_edge[heap->object_count];
	uint64_t bytes =
		sizeof(*heap) + heap_object_bytes(heap) +
		(heap->object_count + (uint64_t)1) * sizeof(*heap->first_edge) +
		edge_count * sizeof(*heap->edges) + heap->root_count * sizeof(*heap->roots) +
		heap->leak_count * sizeof(*heap->leaks) +
		heap->type_count * (uint64_t)sizeof(*heap->types) + heap_names_bytes(&heap->names) +
		heap_index_bytes(heap->index) + reverse_bytes(heap->reverse);

	for (size_t i = 0; i < heap->type_count; i++)
		bytes += heap_text_bytes(heap->types[i].name);
	for (size_t i = 0; i < heap->problem_text_count; i++)
		bytes += heap_text_bytes(heap->problem_texts[i]);
	return bytes;
}

uint32_t heap_find(const struct heap *heap, addr_t at)
{
	return heap_index_find(heap->index, at);
}

struct error *heap_label(const struct heap *heap, uint32_t from, uint32_t number, struct text *into)
{
	if (!heap->labels || from >= heap->object_count || number >= heap_edge_count(heap, from))
		return NULL;
	return heap->labels->label(heap->labels, from, number, into);
}

struct error *heap_root_name(const struct heap_root_row *root, struct text *into)
{
	return text_appendf(into, "%s%s%s", root->name, *root->name && *root->part ? ", " : "",
			    root->part);
}

struct error *heap_excess(const struct heap *heap, int64_t **ret)
{
	// Far enough ahead that the counter has come from memory when its turn is there.
	enum { AHEAD = 24 };
	size_t edge_count = heap->first_edge[heap->object_count];
	int64_t *excess = malloc((heap->object_count + (size_t)1) * sizeof(*excess));

	if (!excess)
		return error_no_memory();
	for (size_t i = 0; i < heap->object_count; i++)
		excess[i] = heap->refcount[i];
	for (size_t i = 0; i < edge_count; i++) {
		if (i + AHEAD < edge_count)
			__builtin_prefetch(&excess[heap_edge_target(heap->edges[i + AHEAD])], 1);
		if (heap_edge_kind(heap->edges[i]) != HEAP_EDGE_WEAK)
			excess[heap_edge_target(heap->edges[i])]--;
	}
	for (size_t i = 0; i < heap->root_count; i++)
		if (heap->roots[i].owns)
			excess[heap->roots[i].object]--;
	for (size_t i = 0; i < heap->object_count; i++)
		if (heap->flags[i] & HEAP_IMMORTAL)
			excess[i] = 0;
	*ret = excess;
	return NULL;
}

struct error *heap_add_holders(struct heap *heap, const struct heap_root *roots, size_t root_count,
			       const struct heap_leak *leaks, size_t leak_count)
{
	size_t capacity = heap->root_count;
	struct error *error = array_reserve(&heap->roots, &capacity, heap->root_count + root_count,
					    sizeof(*heap->roots));

	for (size_t i = 0; !error && i < root_count; i++) {
		uint32_t object = heap_find(heap, roots[i].object_at);
		if (object == HEAP_NO_OBJECT)
			continue;
		struct heap_root_row row = {
			.object = object,
			.kind = roots[i].kind,
			.owns = roots[i].owns,
		};
		error = heap_names_add(&heap->names, roots[i].name, &row.name);
		if (!error)
			error = heap_names_add(&heap->names, roots[i].part, &row.part);
		if (!error)
			heap->roots[heap->root_count++] = row;
	}
	if (error)
		return error;
	struct heap_leak *copy = calloc(leak_count + 1, sizeof(*copy));
	if (!copy)
		return error_no_memory();
	if (leak_count)
		memcpy(copy, leaks, leak_count * sizeof(*copy));
	free(heap->leaks);
	heap->leaks = copy;
	heap->leak_count = leak_count;
	heap->is_annotated = true;
	return NULL;
}
