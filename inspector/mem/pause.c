// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/pause.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/machine/machine.h"
#include "mem/pause_tracer.h"
#include "mem/tracees.h"

/** How long to try again while threads are in uninterruptible sleep, and how long between. */
static const uint64_t retry_patience_ns = 3000000000U;
static const uint64_t retry_sleep_ns = 20000000U;
static const long reap_every_ns = 10000000;
/** What follows at once is not to wait until the tracer wakes up, while the process stands still. */
static const uint64_t spin_ns = 100000U;

struct pause {
	/** The only thread that may call ptrace on the tracees. */
	pthread_t tracer;
	pid_t tracer_tid;
	struct tracees tracees;
	/** What the tracer is to do next, NULL: to end. Handed over by `asked`, done at `answered`; the first,
	 *  if there is one then, as soon as all stand still. */
	void (*work)(struct pause *pause, void *context);
	void *context;
	sem_t asked;
	sem_t answered;
	/** Of tracees_stop(). */
	struct error *error;
	/** When all threads were let go; 0 before. */
	uint64_t end_ns;
	/** One for each tracee, filled by the first pause_threads(). */
	struct pause_thread *threads;
	bool threads_filled;
};

struct tracer_job {
	struct error *(*work)(const struct tracees *tracees, void *context);
	void *context;
	struct error *error;
};

static void do_job(struct pause *pause, void *context)
{
	struct tracer_job *job = context;

	job->error = job->work(&pause->tracees, job->context);
}

static void semaphore_await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0 && errno == EINTR)
		continue;
}

static void tracer_await_work(struct pause *pause)
{
	uint64_t start = clock_now_ns();

	while (clock_now_ns() - start < spin_ns) {
		if (sem_trywait(&pause->asked) == 0)
			return;
		sched_yield();
	}
	semaphore_await(&pause->asked);
}

// Waits for tracer_stop() and the first job, and sees to it that they can go on.
static void tracer_await_stop(struct pause *pause)
{
	for (;;) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += reap_every_ns;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		if (sem_clockwait(&pause->answered, CLOCK_MONOTONIC, &until) == 0)
			return;
		if (errno == ETIMEDOUT)
			tracees_reap(pause->tracees.pid);
	}
}

static struct error *tracer_stop(struct pause *pause)
{
	struct error *error = tracees_stop(&pause->tracees);

	if (error)
		return error;
	pause->threads = calloc(pause->tracees.count, sizeof(*pause->threads));
	return pause->threads ? NULL : error_no_memory();
}

static void *tracer_run(void *arg)
{
	struct pause *pause = arg;

	pause->tracer_tid = gettid();
	pause->error = tracer_stop(pause);
	if (!pause->error && pause->work)
		pause->work(pause, pause->context);
	sem_post(&pause->answered);
	for (;;) {
		tracer_await_work(pause);
		if (!pause->work)
			break;
		pause->work(pause, pause->context);
		sem_post(&pause->answered);
	}
	tracees_release(&pause->tracees);
	return NULL;
}

static void tracer_ask(struct pause *pause, void (*work)(struct pause *pause, void *context),
		       void *context)
{
	pause->work = work;
	pause->context = context;
	sem_post(&pause->asked);
	if (work)
		semaphore_await(&pause->answered);
}

// Signals are for the threads of ours that wait for the user: theirs are the system calls that a
// signal is to cut short.
static int tracer_start(struct pause *pause)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&pause->tracer, NULL, tracer_run, pause);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

// Lets all threads go: the tracer ends. pthread_join() returns before the kernel has come to its
// tracees, so wait until the thread id is no more: that is given up after them (exit_notify() in
// kernel/exit.c).
static void tracer_end(struct pause *pause)
{
	tracer_ask(pause, NULL, NULL);
	pthread_join(pause->tracer, NULL);
	while (tgkill(getpid(), pause->tracer_tid, 0) == 0)
		sched_yield();
}

static void pause_free(struct pause *pause)
{
	sem_destroy(&pause->asked);
	sem_destroy(&pause->answered);
	tracees_deinit(&pause->tracees);
	error_destroy(pause->error);
	free(pause->threads);
	free(pause);
}

