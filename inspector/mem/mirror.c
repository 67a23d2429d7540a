// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/mirror.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "mem/maps.h"
#include "mem/memory_left.h"
#include "mem/mirror_jobs.h"
#include "mem/mirror_memory.h"
#include "mem/mirror_plan.h"

#ifndef MADV_POPULATE_WRITE
// Linux 5.14; the headers to build with may be older than the kernel to run on.
#define MADV_POPULATE_WRITE 23
#endif

enum {
	/** Addresses with the same slot share a guess at the block they lie in. */
	GUESS_SLOTS = 1024,
	GUESS_SHIFT = 21,
};

/** What is left for everybody else, and for what is made out of the copy. */
static const uint64_t MARGIN_BYTES = 256ULL << 20;
/** So much may come between create and fill before memory is counted again. */
static const uint64_t GROWTH_UNCHECKED_BYTES = 64ULL << 20;

struct mirror {
	struct mem_source source;
	struct mem_source *live;
	uint64_t page_bytes;
	struct mirror_memory memory;
	/** Memory was touched for that much. */
	uint64_t touched_bytes;
	/** Of the last create or fill: the bytes of ours that may be other than zero are in its runs. */
	struct mirror_plan plan;
	/** Of the last fill; there are none before the first and after one that failed. */
	struct mirror_blocks blocks;
	bool filled;
	uint64_t copied_bytes;
	/** Guards the list of bad pages while threads copy. */
	pthread_mutex_t lock;
	/** Addresses of the pages in runs that could not be read; ascending once filled. */
	addr_t *bad;
	size_t bad_count;
	size_t bad_capacity;
	/** Index of the block where an address was found last; any number is right, some are slow. */
	_Atomic uint32_t guess[GUESS_SLOTS];
};

static struct mirror *mirror_of(struct mem_source *source)
{
	return (struct mirror *)source;
}

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

static int compare_addresses(const void *left, const void *right)
{
	const addr_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

// The first bad page that ends behind @a at, ~0 when there is none.
static addr_t mirror_bad_page(const struct mirror *mirror, addr_t at)
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

static const struct mem_source_ops mirror_ops = {
	.read = mirror_read,
	.gather = mirror_gather,
	.maps = mirror_maps,
	.resident = mirror_resident,
	.view = mirror_view,
	.destroy = mirror_destroy,
};

static struct error *touch_span(const struct mirror *mirror, const struct mem_span *span)
{
	if (madvise(span->into, span->bytes, MADV_POPULATE_WRITE) == 0)
		return NULL;
	if (errno == ENOMEM || errno == EFAULT || errno == EHWPOISON)
		return error_no_memory();
	// An older kernel.
	for (size_t i = 0; i < span->bytes; i += mirror->page_bytes)
		((volatile unsigned char *)span->into)[i] = 0;
	return NULL;
}

/** A mirror's work on jobs. */
struct mirror_task {
	struct mirror_work work;
	struct mirror *mirror;
};

static struct error *mirror_touch(struct mirror_work *work, struct mem_span *spans, size_t count)
{
	const struct mirror *mirror = ((const struct mirror_task *)work)->mirror;
	struct error *error = NULL;

	for (size_t i = 0; !error && i < count; i++)
		error = touch_span(mirror, &spans[i]);
	return error;
}

static struct error *mirror_add_bad(struct mirror *mirror, addr_t page)
{
	pthread_mutex_lock(&mirror->lock);
	struct error *error = array_reserve(&mirror->bad, &mirror->bad_capacity,
					    mirror->bad_count + 1, sizeof(*mirror->bad));
	if (!error)
		mirror->bad[mirror->bad_count++] = page;
	pthread_mutex_unlock(&mirror->lock);
	return error;
}

// One bad page must not lose the rest.
static struct error *mirror_copy_pages(struct mirror *mirror, const struct mem_span *span)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < span->bytes; i += mirror->page_bytes) {
		error = mem_source_read(mirror->live, span->at + i, (char *)span->into + i,
					mirror->page_bytes);
		if (!error || error->code != ERROR_FAULT)
			continue;
		error_destroy(error);
		error = mirror_add_bad(mirror, span->at + i);
	}
	return error;
}

static struct error *mirror_copy(struct mirror_work *work, struct mem_span *spans, size_t count)
{
	struct mirror *mirror = ((struct mirror_task *)work)->mirror;
	struct error *error = mem_source_gather(mirror->live, spans, count);

	for (size_t i = 0; !error && i < count; i++)
		if (!spans[i].ok)
			error = mirror_copy_pages(mirror, &spans[i]);
	return error;
}

static struct error *mirror_run(struct mirror *mirror, const struct mirror_run *runs, size_t count,
				unsigned thread_count,
				struct error *(*run)(struct mirror_work *work,
						     struct mem_span *spans, size_t count))
{
	struct mirror_task task = {.work.run = run, .mirror = mirror};

	return mirror_jobs_run(runs, count, &mirror->blocks, thread_count, &task.work);
}

// Whether this machine has memory for what @a plan holds beyond what was touched before.
static struct error *mirror_check_memory(struct mirror *mirror, const struct mirror_plan *plan,
					 uint64_t unchecked_bytes)
{
	uint64_t needed = mirror_memory_needed(plan);

	if (needed <= mirror->touched_bytes + unchecked_bytes)
		return NULL;
	uint64_t more = needed - mirror->touched_bytes;
	uint64_t left = memory_left_bytes("");
	if (left < MARGIN_BYTES || left - MARGIN_BYTES < more) {
		char needs[HUMAN_CHARS], has[HUMAN_CHARS], margin[HUMAN_CHARS];
		return error_create(
			ERROR_FAILED,
			"a copy of the process's memory needs %s more, and this machine "
			"(or the control group we are in) has %s left, of which %s must "
			"stay free",
			human_bytes((int64_t)more, needs), human_bytes((int64_t)left, has),
			human_bytes((int64_t)MARGIN_BYTES, margin));
	}
	mirror->touched_bytes = needed;
	return NULL;
}

