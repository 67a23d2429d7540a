// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/mirror/mirror_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/array.h"
#include "base/cleanup.h"

enum {
	HUGE_PAGE_BYTES = 2 << 20,
	/** Up to here zeros are written; more is given back to the kernel instead. */
	ZERO_BYTES_MAX = 1 << 20,
};

/** Regions so near to each other share a span; a span reaches that far beyond its first and last. */
static const uint64_t SPAN_GAP_BYTES = 1ULL << 30;

struct mirror_span {
	addr_t start;
	addr_t end;
	/** Of `start`; as far from a huge page's beginning as that is. */
	unsigned char *memory;
	void *reserved;
	size_t reserved_bytes;
};

void mirror_memory_deinit(struct mirror_memory *memory)
{
	for (size_t i = 0; i < memory->span_count; i++)
		munmap(memory->spans[i].reserved, memory->spans[i].reserved_bytes);
	free(memory->spans);
	*memory = (struct mirror_memory){0};
}

// The first span that ends behind @a at.
static size_t memory_find(const struct mirror_memory *memory, addr_t at)
{
	size_t low = 0, high = memory->span_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memory->spans[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct error *span_reserve(struct mirror_span *span)
{
	span->reserved_bytes = (size_t)(span->end - span->start) + HUGE_PAGE_BYTES;
	span->reserved = mmap(NULL, span->reserved_bytes, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (span->reserved == MAP_FAILED)
		return error_create_os(errno,
				       "cannot reserve %zu bytes of address space for a copy "
				       "of the process",
				       span->reserved_bytes);
	// Another process's secrets are nothing for a core file of ours.
	madvise(span->reserved, span->reserved_bytes, MADV_DONTDUMP);
	// Nor for our children; and what they share, filling it would have to copy once more, page by page.
	madvise(span->reserved, span->reserved_bytes, MADV_DONTFORK);
	uintptr_t base = (uintptr_t)span->reserved;
	uintptr_t shift = (uintptr_t)(span->start - base) % HUGE_PAGE_BYTES;
	span->memory = (unsigned char *)span->reserved + shift;
	return NULL;
}

// A new span, number @a index, that begins before @a at and reaches as far as regions follow closely.
static struct error *memory_add_span(struct mirror_memory *memory, size_t index, addr_t at,
				     const struct mirror_region *regions, size_t region_count)
{
	addr_t low = index ? memory->spans[index - 1].end : 0;
	addr_t high = index < memory->span_count ? memory->spans[index].start : UINT64_MAX;
	struct mirror_span span = {.start = at - low > SPAN_GAP_BYTES ? at - SPAN_GAP_BYTES : low};

	span.end = regions[0].end;
	for (size_t i = 1; i < region_count; i++) {
		if (regions[i].start - span.end > SPAN_GAP_BYTES)
			break;
		span.end = regions[i].end;
	}
	// Regions end far below the last address: mirror_plan.c.
	span.end += SPAN_GAP_BYTES;
	if (span.end > high)
		span.end = high;
	struct error *error = array_reserve(&memory->spans, &memory->span_capacity,
					    memory->span_count + 1, sizeof(*memory->spans));
	if (!error)
		error = span_reserve(&span);
	if (error)
		return error;
	memmove(&memory->spans[index + 1], &memory->spans[index],
		(memory->span_count - index) * sizeof(span));
	memory->spans[index] = span;
	memory->span_count++;
	return NULL;
}

// Worth huge pages: large, and so full that these take little more than it holds.
static bool region_is_dense(const struct mirror_region *region)
{
	uint64_t bytes = region->end - region->start;

	return bytes >= 2 * (uint64_t)HUGE_PAGE_BYTES && region->run_bytes >= bytes - bytes / 4;
}

static struct error *block_open(const struct mirror_block *block, bool dense)
{
	size_t bytes = (size_t)(block->end - block->start);

	if (mprotect(block->memory, bytes, PROT_READ | PROT_WRITE) < 0)
		return error_create_os(errno,
				       "cannot get %zu bytes of memory for a copy of the "
				       "process",
				       bytes);
	// A kernel without huge pages does without.
	madvise(block->memory, bytes, dense ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return NULL;
}

static struct error *place_region(struct mirror_memory *memory, const struct mirror_region *regions,
				  size_t region_count, struct mirror_blocks *ret)
{
	const struct mirror_region *region = &regions[0];

	for (addr_t at = region->start; at < region->end;) {
		size_t index = memory_find(memory, at);
		struct error *error = NULL;

		if (index == memory->span_count || memory->spans[index].start > at)
			error = memory_add_span(memory, index, at, regions, region_count);
		if (!error)
			error = array_reserve(&ret->list, &ret->capacity, ret->count + 1,
					      sizeof(*ret->list));
		if (error)
			return error;
		const struct mirror_span *span = &memory->spans[index];
		struct mirror_block block = {
			.start = at,
			.end = region->end < span->end ? region->end : span->end,
			.memory = span->memory + (at - span->start),
		};
		error = block_open(&block, region_is_dense(region));
		if (error)
			return error;
		ret->list[ret->count++] = block;
		at = block.end;
	}
	return NULL;
}

struct error *mirror_memory_place(struct mirror_memory *memory, const struct mirror_plan *plan,
				  struct mirror_blocks *ret)
{
	struct error *error = NULL;

	ret->count = 0;
	for (size_t i = 0; !error && i < plan->region_count; i++)
		error = place_region(memory, plan->regions + i, plan->region_count - i, ret);
	return error;
}

const struct mirror_block *mirror_blocks_find(const struct mirror_blocks *blocks, addr_t at)
{
	size_t low = 0, high = blocks->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (blocks->list[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < blocks->count ? &blocks->list[low] : NULL;
}

void mirror_memory_zero(struct mirror_memory *memory, addr_t start, addr_t end)
{
	for (addr_t at = start; at < end;) {
		const struct mirror_span *span = &memory->spans[memory_find(memory, at)];
		addr_t until = end < span->end ? end : span->end;
		unsigned char *bytes = span->memory + (at - span->start);
		size_t count = (size_t)(until - at);

		// Mappings of ours that can be written are private and anonymous: what is given back
		// reads as zeros (madvise(2)).
		if (count <= ZERO_BYTES_MAX || madvise(bytes, count, MADV_DONTNEED) < 0)
			memset(bytes, 0, count);
		at = until;
	}
}

uint64_t mirror_memory_needed(const struct mirror_plan *plan)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < plan->region_count; i++) {
		const struct mirror_region *region = &plan->regions[i];
		bytes += region_is_dense(region) ? region->end - region->start : region->run_bytes;
	}
	return bytes;
}
