/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_RECORD_RECORD_H
#define UI_RECORD_RECORD_H

/*
 * What was measured of one process over time: a few named series of points. Its memory is bounded,
 * however long it is kept up: of a series that is full, equal pieces of its time keep their lowest and
 * their highest point, and the pieces grow with it. Sums and extremes are those of all
 * points, thinned away or not. Knows nothing of where points come from.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ui/chart/series.h"
#include "ui/record/record_process.h"

enum {
	RECORD_SERIES_MAX = 32,
	/** Points kept of each series: some pixels for each, and 128 KiB. */
	RECORD_POINTS_MAX = 8192,
	RECORD_NAME_CHARS = 40,
};

struct record_series {
	char name[RECORD_NAME_CHARS];
	enum series_unit unit;
	/** What is kept, in the order of time; SERIES_ABSENT is where a line breaks. */
	struct series_point *points;
	size_t count;
	size_t capacity;
	/** How long the pieces of time are that it is thinned to, 0 when it is not; and where in `points`
	 *  the last of them begins. */
	int64_t piece_ms;
	size_t newest;
	/** Over all values that there were. The rest means nothing when there was none. */
	uint64_t value_count;
	struct series_point first, last;
	int64_t min, max;
	/** INT64_MAX when it is more. */
	int64_t sum;
};

struct record {
	struct record_process process;
	struct record_series series[RECORD_SERIES_MAX];
	size_t series_count;
	/** Points in time, each with a value for some of the series or for none. */
	uint64_t point_count;
	int64_t begin_ms, end_ms;
	/** How long points were taken for: from the first to the last of each run, in all. */
	int64_t recorded_ms;
	/** The next point does not follow from the one before: another run. */
	bool interrupted;
	/** Points whose count of objects is near the truth and not exact. */
	uint64_t inexact_count;
	/** How it came to an end, "" while it has not. */
	char ended[200];
};

/** Adds a series, or finds the one of that name. ERROR_FAILED when there are too many. */
MUST_USE struct error *record_add_series(struct record *record, const char *name,
					 enum series_unit unit, struct record_series **ret);

/** The series called @a name, NULL when there is none. */
const struct record_series *record_find(const struct record *record, const char *name);

/**
 * Adds a point: a value for each series in their order, SERIES_ABSENT where there is none. One that is
 * not later than the last is not taken; *@a ret_taken says so (may be NULL).
 */
MUST_USE struct error *record_add(struct record *record, int64_t time_ms, const int64_t *values,
				  bool *ret_taken);

/** The next point begins another run: lines have a gap before it. */
void record_interrupt(struct record *record);

/** The change of a series from its first to its last value; false when there are not two, or when it is
 *  more than a number holds. */
bool record_change(const struct record_series *series, int64_t *ret);

/** Empties it. Zero-initialised is empty and valid. */
void record_deinit(struct record *record);
#define _cleanup_record_ CLEANUP(record_deinit)

#endif
