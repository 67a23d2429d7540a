// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/array.h"
#include "ui/safe_text.h"

enum {
	/** Between two columns. */
	REPORT_TEXT_GAP = 2,
	/** A text wider than this pushes its own row and not the whole table. */
	REPORT_TEXT_WIDTH_MAX = 56,
};

/** A cell as it is shown, already harmless. */
struct report_text_cell {
	char *chars;
	size_t width;
};

struct report_text {
	struct report report;
	FILE *out;
	struct report_style style;
	struct text body;
	/** The last lines, from the head. */
	struct text closing;
	/** Whether anything but the heading is in the body. */
	bool begun;

	/** The table under way: its cells row by row, the headings first. */
	const char *key;
	const struct report_column *columns;
	size_t column_count;
	struct report_text_cell *cells;
	size_t cell_count;
	size_t cell_capacity;
};

static void cleanup_report_text_cell(struct report_text_cell *cell)
{
	free(cell->chars);
}

static bool report_text_is_right(enum report_unit unit)
{
	return unit == REPORT_COUNT || unit == REPORT_BYTES || unit == REPORT_NUMBER;
}

// Words as a shell would want them, so that an argument with a space stays one.
static struct error *report_text_words(struct text *into, const char *const *texts, size_t count)
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

static struct error *report_text_numbers(struct text *into, const int64_t *numbers, size_t count)
{
	struct error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = text_appendf(into, "%s%" PRId64, i ? ", " : "", numbers[i]);
	return error;
}

static struct error *report_text_format(struct text *into, enum report_unit unit,
					const struct report_cell *cell)
{
	char human[HUMAN_CHARS];

	if (cell->absent)
		return text_appendf(into, "-");
	switch (unit) {
	case REPORT_TEXT:
		return text_appendf(into, "%s", cell->text ? cell->text : "-");
	case REPORT_COUNT:
		return text_appendf(into, "%s", human_count(cell->number, human));
	case REPORT_BYTES:
		return text_appendf(into, "%s", human_bytes(cell->number, human));
	case REPORT_NUMBER:
		return text_appendf(into, "%" PRId64, cell->number);
	case REPORT_BOOL:
		return text_appendf(into, "%s", cell->number ? "yes" : "no");
	case REPORT_ADDRESS:
		return text_appendf(into, "0x%" PRIx64, (uint64_t)cell->number);
	case REPORT_NUMBERS:
		return report_text_numbers(into, cell->numbers, cell->count);
	case REPORT_TEXTS:
		return report_text_words(into, cell->texts, cell->count);
	}
	return NULL;
}

static struct error *report_text_cell_make(enum report_unit unit, const struct report_cell *cell,
					   struct report_text_cell *ret)
{
	_cleanup_text_ struct text raw = {0};
	_cleanup_text_ struct text safe = {0};
	size_t width = 0;
	struct error *error = report_text_format(&raw, unit, cell);

	if (!error)
		error = safe_text_terminal(&safe, text_chars(&raw), &width);
	if (!error && !safe.chars)
		error = text_append(&safe, "", 0);
	if (error)
		return error;
	*ret = (struct report_text_cell){.chars = take_ptr(safe.chars), .width = width};
	return NULL;
}

static struct error *report_text_cell_add(struct report_text *text, enum report_unit unit,
					  const struct report_cell *cell)
{
	struct error *error = array_reserve(&text->cells, &text->cell_capacity,
					    text->cell_count + 1, sizeof(*text->cells));

	if (!error)
		error = report_text_cell_make(unit, cell, &text->cells[text->cell_count]);
	if (!error)
		text->cell_count++;
	return error;
}

static struct error *report_text_pad(struct text *body, size_t columns)
{
	return columns ? text_appendf(body, "%*s", (int)columns, "") : NULL;
}

