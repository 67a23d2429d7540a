// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/watch_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/text.h"
#include "ui/answers/record_report.h"

static int compare_type_rows(const void *left, const void *right)
{
	const struct watch_type_row *a = left, *b = right;

	if (a->change.count != b->change.count)
		return a->change.count < b->change.count ? 1 : -1;
	if (a->change.size_bytes != b->change.size_bytes)
		return a->change.size_bytes < b->change.size_bytes ? 1 : -1;
	int by_name = strcmp(a->change.name, b->change.name);
	return by_name ? by_name : (a->pid > b->pid) - (a->pid < b->pid);
}

// Of some types only the references changed: no growth.
static bool watch_type_is_told(const struct change_row *change)
{
	return change->count || change->size_bytes;
}

static struct error *watch_types_of(const struct fleet_member *member, size_t max,
				    struct watch_type_rows *rows, size_t *capacity)
{
	_cleanup_changes_ struct changes changes = {0};
	int64_t span_ms = watch_growth_span_ms(&member->growth);
	struct error *error = watch_growth_find(&member->growth, &changes);
	size_t wanted = changes.row_count < max ? changes.row_count : max, taken = 0;

	if (!error)
		error = array_reserve(&rows->rows, capacity, rows->count + wanted + 1,
				      sizeof(*rows->rows));
	for (size_t i = 0; i < changes.row_count && !error; i++) {
		const struct change_row *change = &changes.rows[i];

		if (!watch_type_is_told(change))
			continue;
		if (taken == wanted) {
			rows->more_count++;
			continue;
		}
		rows->rows[rows->count++] = (struct watch_type_row){
			.pid = member->identity.pid,
			.change = *change,
			.per_minute = watch_growth_per_minute(change->count, span_ms),
		};
		taken++;
	}
	return error;
}

struct error *watch_types_find(const struct fleet *fleet, size_t max, struct watch_type_rows *ret)
{
	size_t capacity = 0;
	struct error *error = NULL;

	*ret = (struct watch_type_rows){0};
	for (size_t i = 0; i < fleet->count && !error; i++)
		error = watch_types_of(fleet->members[i], max, ret, &capacity);
	if (error)
		return error;
	if (ret->count)
		qsort(ret->rows, ret->count, sizeof(*ret->rows), compare_type_rows);
	if (ret->count > max) {
		ret->more_count += ret->count - max;
		ret->count = max;
	}
	return NULL;
}

enum watch_type_column {
	WATCH_TYPE_PID,
	WATCH_TYPE_NAME,
	WATCH_TYPE_COUNT,
	WATCH_TYPE_GROWTH,
	WATCH_TYPE_PER_MINUTE,
	/* The same for people, to the object. */
	WATCH_TYPE_RATE,
	WATCH_TYPE_SIZE,
	WATCH_TYPE_TREND,
};

const struct report_column watch_type_columns[WATCH_TYPE_COLUMNS] = {
	[WATCH_TYPE_PID] = {.key = "pid", .unit = REPORT_NUMBER},
	[WATCH_TYPE_NAME] = {.key = "name", .title = "type", .unit = REPORT_TEXT},
	[WATCH_TYPE_COUNT] = {.key = "count", .unit = REPORT_COUNT},
	[WATCH_TYPE_GROWTH] = {.key = "instances", .title = "growth", .unit = REPORT_FIGURE},
	[WATCH_TYPE_PER_MINUTE] = {.key = "per_minute",
				   .unit = REPORT_REAL,
				   .reader = REPORT_FOR_PROGRAMS},
	[WATCH_TYPE_RATE] = {.key = "rate",
			     .title = "per minute",
			     .unit = REPORT_FIGURE,
			     .reader = REPORT_FOR_PEOPLE},
	[WATCH_TYPE_SIZE] = {.key = "size", .unit = REPORT_FIGURE},
	[WATCH_TYPE_TREND] = {.key = "trend", .unit = REPORT_TEXT},
};

void watch_type_cells(const struct watch_type_row *row, struct report_cell *cells)
{
	const char *trend = change_trend_name(row->change.trend);

	cells[WATCH_TYPE_PID] = (struct report_cell){.number = row->pid};
	cells[WATCH_TYPE_NAME] = (struct report_cell){.text = row->change.name};
	cells[WATCH_TYPE_COUNT] = (struct report_cell){.number = (int64_t)row->change.last_count};
	cells[WATCH_TYPE_GROWTH] = (struct report_cell){
		.number = row->change.count, .unit = REPORT_COUNT, .is_change = true};
	cells[WATCH_TYPE_PER_MINUTE] = (struct report_cell){.real = row->per_minute};
	cells[WATCH_TYPE_RATE] = (struct report_cell){
		.number = llround(row->per_minute), .unit = REPORT_COUNT, .is_change = true};
	cells[WATCH_TYPE_SIZE] = (struct report_cell){
		.number = row->change.size_bytes, .unit = REPORT_BYTES, .is_change = true};
	cells[WATCH_TYPE_TREND] = (struct report_cell){.text = trend, .absent = !trend};
}

