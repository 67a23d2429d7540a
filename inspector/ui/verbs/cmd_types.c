// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/type_pattern.h"

enum types_option { TYPES_SORT, TYPES_FILTER };

enum types_sort {
	TYPES_BY_COUNT,
	TYPES_BY_TRACKED,
	TYPES_BY_SIZE,
	TYPES_BY_REFS,
	TYPES_BY_NAME,
};

static const char *const types_sorts[] = {
	[TYPES_BY_COUNT] = "count", [TYPES_BY_TRACKED] = "tracked", [TYPES_BY_SIZE] = "size",
	[TYPES_BY_REFS] = "refs",   [TYPES_BY_NAME] = "name",       NULL,
};

static const struct command_option types_options[] = {
	[TYPES_SORT] = {.name = "sort",
			.letter = 's',
			.word = COMMAND_CHOICE,
			.argument = "KEY",
			.choices = types_sorts,
			.summary = "what the rows are sorted by"},
	[TYPES_FILTER] = {.name = "filter",
			  .letter = 'f',
			  .word = COMMAND_TYPE,
			  .argument = "PATTERN",
			  .summary = "only types whose name has PATTERN in it; with *, ? or [ the "
				     "whole name must match"},
};

// The columns of a row; without the name, which is the last, those of the total.
static const struct report_column types_columns[] = {
	{.key = "name", .title = "type", .unit = REPORT_TEXT},
	{.key = "count", .unit = REPORT_COUNT},
	{.key = "tracked", .unit = REPORT_COUNT},
	{.key = "size", .unit = REPORT_BYTES},
	{.key = "refs", .unit = REPORT_COUNT},
	// Tracked less frozen is what gc.get_objects() returns.
	{.key = "frozen", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
};

static const struct report_column types_rest_columns[] = {
	{.key = "name", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
	{.key = "count", .unit = REPORT_COUNT},
	{.key = "tracked", .unit = REPORT_COUNT},
	{.key = "size", .unit = REPORT_BYTES},
	{.key = "refs", .unit = REPORT_COUNT},
	{.key = "frozen", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	{.key = "types", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
};

enum { TYPES_COLUMNS = ARRAY_COUNT(types_columns), TYPES_REST_COLUMNS = TYPES_COLUMNS + 1 };

static uint64_t types_key(const struct census_row *row, enum types_sort sort)
{
	switch (sort) {
	case TYPES_BY_COUNT:
		return row->count;
	case TYPES_BY_TRACKED:
		return row->tracked;
	case TYPES_BY_SIZE:
		return row->size_bytes;
	case TYPES_BY_REFS:
		return row->refs;
	case TYPES_BY_NAME:
		break;
	}
	return 0;
}

static int types_compare(const void *a, const void *b, void *sort)
{
	const struct census_row *left = *(const struct census_row *const *)a;
	const struct census_row *right = *(const struct census_row *const *)b;
	uint64_t left_key = types_key(left, *(const enum types_sort *)sort);
	uint64_t right_key = types_key(right, *(const enum types_sort *)sort);

	if (left_key != right_key)
		return left_key < right_key ? 1 : -1;
	return strcmp(left->name, right->name);
}

static void types_add(struct census_row *sum, const struct census_row *row)
{
	sum->count += row->count;
	sum->tracked += row->tracked;
	sum->frozen += row->frozen;
	sum->size_bytes += row->size_bytes;
	sum->refs += row->refs;
}

static void types_cells(const struct census_row *row, struct report_cell *cells)
{
	cells[0] = (struct report_cell){.text = row->name};
	cells[1] = (struct report_cell){.number = (int64_t)row->count};
	cells[2] = (struct report_cell){.number = (int64_t)row->tracked};
	cells[3] = (struct report_cell){.number = (int64_t)row->size_bytes};
	cells[4] = (struct report_cell){.number = (int64_t)row->refs};
	cells[5] = (struct report_cell){.number = (int64_t)row->frozen};
}

// The rows that match, sorted. The census keeps its own order: most objects first.
static struct error *types_select(const struct census *census, const struct arguments *arguments,
				  const struct census_row ***ret, size_t *ret_count)
{
	const struct census_row **rows = calloc(census->row_count + 1, sizeof(const void *));
	enum types_sort sort = (enum types_sort)arguments->options[TYPES_SORT].number;
	size_t count = 0;

	if (!rows)
		return error_no_memory();
	for (size_t i = 0; i < census->row_count; i++)
		if (type_pattern_matches(arguments->options[TYPES_FILTER].text,
					 census->rows[i].name))
			rows[count++] = &census->rows[i];
	qsort_r(rows, count, sizeof(const void *), types_compare, &sort);
	*ret = rows;
	*ret_count = count;
	return NULL;
}

// What -n left out, in one row.
static struct error *types_report_rest(struct report *report, const struct census_row *const *rows,
				       size_t count)
{
	struct census_row rest = {0};
	struct report_cell cells[TYPES_REST_COLUMNS];
	char name[64];

	if (count == 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		types_add(&rest, rows[i]);
	snprintf(name, sizeof(name), "(%zu more type%s)", count, count == 1 ? "" : "s");
	rest.name = name;
	types_cells(&rest, cells);
	cells[TYPES_COLUMNS] = (struct report_cell){.number = (int64_t)count};
	return report_object(report, "rest", types_rest_columns, TYPES_REST_COLUMNS, cells);
}

static struct error *types_report(struct report *report, const struct census_row *const *rows,
				  size_t count, size_t limit)
{
	struct census_row total = {.name = "total"};
	struct report_cell cells[TYPES_COLUMNS];
	struct error *error = report_table(report, "types", types_columns, TYPES_COLUMNS);

	for (size_t i = 0; i < count && !error; i++) {
		types_add(&total, rows[i]);
		if (i >= limit)
			continue;
		types_cells(rows[i], cells);
		error = report_row(report, cells);
	}
	if (!error && count > limit)
		error = types_report_rest(report, rows + limit, count - limit);
	if (error)
		return error;
	types_cells(&total, cells);
	return report_object(report, "total", types_columns + 1, TYPES_COLUMNS - 1, cells + 1);
}

/*
 * A debug build keeps a sum of its own (sys.gettotalrefcount()). It differs from that of the census,
 * which has the heap alone, by the references to objects in the program's data.
 */
static struct error *types_report_ref_total(struct report *report, const struct session_look *look,
					    const struct census *census)
{
	static const struct report_column columns[] = {
		{.key = "ref_total", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "ref_total_static", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "ref_total_hidden", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct report_cell cells[] = {
		{.number = look->ref_total},
		{.number = look->ref_total_static},
		{.number = look->ref_total_hidden},
	};
	char total[HUMAN_CHARS], heap[HUMAN_CHARS], elsewhere[HUMAN_CHARS], hidden[HUMAN_CHARS],
		rest[HUMAN_CHARS];
	int64_t heap_refs = (int64_t)census->total.refs;

	if (look->ref_total < 0)
		return NULL;
	struct error *error = report_object(report, NULL, columns, ARRAY_COUNT(columns), cells);
	if (error)
		return error;
	return report_note(
		report,
		"the interpreter's own total of references (_Py_RefTotal) is %s: %s to "
		"objects on the heap, %s to objects that are part of the program (None, "
		"static types, small numbers), %s of the table of interned strings, which "
		"their counts leave out, and %s not accounted for",
		human_count(look->ref_total, total), human_count(heap_refs, heap),
		human_count(look->ref_total_static, elsewhere),
		human_count(look->ref_total_hidden, hidden),
		human_count(look->ref_total - heap_refs - look->ref_total_static -
				    look->ref_total_hidden,
			    rest));
}

static struct error *types_run(struct command_context *context)
{
	_cleanup_census_ struct census census = {0};
	_cleanup_free_ const struct census_row **rows = NULL;
	struct session_look look = {0};
	struct report_head head;
	size_t count = 0;
	struct error *error = inspected_census(context->inspected, &look, &census);

	if (error)
		return error;
	inspected_head(context->inspected, "types", &look, &census, &head);
	error = types_select(&census, context->arguments, &rows, &count);
	if (!error)
		error = report_begin(context->report, &head);
	if (!error)
		error = types_report(context->report, rows, count,
				     arguments_limit(context->arguments));
	if (!error)
		error = types_report_ref_total(context->report, &look, &census);
	return error;
}

static const struct command_example types_examples[] = {
	{"types 4711 -n 3", "the three types there are most objects of"},
	{"types 4711 --sort size -n 20", "the twenty types that take most memory"},
	{"types 4711 --filter 'shop.*' --json", "the types of one package, for a program"},
};

const struct command command_types = {
	.name = "types",
	.summary = "how many objects of each type there are",
	.words = "",
	.description =
		"Stops the process, counts all its objects by type, lets it go on, and prints a "
		"row "
		"per type:\n"
		"how many objects there are, how many of them the garbage collector tracks, their "
		"size as\n"
		"sys.getsizeof() tells it, and the sum of their reference counts (immortal objects "
		"add none).\n"
		"The total is that of the types shown and summed up. The last line tells what "
		"could "
		"not be read.",
	.options = types_options,
	.option_count = ARRAY_COUNT(types_options),
	.examples = types_examples,
	.example_count = ARRAY_COUNT(types_examples),
	// clang-format off
	.example_output =
		"process 4711: cpython 3.11.2, release build\n"
		"\n"
		"TYPE               COUNT  TRACKED       SIZE     REFS\n"
		"str               20,545        0    1.6 MiB   56,489\n"
		"tuple              8,502      990  572.8 KiB   11,746\n"
		"bytes              4,437        0  410.9 KiB    4,598\n"
		"(125 more types)  17,212   12,270    8.2 MiB   32,490\n"
		"total             50,696   13,260   10.7 MiB  105,323\n"
		"\n"
		"the process stood still for 12.6 ms\n"
		"everything was read\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = types_run,
};
