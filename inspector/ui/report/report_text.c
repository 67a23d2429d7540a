// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "ui/report/safe_text.h"
#include "ui/report/text_table.h"

enum { REPORT_TEXT_INDENT = 2 };

/** What is younger than this is shown as of now. */
static const uint64_t report_text_age_ns = 1000000000;

struct report_text {
	struct report report;
	FILE *out;
	struct report_style style;
	struct text body;
	/** The last lines, from the head. */
	struct text closing;
	/** Whether anything but the heading is in the body. */
	bool begun;
	/** The body ends with a note; the next one stands right below. */
	bool noted;
	/** The body ends with a heading, for what comes next. */
	bool headed;

	/** The table under way, and its key; a live one is written row by row. */
	const char *key;
	struct text_table table;
	bool live;
};

// One line of prose; what is in it is made harmless.
PRINTF_LIKE(2, 3)
static struct error *report_text_line(struct text *into, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = safe_text_vappendf(into, format, args);
	va_end(args);
	return error ? error : text_appendf(into, "\n");
}

static struct error *report_text_bold(struct report_text *text, bool on)
{
	if (!text->style.color)
		return NULL;
	return text_appendf(&text->body, "%s", on ? "\033[1m" : "\033[0m");
}

// A key of two words is that for people, too.
static struct error *report_text_key(struct report_text *text, const char *key)
{
	struct error *error = text_appendf(&text->body, "%s", key);

	if (error)
		return error;
	for (char *c = text->body.chars + text->body.length - strlen(key); *c; c++)
		if (*c == '_')
			*c = ' ';
	return NULL;
}

static struct error *report_text_title(struct report_text *text, const char *key)
{
	struct error *error = report_text_bold(text, true);

	if (!error)
		error = report_text_key(text, key);
	if (!error)
		error = report_text_bold(text, false);
	return error ? error : text_appendf(&text->body, "\n");
}

// Ends a section with the empty line that stands before the next.
static struct error *report_text_section(struct report_text *text)
{
	text->noted = false;
	if (text->headed) {
		text->headed = false;
		return NULL;
	}
	if (!text->begun) {
		text->begun = true;
		return NULL;
	}
	return text_appendf(&text->body, "\n");
}

static struct error *report_text_flush_table(struct report_text *text)
{
	if (text->live)
		text_table_deinit(&text->table);
	text->live = false;
	if (!text->table.column_count)
		return NULL;
	bool titled = text->begun && !text->headed;
	bool empty = text_table_is_empty(&text->table);
	struct error *error = report_text_section(text);
	if (!error && empty)
		error = report_text_key(text, text->key);
	else if (!error && titled)
		error = report_text_title(text, text->key);
	if (!error && empty)
		error = text_appendf(&text->body, ": none\n");
	if (!error && !empty)
		error = text_table_write(&text->table, text->style.color, &text->body);
	text_table_deinit(&text->table);
	return error;
}

// What the core file is less than a process that stands still.
static struct error *report_text_core(struct report_text *text, const struct report_head *head)
{
	struct error *error = NULL;

	if (!head->consistent)
		error = report_text_line(
			&text->closing,
			"the process was not at a consistent moment (%s): the numbers are near the "
			"truth, not exact",
			head->inconsistency && head->inconsistency[0] ? head->inconsistency
								      : "reason unknown");
	if (!error && head->shortcomings && head->shortcomings[0])
		error = report_text_line(&text->closing, "%s", head->shortcomings);
	return error;
}

// How long the process stood still, and whether the numbers belong to one moment.
static struct error *report_text_pause(struct report_text *text, const struct report_head *head)
{
	char pause[HUMAN_CHARS], total[HUMAN_CHARS], lived[HUMAN_CHARS];
	struct error *error = NULL;

	if (head->core)
		return report_text_core(text, head);
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
	if (!error && head->clone_ns && !text->style.quiet)
		error = report_text_line(&text->closing,
					 "a clone of it was read, which lived for %s",
					 human_duration_ns(head->clone_ns, lived));
	if (!error && head->left_behind && head->left_behind[0])
		error = report_text_line(&text->closing,
					 "the clone is left with it as a zombie for now: %s",
					 head->left_behind);
	if (!error && head->not_cloned && head->not_cloned[0])
		error = report_text_line(&text->closing, "not cloned: %s; it stood still instead",
					 head->not_cloned);
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

	bool is_short = head->shortcomings && head->shortcomings[0];
	if (!count)
		return text->style.quiet || is_short
			       ? NULL
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

static struct error *report_text_graph(struct report_text *text, const struct report_graph *graph)
{
	char objects[HUMAN_CHARS], references[HUMAN_CHARS], bytes[HUMAN_CHARS], copied[HUMAN_CHARS];
	char build[HUMAN_CHARS], copy[HUMAN_CHARS], walk[HUMAN_CHARS], pack[HUMAN_CHARS];

	if (!graph->copied_bytes)
		return report_text_line(
			&text->body,
			"graph of %s objects and %s references, %s, built in %s (walk %s, pack %s)",
			human_count((int64_t)graph->object_count, objects),
			human_count((int64_t)graph->reference_count, references),
			human_bytes((int64_t)graph->bytes, bytes),
			human_duration_ns(graph->build_ns, build),
			human_duration_ns(graph->walk_ns, walk),
			human_duration_ns(graph->pack_ns, pack));
	return report_text_line(
		&text->body,
		"graph of %s objects and %s references, %s beside a copy of %s, "
		"built in %s (copy %s, walk %s, pack %s)",
		human_count((int64_t)graph->object_count, objects),
		human_count((int64_t)graph->reference_count, references),
		human_bytes((int64_t)graph->bytes, bytes),
		human_bytes((int64_t)graph->copied_bytes, copied),
		human_duration_ns(graph->build_ns, build), human_duration_ns(graph->copy_ns, copy),
		human_duration_ns(graph->walk_ns, walk), human_duration_ns(graph->pack_ns, pack));
}

static struct error *report_text_begin(struct report *report, const struct report_head *head)
{
	struct report_text *text = (struct report_text *)report;
	_cleanup_text_ struct text line = {0};
	char age[HUMAN_CHARS];
	struct error *error = report_text_pause(text, head);

