/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MALLOC_HEAP_H
#define MEM_MALLOC_HEAP_H

/*
 * The blocks of glibc's malloc, from the outside: the brk heap, the heaps of the threads' arenas, and
 * the chunks that have a mapping of their own. Knows the header of a chunk (malloc/malloc.c: size and
 * three flag bits before the block) and finds everything else by its shape, without libc's debug
 * information: a heap is a chain of chunks that ends where its mapping ends.
 *
 * Another allocator's memory (musl, jemalloc, tcmalloc) does not have this shape and yields no
 * blocks. Call it while the process stands still.
 */

#include <stdbool.h>
#include <stddef.h>

#include "mem/maps.h"
#include "mem/source.h"

enum malloc_region_kind {
	/** One chain of chunks. */
	MALLOC_REGION_HEAP,
	/** Anonymous memory in which chunks with a mapping of their own may stand, page-aligned. */
	MALLOC_REGION_MAPPED,
};

struct malloc_region {
	enum malloc_region_kind kind;
	/** [start, end). */
	addr_t start;
	addr_t end;
};

/** A range that is known to be something else. */
struct malloc_excluded {
	addr_t start;
	addr_t end;
};

struct malloc_regions {
	struct malloc_region *list;
	size_t count;
	size_t capacity;
};

void malloc_regions_deinit(struct malloc_regions *regions);
#define _cleanup_malloc_regions_ CLEANUP(malloc_regions_deinit)

/**
 * Where blocks may be, in address order; the @a excluded_count ranges of @a excluded, sorted by
 * address, are left out. *@a ret is zero-initialised.
 */
MUST_USE struct error *malloc_regions_find(struct mem_source *source, const struct maps *maps,
					   const struct malloc_excluded *excluded,
					   size_t excluded_count, struct malloc_regions *ret);

struct malloc_block {
	addr_t at;
	/** Usable bytes. */
	size_t bytes;
	/** The first `data_bytes` of them, at least MALLOC_BLOCK_DATA_MIN or all. */
	const unsigned char *data;
	size_t data_bytes;
	/** The first word could be the link of a free list (a fastbin keeps its blocks marked as in
	 *  use): what would otherwise be there is not. */
	bool looks_freed;
	/** It is kept for later in a thread's cache (tcache), as far as its first two words tell (glibc 2.32
	 *  and later): nothing in it is anybody's. */
	bool is_cached;
};

enum {
	MALLOC_BLOCK_DATA_MIN = 4096,
	/** Size of the buffer that the walk needs. */
	MALLOC_WALK_BUFFER_BYTES = 256 << 10,
};

/** What is_cached tells of a block of @a bytes bytes that begins with these two words. */
bool malloc_block_is_cached(const struct malloc_regions *regions, addr_t at, size_t bytes,
			    uint64_t first_word, uint64_t second_word);

struct malloc_walk_result {
	size_t block_count;
	/** The chain broke at `broken_at`: a moment within malloc(), or no heap of glibc's. */
	bool broken;
	addr_t broken_at;
	/** Bytes from there to the region's end, unseen. */
	uint64_t unseen_bytes;
};

/**
 * Calls @a visit for each block in use in @a region, one of @a regions (a thread's cache has blocks of
 * every heap); a block freed to a free list of its thread may
 * be among them. A failure of @a visit ends the walk and is returned. ERROR_GONE and the like only:
 * unreadable memory ends as a broken chain.
 */
MUST_USE struct error *
malloc_region_walk(struct mem_source *source, const struct malloc_regions *regions,
		   const struct malloc_region *region, void *buffer,
		   struct error *(*visit)(void *context, const struct malloc_block *block),
		   void *context, struct malloc_walk_result *ret);

#endif
