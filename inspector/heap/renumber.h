/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_RENUMBER_H
#define HEAP_RENUMBER_H

/*
 * Ids of objects are their places in the order of addresses. When more objects are found after ids were
 * given out, each moves up by as many as there are new ones below it: a few steps, told without looking
 * at addresses again.
 */

#include <stdint.h>

#include "base/error.h"

enum { RENUMBER_BLOCK_BITS = 10 };

/** Zero-initialised adds nothing to any id. */
struct renumber {
	/** Of each new object how many old ones are below it; ascending. */
	uint32_t *steps;
	/** By old id >> RENUMBER_BLOCK_BITS: how many steps are at or below the block's first id. One
	 *  more than there are blocks. NULL when there are no steps. */
	uint32_t *blocks;
};

/** @a old_below: of each of the @a count new objects how many of the @a old_count old ones are below
 *  it, ascending; it is the renumber's from now on, on failure too. */
MUST_USE struct error *renumber_init(struct renumber *renumber, uint32_t *old_below, uint32_t count,
				     uint32_t old_count);
void renumber_deinit(struct renumber *renumber);

/** By how much @a id moves up when steps are in its block. */
uint32_t renumber_search(const struct renumber *renumber, uint32_t id);

/** The new id of old @a id (less than old_count). */
static inline uint32_t renumber_id(const struct renumber *renumber, uint32_t id)
{
	if (!renumber->blocks)
		return id;
	const uint32_t *block = &renumber->blocks[id >> RENUMBER_BLOCK_BITS];
	// Mostly the whole block moves by the same.
	return id + (block[0] == block[1] ? block[0] : renumber_search(renumber, id));
}

#endif
