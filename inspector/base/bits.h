/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_BITS_H
#define BASE_BITS_H

/*
 * Sets of numbers below a bound, a bit of each: what is asked of every object stays in a cache.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/** An empty set of numbers below @a count; the caller frees it. NULL without memory. */
static inline uint64_t *bits_alloc(uint64_t count)
{
	return calloc(count / 64 + 1, sizeof(uint64_t));
}

static inline bool bits_get(const uint64_t *bits, uint32_t number)
{
	return bits[number / 64] >> number % 64 & 1;
}

static inline void bits_set(uint64_t *bits, uint32_t number)
{
	bits[number / 64] |= UINT64_C(1) << number % 64;
}

#endif
