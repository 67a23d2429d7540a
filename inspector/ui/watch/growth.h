/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_GROWTH_H
#define UI_WATCH_GROWTH_H

/*
 * What one process has more and more of, type by type, while it is watched. Of all its censuses few are
 * kept: the first, the last, and some in between, the closer together the younger they are. So its
 * memory does not depend on how long it is watched, nor on how many types a process makes.
 */

#include <stdbool.h>

#include "analyze/changes.h"
#include "base/cleanup.h"
#include "heap/counter.h"

enum {
	GROWTH_KEPT_MAX = 6,
	/** Types kept of a census, those with most objects. */
	GROWTH_TYPES_MAX = 4096,
};

struct growth_moment {
	struct census census;
	/** Milliseconds since 1970. */
	int64_t time_ms;
};

/** Zero-initialised is empty and valid. */
struct growth {
	/** In the order of time. */
	struct growth_moment moments[GROWTH_KEPT_MAX];
	size_t count;
	/** The most types that a census had beyond those kept: objects of rare types may be missing in what
	 *  is told, and none of the others. */
	size_t cut_count;
};

/** Takes what is in @a census, which is later than all before. */
void growth_add(struct growth *growth, struct census *census, int64_t time_ms);

/** The last census; NULL when there is none. */
const struct census *growth_last(const struct growth *growth);

/** From the first census to the last; 0 when there are not two. */
int64_t growth_span_ms(const struct growth *growth);

/** What changed since the first census; empty when there are not two. Names live until the next
 *  growth_add(). The caller deinits. */
MUST_USE struct error *growth_find(const struct growth *growth, struct changes *ret);

/** @a count, what came in @a span_ms, as what comes in a minute; 0 for no time. */
double growth_per_minute(int64_t count, int64_t span_ms);

/**
 * How many objects came lately, by the minute: of the type called @a type, or of all for NULL. Lately is
 * since a minute ago or longer, as there is a census; within the first minute it is since the beginning,
 * as if that were a minute ago: what came in a second says nothing about a minute. False when there are not two
 * censuses.
 */
bool growth_rate(const struct growth *growth, const char *type, double *ret);

void growth_deinit(struct growth *growth);

#endif