// One try. *ret_blocked: it failed for a reason that passes.
static struct error *pause_try(pid_t pid, struct tracer_job *first, struct pause **ret,
			       bool *ret_blocked)
{
	struct pause *pause = calloc(1, sizeof(*pause));

	*ret_blocked = false;
	if (!pause)
		return error_no_memory();
	pause->tracees.pid = pid;
	if (first) {
		pause->work = do_job;
		pause->context = first;
	}
	sem_init(&pause->asked, 0, 0);
	sem_init(&pause->answered, 0, 0);

	struct error *error = NULL;
	// The first job may ask for it.
	*ret = pause;
	int failed = tracer_start(pause);
	if (failed) {
		error = error_create_os(failed, "cannot start a thread");
	} else {
		tracer_await_stop(pause);
		error = take_ptr(pause->error);
		*ret_blocked = pause->tracees.blocked;
		if (error)
			tracer_end(pause);
	}
	if (error) {
		*ret = NULL;
		pause_free(pause);
	}
	return error;
}

static struct error *pause_begin_job(pid_t pid, struct tracer_job *first, struct pause **ret)
{
	uint64_t start = clock_now_ns();
	bool blocked;

	for (;;) {
		struct error *error = pause_try(pid, first, ret, &blocked);
		// A vfork() lasts until the child has found its program: let the others go on
		// meanwhile.
		if (!error || !blocked || clock_now_ns() - start > retry_patience_ns)
			return error;
		error_destroy(error);
		clock_sleep_ns(retry_sleep_ns);
		error = interrupt_check();
		if (error)
			return error;
	}
}

struct error *pause_begin(pid_t pid, struct pause **ret)
{
	return pause_begin_job(pid, NULL, ret);
}

struct error *pause_begin_trace(pid_t pid,
				struct error *(*work)(const struct tracees *tracees, void *context),
				void *context, struct pause **ret)
{
	struct tracer_job job = {.work = work, .context = context};
	struct error *error = pause_begin_job(pid, &job, ret);

	return error ? error : job.error;
}

uint64_t pause_end(struct pause **pause)
{
	struct pause *ending = take_ptr(*pause);

	if (!ending)
		return 0;
	uint64_t begin = ending->tracees.begin_ns;
	tracer_end(ending);
	uint64_t end = ending->end_ns ? ending->end_ns : clock_now_ns();
	pause_free(ending);
	return end - begin;
}

void pause_trace_let_go(struct pause *pause)
{
	tracees_detach(&pause->tracees);
	pause->end_ns = clock_now_ns();
	pause->tracees.count = 0;
}

static void let_go(struct pause *pause, void *context)
{
	pause_trace_let_go(pause);
}

uint64_t pause_let_go(struct pause *pause)
{
	if (!pause->end_ns)
		tracer_ask(pause, let_go, NULL);
	return pause->end_ns - pause->tracees.begin_ns;
}

struct error *pause_trace(struct pause *pause,
			  struct error *(*work)(const struct tracees *tracees, void *context),
			  void *context)
{
	struct tracer_job job = {.work = work, .context = context};

	tracer_ask(pause, do_job, &job);
	return job.error;
}

void pause_cleanup(struct pause **pause)
{
	pause_end(pause);
}

static_assert((int)MACHINE_REGISTERS_MAX == (int)PAUSE_REGISTERS_MAX, "one is copied to the other");

static void read_threads(struct pause *pause, void *context)
{
	for (size_t i = 0; i < pause->tracees.count; i++) {
		const struct tracee *tracee = &pause->tracees.list[i];
		struct pause_thread *thread = &pause->threads[i];

		thread->tid = tracee->tid;
		thread->register_count =
			tracee_registers(tracee, thread->registers, &thread->stack_pointer,
					 &thread->program_counter, &thread->pthread_at);
	}
}

const struct pause_thread *pause_threads(struct pause *pause, size_t *ret_count)
{
	if (!pause->threads_filled)
		tracer_ask(pause, read_threads, NULL);
	pause->threads_filled = true;
	*ret_count = pause->tracees.count;
	return pause->threads;
}
