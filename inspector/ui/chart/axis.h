/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CHART_AXIS_H
#define UI_CHART_AXIS_H

/*
 * Where the ticks of an axis stand and what is written at them: round numbers in the unit that suits
 * them (20 MiB, not 20,000,000; 1:30 h, not 5,400 s). Knows nothing of how an axis is drawn.
 */

#include <stddef.h>
#include <stdint.h>

#include "ui/chart/series.h"

enum { AXIS_TICKS_MAX = 16, AXIS_LABEL_CHARS = 40 };

struct axis_tick {
	double value;
	char label[AXIS_LABEL_CHARS];
};

struct axis {
	/** Both ends; `low` < `high`. */
	double low, high;
	struct axis_tick ticks[AXIS_TICKS_MAX];
	size_t tick_count;
};

/** An axis on which all values from @a min to @a max have their place; it begins and ends with a tick.
 *  It begins at 0 when the values come near to it. About @a wanted ticks. */
void axis_of_values(enum series_unit unit, int64_t min, int64_t max, unsigned wanted,
		    struct axis *ret);

/** An axis from 0 to @a span_ms milliseconds, with about @a wanted ticks. Of no span at all, 0 is in its
 *  middle. */
void axis_of_time(int64_t span_ms, unsigned wanted, struct axis *ret);

#endif
