// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "ui/report/safe_text.h"

// Enough digits for every double that is a count of nanoseconds shown in milliseconds, and few
// enough that 3.1 is not written as 3.1000000000000001.
enum { REPORT_JSON_DIGITS = 15 };

struct report_json {
	struct report report;
	FILE *out;
	json_t *root;
	/** The rows of the table under way, which the root owns; NULL for one that is for people. */
	json_t *rows;
	struct report_column *columns;
	size_t column_count;
};

// jansson reports failures (out of memory, all of them) by NULL and -1, and its setters pass a NULL
// value on as a failure; so values are made and set in one go.
static struct error *report_json_set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) < 0 ? error_no_memory() : NULL;
}

static json_t *report_json_text(const char *chars)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *error = NULL;

	if (!chars)
		return json_null();
	error = safe_text_utf8(&text, chars);
	return error ? NULL : json_stringn(text_chars(&text), text.length);
}

static json_t *report_json_texts(const char *const *texts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(array, report_json_text(texts[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *report_json_numbers(const int64_t *numbers, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(array, json_integer(numbers[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *report_json_address(uint64_t at)
{
	char address[32];

	snprintf(address, sizeof(address), "0x%" PRIx64, at);
	return json_string(address);
}

static json_t *report_json_addresses(const int64_t *numbers, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(array, report_json_address((uint64_t)numbers[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *report_json_cell(const struct report_column *column, const struct report_cell *cell);

// NULL is for want of memory, as everywhere in jansson.
static json_t *report_json_nested(const struct report_column *column,
				  const struct report_cell *cells)
{
	json_t *object = json_object();

	for (size_t i = 0; i < column->member_count; i++) {
		const struct report_column *member = &column->members[i];
		if (member->reader == REPORT_FOR_PEOPLE)
			continue;
		if (json_object_set_new(object, member->key, report_json_cell(member, &cells[i])) <
		    0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *report_json_objects(const struct report_column *column,
				   const struct report_cell *cell)
{
	json_t *array = json_array();

	for (size_t i = 0; i < cell->count; i++) {
		json_t *object =
			report_json_nested(column, cell->members + i * column->member_count);
		if (json_array_append_new(array, object) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *report_json_cell(const struct report_column *column, const struct report_cell *cell)
{
	if (cell->absent)
		return json_null();
	switch (column->unit) {
	case REPORT_TEXT:
		return report_json_text(cell->text);
	case REPORT_COUNT:
	case REPORT_BYTES:
	case REPORT_NUMBER:
	case REPORT_DURATION:
	case REPORT_FIGURE:
		return json_integer(cell->number);
	case REPORT_REAL:
		// JSON has no word for what is no number, and jansson refuses it.
		return isfinite(cell->real) ? json_real(round(cell->real * 1e6) / 1e6)
					    : json_null();
	case REPORT_BOOL:
		return json_boolean(cell->number);
	case REPORT_ADDRESS:
		return report_json_address((uint64_t)cell->number);
	case REPORT_NUMBERS:
		return report_json_numbers(cell->numbers, cell->count);
	case REPORT_TEXTS:
		return report_json_texts(cell->texts, cell->count);
	case REPORT_ADDRESSES:
		return report_json_addresses(cell->numbers, cell->count);
	case REPORT_OBJECT:
		return report_json_nested(column, cell->members);
	case REPORT_OBJECTS:
		return report_json_objects(column, cell);
	}
	return NULL;
}

static struct error *report_json_members(json_t *object, const struct report_column *columns,
					 size_t count, const struct report_cell *cells)
{
	for (size_t i = 0; i < count; i++) {
		if (columns[i].reader == REPORT_FOR_PEOPLE)
			continue;
		struct error *error = report_json_set(object, columns[i].key,
						      report_json_cell(&columns[i], &cells[i]));
		if (error)
			return error;
	}
	return NULL;
}

static json_t *report_json_milliseconds(uint64_t ns)
{
	return json_real((double)ns / 1e6);
}

struct report_json_member {
	const char *key;
	json_t *value;
};

static struct error *report_json_set_all(json_t *object, const struct report_json_member *members,
					 size_t count)
{
	struct error *error = NULL;

	// All of them, although one has failed: setting is what gives a value an owner.
	for (size_t i = 0; i < count; i++) {
		struct error *failed = report_json_set(object, members[i].key, members[i].value);
		if (!error)
			error = failed;
		else
			error_destroy(failed);
	}
	return error;
}

static struct error *report_json_target(json_t *target, const struct report_head *head)
{
	bool stopped = head->stops > 0;
	bool is_known = stopped || head->core;
	const struct report_json_member members[] = {
		{"pid", head->pid ? json_integer(head->pid) : json_null()},
		{"core", report_json_text(head->core)},
		{"shortcomings", head->shortcomings && head->shortcomings[0]
					 ? report_json_text(head->shortcomings)
					 : json_null()},
		{"runtime", report_json_text(head->runtime)},
		{"version", report_json_text(head->version)},
		{"build", report_json_text(head->build)},
		{"snapshot", report_json_text(head->snapshot)},
		{"left_behind", head->left_behind && head->left_behind[0]
					? report_json_text(head->left_behind)
					: json_null()},
		{"clone_ms",
		 head->clone_ns ? report_json_milliseconds(head->clone_ns) : json_null()},
		{"not_cloned", head->not_cloned && head->not_cloned[0]
				       ? report_json_text(head->not_cloned)
				       : json_null()},
		{"pause_ms", stopped ? report_json_milliseconds(head->pause_ns) : json_null()},
		{"pause_total_ms",
		 stopped ? report_json_milliseconds(head->pause_total_ns) : json_null()},
		{"age_ms", stopped ? report_json_milliseconds(head->age_ns) : json_null()},
		{"stops", json_integer(head->stops)},
		{"consistent", is_known ? json_boolean(head->consistent) : json_null()},
		{"inconsistency", head->inconsistency && head->inconsistency[0]
					  ? report_json_text(head->inconsistency)
					  : json_null()},
		{"debug_info", report_json_text(head->debug_info)},
	};

	return report_json_set_all(target, members, ARRAY_COUNT(members));
}

static struct error *report_json_graph(json_t *into, const struct report_graph *graph)
{
	const struct report_json_member members[] = {
		{"objects", json_integer((json_int_t)graph->object_count)},
		{"references", json_integer((json_int_t)graph->reference_count)},
		{"build_ms", report_json_milliseconds(graph->build_ns)},
		{"copy_ms", report_json_milliseconds(graph->copy_ns)},
		{"walk_ms", report_json_milliseconds(graph->walk_ns)},
		{"pack_ms", report_json_milliseconds(graph->pack_ns)},
		{"bytes", json_integer((json_int_t)graph->bytes)},
		{"copied_bytes", json_integer((json_int_t)graph->copied_bytes)},
	};

	return report_json_set_all(into, members, ARRAY_COUNT(members));
}

static struct error *report_json_problems(json_t *problems, const struct report_head *head)
{
	struct error *error =
		report_json_set(problems, "unreadable", json_integer((json_int_t)head->unreadable));

	if (!error)
		error = report_json_set(problems, "truncated",
					json_integer((json_int_t)head->truncated));
	if (!error && head->problem_text_count)
		error = report_json_set(
			problems, "texts",
			report_json_texts(head->problem_texts, head->problem_text_count));
	return error;
}

// An empty object under @key, owned by the root.
static struct error *report_json_object_under(json_t *root, const char *key, json_t **ret)
{
	*ret = json_object();
	return report_json_set(root, key, *ret);
}

static struct error *report_json_begin(struct report *report, const struct report_head *head)
{
	struct report_json *json = (struct report_json *)report;
	json_t *target, *graph, *problems;
	struct error *error = report_json_set(json->root, "verb", report_json_text(head->verb));

	if (!error && head->is_redacted)
		error = report_json_set(json->root, "redacted", json_true());
	if (!error)
		error = report_json_object_under(json->root, "target", &target);
	if (!error)
		error = report_json_target(target, head);
	if (!error && head->graph.is_known)
		error = report_json_object_under(json->root, "graph", &graph);
	if (!error && head->graph.is_known)
		error = report_json_graph(graph, &head->graph);
	if (!error)
		error = report_json_object_under(json->root, "problems", &problems);
	if (!error)
		error = report_json_problems(problems, head);
	return error;
}

static bool report_json_is_for_programs(const struct report_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i].reader != REPORT_FOR_PEOPLE)
			return true;
	return false;
}

static struct error *report_json_table(struct report *report, const char *key,
				       const struct report_column *columns, size_t count)
{
	struct report_json *json = (struct report_json *)report;

	json->rows = NULL;
	if (!report_json_is_for_programs(columns, count))
		return NULL;
	free(json->columns);
	json->columns = calloc(count, sizeof(*columns));
	if (!json->columns)
		return error_no_memory();
	memcpy(json->columns, columns, count * sizeof(*columns));
	json->column_count = count;
	json->rows = json_array();
	return report_json_set(json->root, key, json->rows);
}

// Its rows are for people.
static struct error *report_json_live(struct report *report, const struct report_column *columns,
				      size_t count)
{
	((struct report_json *)report)->rows = NULL;
	return NULL;
}

static struct error *report_json_row(struct report *report, const struct report_cell *cells)
{
	struct report_json *json = (struct report_json *)report;
	struct error *error = NULL;

	if (!json->rows)
		return NULL;
	if (!json->columns->key)
		return json_array_append_new(json->rows, report_json_cell(json->columns, cells)) < 0
			       ? error_no_memory()
			       : NULL;
	json_t *row = json_object();
	if (row)
		error = report_json_members(row, json->columns, json->column_count, cells);
	if (json_array_append_new(json->rows, row) < 0 && !error)
		error = error_no_memory();
	return error;
}

static struct error *report_json_object(struct report *report, const char *key,
					const struct report_column *columns, size_t count,
					const struct report_cell *cells)
{
	struct report_json *json = (struct report_json *)report;
	json_t *object = json->root;

	if (!report_json_is_for_programs(columns, count))
		return NULL;
	if (key) {
		struct error *error = report_json_object_under(json->root, key, &object);
		if (error)
			return error;
	}
	return report_json_members(object, columns, count, cells);
}

// One document, at the end.
static struct error *report_json_show(struct report *report)
{
	return NULL;
}

static struct error *report_json_heading(struct report *report, const char *text)
{
	return NULL;
}

static struct error *report_json_lines(struct report *report, const char *const *lines,
				       size_t count)
{
	return NULL;
}

static struct error *report_json_remark(struct report *report, const char *text)
{
	return NULL;
}

static struct error *report_json_note(struct report *report, const char *text)
{
	struct report_json *json = (struct report_json *)report;
	json_t *notes = json_object_get(json->root, "notes");

	if (!notes) {
		notes = json_array();
		struct error *error = report_json_set(json->root, "notes", notes);
		if (error)
			return error;
	}
	return json_array_append_new(notes, report_json_text(text)) < 0 ? error_no_memory() : NULL;
}

static struct error *report_json_end(struct report *report)
{
	struct report_json *json = (struct report_json *)report;

	errno = 0;
	if (json_dumpf(json->root, json->out,
		       JSON_INDENT(2) | JSON_REAL_PRECISION(REPORT_JSON_DIGITS)) < 0 ||
	    fputc('\n', json->out) == EOF || fflush(json->out) == EOF)
		return error_create_os(errno ? errno : ENOMEM, "cannot write the report");
	return NULL;
}

static void report_json_destroy(struct report *report)
{
	struct report_json *json = (struct report_json *)report;

	json_decref(json->root);
	free(json->columns);
	free(json);
}

struct error *report_json_create(FILE *out, struct report **ret)
{
	static const struct report_ops ops = {
		.begin = report_json_begin,
		.table = report_json_table,
		.live = report_json_live,
		.row = report_json_row,
		.object = report_json_object,
		.heading = report_json_heading,
		.lines = report_json_lines,
		.remark = report_json_remark,
		.note = report_json_note,
		// Keys that are set again take the place of those before.
		.show = report_json_show,
		.amend = report_json_begin,
		.end = report_json_end,
		.destroy = report_json_destroy,
	};
	struct report_json *json = malloc(sizeof(*json));

	if (!json)
		return error_no_memory();
	*json = (struct report_json){.report.ops = &ops, .out = out, .root = json_object()};
	if (!json->root) {
		free(json);
		return error_no_memory();
	}
	*ret = &json->report;
	return NULL;
}
