// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/path_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "ui/answers/graph_text.h"

static const struct report_column path_rows_step_columns[] = {
	{.key = "address", .unit = REPORT_ADDRESS},
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "label", .unit = REPORT_TEXT},
	// What holds the first one; null in all others.
	{.key = "root", .unit = REPORT_TEXT},
	{.key = "alike", .unit = REPORT_COUNT},
	{.key = "marked", .unit = REPORT_BOOL},
	{.key = "repr", .unit = REPORT_TEXT},
};

enum { PATH_ROWS_STEP_COLUMNS = ARRAY_COUNT(path_rows_step_columns) };

// Its rows are arrays of steps.
static const struct report_column path_rows_columns[] = {
	{.unit = REPORT_OBJECTS,
	 .reader = REPORT_FOR_PROGRAMS,
	 .members = path_rows_step_columns,
	 .member_count = PATH_ROWS_STEP_COLUMNS},
};

static const struct report_column path_rows_people[] = {
	{.key = "", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
	{.key = "held by", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
	{.key = "type", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
	{.key = "of a kind", .unit = REPORT_COUNT, .reader = REPORT_FOR_PEOPLE},
	{.key = "repr", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
};

struct error *path_rows_start(const struct heap *heap, const struct path_start *start,
			      struct text *into)
{
	if (start->root == PATH_LEAK)
		return text_appendf(into, "C code, which leaked a reference to it");
	return graph_root_label(&heap->roots[start->root], into);
}

const char *path_rows_start_kind(const struct heap *heap, const struct path_start *start)
{
	return start->root == PATH_LEAK ? "leaked"
					: graph_root_kind_name(heap->roots[start->root].kind);
}

// The label of word @a number as it is shown: of the first, what holds it.
static struct error *path_rows_label(const struct heap *heap, const struct path *path,
				     const struct path_words *words, size_t number,
				     struct text *into)
{
	if (number == 0)
		return path_rows_start(heap, &path->start, into);
	return text_appendf(into, "%s", words->list[number].label);
}

static struct error *path_rows_gap(struct report *report, size_t skipped)
{
	_cleanup_text_ struct text text = {0};
	char human[HUMAN_CHARS];
	struct error *error =
		text_appendf(&text, "... %s more ...", human_count((int64_t)skipped, human));
	const struct report_cell cells[] = {{.text = ""},
					    {.text = text_chars(&text)},
					    {.text = ""},
					    {.absent = true},
					    {.text = ""}};

	return error ? error : report_row(report, cells);
}

struct error *path_rows_for_people(struct report *report, struct inspected *inspected,
				   const struct heap *heap, const struct path *path,
				   const struct path_words *words)
{
	struct error *error =
		report_table(report, "path", path_rows_people, ARRAY_COUNT(path_rows_people));

	for (size_t i = 0; i < words->count && !error; i++) {
		const struct path_word *word = &words->list[i];
		_cleanup_text_ struct text label = {0}, repr = {0};
		if (words->skipped && i == words->skipped_at)
			error = path_rows_gap(report, words->skipped);
		if (!error)
			error = path_rows_label(heap, path, words, i, &label);
		if (!error)
			error = graph_repr(inspected, word->object, GRAPH_REPR_ROW_CHARS, &repr);
		if (error)
			return error;
		const struct report_cell cells[] = {
			{.text = i == words->marked ? ">" : ""},
			{.text = text_chars(&label)},
			{.text = heap_type_name(heap, word->object)},
			{.number = word->alike_count, .absent = word->alike_count < PATH_MANY},
			{.text = text_chars(&repr), .absent = !repr.length},
		};
		error = report_row(report, cells);
	}
	return error;
}

struct error *path_rows_begin(struct report *report, const char *key)
{
	return report_table(report, key, path_rows_columns, ARRAY_COUNT(path_rows_columns));
}

/** What the cells of a path point into. */
struct path_rows_data {
	struct report_cell *cells;
	struct text labels[PATH_STEPS_MAX];
	struct text reprs[PATH_STEPS_MAX];
};

static void path_rows_data_deinit(struct path_rows_data *data)
{
	for (size_t i = 0; i < PATH_STEPS_MAX; i++) {
		text_deinit(&data->labels[i]);
		text_deinit(&data->reprs[i]);
	}
	free(data->cells);
}

static struct error *path_rows_fill(struct path_rows_data *data, struct inspected *inspected,
				    const struct heap *heap, const struct path *path,
				    const struct path_words *words)
{
	data->cells = calloc(words->count + 1, PATH_ROWS_STEP_COLUMNS * sizeof(*data->cells));
	if (!data->cells)
		return error_no_memory();
	for (size_t i = 0; i < words->count; i++) {
		const struct path_word *word = &words->list[i];
		struct error *error = path_rows_label(heap, path, words, i, &data->labels[i]);
		if (!error)
			error = graph_repr(inspected, word->object, GRAPH_REPR_ROW_CHARS,
					   &data->reprs[i]);
		if (error)
			return error;
		const struct report_cell cells[PATH_ROWS_STEP_COLUMNS] = {
			{.number = (int64_t)heap->at[word->object]},
			{.text = heap_type_name(heap, word->object)},
			{.text = text_chars(&data->labels[i])},
			{.text = path_rows_start_kind(heap, &path->start), .absent = i != 0},
			{.number = word->alike_count},
			{.number = i == words->marked},
			{.text = text_chars(&data->reprs[i]), .absent = !data->reprs[i].length},
		};
		memcpy(data->cells + i * PATH_ROWS_STEP_COLUMNS, cells, sizeof(cells));
	}
	return NULL;
}

struct error *path_rows_for_programs(struct report *report, struct inspected *inspected,
				     const struct heap *heap, const struct path *path,
				     const struct path_words *words)
{
	CLEANUP(path_rows_data_deinit) struct path_rows_data data = {0};
	struct error *error = path_rows_fill(&data, inspected, heap, path, words);
	const struct report_cell cell = {.members = data.cells, .count = words->count};

	return error ? error : report_row(report, &cell);
}
