/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_INDEX_H
#define HEAP_INDEX_H

/*
 * Addresses of objects to dense ids, ascending by address: a bit for every 8 bytes and, beside each
 * 32 bits, how many are set before them, so that a look-up touches one cache line of the map. The map
 * lies in pieces of 1 MiB of addresses, found through a table of two levels.
 *
 * First addresses are marked, by any number of threads; then the bits are counted, once; then they are
 * looked up, by any number of threads and without locks.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "heap/heap.h"

enum {
	/** Addresses of user space have 47 or 48 bits; larger ones are no objects. */
	HEAP_ADDRESS_BITS = 48,
	HEAP_INDEX_TABLE_BITS = 14,
	HEAP_INDEX_PIECE_BITS = 20,
	/** A cell describes 32 times 8 bytes. */
	HEAP_INDEX_CELL_BITS = 8,
	HEAP_INDEX_PIECE_CELLS = 1 << (HEAP_INDEX_PIECE_BITS - HEAP_INDEX_CELL_BITS),
};

struct heap_cell {
	uint32_t bits;
	/** How many are set in all cells before; valid when counted. */
	uint32_t before;
};

struct heap_index_slab;

struct heap_index {
	/** [bits 34 to 47][bits 20 to 33]: the cells of 1 MiB, or NULL. */
	struct heap_cell **tables[1 << HEAP_INDEX_TABLE_BITS];
	/** Taken to add tables and pieces. */
	pthread_mutex_t lock;
	struct heap_index_slab *slabs;
};

MUST_USE struct error *heap_index_create(struct heap_index **ret);
/** Takes NULL. */
void heap_index_destroy(struct heap_index *index);

/** What it takes of our memory. */
uint64_t heap_index_bytes(const struct heap_index *index);

/** Whether an object can be at @a at at all. */
static inline bool heap_index_takes(addr_t at)
{
	return at != 0 && at % 8 == 0 && at >> HEAP_ADDRESS_BITS == 0;
}

/** Marks @a at, which heap_index_takes(). *@a ret_first: it was not marked before. */
MUST_USE struct error *heap_index_mark(struct heap_index *index, addr_t at, bool *ret_first);

/** Makes ids of the marks; returns how many there are. */
uint64_t heap_index_count(struct heap_index *index);

/** The cell that describes @a at (of any value), or NULL. */
static inline struct heap_cell *heap_index_cell(const struct heap_index *index, addr_t at)
{
	uint32_t piece_mask = (1U << HEAP_INDEX_TABLE_BITS) - 1;

	if (at >> HEAP_ADDRESS_BITS)
		return NULL;
	struct heap_cell **table =
		index->tables[at >> (HEAP_INDEX_PIECE_BITS + HEAP_INDEX_TABLE_BITS)];
	if (!table)
		return NULL;
	struct heap_cell *piece = table[at >> HEAP_INDEX_PIECE_BITS & piece_mask];
	if (!piece)
		return NULL;
	return &piece[at >> HEAP_INDEX_CELL_BITS & (HEAP_INDEX_PIECE_CELLS - 1)];
}

/** Whether @a at is marked. */
static inline bool heap_index_has(const struct heap_index *index, addr_t at)
{
	const struct heap_cell *cell = heap_index_cell(index, at);

	return cell && at % 8 == 0 && cell->bits >> (at / 8 % 32) & 1;
}

// Without the processor's own instruction, which not every x86-64 has, the compiler calls a function.
static inline uint32_t heap_index_bit_count(uint32_t bits)
{
	bits -= bits >> 1 & 0x55555555;
	bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f;
	return bits * 0x01010101 >> 24;
}

/** The id of the object at @a at, or HEAP_NO_OBJECT. */
static inline uint32_t heap_index_find(const struct heap_index *index, addr_t at)
{
	const struct heap_cell *cell = heap_index_cell(index, at);
	uint32_t bit = at / 8 % 32;

	if (!cell || at % 8 != 0 || !(cell->bits >> bit & 1))
		return HEAP_NO_OBJECT;
	return cell->before + heap_index_bit_count(cell->bits & ((1U << bit) - 1));
}

/** The ids of the @a count addresses in the low HEAP_ADDRESS_BITS of @a words. Faster than one by one:
 *  the cells of many come from memory at the same time. */
void heap_index_find_many(const struct heap_index *index, const uint64_t *words, size_t count,
			  uint32_t *ret);

#endif
