// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/watch_growth.h"

#include <string.h>

static const int64_t watch_growth_minute_ms = 60000;
/** The base of a rate is older than a minute by no more than this, where points come that often. */
static const int64_t watch_growth_dense_ms = 15000;

/** What it costs when one in between goes. */
struct watch_growth_gap {
	/** From the one before to the one after. */
	int64_t span_ms;
	/** The same, measured by how long ago that is. */
	double relative;
	/** A rate is taken from it, or will be. */
	bool is_late;
};

static struct watch_growth_gap watch_growth_gap_at(const struct watch_growth *growth, size_t at,
						   int64_t now_ms)
{
	bool is_last = at + 1 == growth->count;
	int64_t before_ms = growth->moments[at - 1].time_ms;
	int64_t after_ms = is_last ? now_ms : growth->moments[at + 1].time_ms;

	return (struct watch_growth_gap){
		.span_ms = after_ms - before_ms,
		.relative = (double)(after_ms - before_ms) / (double)(now_ms - before_ms + 1),
		.is_late = now_ms - after_ms < watch_growth_minute_ms,
	};
}

// Where moments lie too densely for a rate they go first, then old ones, and only then what a rate needs.
static size_t watch_growth_least_missed(const struct watch_growth *growth, int64_t now_ms)
{
	double old_least = 0;
	int64_t late_least_ms = INT64_MAX;
	size_t old = 0, late = 0;

	for (size_t i = 1; i < growth->count; i++) {
		struct watch_growth_gap gap = watch_growth_gap_at(growth, i, now_ms);
		if (gap.is_late && gap.span_ms < late_least_ms) {
			late_least_ms = gap.span_ms;
			late = i;
		} else if (!gap.is_late && (!old || gap.relative < old_least)) {
			old_least = gap.relative;
			old = i;
		}
	}
	return late && (!old || late_least_ms <= watch_growth_dense_ms) ? late : old;
}

static void watch_growth_make_room(struct watch_growth *growth, int64_t now_ms)
{
	size_t at = watch_growth_least_missed(growth, now_ms);

	census_deinit(&growth->moments[at].census);
	growth->count--;
	memmove(&growth->moments[at], &growth->moments[at + 1],
		(growth->count - at) * sizeof(growth->moments[0]));
}

// A part of them would be a lie: a type at its edge would come and go.
static void watch_growth_bound_types(struct watch_growth *growth, struct census *census)
{
	growth->types_unknown |= census->row_count > WATCH_GROWTH_TYPES_MAX;
	if (!growth->types_unknown)
		return;
	census_drop_types(census);
	for (size_t i = 0; i < growth->count; i++)
		census_drop_types(&growth->moments[i].census);
}

void watch_growth_add(struct watch_growth *growth, struct census *census, int64_t time_ms)
{
	watch_growth_bound_types(growth, census);
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
	if (growth->count < 2 || growth->types_unknown)
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

	if (growth->count < 2 || (type && growth->types_unknown))
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
