// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <string.h>

#include "analyze/cycles.h"
#include "analyze/garbage.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"
#include "ui/answers/type_pattern.h"

enum cycles_option { CYCLES_ALL, CYCLES_STATE, CYCLES_FILTER };

// The words of cycle_state_name(), with what is there unless one is asked for before them.
static const char *const cycles_states[] = {"any",       "uncollectable", "pending",
					    "reachable", "frozen",        NULL};

static const struct command_option cycles_options[] = {
	[CYCLES_ALL] = {.name = "all", .letter = 'a', .summary = "cycles without a finalizer, too"},
	[CYCLES_STATE] = {.name = "state",
			  .word = COMMAND_CHOICE,
			  .argument = "STATE",
			  .choices = cycles_states,
			  .summary = "only cycles in this state"},
	[CYCLES_FILTER] = {.name = "filter",
			   .letter = 'f',
			   .word = COMMAND_TYPE,
			   .argument = "PATTERN",
			   .summary = "only cycles that have PATTERN in their shape or in the name "
				      "of one of their types"},
};

static const struct report_column cycles_finalizer_columns[] = {
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "kind", .unit = REPORT_TEXT},
};

enum { CYCLES_FINALIZER_COLUMNS = ARRAY_COUNT(cycles_finalizer_columns) };

static const struct report_column cycles_holder_columns[] = {
	{.key = "address", .unit = REPORT_ADDRESS},
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "label", .unit = REPORT_TEXT},
	{.key = "held", .unit = REPORT_ADDRESS},
};

static const struct report_column cycles_columns[] = {
	{.key = "state", .unit = REPORT_TEXT},
	{.key = "count", .unit = REPORT_COUNT},
	{.key = "objects", .unit = REPORT_COUNT},
	{.key = "size", .unit = REPORT_BYTES},
	{.key = "shape", .unit = REPORT_TEXT},
	{.key = "finalizers",
	 .unit = REPORT_OBJECTS,
	 .members = cycles_finalizer_columns,
	 .member_count = CYCLES_FINALIZER_COLUMNS},
	{.key = "types", .unit = REPORT_TEXTS, .reader = REPORT_FOR_PROGRAMS},
	{.key = "example", .unit = REPORT_ADDRESSES, .reader = REPORT_FOR_PROGRAMS},
	{.key = "holder",
	 .unit = REPORT_OBJECT,
	 .reader = REPORT_FOR_PROGRAMS,
	 .members = cycles_holder_columns,
	 .member_count = ARRAY_COUNT(cycles_holder_columns)},
};

