// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/walk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "mem/malloc_heap.h"
#include "targets/cpython/int_blocks.h"
#include "targets/cpython/marks.h"
#include "targets/cpython/pymalloc.h"
#include "targets/cpython/runtime.h"
#include "targets/cpython/scan.h"

enum {
	/** What one thread reads at a time: fits its second-level cache. */
	PIECE_BYTES = MALLOC_WALK_BUFFER_BYTES,
	THREADS_MAX = 64,
	/** Passes that leave out strays, beyond the first. */
	MARKS_ROUNDS_MAX = 3,
};

/** Memory that telling real members of the lists from false ones may take. */
static const uint64_t MARKS_BYTES_MAX = 96 << 20;

enum job_kind { JOB_POOLS, JOB_REGION, JOB_INT_BLOCKS };

struct job {
	enum job_kind kind;
	addr_t start;
	addr_t end;
	size_t region;
};

struct walk {
	const struct py_walk_context *context;
	const struct py_layout *layout;
	struct heap_sink *sink;
	struct target_verdict *verdict;
	struct mem_window *window;
	struct py_types *types;
	struct py_interpreters interpreters;
	struct py_gc_state gc;
	struct py_arenas arenas;
	struct malloc_regions regions;
	struct py_marks *marks;
	unsigned marks_round;
	/** Heads of tracked objects that only the lists led to. */
	addr_t *chased;
	size_t chased_count;
	size_t chased_capacity;

	struct job *jobs;
	size_t job_count;
	size_t job_capacity;
	/** The next job to take; past the end when there is none or somebody failed. */
	atomic_size_t next_job;
	enum py_scan_mode mode;
	addr_t lowest_address;
	pthread_mutex_t lock;
	struct py_link_sums sums;
};

struct worker {
	struct walk *walk;
	struct py_scan *scan;
	struct heap_sink *sink;
	unsigned char *buffer;
};

// The first reason is the one told.
PRINTF_LIKE(3, 4)
static void walk_doubt(struct walk *walk, addr_t at, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&walk->lock);
	if (walk->verdict->consistent) {
		va_start(args, format);
		vsnprintf(walk->verdict->reason, sizeof(walk->verdict->reason), format, args);
		va_end(args);
		walk->verdict->consistent = false;
		walk->verdict->at = at;
	}
	pthread_mutex_unlock(&walk->lock);
}

static void walk_pools(struct worker *worker, const struct job *job)
{
	const struct py_arenas *arenas = &worker->walk->arenas;
	struct py_scan *scan = worker->scan;
	size_t bytes = (size_t)(job->end - job->start);
	struct error *error =
		mem_source_read(worker->walk->context->source, job->start, worker->buffer, bytes);

	if (error) {
		if (error->code != ERROR_FAULT) {
			scan->error = error;
			return;
		}
		py_scan_problem(scan, HEAP_PROBLEM_UNREADABLE, job->start,
				"%zu bytes of pymalloc's pools at 0x%" PRIx64 " cannot be read",
				bytes, job->start);
		error_destroy(error);
		return;
	}
	// What a dict owns is mostly near it.
	mem_window_lend(scan->window, job->start, worker->buffer, bytes);
	for (size_t offset = 0; offset < bytes; offset += arenas->pool_bytes) {
		const unsigned char *pool_bytes = worker->buffer + offset;
		addr_t pool_at = job->start + offset;
		struct py_pool pool;
		if (!py_pool_parse(scan->layout, arenas, pool_at, pool_bytes, &pool))
			walk_doubt(worker->walk, pool_at, "pool at 0x%" PRIx64 " half updated",
				   pool_at);
		uint32_t at = pool.first_block;
		for (uint32_t i = 0; i < pool.block_count; i++, at += pool.block_bytes)
			if (!py_pool_is_free(&pool, i))
				py_scan_block(scan, pool_bytes + at, pool.block_bytes, pool_at + at,
					      pool.block_bytes, false);
	}
	mem_window_lend(scan->window, 0, NULL, 0);
}

static struct error *walk_visit_block(void *context, const struct malloc_block *block)
{
	struct py_scan *scan = context;

	py_scan_block(scan, block->data, block->data_bytes, block->at, block->bytes,
		      block->looks_freed);
	return NULL;
}

