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

const struct report_column path_rows_column = {
	.unit = REPORT_OBJECTS,
	.reader = REPORT_FOR_PROGRAMS,
	.members = path_rows_step_columns,
	.member_count = PATH_ROWS_STEP_COLUMNS,
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

void path_rows_cells_deinit(struct path_rows_cells *cells)
{
	for (size_t i = 0; i < 2 * cells->count; i++)
		text_deinit(&cells->texts[i]);
	free(cells->texts);
	free(cells->cells);
	*cells = (struct path_rows_cells){0};
}

struct error *path_rows_fill(struct inspected *inspected, const struct heap *heap,
			     const struct path *path, const struct path_words *words,
			     struct path_rows_cells *ret)
{
	ret->cells = calloc(words->count + 1, PATH_ROWS_STEP_COLUMNS * sizeof(*ret->cells));
	ret->texts = calloc(words->count + 1, 2 * sizeof(*ret->texts));
	if (!ret->cells || !ret->texts)
		return error_no_memory();
	ret->count = words->count;
	for (size_t i = 0; i < words->count; i++) {
		const struct path_word *word = &words->list[i];
		struct text *label = &ret->texts[2 * i], *repr = label + 1;
		struct error *error = path_rows_label(heap, path, words, i, label);
		if (!error)
			error = graph_repr(inspected, word->object, GRAPH_REPR_ROW_CHARS, repr);
		if (error)
			return error;
		const struct report_cell cells[PATH_ROWS_STEP_COLUMNS] = {
			{.number = (int64_t)heap->at[word->object]},
			{.text = heap_type_name(heap, word->object)},
			{.text = text_chars(label)},
			{.text = path_rows_start_kind(heap, &path->start), .absent = i != 0},
			{.number = word->alike_count},
			{.number = i == words->marked},
			{.text = text_chars(repr), .absent = !repr->length},
		};
		memcpy(ret->cells + i * PATH_ROWS_STEP_COLUMNS, cells, sizeof(cells));
	}
	return NULL;
}
