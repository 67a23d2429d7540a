// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/malloc_heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"

/*
 * malloc/malloc.c: a chunk begins with the size of the one before (if that is free) and its own size
 * with three flags; the block handed out follows. Chunks are multiples of 16 bytes and at least 32;
 * the block may use the first word of the next chunk.
 */
enum {
	CHUNK_HEADER_BYTES = 16,
	CHUNK_SIZE_OFFSET = 8,
	CHUNK_ALIGN = 16,
	CHUNK_BYTES_MIN = 32,
	CHUNK_PREV_INUSE = 1,
	CHUNK_IS_MMAPPED = 2,
	CHUNK_FLAGS = 7,
	/** Size of the two fenceposts that end a part of the brk heap. */
	CHUNK_FENCEPOST_BYTES = 16,
	/** Largest chunk that goes to a fastbin (default of global_max_fast). */
	CHUNK_FAST_BYTES_MAX = 128,
	/** Largest block that goes to a thread's cache (MAX_TCACHE_SIZE). */
	TCACHE_BYTES_MAX = 1032,
	/** How far from the heap's beginning the cache itself is. */
	TCACHE_AT_MAX = 4096,
	/** Chunks in a row that make a chain believable. */
	CHAIN_PROOF_COUNT = 32,
	/** How far the first chunk of a heap can be from its start: arena and heap headers. */
	CHAIN_SEARCH_BYTES = 16 << 10,
	PAGE_BYTES = 4096,
	/** Headers of mapped chunks that are looked at with one system call. */
	PAGE_BATCH = 256,
};

// arena.c: heaps of threads' arenas are aligned to their largest size, twice the largest mmap
// threshold.
static const addr_t THREAD_HEAP_ALIGN = 64 << 20;

void malloc_regions_deinit(struct malloc_regions *regions)
{
	free(regions->list);
	*regions = (struct malloc_regions){0};
}

static struct error *regions_add(struct malloc_regions *regions, enum malloc_region_kind kind,
				 addr_t start, addr_t end)
{
	if (start >= end)
		return NULL;
	struct error *error = array_reserve(&regions->list, &regions->capacity, regions->count + 1,
					    sizeof(*regions->list));
	if (error)
		return error;
	regions->list[regions->count++] =
		(struct malloc_region){.kind = kind, .start = start, .end = end};
	return NULL;
}

/*
 * heap_info (malloc/arena.c) begins with the address of its arena, which stands in this heap, right
 * behind it, or in an earlier heap of the same arena; then the heap before, and the bytes in use. Those
 * end before the mapping does when the heap has shrunk. 0 when the mapping is no such heap.
 */
static addr_t region_thread_heap_end(struct mem_source *source, const struct maps *maps,
				     const struct mapping *mapping)
{
	struct {
		addr_t arena_at;
		addr_t before_at;
		uint64_t bytes;
	} info;

	if (mapping->start % THREAD_HEAP_ALIGN != 0)
		return 0;
	struct error *error = mem_source_read(source, mapping->start, &info, sizeof(info));
	bool readable = !error;
	error_destroy(error);
	if (!readable || info.arena_at % CHUNK_ALIGN != 0 ||
	    info.arena_at % THREAD_HEAP_ALIGN >= PAGE_BYTES ||
	    info.arena_at % THREAD_HEAP_ALIGN == 0)
		return 0;
	// One mapping of a library in 16,384 begins at such a place, and a small number looks like one.
	const struct mapping *arena = maps_find(maps, info.arena_at);
	if (!arena || !(arena->flags & MAPPING_WRITE) ||
	    arena->start > info.arena_at - info.arena_at % THREAD_HEAP_ALIGN)
		return 0;
	if (info.bytes == 0 || info.bytes % PAGE_BYTES != 0 ||
	    info.bytes > mapping->end - mapping->start)
		return mapping->end;
	return mapping->start + info.bytes;
}

struct error *malloc_regions_find(struct mem_source *source, const struct maps *maps,
				  const struct malloc_excluded *excluded, size_t excluded_count,
				  struct malloc_regions *ret)
{
	size_t next = 0;

