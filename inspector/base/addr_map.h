/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_ADDR_MAP_H
#define BASE_ADDR_MAP_H

/*
 * Address to 32-bit number, open addressing. Address 0 is no key. Not for the objects of a heap
 * (a bitmap with ranks is smaller and faster there) but for the thousands: types, modules, lists.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct addr_map_slot {
	addr_t key;
	uint32_t value;
};

/** Zero-initialised is empty and valid. */
struct addr_map {
	struct addr_map_slot *slots;
	size_t count;
	/** Number of slots, a power of two or 0. */
	size_t size;
};

void addr_map_deinit(struct addr_map *map);

/** Whether @a key is there; *@a ret is its value then. */
bool addr_map_get(const struct addr_map *map, addr_t key, uint32_t *ret);

/** Sets @a key (not 0) to @a value, replacing what was there. */
MUST_USE struct error *addr_map_put(struct addr_map *map, addr_t key, uint32_t value);

/** A well mixed 64-bit hash of an address; also the term of the collector's list fingerprint. */
static inline uint64_t addr_hash(addr_t address)
{
	uint64_t x = address;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93U;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93U;
	x ^= x >> 32;
	return x;
}

#endif
