/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CPU_CPU_MEMORY_H
#define CPU_CPU_MEMORY_H

/*
 * The memory that interpreted code sees: the source's pages, the pages it wrote (copies of our own
 * over the source's), and a stack. A page is seen through the source's view where there is one, and
 * read once otherwise: the source is one moment and does not change.
 *
 * Only pages that can be read as a whole exist. Page 0 never does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr_map.h"
#include "base/error.h"
#include "mem/source.h"

enum {
	CPU_PAGE_BITS = 12,
	CPU_PAGE_BYTES = 1 << CPU_PAGE_BITS,
	/** What Python's own recursion limit of 1000 calls needs, and more; untouched pages cost nothing. */
	CPU_STACK_BYTES = 4 << 20,
	CPU_READ_SLOTS = 1024,
	CPU_WRITE_SLOTS = 64,
};

/** In the kernel's half, where no process maps anything. */
#define CPU_STACK_AT UINT64_C(0xffffc00000000000)

/** Where a page lies with us. No page has the number UINT64_MAX: that slot is empty. */
struct cpu_page_slot {
	uint64_t page;
	uint8_t *bytes;
};

struct cpu_written_page {
	uint64_t page;
	/** Owned; stays for the next page written after a forget. */
	uint8_t *bytes;
	/** 1 + the next one in its bucket; 0 at the end. */
	uint32_t next;
};

struct cpu_memory {
	/** What was found last, direct mapped by page number. */
	struct cpu_page_slot read[CPU_READ_SLOTS];
	/** Pages of our own only: written ones and the stack. */
	struct cpu_page_slot write[CPU_WRITE_SLOTS];
	struct mem_source *source;
	uint8_t *stack;

	struct cpu_written_page *written;
	size_t written_count;
	size_t written_capacity;
	size_t written_max;
	/** 1 + index into written. */
	uint32_t *buckets;
	/** A power of two; grows with the pages. */
	size_t bucket_count;

	/** Pages the source has no view of: number to index into cached. */
	struct addr_map cached_index;
	uint8_t **cached;
	size_t cached_count;
	size_t cached_capacity;
	/** Numbers of pages that instructions were decoded from; they are not written any more. */
	struct addr_map code;

	/** Where the last access that failed was, and whether it failed for written_max. */
	addr_t fault_at;
	bool too_much;
};

MUST_USE struct error *cpu_memory_init(struct cpu_memory *memory, struct mem_source *source);
/** Takes one that is all zeros, or whose init failed. */
void cpu_memory_deinit(struct cpu_memory *memory);

/**
 * @a bytes bytes (at most 64) at @a at: where they lie, or in @a bounce when they straddle pages; good
 * until the next call. NULL when they cannot be read; fault_at is set then.
 */
const uint8_t *cpu_memory_find(struct cpu_memory *memory, addr_t at, size_t bytes, uint8_t *bounce);

/** The rest of the page of @a at, where instructions are to be decoded from. NULL when it cannot be
 *  read or is of our own making. From then on the page is not written. */
const uint8_t *cpu_memory_code(struct cpu_memory *memory, addr_t at);

/** False when it cannot be read, or written; fault_at and too_much are set then. */
bool cpu_memory_read(struct cpu_memory *memory, addr_t at, void *into, size_t bytes);
bool cpu_memory_write(struct cpu_memory *memory, addr_t at, const void *from, size_t bytes);

/** As cpu_map(). */
bool cpu_memory_map(struct cpu_memory *memory, addr_t at, uint64_t bytes);

/** Drops all pages written. */
void cpu_memory_forget(struct cpu_memory *memory);

/** cpu_memory_find() for what was found before: NULL when that has to be called. */
static inline const uint8_t *cpu_memory_peek(const struct cpu_memory *memory, addr_t at,
					     size_t bytes)
{
	uint64_t page = at >> CPU_PAGE_BITS;
	const struct cpu_page_slot *slot = &memory->read[page % CPU_READ_SLOTS];
	size_t offset = at % CPU_PAGE_BYTES;

	if (__builtin_expect(slot->page == page && offset + bytes <= CPU_PAGE_BYTES, 1))
		return slot->bytes + offset;
	return NULL;
}

/** Where @a bytes bytes can be written at once; NULL when cpu_memory_write() has to be called. */
static inline uint8_t *cpu_memory_own(struct cpu_memory *memory, addr_t at, size_t bytes)
{
	uint64_t page = at >> CPU_PAGE_BITS;
	const struct cpu_page_slot *slot = &memory->write[page % CPU_WRITE_SLOTS];
	size_t offset = at % CPU_PAGE_BYTES;

	if (__builtin_expect(slot->page == page && offset + bytes <= CPU_PAGE_BYTES, 1))
		return slot->bytes + offset;
	return NULL;
}

#endif