static void walk_region(struct worker *worker, const struct job *job)
{
	const struct malloc_region *region = &worker->walk->regions.list[job->region];
	struct malloc_walk_result result;
	struct error *error =
		malloc_region_walk(worker->walk->context->source, region, worker->buffer,
				   walk_visit_block, worker->scan, &result);

	if (error) {
		if (worker->scan->error)
			error_destroy(error);
		else
			worker->scan->error = error;
		return;
	}
	if (!result.broken)
		return;
	// A heap that broke in the middle may be whole a moment later; one without a beginning is
	// not glibc's.
	if (result.block_count)
		walk_doubt(worker->walk, result.broken_at,
			   "malloc's chain of chunks torn at 0x%" PRIx64, result.broken_at);
	py_scan_problem(worker->scan, HEAP_PROBLEM_TRUNCATED, result.broken_at,
			"malloc's heap could not be followed beyond 0x%" PRIx64 " (%" PRIu64
			" bytes not seen)",
			result.broken_at, result.unseen_bytes);
}

static void walk_run_job(struct worker *worker, const struct job *job)
{
	switch (job->kind) {
	case JOB_POOLS:
		walk_pools(worker, job);
		break;
	case JOB_REGION:
		walk_region(worker, job);
		break;
	case JOB_INT_BLOCKS:
		py_int_blocks_scan(worker->scan);
		break;
	}
}

static void *walk_work(void *argument)
{
	struct worker *worker = argument;
	struct walk *walk = worker->walk;

	for (;;) {
		size_t next = atomic_fetch_add(&walk->next_job, 1);
		if (next >= walk->job_count)
			break;
		walk_run_job(worker, &walk->jobs[next]);
		if (!worker->scan->error)
			worker->scan->error = interrupt_check();
		if (worker->scan->error) {
			atomic_store(&walk->next_job, walk->job_count);
			break;
		}
	}
	return NULL;
}

static struct error *walk_add_job(struct walk *walk, struct job job)
{
	struct error *error = array_reserve(&walk->jobs, &walk->job_capacity, walk->job_count + 1,
					    sizeof(*walk->jobs));

	if (!error)
		walk->jobs[walk->job_count++] = job;
	return error;
}

// The long ones first: a heap of malloc's is one chain and cannot be shared out.
static struct error *walk_plan(struct walk *walk)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < walk->regions.count; i++)
		error = walk_add_job(walk, (struct job){.kind = JOB_REGION, .region = i});
	if (!error && walk->layout->var.int_blocks)
		error = walk_add_job(walk, (struct job){.kind = JOB_INT_BLOCKS});
	for (size_t i = 0; i < walk->arenas.count; i++) {
		const struct py_arena *arena = &walk->arenas.list[i];
		for (addr_t at = arena->first_pool; !error && at < arena->end; at += PIECE_BYTES) {
			addr_t end = arena->end - at > PIECE_BYTES ? at + PIECE_BYTES : arena->end;
			error = walk_add_job(
				walk, (struct job){.kind = JOB_POOLS, .start = at, .end = end});
		}
	}
	return error;
}

static void walk_set_up_scan(const struct walk *walk, struct py_scan *scan, enum py_scan_mode mode)
{
	scan->mode = mode;
	scan->marks = walk->marks;
	scan->marks_again = mode == PY_SCAN_MARK && walk->marks_round > 0;
	scan->lowest_address = walk->lowest_address;
	scan->collecting = walk->gc.collecting;
}

static struct error *walk_worker_init(struct walk *walk, struct worker *worker)
{
	struct error *error;

	*worker = (struct worker){.walk = walk};
	worker->buffer = malloc(PIECE_BYTES);
	if (!worker->buffer)
		return error_no_memory();
	error = py_scan_create(walk->layout, walk->types, walk->context->source, &worker->scan);
	if (error)
		return error;
	walk_set_up_scan(walk, worker->scan, walk->mode);
	if (walk->mode == PY_SCAN_MARK)
		return NULL;
	error = heap_sink_fork(walk->sink, &worker->sink);
	worker->scan->sink = worker->sink;
	return error;
}

static void walk_worker_deinit(struct worker *worker)
{
	heap_sink_destroy(worker->sink);
	py_scan_destroy(worker->scan);
	free(worker->buffer);
}

static struct error *walk_worker_join(struct walk *walk, struct worker *worker)
{
	struct error *error = py_scan_finish(worker->scan);

	walk->sums.heads += worker->scan->sums.heads;
	walk->sums.nexts += worker->scan->sums.nexts;
	walk->sums.prevs += worker->scan->sums.prevs;
	if (!error && worker->sink)
		error = heap_sink_join(walk->sink, take_ptr(worker->sink));
	return error;
}

