// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/index.h"

#include <stdlib.h>

#include "base/pages.h"

enum {
	PIECE_BYTES = HEAP_INDEX_PIECE_CELLS * sizeof(struct heap_cell),
	SLAB_PIECES = PAGES_HUGE_BYTES / PIECE_BYTES,
	// A small heap needs no huge page.
	FIRST_SLAB_PIECES = 8,
	TABLE_LENGTH = 1 << HEAP_INDEX_TABLE_BITS,
	/** Look-ups that wait for memory together. */
	FIND_BATCH = 64,
};

struct heap_index_slab {
	struct heap_index_slab *next;
	struct heap_cell *cells;
	size_t piece_count;
	size_t used;
};

struct error *heap_index_create(struct heap_index **ret)
{
	struct heap_index *index = calloc(1, sizeof(*index));

	if (!index)
		return error_no_memory();
	pthread_mutex_init(&index->lock, NULL);
	*ret = index;
	return NULL;
}

void heap_index_destroy(struct heap_index *index)
{
	if (!index)
		return;
	for (struct heap_index_slab *slab = index->slabs, *next; slab; slab = next) {
		next = slab->next;
		pages_free(slab->cells, slab->piece_count * PIECE_BYTES);
		free(slab);
	}
	for (size_t i = 0; i < TABLE_LENGTH; i++)
		free(index->tables[i]);
	pthread_mutex_destroy(&index->lock);
	free(index);
}

uint64_t heap_index_bytes(const struct heap_index *index)
{
	uint64_t bytes = sizeof(*index);

	for (size_t i = 0; i < TABLE_LENGTH; i++)
		if (index->tables[i])
			bytes += TABLE_LENGTH * sizeof(*index->tables[i]);
	// Of a slab, what no cell lies in was never touched.
	for (const struct heap_index_slab *slab = index->slabs; slab; slab = slab->next)
		bytes += sizeof(*slab) + (uint64_t)slab->used * PIECE_BYTES;
	return bytes;
}

static struct heap_cell *index_new_piece(struct heap_index *index)
{
	struct heap_index_slab *slab = index->slabs;

	if (!slab || slab->used == slab->piece_count) {
		size_t piece_count = slab ? SLAB_PIECES : FIRST_SLAB_PIECES;
		slab = calloc(1, sizeof(*slab));
		if (!slab)
			return NULL;
		slab->cells = pages_alloc(piece_count * PIECE_BYTES);
		if (!slab->cells) {
			free(slab);
			return NULL;
		}
		slab->piece_count = piece_count;
		slab->next = index->slabs;
		index->slabs = slab;
	}
	return slab->cells + slab->used++ * HEAP_INDEX_PIECE_CELLS;
}

// With the lock held. Others read the tables meanwhile, so what is entered must be whole by then.
static struct error *index_add_piece(struct heap_index *index, addr_t at)
{
	struct heap_cell ***slot =
		&index->tables[at >> (HEAP_INDEX_PIECE_BITS + HEAP_INDEX_TABLE_BITS)];
	struct heap_cell **table = *slot;

	if (!table) {
		table = calloc(TABLE_LENGTH, sizeof(struct heap_cell *));
		if (!table)
			return error_no_memory();
		__atomic_store_n(slot, table, __ATOMIC_RELEASE);
	}
	struct heap_cell **entry = &table[at >> HEAP_INDEX_PIECE_BITS & (TABLE_LENGTH - 1)];
	if (*entry)
		return NULL;
	struct heap_cell *piece = index_new_piece(index);
	if (!piece)
		return error_no_memory();
	__atomic_store_n(entry, piece, __ATOMIC_RELEASE);
	return NULL;
}

static struct heap_cell *index_cell_shared(struct heap_index *index, addr_t at)
{
	struct heap_cell **table = __atomic_load_n(
		&index->tables[at >> (HEAP_INDEX_PIECE_BITS + HEAP_INDEX_TABLE_BITS)],
		__ATOMIC_ACQUIRE);

	if (!table)
		return NULL;
	struct heap_cell *piece = __atomic_load_n(
		&table[at >> HEAP_INDEX_PIECE_BITS & (TABLE_LENGTH - 1)], __ATOMIC_ACQUIRE);
	return piece ? &piece[at >> HEAP_INDEX_CELL_BITS & (HEAP_INDEX_PIECE_CELLS - 1)] : NULL;
}

