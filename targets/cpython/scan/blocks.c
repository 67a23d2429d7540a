// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/blocks.h"

/** No block is larger than what a process can have mapped. */
static const uint64_t BLOCK_BYTES_MAX = 1ULL << 47;

/** malloc/malloc.c: a chunk's size stands in the word before the block, with three flags. */
enum { CHUNK_HEADER_BYTES = 16, CHUNK_BYTES_MIN = 32, CHUNK_FLAGS = 7, CHUNK_IS_MMAPPED = 2 };

static const struct py_arena *blocks_arena(const struct py_blocks *blocks, addr_t at)
{
	size_t low = 0, high = blocks->arenas ? blocks->arenas->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (blocks->arenas->list[middle].first_pool <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || at >= blocks->arenas->list[low - 1].end)
		return NULL;
	return &blocks->arenas->list[low - 1];
}

static addr_t blocks_pool_end(const struct py_blocks *blocks, addr_t at)
{
	const struct py_layout *layout = blocks->layout;
	addr_t pool_at = at & ~(addr_t)(blocks->arenas->pool_bytes - 1);
	uint64_t offset = at - pool_at;
	const void *pool = mem_window_at(blocks->window, pool_at, layout->size.pool_header);

	if (!pool || offset < blocks->arenas->pool_overhead_bytes)
		return 0;
	uint64_t bytes = (py_get(pool, layout->f.pool_szidx) + 1) * blocks->arenas->alignment_bytes;
	uint64_t next_offset = py_get(pool, layout->f.pool_nextoffset);
	if ((offset - blocks->arenas->pool_overhead_bytes) % bytes != 0 ||
	    bytes > blocks->arenas->pool_bytes || offset + bytes > next_offset ||
	    next_offset > blocks->arenas->pool_bytes)
		return 0;
	return at + bytes;
}

static const struct malloc_region *blocks_region(const struct py_blocks *blocks, addr_t at)
{
	size_t low = 0, high = blocks->regions ? blocks->regions->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (blocks->regions->list[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || at >= blocks->regions->list[low - 1].end)
		return NULL;
	return &blocks->regions->list[low - 1];
}

static addr_t blocks_chunk_end(const struct py_blocks *blocks, const struct malloc_region *region,
			       addr_t at)
{
	if (at % CHUNK_HEADER_BYTES != 0 || at - region->start < CHUNK_HEADER_BYTES)
		return 0;
	uint64_t word = mem_window_word(blocks->window, at - sizeof(uint64_t), 0);
	uint64_t bytes = word & ~(uint64_t)CHUNK_FLAGS;
	addr_t chunk_at = at - CHUNK_HEADER_BYTES;
	if (bytes < CHUNK_BYTES_MIN || bytes % CHUNK_HEADER_BYTES != 0 ||
	    bytes > region->end - chunk_at)
		return 0;
	// One with a mapping of its own has no next chunk to lend a word.
	if (region->kind == MALLOC_REGION_MAPPED)
		return (word & CHUNK_FLAGS) == CHUNK_IS_MMAPPED &&
				       chunk_at % MEM_WINDOW_PAGE_BYTES == 0
			       ? chunk_at + bytes
			       : 0;
	return word & CHUNK_IS_MMAPPED ? 0 : chunk_at + bytes + sizeof(uint64_t);
}

addr_t py_block_end(const struct py_blocks *blocks, addr_t at)
{
	const void *header;
	uint64_t bytes;
	unsigned char kind;

	if (at < MEM_WINDOW_PAGE_BYTES || at % sizeof(addr_t) != 0)
		return 0;
	header = mem_window_at(blocks->window, at - PY_DEBUG_HEADER_BYTES, PY_DEBUG_HEADER_BYTES);
	if (header && py_debug_header(header, &bytes, &kind))
		return bytes < BLOCK_BYTES_MAX ? at + bytes : 0;
	if (blocks_arena(blocks, at))
		return blocks_pool_end(blocks, at);
	const struct malloc_region *region = blocks_region(blocks, at);
	return region ? blocks_chunk_end(blocks, region, at) : 0;
}