// One pass over all jobs in walk->mode.
static struct error *walk_pass(struct walk *walk)
{
	struct worker workers[THREADS_MAX] = {0};
	pthread_t threads[THREADS_MAX];
	unsigned wanted = walk->context->thread_count, count = 0, started = 0;
	struct error *error = NULL;

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	walk->sums = (struct py_link_sums){0};
	atomic_store(&walk->next_job, 0);
	for (; !error && count < wanted; count++)
		error = walk_worker_init(walk, &workers[count]);
	// A thread that cannot be had leaves its share to the others.
	for (unsigned i = 1; !error && i < count; i++)
		if (pthread_create(&threads[started], NULL, walk_work, &workers[i]) == 0)
			started++;
	if (!error)
		walk_work(&workers[0]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < count; i++) {
		struct error *failure =
			workers[i].scan ? walk_worker_join(walk, &workers[i]) : NULL;
		if (error)
			error_destroy(failure);
		else
			error = failure;
		walk_worker_deinit(&workers[i]);
	}
	return error ? error : py_types_take_error(walk->types);
}

static const addr_t LINK_FLAGS = 3;

static void walk_check_sums(struct walk *walk)
{
	struct py_link_sums sums = walk->sums;

	for (size_t i = 0; i < walk->gc.list_count; i++) {
		sums.heads += py_link_term(walk->gc.lists[i].head_at);
		sums.nexts += py_link_term(walk->gc.lists[i].next & ~LINK_FLAGS);
		sums.prevs += py_link_term(walk->gc.lists[i].prev & ~LINK_FLAGS);
	}
	if (sums.heads != sums.nexts || sums.heads != sums.prevs)
		walk_doubt(walk, 0,
			   "the tracked objects found are not those of the collector's lists");
}

static struct error *walk_marks_create(struct walk *walk)
{
	size_t range_count = 0, room = walk->arenas.count + walk->regions.count;
	_cleanup_free_ struct py_marks_range *ranges = calloc(room ? room : 1, sizeof(*ranges));

	if (!ranges)
		return error_no_memory();
	// Both lists are in address order and do not overlap: merge them.
	for (size_t i = 0, j = 0; i < walk->arenas.count || j < walk->regions.count;) {
		const struct py_arena *arena =
			i < walk->arenas.count ? &walk->arenas.list[i] : NULL;
		const struct malloc_region *region =
			j < walk->regions.count ? &walk->regions.list[j] : NULL;
		if (arena && (!region || arena->first_pool < region->start)) {
			ranges[range_count++] =
				(struct py_marks_range){arena->first_pool, arena->end};
			i++;
			continue;
		}
		// Objects with mappings of their own are few in much memory: they are "outside".
		if (region->kind == MALLOC_REGION_HEAP)
			ranges[range_count++] = (struct py_marks_range){region->start, region->end};
		j++;
	}
	return py_marks_create(ranges, range_count, MARKS_BYTES_MAX, &walk->marks);
}

static struct error *walk_create_scan(struct walk *walk, enum py_scan_mode mode,
				      struct heap_sink *sink, struct py_scan **ret)
{
	struct error *error = py_scan_create(walk->layout, walk->types, walk->context->source, ret);

	if (error)
		return error;
	walk_set_up_scan(walk, *ret, mode);
	(*ret)->sink = sink;
	return NULL;
}

// What the lists lead to in memory that no walk reaches: another allocator's, or static.
static struct error *walk_chase(struct walk *walk)
{
	struct py_scan *scan;
	struct error *error = walk_create_scan(walk, PY_SCAN_MARK, NULL, &scan);

	if (error)
		return error;
	// The list of them grows while it is followed.
	for (size_t i = 0; !error && i < py_marks_outside_count(walk->marks); i++) {
		addr_t head_at = py_marks_outside(walk->marks, i);
		if (!head_at || py_marks_was_found(walk->marks, head_at) ||
		    !py_scan_tracked_at(scan, head_at))
			continue;
		error = array_reserve(&walk->chased, &walk->chased_capacity, walk->chased_count + 1,
				      sizeof(addr_t));
		if (!error)
			walk->chased[walk->chased_count++] = head_at;
	}
	struct error *failure = py_scan_finish(scan);
	py_scan_destroy(scan);
	if (error)
		error_destroy(failure);
	return error ? error : failure;
}

static struct error *walk_report_chased(struct walk *walk)
{
	struct py_scan *scan;
	struct error *error = walk_create_scan(walk, PY_SCAN_REPORT_MARKED, walk->sink, &scan);

	if (error)
		return error;
	for (size_t i = 0; i < walk->chased_count; i++)
		py_scan_tracked_at(scan, walk->chased[i]);
	error = py_scan_finish(scan);
	py_scan_destroy(scan);
	return error;
}

// One pass that marks who is linked to whom.
static struct error *walk_mark(struct walk *walk)
{
	for (size_t i = 0; i < walk->gc.list_count; i++)
		py_marks_add_list(walk->marks, walk->gc.lists[i].head_at,
				  walk->gc.lists[i].next & ~LINK_FLAGS,
				  walk->gc.lists[i].prev & ~LINK_FLAGS);
	walk->mode = PY_SCAN_MARK;
	walk->chased_count = 0;
	struct error *error = walk_pass(walk);
	return error ? error : walk_chase(walk);
}