struct error *heap_index_mark(struct heap_index *index, addr_t at, bool *ret_first)
{
	uint32_t bit = 1U << (at / 8 % 32);
	struct heap_cell *cell = index_cell_shared(index, at);

	if (!cell) {
		pthread_mutex_lock(&index->lock);
		struct error *error = index_add_piece(index, at);
		pthread_mutex_unlock(&index->lock);
		if (error)
			return error;
		cell = index_cell_shared(index, at);
	}
	*ret_first = !(__atomic_fetch_or(&cell->bits, bit, __ATOMIC_RELAXED) & bit);
	return NULL;
}

static inline __attribute__((always_inline)) uint32_t bit_count(uint32_t bits, bool has_popcnt)
{
	return has_popcnt ? (uint32_t)__builtin_popcount(bits) : heap_index_bit_count(bits);
}

// From the count before it to that behind it.
static inline __attribute__((always_inline)) uint64_t count_cells(struct heap_cell *cells,
								  uint64_t count, bool has_popcnt)
{
	for (size_t i = 0; i < HEAP_INDEX_PIECE_CELLS; i++) {
		cells[i].before = (uint32_t)count;
		count += bit_count(cells[i].bits, has_popcnt);
	}
	return count;
}

static uint64_t count_plain(struct heap_cell *cells, uint64_t count)
{
	return count_cells(cells, count, false);
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static uint64_t count_popcnt(struct heap_cell *cells,
							       uint64_t count)
{
	return count_cells(cells, count, true);
}
#endif

static bool has_popcnt(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("popcnt");
#else
	return false;
#endif
}

uint64_t heap_index_count(struct heap_index *index)
{
	uint64_t (*count_piece)(struct heap_cell * cells, uint64_t count) = count_plain;
	uint64_t count = 0;

#ifdef __x86_64__
	if (has_popcnt())
		count_piece = count_popcnt;
#endif
	for (size_t i = 0; i < TABLE_LENGTH; i++)
		for (size_t j = 0; index->tables[i] && j < TABLE_LENGTH; j++)
			if (index->tables[i][j])
				count = count_piece(index->tables[i][j], count);
	return count;
}

// Cells first, so that the memory is on its way when their turn comes.
static inline __attribute__((always_inline)) void find_batch(const struct heap_index *index,
							     const uint64_t *words, size_t count,
							     uint32_t *ret, bool has_popcnt)
{
	static const struct heap_cell nothing;
	const uint64_t mask = (UINT64_C(1) << HEAP_ADDRESS_BITS) - 1;
	const struct heap_cell *cells[FIND_BATCH];

	for (size_t i = 0; i < count; i++) {
		const struct heap_cell *cell = heap_index_cell(index, words[i] & mask);
		cells[i] = cell ? cell : &nothing;
		__builtin_prefetch(cells[i]);
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t bit = words[i] / 8 % 32;
		uint32_t bits = cells[i]->bits, below = bits & ((1U << bit) - 1);
		uint32_t id = cells[i]->before + (has_popcnt ? (uint32_t)__builtin_popcount(below)
							     : heap_index_bit_count(below));
		ret[i] = bits >> bit & 1 && words[i] % 8 == 0 ? id : HEAP_NO_OBJECT;
	}
}

static void find_many_plain(const struct heap_index *index, const uint64_t *words, size_t count,
			    uint32_t *ret)
{
	for (size_t i = 0; i < count; i += FIND_BATCH)
		find_batch(index, words + i, count - i < FIND_BATCH ? count - i : FIND_BATCH,
			   ret + i, false);
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static void
find_many_popcnt(const struct heap_index *index, const uint64_t *words, size_t count, uint32_t *ret)
{
	for (size_t i = 0; i < count; i += FIND_BATCH)
		find_batch(index, words + i, count - i < FIND_BATCH ? count - i : FIND_BATCH,
			   ret + i, true);
}
#endif

void heap_index_find_many(const struct heap_index *index, const uint64_t *words, size_t count,
			  uint32_t *ret)
{
#ifdef __x86_64__
	if (has_popcnt()) {
		find_many_popcnt(index, words, count, ret);
		return;
	}
#endif
	find_many_plain(index, words, count, ret);
}
