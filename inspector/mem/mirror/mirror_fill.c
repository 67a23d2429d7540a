// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "mem/memory_left.h"
#include "mem/mirror/mirror_jobs.h"
#include "mem/mirror/mirror_parts.h"

#ifndef MADV_POPULATE_WRITE
// Linux 5.14; the headers to build with may be older than the kernel to run on.
#define MADV_POPULATE_WRITE 23
#endif

/** What is left for everybody else, and for what is made out of the copy. */
static const uint64_t MARGIN_BYTES = 256ULL << 20;
/** So much may come between create and fill before memory is counted again. */
static const uint64_t GROWTH_UNCHECKED_BYTES = 64ULL << 20;

static int compare_addresses(const void *left, const void *right)
{
	const addr_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

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
		error = mem_source_read(mirror->copied, span->at + i, (char *)span->into + i,
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
	struct error *error = mem_source_gather(mirror->copied, spans, count);

	for (size_t i = 0; !error && i < count; i++)
		if (!spans[i].ok)
			error = mirror_copy_pages(mirror, &spans[i]);
	return error;
}

static struct error *mirror_run(struct mirror *mirror, const struct mirror_run *runs, size_t count,
				unsigned thread_count, const struct mirror_work *work)
{
	struct mirror_task task = {.work = *work, .mirror = mirror};

	return mirror_jobs_run(runs, count, &mirror->blocks, thread_count, &task.work);
}

static struct error *check_limit(const struct mirror *mirror, uint64_t needed)
{
	char needs[HUMAN_CHARS], most[HUMAN_CHARS];

	if (needed <= mirror->bytes_max)
		return NULL;
	return error_create(
		ERROR_FAILED, "a copy of the process's memory needs %s, and %s are the limit",
		human_bytes((int64_t)needed, needs), human_bytes((int64_t)mirror->bytes_max, most));
}

// Whether this machine has memory for what @a plan holds beyond what was touched before.
static struct error *mirror_check_memory(struct mirror *mirror, const struct mirror_plan *plan,
					 uint64_t unchecked_bytes)
{
	uint64_t needed = mirror_memory_needed(plan);
	struct error *error = check_limit(mirror, needed);

	if (error)
		return error;
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
	bool process_runs = constants_only || mirror->copied != mirror->live;
	const struct mirror_work work = {
		.run = mirror_copy,
		.job_bytes = process_runs ? MIRROR_SHORT_JOB_BYTES : MIRROR_JOB_BYTES,
		.yields = process_runs,
	};
	struct error *error = mirror_run(mirror, runs, count, thread_count, &work);
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

static struct error *mirror_prepare(struct mirror *mirror, unsigned thread_count)
{
	static const struct mirror_work work = {
		.run = mirror_touch, .job_bytes = MIRROR_JOB_BYTES, .yields = true};
	_cleanup_mirror_plan_ struct mirror_plan plan = {0};
	struct error *error = mirror_plan_make(mirror->live, &plan);

	if (!error)
		error = mirror_check_memory(mirror, &plan, 0);
	if (!error)
		error = mirror_adopt(mirror, &plan);
	if (!error)
		error = mirror_run(mirror, mirror->plan.runs, mirror->plan.run_count, thread_count,
				   &work);
	if (!error)
		error = mirror_copy_runs(mirror, true, thread_count);
	mirror->blocks.count = 0;
	return error;
}

struct error *mem_mirror_create(struct mem_source *live, unsigned thread_count, uint64_t bytes_max,
				struct mem_source **ret)
{
	struct mirror *mirror = calloc(1, sizeof(*mirror));

	if (!mirror)
		return error_no_memory();
	mirror->source.ops = &mirror_ops;
	mirror->live = mirror->copied = live;
	mirror->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	mirror->bytes_max = bytes_max;
	pthread_mutex_init(&mirror->lock, NULL);
	struct error *error = mirror_prepare(mirror, thread_count);
	if (error) {
		mem_source_destroy(&mirror->source);
		return error;
	}
	*ret = &mirror->source;
	return NULL;
}

static struct error *mirror_fill(struct mirror *mirror, unsigned thread_count)
{
	_cleanup_mirror_plan_ struct mirror_plan plan = {0};

	mirror->filled = false;
	mirror->blocks.count = 0;
	mirror->copied_bytes = 0;
	struct error *error = mirror_plan_make(mirror->copied, &plan);
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

struct error *mem_mirror_fill(struct mem_source *mirror, unsigned thread_count)
{
	return mirror_fill(mirror_of(mirror), thread_count);
}

struct error *mem_mirror_fill_from(struct mem_source *base, struct mem_source *source,
				   unsigned thread_count)
{
	struct mirror *mirror = mirror_of(base);

	mirror->copied = source;
	struct error *error = mirror_fill(mirror, thread_count);
	mirror->copied = mirror->live;
	return error;
}

uint64_t mem_mirror_copied_bytes(const struct mem_source *mirror)
{
	return ((const struct mirror *)mirror)->copied_bytes;
}