static const struct report_column cycles_sum_columns[] = {
	{.key = "state", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
	{.key = "count", .unit = REPORT_COUNT},
	{.key = "objects", .unit = REPORT_COUNT},
	{.key = "size", .unit = REPORT_BYTES},
	{.key = "rows", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
};

enum {
	CYCLES_COLUMN_COUNT = ARRAY_COUNT(cycles_columns),
	CYCLES_SUM_COLUMNS = ARRAY_COUNT(cycles_sum_columns),
	CYCLES_STATE_COUNT = CYCLE_FROZEN + 1,
	/** Holders told in sentences; JSON has them all. */
	CYCLES_HOLDER_NOTES = 5,
};

/** The rows that are shown, and their sum. */
struct cycles_shown {
	const struct heap *heap;
	const struct cycle_row **rows;
	size_t count;
	size_t limit;
	bool states[CYCLES_STATE_COUNT];
};

static void cycles_shown_deinit(struct cycles_shown *shown)
{
	free(shown->rows);
}

static bool cycles_matches(const struct heap *heap, const struct cycle_row *row,
			   const struct arguments *arguments)
{
	const char *pattern = arguments->options[CYCLES_FILTER].text;
	uint64_t state = arguments->options[CYCLES_STATE].number;

	if (state && strcmp(cycles_states[state], cycle_state_name(row->state)) != 0)
		return false;
	if (type_pattern_matches(pattern, row->shape))
		return true;
	for (size_t i = 0; i < row->type_count; i++)
		if (type_pattern_matches(pattern, heap->types[row->types[i]].name))
			return true;
	return false;
}

static struct error *cycles_select(const struct heap *heap, const struct cycles *cycles,
				   const struct arguments *arguments, struct cycles_shown *ret)
{
	*ret = (struct cycles_shown){.heap = heap, .limit = arguments_limit(arguments)};
	ret->rows = calloc(cycles->count + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return error_no_memory();
	for (size_t i = 0; i < cycles->count; i++) {
		if (!cycles_matches(heap, &cycles->rows[i], arguments))
			continue;
		ret->rows[ret->count++] = &cycles->rows[i];
		ret->states[cycles->rows[i].state] = true;
	}
	return NULL;
}

// What the reference is called by which the holder holds.
static struct error *cycles_holder_label(const struct heap *heap, const struct cycle_row *row,
					 struct text *into)
{
	return heap_label(heap, row->holder, heap_find_holding(heap, row->holder, row->held), into);
}

static bool cycles_is_held(const struct cycle_row *row)
{
	return row->state == CYCLE_REACHABLE && row->holder != HEAP_NO_OBJECT;
}

/** What the cells of a row point into. */
struct cycles_row_data {
	const char **types;
	struct report_cell *finalizers;
	int64_t example[CYCLE_EXAMPLE_MAX];
	struct text holder_label;
};

static void cycles_row_data_deinit(struct cycles_row_data *data)
{
	free(data->types);
	free(data->finalizers);
	text_deinit(&data->holder_label);
}

static struct error *cycles_row_data_fill(const struct heap *heap, const struct cycle_row *row,
					  struct cycles_row_data *data)
{
	data->types = calloc(row->type_count + 1, sizeof(*data->types));
	data->finalizers = calloc(row->finalizer_count + 1,
				  CYCLES_FINALIZER_COLUMNS * sizeof(*data->finalizers));
	if (!data->types || !data->finalizers)
		return error_no_memory();
	for (size_t i = 0; i < row->type_count; i++)
		data->types[i] = heap->types[row->types[i]].name;
	for (size_t i = 0; i < row->finalizer_count; i++) {
		const struct heap_type_row *type = &heap->types[row->finalizers[i]];
		struct report_cell *cells = data->finalizers + i * CYCLES_FINALIZER_COLUMNS;
		// A type of C without a finalizer may have objects that are one by their own state.
		const char *kind = graph_finalizer_name(type->finalizer ? type->finalizer
									: HEAP_FINALIZER_LEGACY);

		cells[0] = (struct report_cell){.text = type->name};
		cells[1] = (struct report_cell){.text = kind};
	}
	for (size_t i = 0; i < row->example_count; i++)
		data->example[i] = (int64_t)heap->at[row->example[i]];
	return cycles_is_held(row) ? cycles_holder_label(heap, row, &data->holder_label) : NULL;
}

static struct error *cycles_report_row(struct report *report, const struct heap *heap,
				       const struct cycle_row *row)
{
	CLEANUP(cycles_row_data_deinit) struct cycles_row_data data = {0};
	struct error *error = cycles_row_data_fill(heap, row, &data);
	bool held = cycles_is_held(row);

	if (error)
		return error;
	const struct report_cell holder[] = {
		{.number = held ? (int64_t)heap->at[row->holder] : 0},
		{.text = held ? heap_type_name(heap, row->holder) : NULL},
		{.text = text_chars(&data.holder_label)},
		{.number = held ? (int64_t)heap->at[row->held] : 0},
	};
	const struct report_cell cells[CYCLES_COLUMN_COUNT] = {
		{.text = cycle_state_name(row->state)},
		{.number = (int64_t)row->count},
		{.number = (int64_t)row->object_count},
		{.number = (int64_t)row->size_bytes},
		{.text = row->shape},
		{.members = data.finalizers, .count = row->finalizer_count},
		{.texts = data.types, .count = row->type_count},
		{.numbers = data.example, .count = row->example_count},
		{.members = holder, .absent = !held},
	};
	return report_row(report, cells);
}

// The sum of the rows from @first on.
static struct error *cycles_report_sum(struct report *report, const struct cycles_shown *shown,
				       size_t first, const char *key, const char *name)
{
	uint64_t count = 0, objects = 0, size = 0;

	for (size_t i = first; i < shown->count; i++) {
		count += shown->rows[i]->count;
		objects += shown->rows[i]->object_count;
		size += shown->rows[i]->size_bytes;
	}
	const struct report_cell cells[CYCLES_SUM_COLUMNS] = {
		{.text = name},
		{.number = (int64_t)count},
		{.number = (int64_t)objects},
		{.number = (int64_t)size},
		{.number = (int64_t)(shown->count - first)},
	};
	return report_object(report, key, cycles_sum_columns, CYCLES_SUM_COLUMNS, cells);
}

static struct error *cycles_report_table(struct report *report, const struct cycles_shown *shown)
{
	struct error *error = report_table(report, "cycles", cycles_columns, CYCLES_COLUMN_COUNT);
	char rest[64];

	for (size_t i = 0; i < shown->count && i < shown->limit && !error; i++)
		error = cycles_report_row(report, shown->heap, shown->rows[i]);
	if (!error && shown->count > shown->limit) {
		snprintf(rest, sizeof(rest), "(%zu more)", shown->count - shown->limit);
		error = cycles_report_sum(report, shown, shown->limit, "rest", rest);
	}
	if (!error && shown->count)
		error = cycles_report_sum(report, shown, 0, "total", "total");
	return error;
}

// The root that holds one of the objects of the example, or NULL.
static const struct heap_root_row *cycles_root(const struct heap *heap, const struct cycle_row *row)
{
	for (size_t i = 0; i < heap->root_count; i++)
		for (size_t j = 0; j < row->example_count; j++)
			if (heap->roots[i].object == row->example[j])
				return &heap->roots[i];
	return NULL;
}

static struct error *cycles_note_holder(struct report *report, const struct heap *heap,
					const struct cycle_row *row)
{
	_cleanup_text_ struct text label = {0};
	const struct heap_root_row *root;
	struct error *error = NULL;

	if (cycles_is_held(row)) {
		error = text_appendf(&label, "%s", heap_type_name(heap, row->holder));
		if (!error)
			error = cycles_holder_label(heap, row, &label);
		if (!error)
			error = text_appendf(&label, ", the object at 0x%llx",
					     (unsigned long long)heap->at[row->holder]);
	} else if ((root = cycles_root(heap, row))) {
		error = graph_root_label(root, &label);
	} else {
		error = text_appendf(&label, "C code alone, as far as can be seen");
	}
	return error ? error
		     : report_note(report, "%s: one of them is held by %s", row->shape,
				   text_chars(&label));
}

static struct error *cycles_report_notes(struct report *report, const struct cycles_shown *shown,
					 const struct cycles *cycles)
{
	size_t told = 0;
	struct error *error = NULL;
	char left_out[HUMAN_CHARS];

	for (size_t i = 0; i < shown->count && i < shown->limit && !error; i++)
		if (shown->rows[i]->state == CYCLE_REACHABLE && told++ < CYCLES_HOLDER_NOTES)
			error = cycles_note_holder(report, shown->heap, shown->rows[i]);
	if (!error && shown->states[CYCLE_PENDING])
		error = report_note(report,
				    "pending: the next collection of all generations frees them%s",
				    shown->heap->collector.enabled
					    ? ""
					    : ", but the collector is disabled: none comes by "
					      "itself");
	if (!error && shown->states[CYCLE_UNCOLLECTABLE])
		error = report_note(report, "uncollectable: no collection ever frees them");
	if (!error && shown->states[CYCLE_FROZEN])
		error = report_note(report, "frozen: gc.freeze() keeps them out of collections");
	if (!error && cycles->without_finalizer_count)
		error = report_note(
			report, "%s cycle%s without a finalizer left out: --all shows them, too",
			human_count((int64_t)cycles->without_finalizer_count, left_out),
			cycles->without_finalizer_count == 1 ? "" : "s");
	return error;
}

static struct error *cycles_report(struct report *report, const struct cycles_shown *shown,
				   const struct cycles *cycles)
{
	static const struct report_column columns[] = {
		{.key = "without_finalizer", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct report_cell cells[] = {{.number = (int64_t)cycles->without_finalizer_count}};
	struct error *error = cycles_report_table(report, shown);

	if (!error)
		error = report_object(report, NULL, columns, ARRAY_COUNT(columns), cells);
	return error ? error : cycles_report_notes(report, shown, cycles);
}

static struct error *cycles_run(struct command_context *context)
{
	CLEANUP(garbage_deinit) struct garbage garbage = {0};
	_cleanup_cycles_ struct cycles cycles = {0};
	CLEANUP(cycles_shown_deinit) struct cycles_shown shown = {0};
	bool all = context->arguments->options[CYCLES_ALL].count;
	const struct inspected_graph *graph;
	struct report_head head;
	struct error *error = inspected_graph(context->inspected, &graph);

	if (!error)
		error = garbage_find(graph->heap, &garbage);
	if (!error)
		error = cycles_find(graph->heap, &garbage, all, &cycles);
	if (!error)
		error = cycles_select(graph->heap, &cycles, context->arguments, &shown);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "cycles", graph, &head);
	error = report_begin(context->report, &head);
	return error ? error : cycles_report(context->report, &shown, &cycles);
}

static const struct command_example cycles_examples[] = {
	{"cycles 4711", "cycles with a finalizer"},
	{"cycles 4711 --all -n 10", "of all cycles, the ten shapes there are most of"},
	{"cycles 4711 --state uncollectable --json", "those that stay, for a program"},
};

const struct command command_cycles = {
	.name = "cycles",
	.summary = "reference cycles by shape, and what becomes of them",
	.words = "",
	.description =
		"A row for each shape of reference cycle and state: how many there are, their "
		"objects and size,\n"
		"the shape (types and attributes), and which of the types have a finalizer "
		"(del: __del__,\n"
		"builtin: one in C, legacy: one that keeps a cycle from being freed). Cycles "
		"without a finalizer\n"
		"are left out unless --all is given.\n"
		"\n"
		"uncollectable: nothing reaches them, and no collection frees them; pending: the "
		"next one does;\n"
		"reachable: something holds them, a note tells what; frozen: set aside by "
		"gc.freeze().",
	.options = cycles_options,
	.option_count = ARRAY_COUNT(cycles_options),
	.examples = cycles_examples,
	.example_count = ARRAY_COUNT(cycles_examples),
	// clang-format off
	.example_output =
		"...\n"
		"STATE          COUNT  OBJECTS      SIZE  SHAPE                         FINALIZERS\n"
		"uncollectable    500    1,000  54.7 KiB  Parent.child -> Child.parent  leak_demo.Child legacy, ...\n"
		"total            500    1,000  54.7 KiB\n"
		"\n"
		"uncollectable: no collection ever frees them\n"
		"82 cycles without a finalizer left out: --all shows them, too\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = cycles_run,
};
