// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/record_report.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/text.h"
#include "ui/chart/sparkline.h"
#include "ui/record/record_file.h"

enum { RECORD_REPORT_COLUMNS_OF_A_LINE = 24 };

enum report_unit record_report_unit(enum series_unit unit)
{
	switch (unit) {
	case SERIES_COUNT:
		return REPORT_COUNT;
	case SERIES_BYTES:
		return REPORT_BYTES;
	case SERIES_NS:
		break;
	}
	return REPORT_DURATION;
}

const char *record_report_clock(int64_t time_ms, bool with_date, char *into)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm parts = {0};

	localtime_r(&seconds, &parts);
	if (with_date)
		strftime(into, 32, "%Y-%m-%d %H:%M:%S", &parts);
	else
		strftime(into, 32, "%H:%M:%S", &parts);
	return into;
}

struct record_report_style record_report_style_for(bool on_terminal)
{
	return (struct record_report_style){
		.sparklines = on_terminal,
		.blocks = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
}

static const struct report_column point_columns[] = {
	{.key = "time_ms", .unit = REPORT_NUMBER},
	{.key = "value", .unit = REPORT_NUMBER},
};

enum { POINT_COLUMNS = ARRAY_COUNT(point_columns) };

enum series_column {
	SERIES_NAME,
	SERIES_UNIT,
	SERIES_VALUES,
	SERIES_PIECE,
	SERIES_FIRST,
	SERIES_LAST,
	SERIES_CHANGE,
	SERIES_MIN,
	SERIES_MAX,
	/** What one series alone has not. */
	SERIES_POINTS,
	SERIES_TREND,
	SERIES_COLUMNS,
};

static const struct report_column series_columns[SERIES_COLUMNS] = {
	[SERIES_NAME] = {.key = "name", .title = "series", .unit = REPORT_TEXT},
	[SERIES_UNIT] = {.key = "unit", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
	[SERIES_VALUES] = {.key = "count", .title = "points", .unit = REPORT_COUNT},
	[SERIES_PIECE] = {.key = "piece_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	[SERIES_FIRST] = {.key = "first", .unit = REPORT_FIGURE},
	[SERIES_LAST] = {.key = "last", .unit = REPORT_FIGURE},
	[SERIES_CHANGE] = {.key = "change", .unit = REPORT_FIGURE},
	[SERIES_MIN] = {.key = "min", .unit = REPORT_FIGURE},
	[SERIES_MAX] = {.key = "max", .unit = REPORT_FIGURE},
	[SERIES_POINTS] = {.key = "points",
			   .unit = REPORT_OBJECTS,
			   .reader = REPORT_FOR_PROGRAMS,
			   .members = point_columns,
			   .member_count = POINT_COLUMNS},
	[SERIES_TREND] = {.key = "trend", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
};

static struct error *series_points(const struct record_series *series, struct report_cell **ret)
{
	struct report_cell *cells = calloc(series->count + 1, POINT_COLUMNS * sizeof(*cells));

	if (!cells)
		return error_no_memory();
	for (size_t i = 0; i < series->count; i++) {
		const struct series_point *point = &series->points[i];
		struct report_cell *pair = &cells[i * POINT_COLUMNS];
		pair[0].number = point->time_ms;
		pair[1].number = point->value;
		pair[1].absent = point->value == SERIES_ABSENT;
	}
	*ret = cells;
	return NULL;
}

static void series_cells(const struct record_series *series, struct report_cell *cells)
{
	enum report_unit unit = record_report_unit(series->unit);
	bool known = series->value_count > 0;
	int64_t change = 0;
	bool has_change = record_change(series, &change);

	cells[SERIES_NAME].text = series->name;
	cells[SERIES_UNIT].text = record_unit_name(series->unit);
	cells[SERIES_VALUES].number = (int64_t)series->value_count;
	cells[SERIES_PIECE].number = series->piece_ms;
	cells[SERIES_PIECE].absent = !series->piece_ms;
	cells[SERIES_FIRST] =
		(struct report_cell){.number = series->first.value, .unit = unit, .absent = !known};
	cells[SERIES_LAST] =
		(struct report_cell){.number = series->last.value, .unit = unit, .absent = !known};
	cells[SERIES_CHANGE] = (struct report_cell){
		.number = change, .unit = unit, .is_change = true, .absent = !has_change};
	cells[SERIES_MIN] =
		(struct report_cell){.number = series->min, .unit = unit, .absent = !known};
	cells[SERIES_MAX] =
		(struct report_cell){.number = series->max, .unit = unit, .absent = !known};
}

static struct error *series_row(struct report *report, const struct record_series *series,
				const struct record_report_style *style)
{
	struct report_cell cells[SERIES_COLUMNS] = {0};
	_cleanup_free_ struct report_cell *points = NULL;
	_cleanup_text_ struct text trend = {0};
	struct error *error = series_points(series, &points);

	if (!error)
		error = sparkline_append(series->points, series->count,
					 RECORD_REPORT_COLUMNS_OF_A_LINE, style->blocks, &trend);
	if (error)
		return error;
	series_cells(series, cells);
	cells[SERIES_POINTS].members = points;
	cells[SERIES_POINTS].count = series->count;
	cells[SERIES_TREND].text = text_chars(&trend);
	return report_row(report, cells);
}

struct error *record_report_series(struct report *report, const struct record *record,
				   const struct record_report_style *style)
{
	size_t columns = style->only         ? SERIES_POINTS
			 : style->sparklines ? SERIES_COLUMNS
					     : SERIES_TREND;
	struct error *error = report_table(report, "series", series_columns, columns);

	for (size_t i = 0; i < record->series_count && !error; i++)
		if (!style->only || style->only == &record->series[i])
			error = series_row(report, &record->series[i], style);
	return error;
}

// -1 when that is not known.
static double recording_pause_share(const struct record *record)
{
	const struct record_series *pause = record_find(record, "pause");

	if (!pause || pause->unit != SERIES_NS || !pause->value_count || record->recorded_ms <= 0)
		return -1;
	return (double)pause->sum / 1e6 / (double)record->recorded_ms;
}

static struct error *recording_object(struct report *report, const struct record *record,
				      bool running)
{
	static const struct report_column columns[] = {
		{.key = "running", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
		{.key = "from_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "to_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "recorded_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "points", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "inexact", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "pause_share", .unit = REPORT_REAL, .reader = REPORT_FOR_PROGRAMS},
		{.key = "ended", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "program", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
	};
	double share = recording_pause_share(record);
	bool none = !record->point_count;
	const struct report_cell cells[] = {
		{.number = running},
		{.number = record->begin_ms, .absent = none},
		{.number = record->end_ms, .absent = none},
		{.number = record->recorded_ms},
		{.number = (int64_t)record->point_count},
		{.number = (int64_t)record->inexact_count},
		{.real = share, .absent = share < 0},
		{.text = record->ended, .absent = running || !record->ended[0]},
		{.text = record->process.program, .absent = !record->process.program[0]},
	};

	return report_object(report, "recording", columns, ARRAY_COUNT(columns), cells);
}

// What was thinned away is in first, last, change and extremes, and in no list of points.
static struct error *recording_note_thinning(struct report *report, const struct record *record)
{
	char piece[DURATION_CHARS];
	int64_t longest_ms = 0;

	for (size_t i = 0; i < record->series_count; i++)
		if (record->series[i].piece_ms > longest_ms)
			longest_ms = record->series[i].piece_ms;
	if (!longest_ms)
		return NULL;
	return report_note(report, "thinned: of each %s the lowest and the highest points are kept",
			   duration_format((uint64_t)longest_ms * 1000000, piece));
}

struct error *record_report_recording(struct report *report, const struct record *record,
				      bool running)
{
	char from[32], to[32], span[DURATION_CHARS], count[HUMAN_CHARS], inexact[HUMAN_CHARS];
	double share = recording_pause_share(record);
	struct error *error = recording_object(report, record, running);

	if (error || !record->point_count)
		return error;
	bool one_day = record->end_ms - record->begin_ms < 86400000;
	error = report_note(report, "%s point%s from %s to %s, over %s%s",
			    human_count((int64_t)record->point_count, count),
			    record->point_count == 1 ? "" : "s",
			    record_report_clock(record->begin_ms, true, from),
			    record_report_clock(record->end_ms, !one_day, to),
			    duration_format((uint64_t)record->recorded_ms * 1000000, span),
			    running ? ", and going on" : "");
	if (!error)
		error = recording_note_thinning(report, record);
	if (!error && share >= 0)
		error = report_note(report,
				    "the process stood still for %.2g %% of that time for this",
				    share * 100);
	if (!error && record->inexact_count)
		error = report_note(report,
				    "%s of them fell on no consistent moment or left something "
				    "unread: their objects are near the truth, not exact",
				    human_count((int64_t)record->inexact_count, inexact));
	if (!error && !running && record->ended[0])
		error = report_note(report, "ended: %s", record->ended);
	return error;
}
