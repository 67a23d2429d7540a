// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/link_rows.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"

#define LINK_ROWS_COLUMNS(of_reader)                                                              \
	{                                                                                         \
		{.key = "address", .unit = REPORT_ADDRESS}, {.key = "type", .unit = REPORT_TEXT}, \
			{.key = "label", .unit = REPORT_TEXT},                                    \
			{.key = "kind", .unit = REPORT_TEXT},                                     \
			{.key = "of", .unit = REPORT_ADDRESS, .reader = (of_reader)},             \
			{.key = "root", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},      \
			{.key = "repr", .unit = REPORT_TEXT},                                     \
	}

// People need not be told whom a row is about when all are about one.
static const struct report_column link_rows_of_one[] = LINK_ROWS_COLUMNS(REPORT_FOR_PROGRAMS);
static const struct report_column link_rows_of_many[] = LINK_ROWS_COLUMNS(REPORT_FOR_ALL);

enum { LINK_ROWS_COLUMN_COUNT = ARRAY_COUNT(link_rows_of_one) };

static struct error *link_rows_report_object(struct link_rows *rows, uint32_t object)
{
	static const struct report_column columns[] = {
		{.key = "address", .unit = REPORT_ADDRESS},
		{.key = "type", .unit = REPORT_TEXT},
	};
	const struct report_cell cells[] = {
		{.number = (int64_t)rows->heap->at[object]},
		{.text = heap_type_name(rows->heap, object)},
	};

	return report_object(rows->report, "object", columns, ARRAY_COUNT(columns), cells);
}

struct error *link_rows_begin(struct link_rows *rows, const struct command_context *context,
			      const char *verb, const struct inspected_graph *graph,
			      const struct object_choice *choice)
{
	struct report_head head;
	bool one = choice->count == 1;

	*rows = (struct link_rows){
		.report = context->report,
		.inspected = context->inspected,
		.heap = graph->heap,
		.limit = arguments_limit(context->arguments),
	};
	inspected_graph_head(context->inspected, verb, graph, &head);
	struct error *error = report_begin(rows->report, &head);
	if (!error && one)
		error = link_rows_report_object(rows, choice->ids[0]);
	if (!error)
		error = report_table(rows->report, "objects",
				     one ? link_rows_of_one : link_rows_of_many,
				     LINK_ROWS_COLUMN_COUNT);
	return error;
}

struct error *link_rows_add(struct link_rows *rows, uint32_t from, uint32_t number, uint32_t shown,
			    uint32_t of)
{
	const struct heap *heap = rows->heap;
	_cleanup_text_ struct text label = {0};
	_cleanup_text_ struct text repr = {0};

	if (rows->count++ >= rows->limit)
		return NULL;
	// There may be millions, and each is read and described.
	struct error *error = interrupt_check();
	if (!error)
		error = heap_label(heap, from, number, &label);
	if (!error)
		error = graph_repr(rows->inspected, shown, GRAPH_REPR_ROW_CHARS, &repr);
	if (error)
		return error;
	const struct report_cell cells[LINK_ROWS_COLUMN_COUNT] = {
		{.number = (int64_t)heap->at[shown]},
		{.text = heap_type_name(heap, shown)},
		{.text = text_chars(&label)},
		{.text = graph_edge_kind_name(heap_edge_kind(heap_edges(heap, from)[number]))},
		{.number = (int64_t)heap->at[of]},
		{.absent = true},
		{.text = text_chars(&repr), .absent = !repr.length},
	};
	return report_row(rows->report, cells);
}

struct error *link_rows_add_root(struct link_rows *rows, const struct heap_root_row *root)
{
	_cleanup_text_ struct text label = {0};

	if (rows->count++ >= rows->limit)
		return NULL;
	struct error *error = graph_root_label(root, &label);
	if (error)
		return error;
	const struct report_cell cells[LINK_ROWS_COLUMN_COUNT] = {
		{.absent = true},
		{.text = ""},
		{.text = text_chars(&label)},
		{.text = "root"},
		{.number = (int64_t)rows->heap->at[root->object]},
		{.text = graph_root_kind_name(root->kind)},
		{.absent = true},
	};
	return report_row(rows->report, cells);
}

struct error *link_rows_end(const struct link_rows *rows, const struct object_choice *choice)
{
	static const struct report_column columns[] = {
		{.key = "count", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct report_cell cells[] = {{.number = (int64_t)rows->count}};
	size_t rest = rows->count > rows->limit ? rows->count - rows->limit : 0;
	struct error *error =
		report_object(rows->report, NULL, columns, ARRAY_COUNT(columns), cells);
	char more[HUMAN_CHARS];

	if (!error && rest)
		error = report_note(rows->report, "(%s more row%s)",
				    human_count((int64_t)rest, more), rest == 1 ? "" : "s");
	return error ? error : object_choice_note(choice, rows->report, "--all takes all");
}
