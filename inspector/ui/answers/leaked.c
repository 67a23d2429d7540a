// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/leaked.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"
#include "ui/answers/type_pattern.h"
#include "ui/answers/type_sums.h"

/** The objects that were found. */
struct leaked {
	const struct heap *heap;
	/** Leaks of the heap that were asked for. */
	struct heap_leak *list;
	size_t count;
	size_t capacity;
	struct type_sums sums;
};

static void leaked_deinit(struct leaked *leaked)
{
	free(leaked->list);
	type_sums_deinit(&leaked->sums);
}

static int leaked_compare(const void *a, const void *b, void *closure)
{
	const struct heap *heap = closure;
	uint32_t left = ((const struct heap_leak *)a)->object;
	uint32_t right = ((const struct heap_leak *)b)->object;
	int order = strcmp(heap_type_name(heap, left), heap_type_name(heap, right));

	if (order)
		return order;
	return (heap->at[left] > heap->at[right]) - (heap->at[left] < heap->at[right]);
}

static struct error *leaked_add(struct leaked *leaked, const struct heap_leak *leak)
{
	const struct type_sum part = {
		.name = heap_type_name(leaked->heap, leak->object),
		.count = 1,
		.excess = leak->count,
		.size_bytes = leaked->heap->size_bytes[leak->object],
	};
	struct error *error = array_reserve(&leaked->list, &leaked->capacity, leaked->count + 1,
					    sizeof(*leaked->list));

	if (error)
		return error;
	leaked->list[leaked->count++] = *leak;
	return type_sums_add(&leaked->sums, &part);
}

static struct error *leaked_find(struct leaked *leaked, const char *pattern)
{
	const struct heap *heap = leaked->heap;
	struct error *error = NULL;

	for (size_t i = 0; i < heap->leak_count && !error; i++)
		if (type_pattern_matches(pattern, heap_type_name(heap, heap->leaks[i].object)))
			error = leaked_add(leaked, &heap->leaks[i]);
	if (leaked->count)
		qsort_r(leaked->list, leaked->count, sizeof(*leaked->list), leaked_compare,
			(void *)heap);
	type_sums_finish(&leaked->sums);
	return error;
}

static struct error *leaked_report_total(struct report *report, const struct leaked *leaked)
{
	static const struct report_column columns[] = {
		{.key = "count", .unit = REPORT_COUNT},
		{.key = "excess", .unit = REPORT_COUNT},
		{.key = "size", .unit = REPORT_BYTES},
	};
	struct type_sum total = type_sums_total(&leaked->sums);
	const struct report_cell cells[] = {
		{.number = (int64_t)total.count},
		{.number = (int64_t)total.excess},
		{.number = (int64_t)total.size_bytes},
	};

	return report_object(report, "total", columns, ARRAY_COUNT(columns), cells);
}

static struct error *leaked_report_rest(struct report *report, const char *what, size_t count,
					size_t limit)
{
	char more[HUMAN_CHARS];

	if (count <= limit)
		return NULL;
	return report_note(report, "(%s more %s%s)", human_count((int64_t)(count - limit), more),
			   what, count - limit == 1 ? "" : "s");
}

static struct error *leaked_report_types(struct report *report, const struct leaked *leaked,
					 size_t limit)
{
	static const struct report_column columns[] = {
		{.key = "name", .title = "type", .unit = REPORT_TEXT},
		{.key = "count", .unit = REPORT_COUNT},
		{.key = "excess", .unit = REPORT_COUNT},
		{.key = "size", .unit = REPORT_BYTES},
	};
	struct error *error = report_table(report, "types", columns, ARRAY_COUNT(columns));

	for (size_t i = 0; i < leaked->sums.count && i < limit && !error; i++) {
		const struct type_sum *sum = &leaked->sums.list[i];
		const struct report_cell cells[] = {
			{.text = sum->name},
			{.number = (int64_t)sum->count},
			{.number = (int64_t)sum->excess},
			{.number = (int64_t)sum->size_bytes},
		};
		error = report_row(report, cells);
	}
	if (!error && leaked->sums.count)
		error = leaked_report_total(report, leaked);
	return error ? error : leaked_report_rest(report, "type", leaked->sums.count, limit);
}

static struct error *leaked_report_object(const struct command_context *context,
					  const struct leaked *leaked, const struct heap_leak *leak)
{
	const struct heap *heap = leaked->heap;
	uint32_t object = leak->object;
	_cleanup_text_ struct text repr = {0};
	struct error *error = interrupt_check();

	if (!error)
		error = graph_repr(context->inspected, object, GRAPH_REPR_ROW_CHARS, &repr);
	if (error)
		return error;
	const struct report_cell cells[] = {
		{.number = (int64_t)heap->at[object]},
		{.text = heap_type_name(heap, object)},
		{.number = heap->refcount[object]},
		{.number = leak->count},
		{.number = (int64_t)heap->size_bytes[object]},
		{.text = text_chars(&repr), .absent = !repr.length},
	};
	return report_row(context->report, cells);
}

static struct error *leaked_report_objects(const struct command_context *context,
					   const struct leaked *leaked, size_t limit)
{
	static const struct report_column columns[] = {
		{.key = "address", .unit = REPORT_ADDRESS}, {.key = "type", .unit = REPORT_TEXT},
		{.key = "refcount", .unit = REPORT_COUNT},  {.key = "excess", .unit = REPORT_COUNT},
		{.key = "size", .unit = REPORT_BYTES},      {.key = "repr", .unit = REPORT_TEXT},
	};
	struct error *error =
		report_table(context->report, "objects", columns, ARRAY_COUNT(columns));

	for (size_t i = 0; i < leaked->count && i < limit && !error; i++)
		error = leaked_report_object(context, leaked, &leaked->list[i]);
	if (!error)
		error = leaked_report_rest(context->report, "object", leaked->count, limit);
	if (!error && leaked->count)
		error = leaked_report_total(context->report, leaked);
	return error;
}

struct error *leaked_report(const struct command_context *context, const char *verb,
			    const char *pattern, bool by_type)
{
	CLEANUP(leaked_deinit) struct leaked leaked = {0};
	size_t limit = arguments_limit(context->arguments);
	const struct inspected_graph *graph;
	struct report_head head;
	struct error *error = inspected_graph(context->inspected, &graph);

	if (!error)
		error = inspected_annotate(context->inspected);
	if (error)
		return error;
	leaked.heap = graph->heap;
	inspected_graph_head(context->inspected, verb, graph, &head);
	error = leaked_find(&leaked, pattern);
	if (!error)
		error = report_begin(context->report, &head);
	if (!error && by_type)
		error = leaked_report_types(context->report, &leaked, limit);
	else if (!error)
		error = leaked_report_objects(context, &leaked, limit);
	return error;
}