void watch_report_head(const struct command_context *context, const struct fleet *fleet,
		       struct report_head *ret)
{
	const struct recorder *recorder = &fleet->members[0]->recorder;

	inspected_head(context->inspected, "watch", recorder->stops ? &recorder->look : NULL, NULL,
		       ret);
	ret->stops = recorder->stops;
	ret->consistent = true;
	ret->pause_ns = recorder->pause_ns;
	ret->pause_total_ns = recorder->pause_total_ns;
	ret->unreadable = recorder->unreadable;
	ret->truncated = recorder->truncated;
}

enum watch_column {
	WATCH_TIME,
	/** Of several processes. */
	WATCH_PID,
	WATCH_VALUES,
	WATCH_COLUMNS = WATCH_VALUES + RECORDER_SERIES_COUNT,
};

static const struct report_column watch_time_column = {.key = "time", .unit = REPORT_TEXT};

static const struct report_column watch_columns[WATCH_COLUMNS] = {
	[WATCH_TIME] = {.key = "time", .unit = REPORT_TEXT},
	[WATCH_PID] = {.key = "pid", .unit = REPORT_NUMBER},
	[WATCH_VALUES + RECORDER_RSS] = {.key = "rss", .unit = REPORT_BYTES},
	[WATCH_VALUES + RECORDER_VSS] = {.key = "vss", .unit = REPORT_BYTES},
	[WATCH_VALUES + RECORDER_PSS] = {.key = "pss", .unit = REPORT_BYTES},
	[WATCH_VALUES + RECORDER_OBJECTS] = {.key = "objects", .unit = REPORT_COUNT},
	[WATCH_VALUES + RECORDER_GARBAGE] = {.key = "garbage", .unit = REPORT_COUNT},
	[WATCH_VALUES + RECORDER_PAUSE] = {.key = "pause", .unit = REPORT_DURATION},
};

struct error *watch_report_live(struct report *report, const struct fleet *fleet)
{
	struct report_column columns[WATCH_COLUMNS];
	size_t count =
		fleet->options.recorder.no_stop ? WATCH_VALUES + RECORDER_OBJECTS : WATCH_COLUMNS;

	if (fleet_is_several(fleet))
		return report_live(report, watch_columns, count);
	memcpy(columns, watch_columns + 1, sizeof(columns) - sizeof(columns[0]));
	columns[0] = watch_time_column;
	return report_live(report, columns, count - 1);
}

struct error *watch_report_point(struct report *report, const struct fleet *fleet,
				 const struct fleet_member *member)
{
	const struct recorder *recorder = &member->recorder;
	struct report_cell cells[WATCH_COLUMNS] = {0};
	bool several = fleet_is_several(fleet);
	char time[32];

	cells[WATCH_TIME].text = record_report_clock(recorder->time_ms, false, time);
	cells[WATCH_PID].number = member->identity.pid;
	for (size_t i = 0; i < RECORDER_SERIES_COUNT; i++) {
		cells[WATCH_VALUES + i].number = recorder->values[i];
		cells[WATCH_VALUES + i].absent = recorder->values[i] == SERIES_ABSENT;
	}
	if (!several)
		cells[WATCH_PID] = cells[WATCH_TIME];
	return report_row(report, several ? cells : cells + 1);
}

struct error *watch_report_notes(struct report *report, const struct recorder *recorder)
{
	char interval[DURATION_CHARS], asked[DURATION_CHARS], count[HUMAN_CHARS];
	struct error *error = NULL;

	if (recorder->longest_interval_ns)
		error = report_note(
			report,
			"points came up to %s apart and not %s, as a point stops the process and "
			"it may stand still for %.3g %% of the time (--max-pause-share)",
			duration_format(recorder->longest_interval_ns, interval),
			duration_format(recorder->options.interval_ns, asked),
			recorder->options.pause_share_max * 100);
	if (!error && recorder->failed_count)
		error = report_note(report, "%s point%s without objects and garbage: %s",
				    human_count((int64_t)recorder->failed_count, count),
				    recorder->failed_count == 1 ? "" : "s", recorder->failure);
	return error;
}

