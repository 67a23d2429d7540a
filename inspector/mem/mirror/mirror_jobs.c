// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/mirror/mirror_jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/yield.h"

enum { THREADS_MAX = 16 };

/** Bytes [start, end), as far as they are in runs; the first of them is in run `first`. */
struct job {
	size_t first;
	addr_t start;
	addr_t end;
};

struct job_list {
	const struct mirror_run *runs;
	size_t run_count;
	const struct mirror_blocks *blocks;
	struct mirror_work *work;
	struct job *list;
	size_t count;
	size_t capacity;
	/** The next job to take; past the end when there is none or somebody failed. */
	atomic_size_t next;
	pthread_mutex_t lock;
	/** The first one; guarded by the lock. */
	struct error *error;
};

static struct error *jobs_add(struct job_list *jobs, struct job job)
{
	struct error *error =
		array_reserve(&jobs->list, &jobs->capacity, jobs->count + 1, sizeof(*jobs->list));

	if (!error)
		jobs->list[jobs->count++] = job;
	return error;
}

static struct error *jobs_plan(struct job_list *jobs)
{
	struct error *error = NULL;
	struct job job = {0};
	uint64_t bytes = 0, bytes_max = jobs->work->job_bytes;
	size_t pieces = 0;

	for (size_t i = 0; !error && i < jobs->run_count; i++) {
		const struct mirror_run *run = &jobs->runs[i];
		for (addr_t at = run->start; !error && at < run->end;) {
			if (pieces == 0)
				job = (struct job){.first = i, .start = at};
			uint64_t room = bytes_max - bytes;
			uint64_t piece = run->end - at < room ? run->end - at : room;
			at += piece;
			bytes += piece;
			job.end = at;
			if (bytes < bytes_max && ++pieces < MIRROR_JOB_SPANS)
				continue;
			error = jobs_add(jobs, job);
			bytes = pieces = 0;
		}
	}
	return !error && pieces ? jobs_add(jobs, job) : error;
}

static struct error *jobs_do(const struct job_list *jobs, const struct job *job)
{
	struct mem_span spans[MIRROR_JOB_SPANS];
	const struct mirror_block *block = NULL;
	struct error *error = NULL;
	size_t count = 0;

	for (size_t i = job->first; !error && i < jobs->run_count; i++) {
		const struct mirror_run *run = &jobs->runs[i];
		addr_t at = run->start > job->start ? run->start : job->start;
		addr_t end = run->end < job->end ? run->end : job->end;
		if (at >= end)
			break;
		for (addr_t until; !error && at < end; at = until) {
			if (!block || block->end <= at)
				block = mirror_blocks_find(jobs->blocks, at);
			until = end < block->end ? end : block->end;
			spans[count++] =
				(struct mem_span){.at = at,
						  .into = block->memory + (at - block->start),
						  .bytes = (size_t)(until - at)};
			// Only where a run goes over from one block into the next.
			if (count < MIRROR_JOB_SPANS)
				continue;
			error = jobs->work->run(jobs->work, spans, count);
			count = 0;
		}
	}
	return !error && count ? jobs->work->run(jobs->work, spans, count) : error;
}

static void *jobs_worker(void *argument)
{
	struct job_list *jobs = argument;
	bool yields = jobs->work->yields;

	for (;;) {
		size_t next = atomic_fetch_add(&jobs->next, 1);
		if (next >= jobs->count)
			return NULL;
		struct error *error = interrupt_check();
		if (!error)
			error = jobs_do(jobs, &jobs->list[next]);
		if (!error) {
			yield_processor(&yields);
			continue;
		}
		atomic_store(&jobs->next, jobs->count);
		pthread_mutex_lock(&jobs->lock);
		if (!jobs->error)
			jobs->error = take_ptr(error);
		pthread_mutex_unlock(&jobs->lock);
		error_destroy(error);
	}
}

// Threads that cannot be started leave their share to the others.
static size_t workers_start(struct job_list *jobs, pthread_t *threads, size_t count)
{
	sigset_t all, before;
	size_t started = 0;

	// Signals are for the threads that wait for the user.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < count && pthread_create(&threads[started], NULL, jobs_worker, jobs) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

struct error *mirror_jobs_run(const struct mirror_run *runs, size_t run_count,
			      const struct mirror_blocks *blocks, unsigned thread_count,
			      struct mirror_work *work)
{
	struct job_list jobs = {
		.runs = runs,
		.run_count = run_count,
		.blocks = blocks,
		.work = work,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_t threads[THREADS_MAX];
	struct error *error = jobs_plan(&jobs);

	if (!error) {
		size_t wanted = thread_count < THREADS_MAX ? thread_count : THREADS_MAX;
		if (wanted > jobs.count)
			wanted = jobs.count;
		size_t started = workers_start(&jobs, threads, wanted > 1 ? wanted - 1 : 0);
		jobs_worker(&jobs);
		for (size_t i = 0; i < started; i++)
			pthread_join(threads[i], NULL);
		error = jobs.error;
	}
	free(jobs.list);
	return error;
}
