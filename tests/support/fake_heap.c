// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/fake_heap.h"

#include <stdlib.h>
#include <string.h>

// malloc/malloc.c of glibc.
enum { HEADER_BYTES = 16, CHUNK_MIN = 32, PREV_INUSE = 1, FENCE_BYTES = 2 * HEADER_BYTES };

uint64_t *fake_heap_word(const struct fake_heap *heap, addr_t at)
{
	if (at < heap->start || at + sizeof(uint64_t) > heap->end)
		abort();
	return (uint64_t *)(void *)(heap->bytes + (at - heap->start));
}

static void heap_set_size(const struct fake_heap *heap, addr_t chunk, uint64_t size)
{
	*fake_heap_word(heap, chunk + 8) = size;
}

static void heap_set_top(struct fake_heap *heap, addr_t top)
{
	heap->top = top;
	heap_set_size(heap, top, (heap->end - top) | PREV_INUSE);
}

void fake_heap_init(struct fake_heap *heap, addr_t start, void *bytes, size_t size, size_t lead)
{
	*heap = (struct fake_heap){.start = start, .end = start + size, .bytes = bytes};
	memset(bytes, 0, size);
	heap_set_top(heap, start + lead);
}

addr_t fake_heap_add(struct fake_heap *heap, size_t bytes)
{
	addr_t chunk = heap->top;
	// The block reaches into the first word of the next chunk.
	uint64_t size = (bytes + 8 + 15) & ~15UL;

	if (size < CHUNK_MIN)
		size = CHUNK_MIN;
	if (size + CHUNK_MIN + FENCE_BYTES > heap->end - chunk)
		abort();
	heap_set_size(heap, chunk, size | PREV_INUSE);
	memset(heap->bytes + (chunk - heap->start) + HEADER_BYTES, 0, size - 8);
	heap_set_top(heap, chunk + size);
	return chunk + HEADER_BYTES;
}

void fake_heap_free(struct fake_heap *heap, addr_t at)
{
	addr_t chunk = at - HEADER_BYTES;
	uint64_t size = *fake_heap_word(heap, chunk + 8) & ~7UL;

	// A free chunk tells its size to the next one, too.
	*fake_heap_word(heap, chunk + size) = size;
	*fake_heap_word(heap, chunk + size + 8) &= ~(uint64_t)PREV_INUSE;
}

void fake_heap_fence(struct fake_heap *heap, size_t gap, unsigned char filling)
{
	addr_t old = heap->top, fence = old + CHUNK_MIN, after = fence + FENCE_BYTES + gap;

	// sysmalloc(): what was left of the old top becomes a free chunk before the fenceposts.
	heap_set_size(heap, old, CHUNK_MIN | PREV_INUSE);
	*fake_heap_word(heap, fence) = CHUNK_MIN;
	heap_set_size(heap, fence, HEADER_BYTES);
	heap_set_size(heap, fence + HEADER_BYTES, HEADER_BYTES | PREV_INUSE);
	memset(heap->bytes + (fence + FENCE_BYTES - heap->start), filling, gap);
	if (after + CHUNK_MIN <= heap->end)
		heap_set_top(heap, after);
}