// One line of prose; what is in it is made harmless.
PRINTF_LIKE(2, 3)
static struct error *report_text_line(struct text *into, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0) {
		line = NULL;
		return error_no_memory();
	}
	struct error *error = safe_text_terminal(into, line, NULL);
	return error ? error : text_appendf(into, "\n");
}

static struct error *report_text_bold(struct report_text *text, bool on)
{
	if (!text->style.color)
		return NULL;
	return text_appendf(&text->body, "%s", on ? "\033[1m" : "\033[0m");
}

static struct error *report_text_put_row(struct report_text *text,
					 const struct report_text_cell *cells, const size_t *widths)
{
	size_t owed = 0, late = 0;

	for (size_t i = 0; i < text->column_count; i++) {
		size_t pad = widths[i] > cells[i].width ? widths[i] - cells[i].width : 0;
		bool right = report_text_is_right(text->columns[i].unit);
		struct error *error = NULL;

		if (text->columns[i].reader == REPORT_FOR_PROGRAMS)
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
			error = report_text_pad(&text->body, owed);
			owed = 0;
		}
		if (!error)
			error = text_appendf(&text->body, "%s", cells[i].chars);
		if (error)
			return error;
		if (!right)
			owed += pad;
		owed += REPORT_TEXT_GAP;
	}
	return NULL;
}

static size_t *report_text_widths(const struct report_text *text)
{
	size_t *widths = calloc(text->column_count, sizeof(*widths));

	for (size_t i = 0; widths && i < text->cell_count; i++) {
		size_t column = i % text->column_count;
		size_t width = text->cells[i].width;

		if (!report_text_is_right(text->columns[column].unit) &&
		    width > REPORT_TEXT_WIDTH_MAX)
			width = REPORT_TEXT_WIDTH_MAX;
		if (widths[column] < width)
			widths[column] = width;
	}
	return widths;
}

static struct error *report_text_title(struct report_text *text, const char *key)
{
	struct error *error = report_text_bold(text, true);

	if (!error)
		error = text_appendf(&text->body, "%s", key);
	if (!error)
		error = report_text_bold(text, false);
	return error ? error : text_appendf(&text->body, "\n");
}

// Ends a section with the empty line that stands before the next.
static struct error *report_text_section(struct report_text *text)
{
	if (!text->begun) {
		text->begun = true;
		return NULL;
	}
	return text_appendf(&text->body, "\n");
}

static struct error *report_text_put_rows(struct report_text *text)
{
	_cleanup_free_ size_t *widths = report_text_widths(text);
	struct error *error = NULL;

	if (!widths)
		return error_no_memory();
	for (size_t i = 0; i < text->cell_count && !error; i += text->column_count) {
		error = i ? NULL : report_text_bold(text, true);
		if (!error)
			error = report_text_put_row(text, &text->cells[i], widths);
		if (!error && !i)
			error = report_text_bold(text, false);
		if (!error)
			error = text_appendf(&text->body, "\n");
	}
	return error;
}

static void report_text_drop_table(struct report_text *text)
{
	for (size_t i = 0; i < text->cell_count; i++)
		free(text->cells[i].chars);
	text->cell_count = 0;
	text->column_count = 0;
}

static struct error *report_text_flush_table(struct report_text *text)
{
	if (!text->column_count)
		return NULL;
	bool titled = text->begun;
	struct error *error = report_text_section(text);
	if (!error && text->cell_count == text->column_count)
		error = text_appendf(&text->body, "%s: none\n", text->key);
	else if (!error && titled)
		error = report_text_title(text, text->key);
	if (!error && text->cell_count > text->column_count)
		error = report_text_put_rows(text);
	report_text_drop_table(text);
	return error;
}

// How long the process stood still, and whether the numbers belong to one moment.
static struct error *report_text_pause(struct report_text *text, const struct report_head *head)
{
	char pause[HUMAN_CHARS], total[HUMAN_CHARS];
	struct error *error = NULL;

