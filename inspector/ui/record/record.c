// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum {
	/** Pieces of time of a series that is thinned; each keeps three points at most, as a rule two. */
	RECORD_PIECES = RECORD_POINTS_MAX / 4,
	/** So many of the newest points are kept as they are, until their piece of time is over. */
	RECORD_NEWEST_MAX = 64,
};

struct error *record_add_series(struct record *record, const char *name, enum series_unit unit,
				struct record_series **ret)
{
	for (size_t i = 0; i < record->series_count; i++) {
		if (strcmp(record->series[i].name, name) != 0)
			continue;
		*ret = &record->series[i];
		return NULL;
	}
	if (record->series_count == RECORD_SERIES_MAX)
		return error_create(ERROR_FAILED, "more than %d series", RECORD_SERIES_MAX);
	*ret = &record->series[record->series_count++];
	(*ret)->unit = unit;
	snprintf((*ret)->name, sizeof((*ret)->name), "%s", name);
	return NULL;
}

const struct record_series *record_find(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->series_count; i++)
		if (!strcmp(record->series[i].name, name))
			return &record->series[i];
	return NULL;
}

// Of points[from..to) keeps the lowest, the highest, a gap, and the last when @keeps_last; they are
// written from points[into] on, which is no later. Returns how many.
static size_t record_squeeze(struct series_point *points, size_t from, size_t to, size_t into,
			     bool keeps_last)
{
	size_t min = to, max = to, gap = to, kept = 0;

	for (size_t i = from; i < to; i++) {
		if (points[i].value == SERIES_ABSENT) {
			gap = gap < i ? gap : i;
			continue;
		}
		if (min == to || points[i].value < points[min].value)
			min = i;
		if (max == to || points[i].value > points[max].value)
			max = i;
	}
	for (size_t i = from; i < to; i++)
		if (i == min || i == max || i == gap || (keeps_last && i + 1 == to))
			points[into + kept++] = points[i];
	return kept;
}

static int64_t record_piece(const struct record_series *series, int64_t time_ms)
{
	return (time_ms - series->points[0].time_ms) / series->piece_ms;
}

// The first point stays, and what is between is squeezed piece by piece: pieces are equally long, so
// that what is old is known as well as what is new.
static void record_thin(struct record_series *series)
{
	int64_t span_ms = series->points[series->count - 1].time_ms - series->points[0].time_ms;
	size_t kept = 1;

	series->piece_ms *= 2;
	if (series->piece_ms <= span_ms / RECORD_PIECES)
		series->piece_ms = span_ms / RECORD_PIECES + 1;
	for (size_t from = 1, to; from < series->count; from = to) {
		int64_t piece = record_piece(series, series->points[from].time_ms);

		for (to = from + 1; to < series->count; to++)
			if (record_piece(series, series->points[to].time_ms) != piece)
				break;
		series->newest = kept;
		kept += record_squeeze(series->points, from, to, kept, to == series->count);
	}
	series->count = kept;
}

// Of a series that is thinned already: the piece of time before that of @time_ms is over, or has too
// many points.
static void record_thin_newest(struct record_series *series, int64_t time_ms)
{
	bool over = record_piece(series, time_ms) !=
		    record_piece(series, series->points[series->newest].time_ms);

	if (!over && series->count - series->newest < RECORD_NEWEST_MAX)
		return;
	series->count = series->newest + record_squeeze(series->points, series->newest,
							series->count, series->newest, !over);
	if (over)
		series->newest = series->count;
}

static struct error *record_keep(struct record_series *series, int64_t time_ms, int64_t value)
{
	// Two gaps are one.
	if (value == SERIES_ABSENT &&
	    (!series->count || series->points[series->count - 1].value == SERIES_ABSENT))
		return NULL;
	if (series->piece_ms && series->newest < series->count)
		record_thin_newest(series, time_ms);
	if (series->count == RECORD_POINTS_MAX)
		record_thin(series);
	struct error *error = array_reserve(&series->points, &series->capacity, series->count + 1,
					    sizeof(*series->points));
	if (!error)
		series->points[series->count++] = (struct series_point){time_ms, value};
	return error;
}

static void record_sum_up(struct record_series *series, int64_t time_ms, int64_t value)
{
	const struct series_point point = {time_ms, value};

	if (series->value_count++ == 0) {
		series->first = point;
		series->min = series->max = value;
	}
	series->last = point;
	series->min = value < series->min ? value : series->min;
	series->max = value > series->max ? value : series->max;
	if (__builtin_add_overflow(series->sum, value, &series->sum))
		series->sum = INT64_MAX;
}

static struct error *record_break_lines(struct record *record)
{
	struct error *error = NULL;

	for (size_t i = 0; i < record->series_count && !error; i++)
		error = record_keep(&record->series[i], record->end_ms, SERIES_ABSENT);
	return error;
}

struct error *record_add(struct record *record, int64_t time_ms, const int64_t *values,
			 bool *ret_taken)
{
	bool taken = !record->point_count || time_ms > record->end_ms;
	struct error *error = NULL;

	if (ret_taken)
		*ret_taken = taken;
	if (!taken)
		return NULL;
	if (record->point_count && record->interrupted)
		error = record_break_lines(record);
	for (size_t i = 0; i < record->series_count && !error; i++) {
		error = record_keep(&record->series[i], time_ms, values[i]);
		if (!error && values[i] != SERIES_ABSENT)
			record_sum_up(&record->series[i], time_ms, values[i]);
	}
	if (error)
		return error;
	if (!record->point_count)
		record->begin_ms = time_ms;
	else if (!record->interrupted)
		record->recorded_ms += time_ms - record->end_ms;
	record->end_ms = time_ms;
	record->point_count++;
	record->interrupted = false;
	return NULL;
}

void record_interrupt(struct record *record)
{
	record->interrupted = true;
}

bool record_change(const struct record_series *series, int64_t *ret)
{
	return series->value_count > 1 &&
	       !__builtin_sub_overflow(series->last.value, series->first.value, ret);
}

void record_deinit(struct record *record)
{
	for (size_t i = 0; i < record->series_count; i++)
		free(record->series[i].points);
	*record = (struct record){0};
}
