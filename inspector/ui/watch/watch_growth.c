// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/watch_growth.h"

#include <string.h>

static const int64_t watch_growth_minute_ms = 60000;

// The one in between whose going leaves the least of a gap, measured by how long ago that is.
static size_t watch_growth_least_missed(const struct watch_growth *growth, int64_t now_ms)
{
	double least = 0;
	size_t ret = 1;

	for (size_t i = 1; i + 1 < growth->count; i++) {
		int64_t before_ms = growth->moments[i - 1].time_ms;
		int64_t after_ms = growth->moments[i + 1].time_ms;
		double gap = (double)(after_ms - before_ms) / (double)(now_ms - before_ms + 1);
		if (i == 1 || gap < least) {
			least = gap;
			ret = i;
		}
	}
	return ret;
}

static void watch_growth_make_room(struct watch_growth *growth, int64_t now_ms)
{
	size_t at = watch_growth_least_missed(growth, now_ms);

	census_deinit(&growth->moments[at].census);
	growth->count--;
	memmove(&growth->moments[at], &growth->moments[at + 1],
		(growth->count - at) * sizeof(growth->moments[0]));
}

void watch_growth_add(struct watch_growth *growth, struct census *census, int64_t time_ms)
{
	size_t cut = census_trim(census, WATCH_GROWTH_TYPES_MAX);

	if (cut > growth->cut_count)
		growth->cut_count = cut;
	if (growth->count == WATCH_GROWTH_KEPT_MAX)
		watch_growth_make_room(growth, time_ms);
	growth->moments[growth->count++] =
		(struct watch_growth_moment){.census = *census, .time_ms = time_ms};
	*census = (struct census){0};
}

const struct census *watch_growth_last(const struct watch_growth *growth)
{
	return growth->count ? &growth->moments[growth->count - 1].census : NULL;
}

int64_t watch_growth_span_ms(const struct watch_growth *growth)
{
	if (growth->count < 2)
		return 0;
	return growth->moments[growth->count - 1].time_ms - growth->moments[0].time_ms;
}

struct error *watch_growth_find(const struct watch_growth *growth, struct changes *ret)
{
	const struct census *censuses[WATCH_GROWTH_KEPT_MAX];

	*ret = (struct changes){0};
	if (growth->count < 2)
		return NULL;
	for (size_t i = 0; i < growth->count; i++)
		censuses[i] = &growth->moments[i].census;
	return changes_find(censuses, growth->count, ret);
}

double watch_growth_per_minute(int64_t count, int64_t span_ms)
{
	return span_ms > 0 ? (double)count * (double)watch_growth_minute_ms / (double)span_ms : 0;
}

static int64_t watch_growth_count_at(const struct watch_growth_moment *moment, const char *type)
{
	const struct census_row *row =
		type ? census_find(&moment->census, type) : &moment->census.total;

	return row ? (int64_t)row->count : 0;
}

bool watch_growth_rate(const struct watch_growth *growth, const char *type, double *ret)
{
	size_t from = 0;

	if (growth->count < 2)
		return false;
	const struct watch_growth_moment *last = &growth->moments[growth->count - 1];
	for (size_t i = 1; i + 1 < growth->count; i++)
		if (last->time_ms - growth->moments[i].time_ms >= watch_growth_minute_ms)
			from = i;
	const struct watch_growth_moment *first = &growth->moments[from];
	int64_t span_ms = last->time_ms - first->time_ms;
	*ret = watch_growth_per_minute(
		watch_growth_count_at(last, type) - watch_growth_count_at(first, type),
		span_ms > watch_growth_minute_ms ? span_ms : watch_growth_minute_ms);
	return true;
}

void watch_growth_deinit(struct watch_growth *growth)
{
	for (size_t i = 0; i < growth->count; i++)
		census_deinit(&growth->moments[i].census);
	*growth = (struct watch_growth){0};
}
