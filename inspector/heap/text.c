// SPDX-License-Identifier: GPL-3.0-or-later
// A heap from text goes through a builder, as one of a process does.
#include "heap/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "heap/builder.h"
#include "heap/text_parse.h"

/** What the references of a heap from text are called. */
struct text_labels {
	struct heap_labels labels;
	const struct heap *heap;
	/** By the reference's place in heap->edges; owned, NULL for one without. */
	char **names;
	size_t count;
};

static struct error *text_label(struct heap_labels *labels, uint32_t from, uint32_t number,
				struct text *into)
{
	const struct text_labels *table = (const struct text_labels *)labels;
	const char *name = table->names[table->heap->first_edge[from] + number];

	return name ? text_append(into, name, strlen(name)) : NULL;
}

static void text_labels_destroy(struct heap_labels *labels)
{
	struct text_labels *table = (struct text_labels *)labels;

	for (size_t i = 0; i < table->count; i++)
		free(table->names[i]);
	free(table->names);
	free(table);
}

// The references that were kept stand in the heap as they do here: sorted by object, in the order of
// their lines.
static struct error *text_add_labels(struct parsed_heap *parsed, struct heap *heap)
{
	struct text_labels *table = calloc(1, sizeof(*table));

	if (!table)
		return error_no_memory();
	table->labels = (struct heap_labels){.label = text_label, .destroy = text_labels_destroy};
	table->heap = heap;
	heap->labels = &table->labels;
	table->count = heap->first_edge[heap->object_count];
	table->names = calloc(table->count + 1, sizeof(char *));
	if (!table->names) {
		table->count = 0;
		return error_no_memory();
	}
	size_t place = 0;
	for (size_t i = 0; i < parsed->edge_count && place < table->count; i++)
		if (heap_find(heap, parsed->edges[i].to.to) != HEAP_NO_OBJECT)
			table->names[place++] = take_ptr(parsed->edges[i].label);
	return NULL;
}

static int compare_edges(const void *a, const void *b)
{
	const struct parsed_edge *left = a, *right = b;

	if (left->from != right->from)
		return left->from < right->from ? -1 : 1;
	return (left->line > right->line) - (left->line < right->line);
}

// What lines leave out: sizes and counts of objects.
static struct error *text_add_defaults(struct parsed_heap *parsed)
{
	uint32_t object;

	for (size_t i = 0; i < parsed->edge_count; i++) {
		const struct parsed_edge *edge = &parsed->edges[i];
		if (!addr_map_get(&parsed->objects_by_at, edge->from, &object))
			return error_create(ERROR_FAILED,
					    "line %zu: no object has a line for 0x%" PRIx64,
					    edge->line, edge->from);
		if (edge->to.kind != HEAP_EDGE_WEAK &&
		    addr_map_get(&parsed->objects_by_at, edge->to.to, &object) &&
		    !parsed->objects[object].has_refs)
			parsed->objects[object].row.refcount++;
	}
	for (size_t i = 0; i < parsed->root_count; i++)
		if (parsed->roots[i].row.owns &&
		    addr_map_get(&parsed->objects_by_at, parsed->roots[i].row.object_at, &object) &&
		    !parsed->objects[object].has_refs)
			parsed->objects[object].row.refcount++;
	for (size_t i = 0; i < parsed->object_count; i++) {
		struct parsed_object *row = &parsed->objects[i];
		if (!row->has_size)
			row->row.size_bytes = parsed->types[row->row.type].row.basic_size_bytes;
	}
	return NULL;
}

static struct error *text_feed_edges(const struct parsed_heap *parsed, struct heap_sink *sink)
{
	_cleanup_free_ struct heap_reference *references =
		calloc(parsed->edge_count + 1, sizeof(*references));
	struct error *error = references ? NULL : error_no_memory();

	for (size_t i = 0; !error && i < parsed->edge_count;) {
		addr_t from = parsed->edges[i].from;
		size_t count = 0;
		for (; i < parsed->edge_count && parsed->edges[i].from == from; i++)
			references[count++] = parsed->edges[i].to;
		error = heap_sink_references(sink, from, references, count);
	}
	return error;
}

static struct error *text_feed(const struct parsed_heap *parsed, struct heap_sink *sink)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < parsed->type_count; i++) {
		struct heap_type row = parsed->types[i].row;
		row.name = parsed->types[i].name;
		error = heap_sink_types(sink, &row, 1);
	}
	for (size_t i = 0; !error && i < parsed->object_count; i++)
		error = heap_sink_objects(sink, &parsed->objects[i].row, 1);
	if (!error)
		error = text_feed_edges(parsed, sink);
	for (size_t i = 0; !error && i < parsed->root_count; i++) {
		struct heap_root row = parsed->roots[i].row;
		row.name = parsed->roots[i].name;
		error = heap_sink_roots(sink, &row, 1);
	}
	if (!error)
		error = heap_sink_collector(sink, &parsed->collector);
	return error;
}

static int compare_leaks(const void *a, const void *b)
{
	const struct heap_leak *left = a, *right = b;

	return (left->object > right->object) - (left->object < right->object);
}

static struct error *text_add_leaks(const struct parsed_heap *parsed, struct heap *heap)
{
	_cleanup_free_ struct heap_leak *leaks = calloc(parsed->leak_count, sizeof(*leaks));

	if (!leaks)
		return error_no_memory();
	for (size_t i = 0; i < parsed->leak_count; i++) {
		leaks[i].object = heap_find(heap, parsed->leaks[i].at);
		leaks[i].count = parsed->leaks[i].count;
		if (leaks[i].object == HEAP_NO_OBJECT)
			return error_create(ERROR_FAILED,
					    "a leak's object, 0x%" PRIx64 ", has no line",
					    parsed->leaks[i].at);
	}
	qsort(leaks, parsed->leak_count, sizeof(*leaks), compare_leaks);
	return heap_add_holders(heap, NULL, 0, leaks, parsed->leak_count);
}

static struct error *text_build(struct parsed_heap *parsed, struct heap_sink *sink,
				struct heap **ret)
{
	struct error *error = text_add_defaults(parsed);

	if (!error && parsed->edge_count)
		qsort(parsed->edges, parsed->edge_count, sizeof(*parsed->edges), compare_edges);
	if (!error)
		error = text_feed(parsed, sink);
	if (error)
		return error;
	_cleanup_heap_ struct heap *heap = NULL;
	error = heap_builder_finish(sink, &heap);
	if (!error)
		error = text_add_labels(parsed, heap);
	if (!error && parsed->leak_count)
		error = text_add_leaks(parsed, heap);
	if (!error)
		*ret = take_ptr(heap);
	return error;
}

struct error *heap_text_parse(const char *text, struct heap **ret)
{
	struct parsed_heap CLEANUP(parsed_heap_deinit) parsed = {0};
	struct heap_sink *sink = NULL;
	struct error *error = parsed_heap_read(&parsed, text);

	if (!error)
		error = heap_builder_create(1, &sink);
	if (!error)
		error = text_build(&parsed, sink, ret);
	heap_sink_destroy(sink);
	return error;
}