	for (size_t i = 0; i < maps->count; i++) {
		const struct mapping *mapping = &maps->list[i];
		struct error *error = NULL;
		bool is_brk = strcmp(mapping->path, "[heap]") == 0;
		if ((mapping->flags & (MAPPING_READ | MAPPING_WRITE)) !=
			    (MAPPING_READ | MAPPING_WRITE) ||
		    mapping->flags & MAPPING_SHARED || (!is_brk && !mapping_is_anonymous(mapping)))
			continue;
		addr_t heap_end =
			is_brk ? mapping->end : region_thread_heap_end(source, maps, mapping);
		if (heap_end) {
			error = regions_add(ret, MALLOC_REGION_HEAP, mapping->start, heap_end);
			if (error)
				return error;
			continue;
		}
		addr_t start = mapping->start;
		while (next < excluded_count && excluded[next].end <= start)
			next++;
		for (; !error && next < excluded_count && excluded[next].start < mapping->end;
		     next++) {
			if (excluded[next].start > start)
				error = regions_add(ret, MALLOC_REGION_MAPPED, start,
						    excluded[next].start);
			start = excluded[next].end > start ? excluded[next].end : start;
			if (excluded[next].end > mapping->end)
				break;
		}
		if (!error && start < mapping->end)
			error = regions_add(ret, MALLOC_REGION_MAPPED, start, mapping->end);
		if (error)
			return error;
	}
	return NULL;
}

// A region seen through one buffer that moves forward.
struct walk {
	struct mem_source *source;
	const struct malloc_regions *regions;
	const struct malloc_region *region;
	unsigned char *buffer;
	/** How much is read at a time. */
	size_t piece_bytes;
	addr_t buffer_at;
	size_t buffer_bytes;
	struct error *error;
};

// At least @a bytes bytes at @a at, fewer only at the region's end (*@a ret_bytes tells); NULL when
// unreadable.
static const unsigned char *walk_bytes(struct walk *walk, addr_t at, size_t bytes,
				       size_t *ret_bytes)
{
	size_t left = (size_t)(walk->region->end - at);

	if (bytes > left)
		bytes = left;
	if (at < walk->buffer_at || at + bytes > walk->buffer_at + walk->buffer_bytes) {
		size_t want = left < walk->piece_bytes ? left : walk->piece_bytes;
		struct error *error = mem_source_read(walk->source, at, walk->buffer, want);
		walk->buffer_at = at;
		walk->buffer_bytes = error ? 0 : want;
		if (error && error->code != ERROR_FAULT && !walk->error)
			walk->error = take_ptr(error);
		error_destroy(error);
	}
	if (walk->buffer_bytes == 0)
		return NULL;
	*ret_bytes = (size_t)(walk->buffer_at + walk->buffer_bytes - at);
	return walk->buffer + (at - walk->buffer_at);
}

static uint64_t word_at(const unsigned char *bytes, size_t offset)
{
	uint64_t word;

	memcpy(&word, bytes + offset, sizeof(word));
	return word;
}

// The size of the chunk at @a at, 0 when there can be none.
static uint64_t walk_chunk_size(struct walk *walk, addr_t at, uint64_t *ret_flags)
{
	size_t bytes;

	if (at + CHUNK_HEADER_BYTES > walk->region->end)
		return 0;
	const unsigned char *header = walk_bytes(walk, at, CHUNK_HEADER_BYTES, &bytes);
	if (!header || bytes < CHUNK_HEADER_BYTES)
		return 0;
	uint64_t word = word_at(header, CHUNK_SIZE_OFFSET);
	uint64_t size = word & ~(uint64_t)CHUNK_FLAGS;
	*ret_flags = word & CHUNK_FLAGS;
	if (size % CHUNK_ALIGN != 0 || size < CHUNK_FENCEPOST_BYTES ||
	    size > walk->region->end - at || *ret_flags & CHUNK_IS_MMAPPED)
		return 0;
	return size;
}

static bool walk_chain_is_believable(struct walk *walk, addr_t at)
{
	for (int i = 0; i < CHAIN_PROOF_COUNT; i++) {
		uint64_t flags, size = walk_chunk_size(walk, at, &flags);
		// A short part of the heap ends with two fenceposts.
		if (i > 0 && size == CHUNK_FENCEPOST_BYTES)
			return walk_chunk_size(walk, at + size, &flags) == CHUNK_FENCEPOST_BYTES &&
			       flags & CHUNK_PREV_INUSE;
		// The first chunk of a heap has no free one before it.
		if (size < CHUNK_BYTES_MIN || (i == 0 && !(flags & CHUNK_PREV_INUSE)))
			return false;
		at += size;
		if (at == walk->region->end)
			return true;
	}
	return true;
}

