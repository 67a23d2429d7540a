/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_WATCH_GROWTH_H
#define UI_WATCH_WATCH_GROWTH_H

/*
 * What one process has more and more of, type by type, while it is watched. Of all its censuses few are
 * kept: the first, the last, and some in between, the closer together the younger they are. So its
 * memory does not depend on how long it is watched, nor without bound on how many types a process makes: a
 * census takes some 7 MB at the very worst.
 */

#include <stdbool.h>

#include "analyze/censuses/changes.h"
#include "base/cleanup.h"
#include "heap/counter.h"

enum {
	WATCH_GROWTH_KEPT_MAX = 12,
	/** Of a process that ever has more, no types are kept. */
	WATCH_GROWTH_TYPES_MAX = 65536,
};

struct watch_growth_moment {
	struct census census;
	/** Milliseconds since 1970. */
	int64_t time_ms;
};

/** Zero-initialised is empty and valid. */
struct watch_growth {
	/** In the order of time. */
	struct watch_growth_moment moments[WATCH_GROWTH_KEPT_MAX];
	size_t count;
	/** A census had too many types: from then on there are totals alone. */
	bool types_unknown;
};

/** Takes what is in @a census, which is later than all before. */
void watch_growth_add(struct watch_growth *growth, struct census *census, int64_t time_ms);

/** The last census; NULL when there is none. */
const struct census *watch_growth_last(const struct watch_growth *growth);

/** From the first census to the last; 0 when there are not two. */
int64_t watch_growth_span_ms(const struct watch_growth *growth);

/** What changed since the first census; empty when there are not two, or types are not known.
 *  Names live until the next watch_growth_add(). The caller deinits. */
MUST_USE struct error *watch_growth_find(const struct watch_growth *growth, struct changes *ret);

/** @a count, what came in @a span_ms, as what comes in a minute; 0 for no time. */
double watch_growth_per_minute(int64_t count, int64_t span_ms);

/**
 * How many objects came lately, by the minute: of the type called @a type, or of all for NULL. Lately is
 * since a minute ago or longer, as there is a census; within the first minute it is since the beginning,
 * as if that were a minute ago: what came in a second says nothing about a minute. Where points come every
 * 15 seconds or more often that is never longer ago than 80 seconds: a burst shows. False when there are not
 * two censuses, and for a type when types are not known.
 */
bool watch_growth_rate(const struct watch_growth *growth, const char *type, double *ret);

void watch_growth_deinit(struct watch_growth *growth);

#endif
