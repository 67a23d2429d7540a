/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CHART_SERIES_H
#define UI_CHART_SERIES_H

/*
 * Values over time, as this room draws them and ui/record/ keeps them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum series_unit { SERIES_COUNT, SERIES_BYTES, SERIES_NS };

/** The value of a point at which there is none: a line has a gap there. */
#define SERIES_ABSENT INT64_MIN

struct series_point {
	/** Milliseconds since 1970-01-01 UTC; ascending within a series. */
	int64_t time_ms;
	int64_t value;
};

/** "52.1 MiB", "117,362", "6.2 ms", with its sign when @a is_change; @a into has HUMAN_CHARS chars and
 *  is returned. */
const char *series_format(enum series_unit unit, int64_t value, bool is_change, char *into);

#endif