// What the moment before had, and this one has not, is zeros from now on.
static void mirror_zero_stale(struct mirror *mirror, const struct mirror_plan *plan)
{
	const struct mirror_run *runs = plan->runs;
	size_t next = 0;

	for (size_t i = 0; i < mirror->plan.run_count; i++) {
		addr_t at = mirror->plan.runs[i].start, end = mirror->plan.runs[i].end;
		while (at < end) {
			while (next < plan->run_count && runs[next].end <= at)
				next++;
			addr_t fresh = next < plan->run_count ? runs[next].start : end;
			if (fresh <= at) {
				at = runs[next].end;
				continue;
			}
			if (fresh > end)
				fresh = end;
			mirror_memory_zero(&mirror->memory, at, fresh);
			at = fresh;
		}
	}
}

// Constant runs that were copied before need not be copied again.
static void mirror_keep_constants(const struct mirror_plan *before, struct mirror_plan *plan)
{
	size_t old = 0;

	for (size_t i = 0; i < plan->run_count; i++) {
		struct mirror_run *run = &plan->runs[i];
		while (old < before->run_count && before->runs[old].start < run->start)
			old++;
		run->copied = run->constant_id && old < before->run_count &&
			      before->runs[old].start == run->start &&
			      before->runs[old].end == run->end &&
			      before->runs[old].constant_id == run->constant_id &&
			      before->runs[old].copied;
	}
}

// Takes over @a plan, which is of now, and gives all of it a place.
static struct error *mirror_adopt(struct mirror *mirror, struct mirror_plan *plan)
{
	struct error *error = mirror_memory_place(&mirror->memory, plan, &mirror->blocks);

	if (error)
		return error;
	mirror_zero_stale(mirror, plan);
	mirror_keep_constants(&mirror->plan, plan);
	mirror_plan_deinit(&mirror->plan);
	mirror->plan = *plan;
	*plan = (struct mirror_plan){0};
	return NULL;
}

// Copies the runs that are not copied yet: all, or the constant ones.
static struct error *mirror_copy_runs(struct mirror *mirror, bool constants_only,
				      unsigned thread_count)
{
	struct mirror_plan *plan = &mirror->plan;
	_cleanup_free_ struct mirror_run *runs = calloc(plan->run_count + 1, sizeof(*runs));
	size_t count = 0;

	if (!runs)
		return error_no_memory();
	for (size_t i = 0; i < plan->run_count; i++)
		if (!plan->runs[i].copied && (plan->runs[i].constant_id || !constants_only))
			runs[count++] = plan->runs[i];
	mirror->bad_count = 0;
	struct error *error = mirror_run(mirror, runs, count, thread_count, mirror_copy);
	if (error)
		return error;
	if (mirror->bad_count)
		qsort(mirror->bad, mirror->bad_count, sizeof(*mirror->bad), compare_addresses);
	for (size_t i = 0; i < plan->run_count; i++)
		plan->runs[i].copied |=
			plan->runs[i].constant_id &&
			mirror_bad_page(mirror, plan->runs[i].start) >= plan->runs[i].end;
	return NULL;
}

static struct error *mirror_prepare(struct mirror *mirror)
{
	_cleanup_mirror_plan_ struct mirror_plan plan = {0};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned thread_count = processors > 0 ? (unsigned)processors : 1;
	struct error *error = mirror_plan_make(mirror->live, &plan);

	if (!error)
		error = mirror_check_memory(mirror, &plan, 0);
	if (!error)
		error = mirror_adopt(mirror, &plan);
	if (!error)
		error = mirror_run(mirror, mirror->plan.runs, mirror->plan.run_count, thread_count,
				   mirror_touch);
	if (!error)
		error = mirror_copy_runs(mirror, true, thread_count);
	mirror->blocks.count = 0;
	return error;
}

struct error *mem_mirror_create(struct mem_source *live, struct mem_source **ret)
{
	struct mirror *mirror = calloc(1, sizeof(*mirror));

	if (!mirror)
		return error_no_memory();
	mirror->source.ops = &mirror_ops;
	mirror->live = live;
	mirror->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	pthread_mutex_init(&mirror->lock, NULL);
	struct error *error = mirror_prepare(mirror);
	if (error) {
		mirror_destroy(&mirror->source);
		return error;
	}
	*ret = &mirror->source;
	return NULL;
}

struct error *mem_mirror_fill(struct mem_source *source, unsigned thread_count)
{
	struct mirror *mirror = mirror_of(source);
	_cleanup_mirror_plan_ struct mirror_plan plan = {0};

	mirror->filled = false;
	mirror->blocks.count = 0;
	mirror->copied_bytes = 0;
	struct error *error = mirror_plan_make(mirror->live, &plan);
	if (!error)
		error = mirror_check_memory(mirror, &plan, GROWTH_UNCHECKED_BYTES);
	if (!error)
		error = mirror_adopt(mirror, &plan);
	if (!error)
		error = mirror_copy_runs(mirror, false, thread_count);
	if (error) {
		mirror->blocks.count = 0;
		return error;
	}
	mirror->copied_bytes = mirror->plan.bytes - mirror->bad_count * mirror->page_bytes;
	mirror->filled = true;
	return NULL;
}

uint64_t mem_mirror_copied_bytes(const struct mem_source *mirror)
{
	return ((const struct mirror *)mirror)->copied_bytes;
}
