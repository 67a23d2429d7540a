// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/text_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/duration.h"
#include "ui/report/safe_text.h"

enum {
	/** Between two columns. */
	TEXT_TABLE_GAP = 2,
	/** A text wider than this pushes its own row and not the whole table. */
	TEXT_TABLE_WIDTH_MAX = 56,
};

/** Shorter ones stand below each other with a digit behind the point. */
static const uint64_t text_table_long_ns = 59950000000;

static bool text_table_is_right(enum report_unit unit)
{
	return unit == REPORT_COUNT || unit == REPORT_BYTES || unit == REPORT_NUMBER ||
	       unit == REPORT_DURATION || unit == REPORT_REAL || unit == REPORT_FIGURE;
}

static bool text_table_is_list(enum report_unit unit)
{
	return unit == REPORT_NUMBERS || unit == REPORT_TEXTS || unit == REPORT_ADDRESSES ||
	       unit == REPORT_OBJECTS;
}

// Words as a shell would want them, so that an argument with a space stays one.
static struct error *text_table_words(struct text *into, const char *const *texts, size_t count)
{
	struct error *error = NULL;

	for (size_t i = 0; i < count && !error; i++) {
		const char *quote = !*texts[i] || strpbrk(texts[i], " \t\n\"") ? "'" : "";
		if (strchr(texts[i], '\''))
			quote = "\"";
		error = text_appendf(into, "%s%s%s%s", i ? " " : "", quote, texts[i], quote);
	}
	return error;
}

static struct error *text_table_numbers(struct text *into, const int64_t *numbers, size_t count)
{
	struct error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = text_appendf(into, "%s%" PRId64, i ? ", " : "", numbers[i]);
	return error;
}

static struct error *text_table_addresses(struct text *into, const int64_t *numbers, size_t count)
{
	struct error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = text_appendf(into, "%s0x%" PRIx64, i ? " " : "", (uint64_t)numbers[i]);
	return error;
}

static struct error *text_table_raw(struct text *into, const struct report_column *column,
				    const struct report_cell *cell);

// The values of one object; what is not known is left out.
static struct error *text_table_nested(struct text *into, const struct report_column *column,
				       const struct report_cell *cells)
{
	const char *gap = "";
	struct error *error = NULL;

	for (size_t i = 0; i < column->member_count && !error; i++) {
		if (column->members[i].reader == REPORT_FOR_PROGRAMS || cells[i].absent)
			continue;
		error = text_appendf(into, "%s", gap);
		if (!error)
			error = text_table_raw(into, &column->members[i], &cells[i]);
		gap = " ";
	}
	return error;
}

static struct error *text_table_objects(struct text *into, const struct report_column *column,
					const struct report_cell *cell)
{
	struct error *error = NULL;

	for (size_t i = 0; i < cell->count && !error; i++) {
		error = text_appendf(into, "%s", i ? ", " : "");
		if (!error)
			error = text_table_nested(into, column,
						  cell->members + i * column->member_count);
	}
	return error;
}

static struct error *text_table_figure(struct text *into, enum report_unit unit,
				       const struct report_cell *cell)
{
	char human[HUMAN_CHARS], duration[DURATION_CHARS];
	uint64_t ns = cell->number < 0 ? -(uint64_t)cell->number : (uint64_t)cell->number;
	const char *sign = cell->is_change && cell->number > 0 ? "+" : "";

	if (unit == REPORT_DURATION)
		return text_appendf(into, "%s%s", cell->number < 0 ? "-" : sign,
				    ns < text_table_long_ns ? human_duration_ns(ns, human)
							    : duration_format(ns, duration));
	return text_appendf(into, "%s%s", sign,
			    unit == REPORT_BYTES ? human_bytes(cell->number, human)
						 : human_count(cell->number, human));
}