static struct error *walk_thorough(struct walk *walk)
{
	struct error *error = walk_marks_create(walk);
	uint64_t stray;
	addr_t torn_at;

	if (error && error->code == ERROR_FAILED) {
		walk_doubt(walk, 0, "%s", error->message);
		error_destroy(error);
		walk->mode = PY_SCAN_REPORT;
		return walk_pass(walk);
	}
	if (error)
		return error;
	// The links of a stray muddle those of others: mark again without it.
	for (;; walk->marks_round++) {
		error = walk_mark(walk);
		if (error)
			return error;
		if (py_marks_settle(walk->marks, &stray, &torn_at))
			break;
		if (!stray || walk->marks_round == MARKS_ROUNDS_MAX) {
			walk_doubt(walk, torn_at, "the collector's lists are torn at 0x%" PRIx64,
				   torn_at);
			break;
		}
		py_marks_restart(walk->marks);
	}
	walk->mode = PY_SCAN_REPORT_MARKED;
	error = walk_pass(walk);
	if (!error)
		error = walk_report_chased(walk);
	return error;
}

static struct error *walk_find_memory(struct walk *walk)
{
	_cleanup_maps_ struct maps maps = {0};
	struct error *error =
		py_arenas_read(walk->layout, walk->window, &walk->interpreters, &walk->arenas);
	_cleanup_free_ struct malloc_excluded *excluded = NULL;

	if (error)
		return error;
	excluded = calloc(walk->arenas.count + 1, sizeof(*excluded));
	if (!excluded)
		return error_no_memory();
	for (size_t i = 0; i < walk->arenas.count; i++)
		excluded[i] = (struct malloc_excluded){walk->arenas.list[i].address,
						       walk->arenas.list[i].end};
	error = mem_source_maps(walk->context->source, &maps);
	if (!error && maps.count)
		walk->lowest_address = maps.list[0].start;
	if (!error)
		error = malloc_regions_find(walk->context->source, &maps, excluded,
					    walk->arenas.count, &walk->regions);
	return error;
}

static struct error *walk_heap(struct walk *walk, enum target_effort effort)
{
	struct error *error = py_interpreters_read(walk->layout, walk->window, &walk->interpreters);

	if (!error)
		error = py_gc_state_read(walk->layout, walk->window, &walk->interpreters,
					 &walk->gc);
	if (error)
		return error;
	// The lists are in pieces then, some of them on the collector's own stack.
	if (walk->gc.collecting) {
		walk_doubt(walk, 0, "a collection was under way");
		if (effort != TARGET_EFFORT_LAST)
			return NULL;
	}
	error = walk_find_memory(walk);
	if (!error)
		error = walk_plan(walk);
	if (error)
		return error;
	if (effort == TARGET_EFFORT_FIRST || walk->gc.collecting) {
		walk->mode = PY_SCAN_REPORT;
		error = walk_pass(walk);
		if (!error)
			walk_check_sums(walk);
	} else {
		error = walk_thorough(walk);
	}
	if (!error && walk->context->foreign_malloc) {
		char text[160];
		snprintf(text, sizeof(text),
			 "memory of %s is not searched: untracked objects of more than 512 bytes "
			 "are "
			 "not counted",
			 walk->context->foreign_malloc);
		struct heap_problem problem = {.kind = HEAP_PROBLEM_TRUNCATED, .text = text};
		error = heap_sink_problem(walk->sink, &problem);
	}
	return error ? error : py_types_announce(walk->types, walk->sink);
}

struct error *py_walk(const struct py_walk_context *context, struct heap_sink *sink,
		      enum target_effort effort, struct target_verdict *ret)
{
	struct walk walk = {
		.context = context,
		.layout = context->layout,
		.sink = sink,
		.verdict = ret,
	};

	*ret = (struct target_verdict){.consistent = true};
	pthread_mutex_init(&walk.lock, NULL);
	struct error *error = mem_window_create(context->source, &walk.window);
	if (!error)
		error = py_types_create(walk.layout, &walk.types);
	if (!error)
		error = walk_heap(&walk, effort);
	py_types_destroy(walk.types);
	py_marks_destroy(walk.marks);
	free(walk.chased);
	free(walk.jobs);
	malloc_regions_deinit(&walk.regions);
	py_arenas_deinit(&walk.arenas);
	py_gc_state_deinit(&walk.gc);
	py_interpreters_deinit(&walk.interpreters);
	mem_window_destroy(walk.window);
	pthread_mutex_destroy(&walk.lock);
	return error;
}
