// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/growth.h"

#include <string.h>

static const int64_t growth_minute_ms = 60000;

// The one in between whose going leaves the least of a gap, measured by how long ago that is.
static size_t growth_least_missed(const struct growth *growth, int64_t now_ms)
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

static void growth_make_room(struct growth *growth, int64_t now_ms)
{
	size_t at = growth_least_missed(growth, now_ms);

	census_deinit(&growth->moments[at].census);
	growth->count--;
	memmove(&growth->moments[at], &growth->moments[at + 1],
		(growth->count - at) * sizeof(growth->moments[0]));
}

void growth_add(struct growth *growth, struct census *census, int64_t time_ms)
{
	size_t cut = census_trim(census, GROWTH_TYPES_MAX);

	if (cut > growth->cut_count)
		growth->cut_count = cut;
	if (growth->count == GROWTH_KEPT_MAX)
		growth_make_room(growth, time_ms);
	growth->moments[growth->count++] =
		(struct growth_moment){.census = *census, .time_ms = time_ms};
	*census = (struct census){0};
}

const struct census *growth_last(const struct growth *growth)
{
	return growth->count ? &growth->moments[growth->count - 1].census : NULL;
}

int64_t growth_span_ms(const struct growth *growth)
{
	if (growth->count < 2)
		return 0;
	return growth->moments[growth->count - 1].time_ms - growth->moments[0].time_ms;
}

struct error *growth_find(const struct growth *growth, struct changes *ret)
{
	const struct census *censuses[GROWTH_KEPT_MAX];

	*ret = (struct changes){0};
	if (growth->count < 2)
		return NULL;
	for (size_t i = 0; i < growth->count; i++)
		censuses[i] = &growth->moments[i].census;
	return changes_find(censuses, growth->count, ret);
}

double growth_per_minute(int64_t count, int64_t span_ms)
{
	return span_ms > 0 ? (double)count * (double)growth_minute_ms / (double)span_ms : 0;
}

static int64_t growth_count_at(const struct growth_moment *moment, const char *type)
{
	const struct census_row *row =
		type ? census_find(&moment->census, type) : &moment->census.total;

	return row ? (int64_t)row->count : 0;
}

bool growth_rate(const struct growth *growth, const char *type, double *ret)
{
	size_t from = 0;

	if (growth->count < 2)
		return false;
	const struct growth_moment *last = &growth->moments[growth->count - 1];
	for (size_t i = 1; i + 1 < growth->count; i++)
		if (last->time_ms - growth->moments[i].time_ms >= growth_minute_ms)
			from = i;
	const struct growth_moment *first = &growth->moments[from];
	int64_t span_ms = last->time_ms - first->time_ms;
	*ret = growth_per_minute(growth_count_at(last, type) - growth_count_at(first, type),
				 span_ms > growth_minute_ms ? span_ms : growth_minute_ms);
	return true;
}

void growth_deinit(struct growth *growth)
{
	for (size_t i = 0; i < growth->count; i++)
		census_deinit(&growth->moments[i].census);
	*growth = (struct growth){0};
}