static struct error *text_table_raw(struct text *into, const struct report_column *column,
				    const struct report_cell *cell)
{

	if (cell->absent || (text_table_is_list(column->unit) && !cell->count))
		return text_appendf(into, "-");
	switch (column->unit) {
	case REPORT_TEXT:
		return text_appendf(into, "%s", cell->text ? cell->text : "-");
	case REPORT_COUNT:
	case REPORT_BYTES:
	case REPORT_DURATION:
		return text_table_figure(into, column->unit, cell);
	case REPORT_FIGURE:
		return text_table_figure(into, cell->unit, cell);
	case REPORT_NUMBER:
		return text_appendf(into, "%" PRId64, cell->number);
	case REPORT_REAL:
		return text_appendf(into, "%.3f", cell->real);
	case REPORT_BOOL:
		return text_appendf(into, "%s", cell->number ? "yes" : "no");
	case REPORT_ADDRESS:
		return text_appendf(into, "0x%" PRIx64, (uint64_t)cell->number);
	case REPORT_NUMBERS:
		return text_table_numbers(into, cell->numbers, cell->count);
	case REPORT_TEXTS:
		return text_table_words(into, cell->texts, cell->count);
	case REPORT_ADDRESSES:
		return text_table_addresses(into, cell->numbers, cell->count);
	case REPORT_OBJECT:
		return text_table_nested(into, column, cell->members);
	case REPORT_OBJECTS:
		return text_table_objects(into, column, cell);
	}
	return NULL;
}

struct error *text_table_format(const struct report_column *column, const struct report_cell *cell,
				struct text *into, size_t *width)
{
	_cleanup_text_ struct text raw = {0};
	struct error *error = text_table_raw(&raw, column, cell);

	return error ? error : safe_text_terminal(into, text_chars(&raw), width);
}

static struct error *text_table_add_cell(struct text_table *table,
					 const struct report_column *column,
					 const struct report_cell *cell)
{
	_cleanup_text_ struct text chars = {0};
	size_t width = 0;
	struct error *error = array_reserve(&table->cells, &table->cell_capacity,
					    table->cell_count + 1, sizeof(*table->cells));

	// Empty is a string too.
	if (!error)
		error = text_append(&chars, "", 0);
	if (!error)
		error = text_table_format(column, cell, &chars, &width);
	if (error)
		return error;
	table->cells[table->cell_count++] =
		(struct text_table_cell){.chars = take_ptr(chars.chars), .width = width};
	return NULL;
}

static struct error *text_table_add_text(struct text_table *table, const char *chars)
{
	static const struct report_column column = {.unit = REPORT_TEXT};

	return text_table_add_cell(table, &column, &(struct report_cell){.text = chars});
}

struct error *text_table_init(struct text_table *table, const struct report_column *columns,
			      size_t count)
{
	struct error *error = NULL;

	*table = (struct text_table){.columns = calloc(count, sizeof(*columns)),
				     .column_count = count};
	if (!table->columns)
		return error_no_memory();
	memcpy(table->columns, columns, count * sizeof(*columns));
	for (size_t i = 0; i < count && !error; i++) {
		const char *title = columns[i].title ? columns[i].title : columns[i].key;

		error = text_table_add_text(table, title);
		if (error)
			break;
		for (char *c = table->cells[i].chars; *c; c++)
			*c = (char)toupper((unsigned char)*c);
	}
	return error;
}

void text_table_deinit(struct text_table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].chars);
	free(table->columns);
	free(table->cells);
	free(table->widths);
	*table = (struct text_table){0};
}

struct error *text_table_add(struct text_table *table, const struct report_cell *cells)
{
	struct error *error = NULL;

	for (size_t i = 0; i < table->column_count && !error; i++)
		error = text_table_add_cell(table, &table->columns[i], &cells[i]);
	return error;
}

static const struct report_column *text_table_column(const struct report_column *columns,
						     size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i].reader != REPORT_FOR_PROGRAMS && !strcmp(columns[i].key, key))
			return &columns[i];
	return NULL;
}

bool text_table_fits(const struct text_table *table, const struct report_column *columns,
		     size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i].reader != REPORT_FOR_PROGRAMS &&
		    !text_table_column(table->columns, table->column_count, columns[i].key))
			return false;
	return table->column_count > 0;
}

struct error *text_table_add_total(struct text_table *table, const char *name,
				   const struct report_column *columns, size_t count,
				   const struct report_cell *cells)
{
	struct error *error = NULL;

	for (size_t i = 0; i < table->column_count && !error; i++) {
		const struct report_column *column =
			text_table_column(columns, count, table->columns[i].key);
		if (column)
			error = text_table_add_cell(table, column, &cells[column - columns]);
		else
			error = text_table_add_text(table, i ? "" : name);
	}
	return error;
}

