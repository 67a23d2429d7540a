// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/pass.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/yield.h"
#include "targets/cpython/scan/int_blocks.h"

enum {
	/** What one thread reads at a time: fits its second-level cache. */
	PIECE_BYTES = MALLOC_WALK_BUFFER_BYTES,
	THREADS_MAX = 64,
};

enum job_kind { JOB_POOLS, JOB_REGION, JOB_INT_BLOCKS };

struct job {
	enum job_kind kind;
	addr_t start;
	addr_t end;
	size_t region;
};

struct run {
	struct py_pass *pass;
	struct job *jobs;
	size_t job_count;
	size_t job_capacity;
	/** The next job to take; past the end when there is none or somebody failed. */
	atomic_size_t next_job;
};

struct worker {
	struct run *run;
	struct py_pass *pass;
	struct py_scan *scan;
	struct heap_sink *sink;
	unsigned char *buffer;
};

void py_pass_doubt(struct py_pass *pass, addr_t at, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&pass->lock);
	if (pass->verdict->consistent) {
		va_start(args, format);
		vsnprintf(pass->verdict->reason, sizeof(pass->verdict->reason), format, args);
		va_end(args);
		pass->verdict->consistent = false;
		pass->verdict->at = at;
	}
	pthread_mutex_unlock(&pass->lock);
}

// A free list leads through a pool in no order, and each step waits for memory: so all of it is asked for
// while the pool before is worked on.
static void pass_prefetch_pool(const unsigned char *pool, size_t bytes)
{
	enum { CACHE_LINE_BYTES = 64, SECOND_LEVEL = 2 };

	for (size_t i = 0; i < bytes; i += CACHE_LINE_BYTES)
		__builtin_prefetch(pool + i, 0, SECOND_LEVEL);
}

static void pass_pools(struct worker *worker, const struct job *job)
{
	const struct py_arenas *arenas = worker->pass->arenas;
	struct py_scan *scan = worker->scan;
	size_t bytes = (size_t)(job->end - job->start);
	// A copy of the memory needs no other.
	const unsigned char *pools = mem_source_view(worker->pass->source, job->start, bytes);
	struct error *error =
		pools ? NULL
		      : mem_source_read(worker->pass->source, job->start, worker->buffer, bytes);

	if (!pools)
		pools = worker->buffer;
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
	mem_window_lend(scan->window, job->start, pools, bytes);
	if (scan->edges)
		py_edges_lend(scan->edges, job->start, pools, bytes);
	for (size_t offset = 0; offset < bytes; offset += arenas->pool_bytes) {
		const unsigned char *pool_bytes = pools + offset;
		addr_t pool_at = job->start + offset;
		struct py_pool pool;
		if (offset + arenas->pool_bytes < bytes)
			pass_prefetch_pool(pool_bytes + arenas->pool_bytes, arenas->pool_bytes);
		if (!py_pool_parse(scan->layout, arenas, pool_at, pool_bytes, &pool))
			py_pass_doubt(worker->pass, pool_at, "pool at 0x%" PRIx64 " half updated",
				      pool_at);
		uint32_t at = pool.first_block;
		for (uint32_t i = 0; i < pool.block_count; i++, at += pool.block_bytes)
			if (!py_pool_is_free(&pool, i))
				py_scan_block(scan, pool_bytes + at, pool.block_bytes, pool_at + at,
					      pool.block_bytes, false);
	}
	mem_window_lend(scan->window, 0, NULL, 0);
	if (scan->edges)
		py_edges_lend(scan->edges, 0, NULL, 0);
}

static struct error *pass_visit_block(void *context, const struct malloc_block *block)
{
	struct py_scan *scan = context;

	if (scan->mode == PY_SCAN_COUNT_WORDS && block->is_cached)
		return NULL;
	py_scan_block(scan, block->data, block->data_bytes, block->at, block->bytes,
		      block->looks_freed);
	return NULL;
}

static void pass_region(struct worker *worker, const struct job *job)
{
	const struct malloc_region *region = &worker->pass->regions->list[job->region];
	struct malloc_walk_result result;
	struct error *error =
		malloc_region_walk(worker->pass->source, worker->pass->regions, region,
				   worker->buffer, pass_visit_block, worker->scan, &result);

	if (error) {
		if (worker->scan->error)
			error_destroy(error);
		else
			worker->scan->error = error;
		return;
	}
	if (!result.broken)
		return;
	// Words are words, whatever the blocks.
	if (worker->scan->mode == PY_SCAN_COUNT_WORDS && region->end > result.broken_at)
		py_scan_block(worker->scan, NULL, 0, result.broken_at,
			      (size_t)(region->end - result.broken_at), false);
	// A heap that broke in the middle may be whole a moment later; one without a beginning is
	// not glibc's.
	if (result.block_count)
		py_pass_doubt(worker->pass, result.broken_at,
			      "malloc's chain of chunks torn at 0x%" PRIx64, result.broken_at);
	py_scan_problem(worker->scan, HEAP_PROBLEM_TRUNCATED, result.broken_at,
			"malloc's heap could not be followed beyond 0x%" PRIx64 " (%" PRIu64
			" bytes not seen)",
			result.broken_at, result.unseen_bytes);
}

static void pass_run_job(struct worker *worker, const struct job *job)
{
	switch (job->kind) {
	case JOB_POOLS:
		pass_pools(worker, job);
		break;
	case JOB_REGION:
		pass_region(worker, job);
		break;
	case JOB_INT_BLOCKS:
		py_int_blocks_scan(worker->scan);
		break;
	}
}