	if (!error && head->is_redacted && !text->style.quiet)
		error = report_text_line(&text->closing, "values are left out (--redact)");
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
	if (!error && head->age_ns > report_text_age_ns)
		error = text_appendf(&line, ", as of %s ago", human_duration_ns(head->age_ns, age));
	if (!error)
		error = report_text_line(&text->body, "%s", text_chars(&line));
	if (!error && text->style.verbose && head->debug_info)
		error = report_text_line(&text->body, "described by %s", head->debug_info);
	if (!error && text->style.verbose && head->graph.is_known)
		error = report_text_graph(text, &head->graph);
	return error ? error : text_appendf(&text->body, "\n");
}

static struct error *report_text_amend(struct report *report, const struct report_head *head)
{
	struct report_text *text = (struct report_text *)report;

	text->closing.length = 0;
	struct error *error = report_text_pause(text, head);
	return error ? error : report_text_problems(text, head);
}

static bool report_text_is_for_people(const struct report_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i].reader != REPORT_FOR_PROGRAMS)
			return true;
	return false;
}

static struct error *report_text_table(struct report *report, const char *key,
				       const struct report_column *columns, size_t count)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	text->key = key;
	// Without columns it takes rows and shows nothing of them.
	if (error || !report_text_is_for_people(columns, count))
		return error;
	return text_table_init(&text->table, columns, count);
}

// What there is so far goes out at once.
static struct error *report_text_put(struct report_text *text)
{
	errno = 0;
	if (fwrite(text_chars(&text->body), 1, text->body.length, text->out) != text->body.length ||
	    fflush(text->out) == EOF)
		return error_create_os(errno, "cannot write the report");
	text->body.length = 0;
	return NULL;
}

static struct error *report_text_live(struct report *report, const struct report_column *columns,
				      size_t count)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	if (!error)
		error = report_text_section(text);
	if (!error)
		error = text_table_init(&text->table, columns, count);
	text->live = true;
	if (!error)
		error = text_table_write_on(&text->table, text->style.color, &text->body);
	return error ? error : report_text_put(text);
}

static struct error *report_text_row(struct report *report, const struct report_cell *cells)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = text_table_add(&text->table, cells);

	if (error || !text->live)
		return error;
	error = text_table_write_on(&text->table, false, &text->body);
	return error ? error : report_text_put(text);
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

		if (columns[i].reader == REPORT_FOR_PROGRAMS)
			continue;
		struct error *error =
			text_appendf(&text->body, "%*s%-*s  ", indent, "", (int)widest, title);
		if (!error)
			error = text_table_format(&columns[i], &cells[i], &text->body, NULL);
		if (!error)
			error = text_appendf(&text->body, "\n");
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

	if (!report_text_is_for_people(columns, count))
		return NULL;
	if (!text->live && text_table_fits(&text->table, columns, count))
		return text_table_add_total(&text->table, key, columns, count, cells);
	struct error *error = report_text_flush_table(text);
	if (!error)
		error = report_text_section(text);
	if (!error && key)
		error = report_text_title(text, key);
	if (!error)
		error = report_text_members(text, columns, count, cells,
					    key ? REPORT_TEXT_INDENT : 0);
	return error;
}

static struct error *report_text_heading(struct report *report, const char *heading)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	if (!error)
		error = report_text_section(text);
	if (!error)
		error = report_text_bold(text, true);
	if (!error)
		error = safe_text_terminal(&text->body, heading, NULL);
	if (!error)
		error = report_text_bold(text, false);
	text->headed = true;
	return error ? error : text_append(&text->body, "\n", 1);
}

static struct error *report_text_lines(struct report *report, const char *const *lines,
				       size_t count)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	if (!error)
		error = report_text_section(text);
	for (size_t i = 0; i < count && !error; i++)
		error = report_text_line(&text->body, "%s", lines[i]);
	return error;
}

static struct error *report_text_remark(struct report *report, const char *remark)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_line(&text->body, "%s", remark);

	return error ? error : report_text_put(text);
}

static struct error *report_text_note(struct report *report, const char *note)
{
	struct report_text *text = (struct report_text *)report;

	if (text->style.quiet)
		return NULL;
	struct error *error = report_text_flush_table(text);
	if (!error && !text->noted)
		error = report_text_section(text);
	text->noted = true;
	return error ? error : report_text_line(&text->body, "%s", note);
}

static struct error *report_text_show(struct report *report)
{
	struct report_text *text = (struct report_text *)report;
	struct error *error = report_text_flush_table(text);

	return error ? error : report_text_put(text);
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
	return error ? error : report_text_put(text);
}

static void report_text_destroy(struct report *report)
{
	struct report_text *text = (struct report_text *)report;

	text_table_deinit(&text->table);
	text_deinit(&text->body);
	text_deinit(&text->closing);
	free(text);
}

struct error *report_text_create(FILE *out, const struct report_style *style, struct report **ret)
{
	static const struct report_ops ops = {
		.begin = report_text_begin,
		.table = report_text_table,
		.live = report_text_live,
		.row = report_text_row,
		.object = report_text_object,
		.heading = report_text_heading,
		.lines = report_text_lines,
		.remark = report_text_remark,
		.note = report_text_note,
		.show = report_text_show,
		.amend = report_text_amend,
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