	if (head->stops == 0)
		return NULL;
	human_duration_ns(head->pause_ns, pause);
	human_duration_ns(head->pause_total_ns, total);
	if (!text->style.quiet && head->stops == 1)
		error = report_text_line(&text->closing, "the process stood still for %s", pause);
	else if (!text->style.quiet)
		error = report_text_line(
			&text->closing,
			"the process stood still for %s in the last of %u stops, %s in all", pause,
			head->stops, total);
	if (!error && !head->consistent)
		error = report_text_line(
			&text->closing,
			"no stop fell on a consistent moment (%s): the numbers are "
			"near the truth, not exact",
			head->inconsistency && head->inconsistency[0] ? head->inconsistency
								      : "reason unknown");
	return error;
}

static struct error *report_text_problems(struct report_text *text, const struct report_head *head)
{
	uint64_t count = head->unreadable + head->truncated;
	_cleanup_text_ struct text reasons = {0};
	char unreadable[HUMAN_CHARS], truncated[HUMAN_CHARS];
	struct error *error = NULL;

	if (!count)
		return text->style.quiet ? NULL
					 : report_text_line(&text->closing, "everything was read");
	for (size_t i = 0; i < head->problem_text_count && !error; i++)
		error = text_appendf(&reasons, "%s%s", i ? "; " : ": ", head->problem_texts[i]);
	if (!error && head->problem_text_count && count > head->problem_text_count)
		error = text_appendf(&reasons, "; ...");
	if (error)
		return error;
	return report_text_line(&text->closing, "unreadable: %s, truncated: %s%s",
				human_count((int64_t)head->unreadable, unreadable),
				human_count((int64_t)head->truncated, truncated),
				text_chars(&reasons));
}

static struct error *report_text_begin(struct report *report, const struct report_head *head)
{
	struct report_text *text = (struct report_text *)report;
	_cleanup_text_ struct text line = {0};
	struct error *error = report_text_pause(text, head);

	if (!error)
		error = report_text_problems(text, head);
	if (error || text->style.quiet || (!head->pid && !head->core))
		return error;
	if (head->core)
		error = text_appendf(&line, "core file %s", head->core);
	else
		error = text_appendf(&line, "process %d", head->pid);
	if (!error && head->runtime)
		error = text_appendf(&line, ": %s %s", head->runtime,
				     head->version ? head->version : "(version unknown)");
	if (!error && head->build)
		error = text_appendf(&line, ", %s build", head->build);
	if (!error)
		error = report_text_line(&text->body, "%s", text_chars(&line));
	if (!error && text->style.verbose && head->debug_info)
		error = report_text_line(&text->body, "described by %s", head->debug_info);
	return error ? error : text_appendf(&text->body, "\n");
}

static struct error *report_text_table(struct report *report, const char *key,
				       const struct report_column *columns, size_t count)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	text->key = key;
	text->columns = columns;
	text->column_count = count;
	for (size_t i = 0; i < count && !error; i++) {
		const char *title = columns[i].title ? columns[i].title : columns[i].key;

		error = report_text_cell_add(text, REPORT_TEXT,
					     &(struct report_cell){.text = title});
		if (error)
			break;
		for (char *c = text->cells[text->cell_count - 1].chars; *c; c++)
			*c = (char)toupper((unsigned char)*c);
	}
	return error;
}

static struct error *report_text_row(struct report *report, const struct report_cell *cells)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = NULL;

	for (size_t i = 0; i < text->column_count && !error; i++)
		error = report_text_cell_add(text, text->columns[i].unit, &cells[i]);
	return error;
}

static const struct report_column *report_text_column(const struct report_column *columns,
						      size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i].reader != REPORT_FOR_PROGRAMS && !strcmp(columns[i].key, key))
			return &columns[i];
	return NULL;
}

static bool report_text_fits_table(const struct report_text *text,
				   const struct report_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i].reader != REPORT_FOR_PROGRAMS &&
		    !report_text_column(text->columns, text->column_count, columns[i].key))
			return false;
	return text->column_count > 0;
}