static void *pass_work(void *argument)
{
	struct worker *worker = argument;
	struct run *run = worker->run;
	bool yields = worker->pass->process_runs;

	for (;;) {
		size_t next = atomic_fetch_add(&run->next_job, 1);
		if (next >= run->job_count)
			break;
		pass_run_job(worker, &run->jobs[next]);
		if (!worker->scan->error)
			worker->scan->error = interrupt_check();
		if (worker->scan->error) {
			atomic_store(&run->next_job, run->job_count);
			break;
		}
		yield_processor(&yields);
	}
	return NULL;
}

static struct error *pass_add_job(struct run *run, struct job job)
{
	struct error *error = array_reserve(&run->jobs, &run->job_capacity, run->job_count + 1,
					    sizeof(*run->jobs));

	if (!error)
		run->jobs[run->job_count++] = job;
	return error;
}

// The long ones first: a heap of malloc's is one chain and cannot be shared out.
static struct error *pass_plan(struct run *run)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < run->pass->regions->count; i++)
		error = pass_add_job(run, (struct job){.kind = JOB_REGION, .region = i});
	if (!error && run->pass->layout->var.int_blocks)
		error = pass_add_job(run, (struct job){.kind = JOB_INT_BLOCKS});
	for (size_t i = 0; i < run->pass->arenas->count; i++) {
		const struct py_arena *arena = &run->pass->arenas->list[i];
		for (addr_t at = arena->first_pool; !error && at < arena->end; at += PIECE_BYTES) {
			addr_t end = arena->end - at > PIECE_BYTES ? at + PIECE_BYTES : arena->end;
			error = pass_add_job(
				run, (struct job){.kind = JOB_POOLS, .start = at, .end = end});
		}
	}
	return error;
}

static bool pass_reports(enum py_scan_mode mode)
{
	return mode == PY_SCAN_REPORT || mode == PY_SCAN_REPORT_MARKED;
}

struct error *py_pass_create_scan(const struct py_pass *pass, enum py_scan_mode mode,
				  struct py_scan **ret)
{
	struct error *error = py_scan_create(pass->layout, pass->types, pass->source, ret);

	if (error)
		return error;
	struct py_scan *scan = *ret;
	scan->mode = mode;
	scan->marks = pass->marks;
	scan->marks_again = mode == PY_SCAN_MARK && pass->marks_again;
	scan->maps = pass->maps;
	scan->lowest_address = pass->lowest_address;
	scan->arenas = pass->arenas;
	scan->regions = pass->regions;
	scan->collecting = pass->collecting;
	scan->frozen = pass->frozen;
	scan->words = pass->words;
	scan->words_heap = pass->words_heap;
	if (pass->edges && pass_reports(mode))
		error = py_edges_create(pass->edges, false, &scan->edges);
	if (error)
		py_scan_destroy(scan);
	return error;
}

static struct error *pass_worker_init(struct run *run, struct worker *worker)
{
	struct py_pass *pass = run->pass;
	struct error *error;

	*worker = (struct worker){.run = run, .pass = pass};
	worker->buffer = malloc(PIECE_BYTES);
	if (!worker->buffer)
		return error_no_memory();
	error = py_pass_create_scan(pass, pass->mode, &worker->scan);
	if (error || !pass_reports(pass->mode))
		return error;
	error = heap_sink_fork(pass->sink, &worker->sink);
	if (!error)
		worker->scan->sink = worker->sink;
	return error;
}

static void pass_worker_deinit(struct worker *worker)
{
	heap_sink_destroy(worker->sink);
	py_scan_destroy(worker->scan);
	free(worker->buffer);
}

static struct error *pass_worker_join(struct worker *worker)
{
	struct py_pass *pass = worker->pass;
	struct error *error = py_scan_finish(worker->scan);

	pass->sums.heads += worker->scan->sums.heads;
	pass->sums.nexts += worker->scan->sums.nexts;
	pass->sums.prevs += worker->scan->sums.prevs;
	if (!error && worker->sink)
		error = heap_sink_join(pass->sink, take_ptr(worker->sink));
	return error;
}

static struct error *pass_run(struct run *run)
{
	struct worker workers[THREADS_MAX] = {0};
	pthread_t threads[THREADS_MAX];
	unsigned wanted = run->pass->thread_count, count = 0, started = 0;
	struct error *error = NULL;

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	for (; !error && count < wanted; count++)
		error = pass_worker_init(run, &workers[count]);
	// A thread that cannot be had leaves its share to the others.
	for (unsigned i = 1; !error && i < count; i++)
		if (pthread_create(&threads[started], NULL, pass_work, &workers[i]) == 0)
			started++;
	if (!error)
		pass_work(&workers[0]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < count; i++) {
		struct error *failure = workers[i].scan ? pass_worker_join(&workers[i]) : NULL;
		if (error)
			error_destroy(failure);
		else
			error = failure;
		pass_worker_deinit(&workers[i]);
	}
	return error ? error : py_types_take_error(run->pass->types);
}

struct error *py_pass_run(struct py_pass *pass)
{
	struct run run = {.pass = pass};
	struct error *error = pass_plan(&run);

	pass->sums = (struct py_link_sums){0};
	if (!error)
		error = pass_run(&run);
	free(run.jobs);
	return error;
}
