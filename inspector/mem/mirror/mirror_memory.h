/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MIRROR_MEMORY_H
#define MEM_MIRROR_MEMORY_H

/*
 * Memory of ours for a copy of somebody else's. Address space is reserved in spans much wider than
 * what lies in them, so that a heap that grows, at either end, stays in one piece and where it was,
 * and memory that was touched once serves again.
 */

#include <stddef.h>
#include <stdint.h>

#include "mem/mirror/mirror_plan.h"

/** A range of addresses, all of which has a place in our memory. */
struct mirror_block {
	addr_t start;
	addr_t end;
	unsigned char *memory;
};

struct mirror_blocks {
	/** Ascending. */
	struct mirror_block *list;
	size_t count;
	size_t capacity;
};

struct mirror_span;

/** Zero-initialised is empty and valid. */
struct mirror_memory {
	struct mirror_span *spans;
	size_t span_count;
	size_t span_capacity;
};

void mirror_memory_deinit(struct mirror_memory *memory);

/**
 * Gives every region of @a plan a place, reserving what is missing, and lists the blocks in
 * *@a ret (zero-initialised or filled before; its array is the caller's to free). One block for each
 * region, and several only for one that grew into another span. Fresh memory is zeros and untouched.
 */
MUST_USE struct error *mirror_memory_place(struct mirror_memory *memory,
					   const struct mirror_plan *plan,
					   struct mirror_blocks *ret);

/** The block that holds @a at, or, if none does, the first one behind it; NULL beyond the last. */
const struct mirror_block *mirror_blocks_find(const struct mirror_blocks *blocks, addr_t at);

/** Makes the bytes of [@a start, @a end), which @a memory has placed once, zeros again. */
void mirror_memory_zero(struct mirror_memory *memory, addr_t start, addr_t end);

/** How much memory the runs of @a plan will take at most, in bytes. */
uint64_t mirror_memory_needed(const struct mirror_plan *plan);

#endif
