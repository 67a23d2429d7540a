/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_RECORD_REPORT_H
#define UI_ANSWERS_RECORD_REPORT_H

/*
 * What `watch` and `stats` tell alike of what was recorded.
 */

#include <stdbool.h>
#include <stdio.h>

#include "ui/record/record.h"
#include "ui/report/report.h"

struct record_report_style {
	/** One series alone, without its points; NULL is all of them, for programs with theirs. */
	const struct record_series *only;
	/** Shapes of the series, for a terminal; of Unicode's blocks. */
	bool sparklines;
	bool blocks;
};

/** What suits the reader, who is at a terminal or not. */
struct record_report_style record_report_style_for(bool on_terminal);

/** The table of the series: first and last value, change, shape. */
MUST_USE struct error *record_report_series(struct report *report, const struct record *record,
					    const struct record_report_style *style);

/** How it was recorded: when, how many points, for how long the process stood still for it. */
MUST_USE struct error *record_report_recording(struct report *report, const struct record *record,
					       bool running);

/** The unit of a cell for values of a series. */
enum report_unit record_report_unit(enum series_unit unit);

/** "2026-11-28 10:00:00" or "10:00:00" in the local time; @a into has 32 chars and is returned. */
const char *record_report_clock(int64_t time_ms, bool with_date, char *into);

#endif
