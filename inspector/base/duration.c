// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static const double duration_max_ns = 366.0 * 86400 * 1e9;

bool duration_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{"", 1e9},       {"us", 1e3},   {"ms", 1e6},       {"s", 1e9},
		{"m", 60 * 1e9}, {"min", 60e9}, {"h", 3600 * 1e9}, {"d", 86400 * 1e9},
	};
	size_t digits = strspn(text, "0123456789.");
	char *end;

	// strtod() alone would take signs, blanks, exponents, "inf" and hexadecimal.
	if (!digits || digits > 20)
		return false;
	double number = strtod(text, &end);
	if (end != text + digits)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		double ns = number * units[i].ns;
		if (ns < 1 || ns > duration_max_ns)
			return false;
		*ret_ns = (uint64_t)(ns + 0.5);
		return true;
	}
	return false;
}

const char *duration_format(uint64_t ns, char *into)
{
	static const struct {
		uint64_t seconds;
		const char *large, *small;
		uint64_t small_seconds;
	} units[] = {
		{86400, "d", "h", 3600},
		{3600, "h", "min", 60},
		{60, "min", "s", 1},
	};
	uint64_t seconds = ns / 1000000000 + (ns % 1000000000 >= 500000000);

	if (ns < 1000000) {
		snprintf(into, DURATION_CHARS, "%" PRIu64 " us", ns / 1000);
		return into;
	}
	if (ns < 999950000) {
		snprintf(into, DURATION_CHARS, "%g ms", (double)((ns + 50000) / 100000) / 10);
		return into;
	}
	if (ns < UINT64_C(59950000000)) {
		double tenths = (double)((ns + 50000000) / 100000000) / 10;
		snprintf(into, DURATION_CHARS, "%g s", tenths);
		return into;
	}
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		// Rounded in the smaller unit first: 59 min 59.9 s are an hour.
		uint64_t small = (seconds + units[i].small_seconds / 2) / units[i].small_seconds;
		uint64_t per = units[i].seconds / units[i].small_seconds;
		if (small < per)
			continue;
		int length = snprintf(into, DURATION_CHARS, "%" PRIu64 " %s", small / per,
				      units[i].large);
		if (small % per)
			snprintf(into + length, DURATION_CHARS - (size_t)length, " %" PRIu64 " %s",
				 small % per, units[i].small);
		break;
	}
	return into;
}