// The first chunk at or behind @a from; the region's end when there is none.
static addr_t walk_find_chain(struct walk *walk, addr_t from)
{
	addr_t limit = walk->region->end - from > CHAIN_SEARCH_BYTES ? from + CHAIN_SEARCH_BYTES
								     : walk->region->end;

	for (addr_t at = from; at < limit; at += CHUNK_ALIGN)
		if (walk_chain_is_believable(walk, at))
			return at;
	return walk->region->end;
}

/*
 * A block in a fastbin is still marked as in use; its first word is the address of the next free
 * chunk, since glibc 2.32 XORed with its own page number (malloc.c: PROTECT_PTR). Blocks in a
 * thread's tcache have that too, and a random key in their second word.
 */
static bool block_looks_freed(const struct malloc_region *region, addr_t at, size_t bytes,
			      uint64_t first_word)
{
	addr_t revealed = first_word ^ at >> 12;

	if (bytes > CHUNK_FAST_BYTES_MAX)
		return false;
	return revealed == 0 ||
	       (revealed % CHUNK_ALIGN == 0 && revealed >= region->start &&
		revealed < region->end) ||
	       (first_word % CHUNK_ALIGN == 0 && first_word >= region->start &&
		first_word < region->end);
}

// The heap that @a at lies in, NULL when it is none of malloc's.
static const struct malloc_region *regions_find_heap(const struct malloc_regions *regions,
						     addr_t at)
{
	size_t low = 0, high = regions->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (regions->list[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || at >= regions->list[low - 1].end ||
	    regions->list[low - 1].kind != MALLOC_REGION_HEAP)
		return NULL;
	return &regions->list[low - 1];
}

/*
 * A block in a thread's cache has a disguised link and, in its second word, the cache's key: random
 * since glibc 2.34, the cache's own address at a heap's beginning before. The link alone may be what
 * a block in use was never given another word for. A thread's cache takes what the thread frees,
 * whichever heap that is from, so the link may lead to any of them.
 */
bool malloc_block_is_cached(const struct malloc_regions *regions, addr_t at, size_t bytes,
			    uint64_t first_word, uint64_t second_word)
{
	addr_t revealed = first_word ^ at >> 12;
	const struct malloc_region *cache;

	if (bytes > TCACHE_BYTES_MAX || revealed % CHUNK_ALIGN != 0 ||
	    (revealed && !regions_find_heap(regions, revealed)))
		return false;
	if (second_word >> 48)
		return true;
	cache = regions_find_heap(regions, second_word);
	return cache && second_word - cache->start < TCACHE_AT_MAX;
}

typedef struct error *visit_function(void *context, const struct malloc_block *block);

static struct error *walk_visit(struct walk *walk, addr_t chunk_at, uint64_t chunk_bytes,
				visit_function *visit, void *context,
				struct malloc_walk_result *result)
{
	struct malloc_block block = {
		.at = chunk_at + CHUNK_HEADER_BYTES,
		// Up to and including the first word of the next chunk.
		.bytes = chunk_bytes - CHUNK_SIZE_OFFSET,
	};
	size_t want = block.bytes < MALLOC_BLOCK_DATA_MIN ? block.bytes : MALLOC_BLOCK_DATA_MIN;

	block.data = walk_bytes(walk, block.at, want, &block.data_bytes);
	if (!block.data || block.data_bytes < sizeof(uint64_t))
		return NULL;
	if (block.data_bytes > block.bytes)
		block.data_bytes = block.bytes;
	block.looks_freed =
		block_looks_freed(walk->region, block.at, block.bytes, word_at(block.data, 0));
	block.is_cached =
		malloc_block_is_cached(walk->regions, block.at, block.bytes, word_at(block.data, 0),
				       word_at(block.data, sizeof(uint64_t)));
	result->block_count++;
	return visit(context, &block);
}

static void walk_break(struct walk *walk, addr_t at, struct malloc_walk_result *result)
{
	result->broken = true;
	result->broken_at = at;
	result->unseen_bytes = walk->region->end - at;
}

static struct error *walk_heap(struct walk *walk, visit_function *visit, void *context,
			       struct malloc_walk_result *result)
{
	addr_t end = walk->region->end;
	addr_t at = walk_find_chain(walk, walk->region->start);
	uint64_t flags, size = at == end ? 0 : walk_chunk_size(walk, at, &flags);

	if (at == end)
		walk_break(walk, walk->region->start, result);
	while (at < end && !walk->error) {
		if (size == CHUNK_FENCEPOST_BYTES) {
			// Somebody else's sbrk() follows; malloc may go on behind it.
			at = walk_find_chain(walk, at + CHUNK_FENCEPOST_BYTES);
			size = at == end ? 0 : walk_chunk_size(walk, at, &flags);
			continue;
		}
		if (size < CHUNK_BYTES_MIN) {
			walk_break(walk, at, result);
			break;
		}
		addr_t next = at + size;
		// The last one is the top chunk, which is free.
		if (next == end)
			break;
		uint64_t next_flags, next_size = walk_chunk_size(walk, next, &next_flags);
		if (next_size == 0) {
			walk_break(walk, next, result);
			break;
		}
		if (next_flags & CHUNK_PREV_INUSE) {
			struct error *error = walk_visit(walk, at, size, visit, context, result);
			if (error)
				return error;
		}
		at = next;
		size = next_size;
	}
	return take_ptr(walk->error);
}

// sysmalloc_mmap(): the chunk begins its mapping, its size is a number of pages, its flags are
// IS_MMAPPED alone; the word before is 0 unless the block was aligned specially.
static uint64_t mapped_chunk_bytes(const uint64_t *header, addr_t at, addr_t end)
{
	uint64_t size = header[1] & ~(uint64_t)CHUNK_FLAGS;

	if (header[0] != 0 || (header[1] & CHUNK_FLAGS) != CHUNK_IS_MMAPPED ||
	    size % PAGE_BYTES != 0 || size == 0 || size > end - at)
		return 0;
	return size;
}

static struct error *walk_mapped_run(struct walk *walk, addr_t start, addr_t end,
				     visit_function *visit, void *context,
				     struct malloc_walk_result *result, addr_t *ret_next)
{
	addr_t at = start;

	while (at < end) {
		uint64_t headers[PAGE_BATCH][2];
		struct mem_span spans[PAGE_BATCH];
		size_t count = 0;
		for (addr_t page = at; page < end && count < PAGE_BATCH; page += PAGE_BYTES)
			spans[count] = (struct mem_span){.at = page,
							 .into = headers[count],
							 .bytes = sizeof(headers[0])},
			count++;
		struct error *error = mem_source_gather(walk->source, spans, count);
		addr_t batch_at = at;
		for (size_t i = 0; !error && i < count; i++) {
			addr_t page = batch_at + i * PAGE_BYTES;
			at = page + PAGE_BYTES;
			uint64_t size = spans[i].ok ? mapped_chunk_bytes(headers[i], page,
									 walk->region->end)
						    : 0;
			if (!size)
				continue;
			// Its block ends with its mapping: there is no next chunk to lend a word.
			error = walk_visit(walk, page, size - CHUNK_SIZE_OFFSET, visit, context,
					   result);
			at = page + size;
			break;
		}
		if (!error)
			error = interrupt_check();
		if (error)
			return error;
	}
	*ret_next = at;
	return NULL;
}

static struct error *walk_mapped(struct walk *walk, visit_function *visit, void *context,
				 struct malloc_walk_result *result)
{
	for (addr_t at = walk->region->start; at < walk->region->end;) {
		addr_t run_start, run_end;
		struct error *error = mem_source_resident(walk->source, at, walk->region->end,
							  &run_start, &run_end);
		if (error)
			return error;
		if (run_start == run_end)
			break;
		error = walk_mapped_run(walk, run_start, run_end, visit, context, result, &at);
		if (error)
			return error;
		if (walk->error)
			return take_ptr(walk->error);
	}
	return NULL;
}

struct error *malloc_region_walk(struct mem_source *source, const struct malloc_regions *regions,
				 const struct malloc_region *region, void *buffer,
				 visit_function *visit, void *context,
				 struct malloc_walk_result *ret)
{
	// Of a chunk with a mapping of its own only the beginning is of interest.
	struct walk walk = {
		.source = source,
		.regions = regions,
		.region = region,
		.buffer = buffer,
		.piece_bytes = region->kind == MALLOC_REGION_HEAP ? MALLOC_WALK_BUFFER_BYTES
								  : MALLOC_BLOCK_DATA_MIN,
	};

	*ret = (struct malloc_walk_result){0};
	struct error *error = region->kind == MALLOC_REGION_HEAP
				      ? walk_heap(&walk, visit, context, ret)
				      : walk_mapped(&walk, visit, context, ret);
	error_destroy(walk.error);
	return error;
}
