// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/mirror/mirror_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mem/maps.h"

static const struct mirror_block *mirror_find(struct mirror *mirror, addr_t at)
{
	_Atomic uint32_t *guess = &mirror->guess[at >> GUESS_SHIFT & (GUESS_SLOTS - 1)];
	uint32_t index = atomic_load_explicit(guess, memory_order_relaxed);

	if (index < mirror->blocks.count && at >= mirror->blocks.list[index].start &&
	    at < mirror->blocks.list[index].end)
		return &mirror->blocks.list[index];
	const struct mirror_block *block = mirror_blocks_find(&mirror->blocks, at);
	if (!block || block->start > at)
		return NULL;
	atomic_store_explicit(guess, (uint32_t)(block - mirror->blocks.list), memory_order_relaxed);
	return block;
}

addr_t mirror_bad_page(const struct mirror *mirror, addr_t at)
{
	size_t low = 0, high = mirror->bad_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mirror->bad[middle] + mirror->page_bytes <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < mirror->bad_count ? mirror->bad[low] : ~(addr_t)0;
}

static const void *mirror_view(struct mem_source *source, addr_t at, size_t bytes)
{
	struct mirror *mirror = mirror_of(source);
	const struct mirror_block *block = mirror_find(mirror, at);

	if (!block || bytes > block->end - at)
		return NULL;
	if (mirror->bad_count && mirror_bad_page(mirror, at) < at + bytes)
		return NULL;
	return block->memory + (at - block->start);
}

static struct error *mirror_fault(addr_t bad)
{
	return error_create_fault(bad, "nothing readable at 0x%" PRIx64 " of the copy", bad);
}

// Bytes that are not copied because they do not change: those of a mapping that was there then.
static struct error *mirror_read_through(struct mirror *mirror, addr_t at, void *into, size_t bytes)
{
	if (mirror->filled) {
		const struct mapping *mapping = maps_find(&mirror->plan.maps, at);
		if (!mapping || !(mapping->flags & MAPPING_READ))
			return mirror_fault(at);
		if (bytes > mapping->end - at)
			return mirror_fault(mapping->end);
	}
	struct error *error = mem_source_read(mirror->live, at, into, bytes);
	if (!error && mirror->filled)
		error = mem_source_check(mirror->live);
	if (!error || error->code != ERROR_GONE || !mirror->filled)
		return error;
	// The copy outlives the process: this part of it is just not there.
	error_destroy(error);
	return mirror_fault(at);
}

// How many of the @a bytes at @a at lie before @a block, or before the next mapping.
static size_t mirror_uncopied(const struct mirror *mirror, const struct mirror_block *next,
			      addr_t at, size_t bytes)
{
	const struct mapping *mapping = maps_find(&mirror->plan.maps, at);
	addr_t end = next ? next->start : ~(addr_t)0;

	if (mirror->filled && mapping && mapping->end < end)
		end = mapping->end;
	return bytes < end - at ? bytes : (size_t)(end - at);
}

static struct error *mirror_read(struct mem_source *source, addr_t at, void *into, size_t bytes)
{
	struct mirror *mirror = mirror_of(source);
	unsigned char *out = into;
	struct error *error = NULL;

	if (bytes > ~(addr_t)0 - at)
		return mirror_fault(at);
	while (!error && bytes > 0) {
		const struct mirror_block *block = mirror_find(mirror, at);
		size_t piece;

		if (block) {
			piece = bytes < block->end - at ? bytes : (size_t)(block->end - at);
			addr_t bad = mirror->bad_count ? mirror_bad_page(mirror, at) : ~(addr_t)0;
			if (bad < at + piece)
				return mirror_fault(bad < at ? at : bad);
			memcpy(out, block->memory + (at - block->start), piece);
		} else {
			block = mirror_blocks_find(&mirror->blocks, at);
			piece = mirror_uncopied(mirror, block, at, bytes);
			error = mirror_read_through(mirror, at, out, piece);
		}
		at += piece;
		out += piece;
		bytes -= piece;
	}
	return error;
}

static struct error *mirror_gather(struct mem_source *source, struct mem_span *spans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const void *view = mirror_view(source, spans[i].at, spans[i].bytes);
		struct error *error = NULL;

		if (view)
			memcpy(spans[i].into, view, spans[i].bytes);
		else
			error = mirror_read(source, spans[i].at, spans[i].into, spans[i].bytes);
		spans[i].ok = !error;
		if (error && error->code != ERROR_FAULT)
			return error;
		error_destroy(error);
	}
	return NULL;
}

static struct error *mirror_maps(struct mem_source *source, struct maps *ret)
{
	struct mirror *mirror = mirror_of(source);

	return mirror->filled ? maps_copy(&mirror->plan.maps, ret)
			      : mem_source_maps(mirror->live, ret);
}

static struct error *mirror_resident(struct mem_source *source, addr_t start, addr_t end,
				     addr_t *ret_start, addr_t *ret_end)
{
	const struct mirror *mirror = mirror_of(source);
	const struct mirror_run *runs = mirror->plan.runs;
	size_t low = 0, high = mirror->plan.run_count;

	if (!mirror->filled)
		return mem_source_resident(mirror->live, start, end, ret_start, ret_end);
	*ret_start = *ret_end = end;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (runs[middle].end <= start)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == mirror->plan.run_count || runs[low].start >= end || start >= end)
		return NULL;
	*ret_start = runs[low].start > start ? runs[low].start : start;
	// Runs of different kinds may adjoin.
	addr_t last = runs[low].end;
	while (last < end && ++low < mirror->plan.run_count && runs[low].start == last)
		last = runs[low].end;
	*ret_end = last < end ? last : end;
	return NULL;
}

static void mirror_destroy(struct mem_source *source)
{
	struct mirror *mirror = mirror_of(source);

	mirror_plan_deinit(&mirror->plan);
	mirror_memory_deinit(&mirror->memory);
	pthread_mutex_destroy(&mirror->lock);
	free(mirror->blocks.list);
	free(mirror->bad);
	free(mirror);
}

const struct mem_source_ops mirror_ops = {
	.read = mirror_read,
	.gather = mirror_gather,
	.maps = mirror_maps,
	.resident = mirror_resident,
	.view = mirror_view,
	.destroy = mirror_destroy,
};
