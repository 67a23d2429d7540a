// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chart/series.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/text.h"

const char *series_format(enum series_unit unit, int64_t value, bool is_change, char *into)
{
	char digits[HUMAN_CHARS];
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
	const char *sign = value < 0 ? "-" : is_change && value > 0 ? "+" : "";
	// The one number that has no positive twin.
	int64_t positive = magnitude > INT64_MAX ? INT64_MAX : (int64_t)magnitude;

	switch (unit) {
	case SERIES_COUNT:
		human_count(positive, digits);
		break;
	case SERIES_BYTES:
		human_bytes(positive, digits);
		break;
	case SERIES_NS:
		duration_format(magnitude, digits);
		break;
	}
	snprintf(into, HUMAN_CHARS, "%s%.*s", sign, HUMAN_CHARS - 2, digits);
	return into;
}