static struct error *report_text_total(struct report_text *text, const char *key,
				       const struct report_column *columns, size_t count,
				       const struct report_cell *cells)
{
	struct error *error = NULL;

	for (size_t i = 0; i < text->column_count && !error; i++) {
		const struct report_column *column =
			report_text_column(columns, count, text->columns[i].key);
		if (column)
			error = report_text_cell_add(text, column->unit, &cells[column - columns]);
		else
			error = report_text_cell_add(text, REPORT_TEXT,
						     &(struct report_cell){.text = i ? "" : key});
	}
	return error;
}

static struct error *report_text_members(struct report_text *text,
					 const struct report_column *columns, size_t count,
					 const struct report_cell *cells, int indent)
{
	size_t widest = 0;

	for (size_t i = 0; i < count; i++) {
		const char *title = columns[i].title ? columns[i].title : columns[i].key;
		if (columns[i].reader != REPORT_FOR_PROGRAMS && strlen(title) > widest)
			widest = strlen(title);
	}
	for (size_t i = 0; i < count; i++) {
		const char *title = columns[i].title ? columns[i].title : columns[i].key;
		CLEANUP(cleanup_report_text_cell) struct report_text_cell cell = {0};

		if (columns[i].reader == REPORT_FOR_PROGRAMS)
			continue;
		struct error *error = report_text_cell_make(columns[i].unit, &cells[i], &cell);
		if (!error)
			error = text_appendf(&text->body, "%*s%-*s  %s\n", indent, "", (int)widest,
					     title, cell.chars);
		if (error)
			return error;
	}
	return NULL;
}

static struct error *report_text_object(struct report *report, const char *key,
					const struct report_column *columns, size_t count,
					const struct report_cell *cells)
{
	struct report_text *text = (struct report_text *)report;

	if (report_text_fits_table(text, columns, count))
		return report_text_total(text, key, columns, count, cells);
	struct error *error = report_text_flush_table(text);
	if (!error)
		error = report_text_section(text);
	if (!error && key)
		error = report_text_title(text, key);
	if (!error)
		error = report_text_members(text, columns, count, cells, key ? REPORT_TEXT_GAP : 0);
	return error;
}

static struct error *report_text_note(struct report *report, const char *note)
{
	struct report_text *text = (struct report_text *)report;

	if (text->style.quiet)
		return NULL;
	struct error *error = report_text_flush_table(text);
	if (!error)
		error = report_text_section(text);
	return error ? error : report_text_line(&text->body, "%s", note);
}

static struct error *report_text_end(struct report *report)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	// Quiet, and all is well: nothing to close with, and no empty line either.
	if (!error && text->closing.length)
		error = report_text_section(text);
	if (!error)
		error = text_append(&text->body, text_chars(&text->closing), text->closing.length);
	if (error)
		return error;
	errno = 0;
	if (fwrite(text_chars(&text->body), 1, text->body.length, text->out) != text->body.length ||
	    fflush(text->out) == EOF)
		return error_create_os(errno, "cannot write the report");
	return NULL;
}

static void report_text_destroy(struct report *report)
{
	struct report_text *text = (struct report_text *)report;

	report_text_drop_table(text);
	free(text->cells);
	text_deinit(&text->body);
	text_deinit(&text->closing);
	free(text);
}

struct error *report_text_create(FILE *out, const struct report_style *style, struct report **ret)
{
	static const struct report_ops ops = {
		.begin = report_text_begin,
		.table = report_text_table,
		.row = report_text_row,
		.object = report_text_object,
		.note = report_text_note,
		.end = report_text_end,
		.destroy = report_text_destroy,
	};
	struct report_text *text = malloc(sizeof(*text));

	if (!text)
		return error_no_memory();
	*text = (struct report_text){.report.ops = &ops, .out = out, .style = *style};
	*ret = &text->report;
	return NULL;
}