bool text_table_is_empty(const struct text_table *table)
{
	return table->cell_count <= table->column_count;
}

static size_t *text_table_widths(const struct text_table *table)
{
	size_t *widths = calloc(table->column_count, sizeof(*widths));

	for (size_t i = 0; widths && i < table->cell_count; i++) {
		size_t column = i % table->column_count;
		size_t width = table->cells[i].width;

		if (!text_table_is_right(table->columns[column].unit) &&
		    width > TEXT_TABLE_WIDTH_MAX)
			width = TEXT_TABLE_WIDTH_MAX;
		if (widths[column] < width)
			widths[column] = width;
	}
	return widths;
}

static struct error *text_table_pad(struct text *into, size_t columns)
{
	return columns ? text_appendf(into, "%*s", (int)columns, "") : NULL;
}

static struct error *text_table_write_row(const struct text_table *table,
					  const struct text_table_cell *cells, const size_t *widths,
					  struct text *into)
{
	size_t owed = 0, late = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		size_t pad = widths[i] > cells[i].width ? widths[i] - cells[i].width : 0;
		bool right = text_table_is_right(table->columns[i].unit);
		struct error *error = NULL;

		if (table->columns[i].reader == REPORT_FOR_PROGRAMS)
			continue;
		// A text that was too wide takes its room from the padding behind it.
		size_t caught_up = late < pad ? late : pad;
		late -= caught_up;
		pad -= caught_up;
		if (cells[i].width > widths[i])
			late += cells[i].width - widths[i];
		// Owed spaces are paid when something follows: no line ends in a space.
		if (right)
			owed += pad;
		if (cells[i].width) {
			error = text_table_pad(into, owed);
			owed = 0;
		}
		if (!error)
			error = text_appendf(into, "%s", cells[i].chars);
		if (error)
			return error;
		if (!right)
			owed += pad;
		owed += TEXT_TABLE_GAP;
	}
	return NULL;
}

struct error *text_table_write(const struct text_table *table, bool color, struct text *into)
{
	_cleanup_free_ size_t *widths = text_table_widths(table);
	struct error *error = NULL;

	if (!widths)
		return error_no_memory();
	for (size_t i = 0; i < table->cell_count && !error; i += table->column_count) {
		bool bold = color && i == 0;

		if (bold)
			error = text_appendf(into, "\033[1m");
		if (!error)
			error = text_table_write_row(table, &table->cells[i], widths, into);
		if (!error)
			error = text_appendf(into, "%s\n", bold ? "\033[0m" : "");
	}
	return error;
}

static size_t text_table_usual_width(enum report_unit unit)
{
	switch (unit) {
	case REPORT_COUNT:
		return strlen("999,999,999");
	case REPORT_BYTES:
		return strlen("1023.9 MiB");
	case REPORT_DURATION:
		return strlen("999.9 ms");
	default:
		return 0;
	}
}

struct error *text_table_write_on(struct text_table *table, bool color, struct text *into)
{
	_cleanup_free_ size_t *widths = text_table_widths(table);
	bool begins = !table->widths;
	struct error *error = NULL;

	if (begins)
		table->widths = calloc(table->column_count, sizeof(*table->widths));
	if (!widths || !table->widths)
		return error_no_memory();
	for (size_t i = 0; i < table->column_count; i++) {
		size_t usual = text_table_usual_width(table->columns[i].unit);
		if (table->widths[i] < usual)
			table->widths[i] = usual;
		if (table->widths[i] < widths[i])
			table->widths[i] = widths[i];
	}
	for (size_t i = 0; i < table->cell_count && !error; i += table->column_count) {
		bool bold = color && begins && i == 0;

		error = text_appendf(into, "%s", bold ? "\033[1m" : "");
		if (!error)
			error = text_table_write_row(table, &table->cells[i], table->widths, into);
		if (!error)
			error = text_appendf(into, "%s\n", bold ? "\033[0m" : "");
	}
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].chars);
	table->cell_count = 0;
	return error;
}
