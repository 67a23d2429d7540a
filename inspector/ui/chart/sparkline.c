// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chart/sparkline.h"

#include <string.h>

enum { SPARKLINE_LEVELS = 8 };

static const char *const sparkline_blocks[SPARKLINE_LEVELS] = {"▁", "▂", "▃", "▄",
							       "▅", "▆", "▇", "█"};
static const char *const sparkline_ascii[SPARKLINE_LEVELS] = {"_", ".", "-", "~",
							      "=", "+", "*", "#"};

static int64_t sparkline_highest(const struct series_point *points, size_t from, size_t to)
{
	// SERIES_ABSENT is below all values.
	int64_t highest = SERIES_ABSENT;

	for (size_t i = from; i < to; i++)
		if (points[i].value > highest)
			highest = points[i].value;
	return highest;
}

static size_t sparkline_level(int64_t value, int64_t min, int64_t max)
{
	// In doubles: the difference of two numbers of 64 bits may have 65.
	double range = (double)max - (double)min;

	if (range <= 0)
		return 0;
	return (size_t)(((double)value - (double)min) / range * (SPARKLINE_LEVELS - 1) + 0.5);
}

struct error *sparkline_append(const struct series_point *points, size_t count, size_t columns,
			       bool blocks, struct text *into)
{
	const char *const *levels = blocks ? sparkline_blocks : sparkline_ascii;
	int64_t min = INT64_MAX, max = INT64_MIN;
	struct error *error = NULL;

	if (count < columns)
		columns = count;
	for (size_t i = 0; i < columns; i++) {
		int64_t value =
			sparkline_highest(points, i * count / columns, (i + 1) * count / columns);
		if (value != SERIES_ABSENT && value < min)
			min = value;
		if (value != SERIES_ABSENT && value > max)
			max = value;
	}
	for (size_t i = 0; i < columns && !error; i++) {
		int64_t value =
			sparkline_highest(points, i * count / columns, (i + 1) * count / columns);
		error = text_appendf(
			into, "%s",
			value == SERIES_ABSENT ? " " : levels[sparkline_level(value, min, max)]);
	}
	return error;
}
