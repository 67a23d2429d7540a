/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_LOAD_GROWTH_H
#define UI_LOAD_LOAD_GROWTH_H

/*
 * What grew in a block of iterations, kept when its looks are gone; and blocks by what they leak.
 */

#include "analyze/censuses/growth.h"
#include "ui/load/load.h"

/** Zero-initialised is empty and valid. */
struct load_growth {
	/** NULL when there is one block alone. Owned, as are the names in the rows. */
	char *url;
	/** The types that grow linearly alone. */
	struct growth growth;
	/** Those that would be among them, if the next collection did not free as many as there are more. */
	struct growth waiting;
	/** Of all that grow together, for each iteration. */
	double objects_per_iteration;
	/** By how much all objects together grew, for each iteration: the mean. */
	double bytes_per_iteration;
};

/** What grew from the look behind the warm-up to the last look of the block under way. */
MUST_USE struct error *load_growth_find(const struct load *load, const char *url,
					struct load_growth *ret);

/** What grew between the last two looks: of one iteration, which is no trend, those types of which
 *  there are @a least objects more. */
MUST_USE struct error *load_growth_of_last(const struct load *load, const char *url, uint64_t least,
					   struct load_growth *ret);

static inline bool load_growth_is_found(const struct load_growth *growth)
{
	return growth->growth.row_count > 0;
}

void load_growth_deinit(struct load_growth *growth);

/** Blocks, those that leak most first. Zero-initialised is empty and valid. */
struct load_ranking {
	struct load_growth *list;
	size_t count;
	size_t capacity;
};

/** Takes over @a growth, also when it fails. */
MUST_USE struct error *load_ranking_add(struct load_ranking *ranking, struct load_growth *growth);
bool load_ranking_is_found(const struct load_ranking *ranking);
void load_ranking_deinit(struct load_ranking *ranking);

#endif
