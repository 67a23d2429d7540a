// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chart/axis.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

/** What a number is written in. */
struct axis_unit {
	const char *name;
	double size;
};

static const struct axis_unit axis_counts[] = {
	{"", 1}, {" M", 1e6}, {" G", 1e9}, {" T", 1e12}, {" P", 1e15}, {NULL, 0},
};
static const struct axis_unit axis_bytes[] = {
	{" B", 1},        {" KiB", 0x1p10}, {" MiB", 0x1p20}, {" GiB", 0x1p30},
	{" TiB", 0x1p40}, {" PiB", 0x1p50}, {" EiB", 0x1p60}, {NULL, 0},
};
static const struct axis_unit axis_times[] = {
	{" ns", 1}, {" us", 1e3}, {" ms", 1e6}, {" s", 1e9}, {NULL, 0},
};

/** A step smaller than this part of a unit is written in the next smaller one. */
static const double axis_smallest_step = 0.01;
/** Counts are written out up to here: 9,500,000. */
static const double axis_count_written_out = 1e7;

// The smallest of 1, 2, 5 by a power of ten that is not below @at_least.
static double axis_nice(double at_least)
{
	double power = pow(10, floor(log10(at_least)));
	static const double steps[] = {1, 2, 5, 10};

	for (size_t i = 0; i < ARRAY_COUNT(steps); i++)
		if (steps[i] * power >= at_least * (1 - 1e-9))
			return steps[i] * power;
	return 10 * power;
}

static const struct axis_unit *axis_unit_for(enum series_unit unit, double largest, double step)
{
	const struct axis_unit *units = unit == SERIES_COUNT   ? axis_counts
					: unit == SERIES_BYTES ? axis_bytes
							       : axis_times;
	const struct axis_unit *found = units;

	if (unit == SERIES_COUNT && largest < axis_count_written_out)
		return units;
	for (size_t i = 1; units[i].name; i++)
		if (largest >= units[i].size && step >= axis_smallest_step * units[i].size)
			found = &units[i];
	return found;
}

// "-1,234.50"
static void axis_number(double number, int decimals, char *into, size_t bytes)
{
	char digits[AXIS_LABEL_CHARS];
	size_t used = 0;

	snprintf(digits, sizeof(digits), "%.*f", decimals, number);
	// Rounded to nothing it would say -0.
	const char *from = digits;
	if (*from == '-' && !from[strspn(from, "-0.")])
		from++;
	size_t whole = strcspn(from, ".");
	for (size_t i = 0; from[i] && used + 2 < bytes; i++) {
		bool grouped = i > 0 && i < whole && (whole - i) % 3 == 0 && from[i - 1] != '-';
		if (grouped)
			into[used++] = ',';
		into[used++] = from[i];
	}
	into[used] = '\0';
}

static void axis_label_value(const struct axis_unit *unit, double step, struct axis_tick *tick)
{
	char number[AXIS_LABEL_CHARS - 8];
	double in_unit = step / unit->size;
	int decimals = in_unit >= 1 ? 0 : (int)ceil(-log10(in_unit) - 1e-9);

	axis_number(tick->value / unit->size, decimals, number, sizeof(number));
	snprintf(tick->label, sizeof(tick->label), "%s%s", number, unit->name);
}

void axis_of_values(enum series_unit unit, int64_t min, int64_t max, unsigned wanted,
		    struct axis *ret)
{
	double low = (double)min, high = (double)max;
	double largest = fmax(fabs(low), fabs(high));

	if (wanted < 2 || wanted > AXIS_TICKS_MAX / 3)
		wanted = AXIS_TICKS_MAX / 3;
	// One value alone, or several that a double takes for one: it gets its place in the middle, with
	// something to compare it with.
	if (high - low <= largest * 1e-12) {
		low -= largest / 50;
		high = low + fmax(largest / 25, 1);
	}
	if (low > 0 && high - low > high / 2)
		low = 0;
	double raw = (high - low) / wanted;
	const struct axis_unit *label_unit = axis_unit_for(unit, largest, raw);
	double step = axis_nice(raw / label_unit->size) * label_unit->size;
	// There is no half object and no half byte. (The next step up of nearly one is one.)
	if (step < 1)
		step = 1;
	double first = floor(low / step + 1e-9), last = ceil(high / step - 1e-9);
	if (last <= first)
		last = first + 1;
	*ret = (struct axis){.low = first * step, .high = last * step};
	for (double i = first; i <= last && ret->tick_count < AXIS_TICKS_MAX; i++) {
		struct axis_tick *tick = &ret->ticks[ret->tick_count++];
		tick->value = i * step;
		axis_label_value(label_unit, step, tick);
		// Beyond 2^53 the next number may be the same one.
		if (i + 1 <= i)
			break;
	}
}

// The smallest unit that is seen changing decides the form: 30 s, 1:30 min, 5 min, 1:30 h, 6 h, 2 d.
static void axis_label_time(double ms, double step_ms, char *into)
{
	static const double minute = 60e3, hour = 3600e3, day = 86400e3;
	long long seconds = llround(ms / 1e3);

	if (ms == 0)
		snprintf(into, AXIS_LABEL_CHARS, "0");
	else if (step_ms < 1e3)
		snprintf(into, AXIS_LABEL_CHARS, "%g s", ms / 1e3);
	else if (step_ms < minute && ms < minute)
		snprintf(into, AXIS_LABEL_CHARS, "%lld s", seconds);
	else if (step_ms < minute)
		snprintf(into, AXIS_LABEL_CHARS, "%lld:%02lld min", seconds / 60, seconds % 60);
	else if (step_ms < hour && ms < hour)
		snprintf(into, AXIS_LABEL_CHARS, "%lld min", seconds / 60);
	else if (step_ms < hour)
		snprintf(into, AXIS_LABEL_CHARS, "%lld:%02lld h", seconds / 3600,
			 seconds / 60 % 60);
	else if (step_ms < day)
		snprintf(into, AXIS_LABEL_CHARS, "%lld h", seconds / 3600);
	else
		snprintf(into, AXIS_LABEL_CHARS, "%lld d", seconds / 86400);
}

static double axis_time_step(double at_least_ms)
{
	static const double steps_s[] = {
		0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,  0.5,  1,    2,     5,     10,
		15,    30,    60,    120,  300,  600,  900, 1800, 3600, 7200, 10800, 21600, 43200,
	};
	static const double day_ms = 86400e3;

	for (size_t i = 0; i < ARRAY_COUNT(steps_s); i++)
		if (steps_s[i] * 1e3 >= at_least_ms)
			return steps_s[i] * 1e3;
	return at_least_ms <= day_ms ? day_ms : ceil(axis_nice(at_least_ms / day_ms)) * day_ms;
}

void axis_of_time(int64_t span_ms, unsigned wanted, struct axis *ret)
{
	double span = (double)span_ms;

	*ret = (struct axis){.low = -1, .high = 1, .ticks = {{.label = "0"}}, .tick_count = 1};
	if (span_ms <= 0)
		return;
	if (wanted < 1 || wanted > AXIS_TICKS_MAX / 2)
		wanted = AXIS_TICKS_MAX / 2;
	double step = axis_time_step(span / wanted);
	*ret = (struct axis){.high = span};
	for (double at = 0; at <= span && ret->tick_count < AXIS_TICKS_MAX; at += step) {
		struct axis_tick *tick = &ret->ticks[ret->tick_count++];
		tick->value = at;
		axis_label_time(at, step, tick->label);
	}
}