static const struct report_column process_columns[] = {
	{.key = "pid", .unit = REPORT_NUMBER},
	{.key = "child", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
	{.key = "points", .unit = REPORT_COUNT},
	{.key = "rss", .unit = REPORT_FIGURE},
	{.key = "rss_change", .title = "change", .unit = REPORT_FIGURE},
	{.key = "objects", .unit = REPORT_FIGURE},
	{.key = "objects_change", .title = "change", .unit = REPORT_FIGURE},
	{.key = "garbage", .unit = REPORT_FIGURE},
	{.key = "pause_share", .unit = REPORT_REAL, .reader = REPORT_FOR_PROGRAMS},
	{.title = "pause %",
	 .key = "pause_percent",
	 .unit = REPORT_REAL,
	 .reader = REPORT_FOR_PEOPLE},
	{.key = "ended", .unit = REPORT_TEXT},
	{.key = "program", .unit = REPORT_TEXT},
};

static struct report_cell process_value(const struct fleet_summary *summary,
					enum recorder_series series, enum report_unit unit)
{
	int64_t value = summary->last[series];

	return (struct report_cell){
		.number = value, .unit = unit, .absent = value == SERIES_ABSENT};
}

static struct report_cell process_change(const struct fleet_summary *summary,
					 enum recorder_series series, enum report_unit unit)
{
	bool known = summary->last[series] != SERIES_ABSENT;

	return (struct report_cell){.number = known ? summary->last[series] - summary->first[series]
						    : 0,
				    .unit = unit,
				    .is_change = true,
				    .absent = !known};
}

static struct error *process_row(struct report *report, const struct fleet_summary *summary)
{
	double share = summary->pause_share;
	const struct report_cell cells[] = {
		{.number = summary->pid},
		{.number = summary->is_child},
		{.number = (int64_t)summary->points},
		process_value(summary, RECORDER_RSS, REPORT_BYTES),
		process_change(summary, RECORDER_RSS, REPORT_BYTES),
		process_value(summary, RECORDER_OBJECTS, REPORT_COUNT),
		process_change(summary, RECORDER_OBJECTS, REPORT_COUNT),
		process_value(summary, RECORDER_GARBAGE, REPORT_COUNT),
		{.real = share, .absent = share < 0},
		{.real = share * 100, .absent = share < 0},
		{.text = summary->ended, .absent = !summary->ended[0]},
		{.text = summary->program, .absent = !summary->program[0]},
	};

	return report_row(report, cells);
}

static struct error *watch_report_processes(struct report *report, const struct fleet *fleet)
{
	char opened[HUMAN_CHARS];
	struct fleet_summary summary;
	struct error *error =
		report_table(report, "processes", process_columns, ARRAY_COUNT(process_columns));

	for (size_t i = 0; i < fleet->count && !error; i++) {
		fleet_summarise(fleet->members[i], &summary);
		error = process_row(report, &summary);
	}
	for (size_t i = 0; i < fleet->past_count && !error; i++)
		error = process_row(report, &fleet->past[i]);
	if (!error && fleet->opened_count > fleet->count + fleet->past_count)
		error = report_note(report,
				    "%s processes were watched; those that ended first are not "
				    "told",
				    human_count((int64_t)fleet->opened_count, opened));
	return error;
}

// The same columns, for programs alone where people have not asked.
static struct error *watch_types_begin(struct report *report, bool several, bool for_people)
{
	struct report_column hidden[WATCH_TYPE_COLUMNS];
	size_t skipped = several ? 0 : 1;

	memcpy(hidden, watch_type_columns, sizeof(hidden));
	for (size_t i = 0; i < WATCH_TYPE_COLUMNS; i++)
		hidden[i].reader = REPORT_FOR_PROGRAMS;
	return report_table(report, "types", (for_people ? watch_type_columns : hidden) + skipped,
			    WATCH_TYPE_COLUMNS - skipped);
}

static struct error *watch_report_unknown(struct report *report, const struct fleet *fleet)
{
	struct error *error = NULL;

	for (size_t i = 0; i < fleet->count && !error; i++)
		if (fleet->members[i]->growth.types_unknown)
			error = report_note(
				report,
				"growth by type is not known of process %d: it has or had "
				"more than %d types",
				fleet->members[i]->identity.pid, WATCH_GROWTH_TYPES_MAX);
	return error;
}

static struct error *watch_report_types(struct report *report, const struct fleet *fleet,
					size_t shown)
{
	struct watch_type_rows rows = {0};
	bool several = fleet_is_several(fleet);
	struct error *error =
		watch_types_find(fleet, shown ? shown : WATCH_GROWTH_TYPES_MAX, &rows);
	_cleanup_free_ struct watch_type_row *owned = rows.rows;

	if (!error)
		error = watch_types_begin(report, several, shown);
	for (size_t i = 0; i < rows.count && !error; i++) {
		struct report_cell cells[WATCH_TYPE_COLUMNS];
		watch_type_cells(&owned[i], cells);
		error = report_row(report, several ? cells : cells + 1);
	}
	if (!error && shown && rows.more_count)
		error = report_note(report, "%zu more types changed (--top)", rows.more_count);
	return error ? error : watch_report_unknown(report, fleet);
}

struct error *watch_report_end(struct report *report, const struct fleet *fleet,
			       const struct watch_report_style *style)
{
	const struct recorder *first = &fleet->members[0]->recorder;
	const struct record_report_style series = record_report_style_for(style->on_terminal);
	struct error *error = NULL;

	if (fleet_is_several(fleet))
		error = report_heading(report, "process %d", fleet->members[0]->identity.pid);
	if (!error)
		error = record_report_series(report, &first->record, &series);
	if (!error && fleet_is_several(fleet))
		error = watch_report_processes(report, fleet);
	if (!error && !fleet->options.recorder.no_stop)
		error = watch_report_types(report, fleet, style->types);
	if (!error)
		error = record_report_recording(report, &first->record, false);
	return error ? error : watch_report_notes(report, first);
}
