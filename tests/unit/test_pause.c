// SPDX-License-Identifier: GPL-3.0-or-later
// The pause itself: everything stands still, and goes on as it was. What may come in between is in
// test_pause_events.c.
#include "mem/pause.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/pause_tracer.h"
#include "mem/process.h"
#include "mem/tracees.h"
#include "support/child.h"

enum { THREADS = 200, ROUNDS = 500 };

static struct child *self;

static void *tick_slowly(void *number)
{
	for (;;) {
		atomic_fetch_add(&self->shared->ticks[(size_t)number], 1);
		atomic_store(&self->shared->values[(size_t)number], (uint64_t)pthread_self());
		usleep(500);
	}
	return NULL;
}

static void run_ticking(struct child *child, void *argument)
{
	self = child;
	child_start_threads((size_t)argument - 1, tick_slowly);
	child_ready(child);
	tick_slowly((void *)((size_t)argument - 1));
}

static struct pause *begin(pid_t pid)
{
	struct pause *pause = NULL;
	_cleanup_error_ struct error *error = pause_begin(pid, &pause);

	if (error)
		fail_msg("%s", error->message);
	return pause;
}

static void stands_still_and_goes_on(size_t threads)
{
	struct child *child = child_start(run_ticking, (void *)threads);
	size_t count;

	assert_true(child_ticks_on(child, threads));

	uint64_t start = clock_now_ns();
	struct pause *pause = begin(child->pid);
	pause_threads(pause, &count);
	assert_int_equal(count, threads);
	assert_false(child_ticks_within(child, threads, 20));
	uint64_t paused_ns = pause_end(&pause);

	assert_null(pause);
	assert_true(paused_ns >= 20000000U);
	assert_true(paused_ns <= clock_now_ns() - start);
	assert_true(process_is_left_alone(child->pid));
	assert_true(child_ticks_on(child, threads));
	child_stop(child);
}

static void a_process_of_one_thread_stands_still_and_goes_on(void **state)
{
	stands_still_and_goes_on(1);
}

static void two_hundred_threads_stand_still_and_go_on(void **state)
{
	stands_still_and_goes_on(THREADS);
}

static void five_hundred_pauses_leave_no_trace(void **state)
{
	struct child *child = child_start(run_ticking, (void *)8);

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct pause *pause = begin(child->pid);
		size_t count;

		pause_threads(pause, &count);
		assert_int_equal(count, 8);
		pause_end(&pause);
		assert_int_equal(thread_tracer_of(child->pid), 0);
	}
	assert_true(process_is_left_alone(child->pid));
	assert_true(child_ticks_on(child, 8));
	child_stop(child);
}

static void a_pause_that_goes_out_of_scope_ends(void **state)
{
	struct child *child = child_start(run_ticking, (void *)2);

	{
		_cleanup_pause_ struct pause *pause = begin(child->pid);
		assert_non_null(pause);
	}
	assert_true(process_is_left_alone(child->pid));
	struct pause *none = NULL;
	assert_int_equal(pause_end(&none), 0);
	child_stop(child);
}

static void a_thread_is_named_by_what_pthread_self_returns_in_it(void **state)
{
#if defined(__x86_64__)
	struct child *child = child_start(run_ticking, (void *)16);
	size_t count, found = 0;

	assert_true(child_ticks_on(child, 16));
	struct pause *pause = begin(child->pid);
	const struct pause_thread *threads = pause_threads(pause, &count);
	assert_int_equal(count, 16);
	for (size_t i = 0; i < count; i++)
		for (size_t slot = 0; slot < 16; slot++)
			found += threads[i].pthread_at == atomic_load(&child->shared->values[slot]);
	assert_int_equal(found, 16);
	assert_ptr_equal(pause_threads(pause, &count), threads);
	pause_end(&pause);
	child_stop(child);
#else
	skip();
#endif
}

static const uint64_t HELD = 0x1ea4c0de5eed5a11;

// Holds a value in a register that functions must keep, and tells where its stack is.
static void run_holding(struct child *child, void *argument)
{
	int on_stack = 0;

	atomic_store(&child->shared->values[0], (uint64_t)(uintptr_t)&on_stack);
	child_ready(child);
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%r12\n1: jmp 1b" : : "r"(HELD) : "r12");
#elif defined(__aarch64__)
	__asm__ volatile("mov x20, %0\n1: b 1b" : : "r"(HELD) : "x20");
#endif
}

static void a_stopped_thread_tells_its_registers_and_where_its_stack_ends(void **state)
{
#if defined(__x86_64__) || defined(__aarch64__)
	struct child *child = child_start(run_holding, NULL);
	size_t count, found = 0;

	// It may not have come to the loop yet.
	for (unsigned tries = 0; !found && tries < 100; tries++) {
		usleep(1000);
		struct pause *pause = begin(child->pid);
		const struct pause_thread *threads = pause_threads(pause, &count);
		assert_int_equal(count, 1);
		assert_true(threads[0].register_count >= 16);
		for (size_t i = 0; i < threads[0].register_count; i++)
			found += threads[0].registers[i] == HELD;
		// In the loop the stack is that of the function, of some words.
		uint64_t on_stack = atomic_load(&child->shared->values[0]);
		if (found) {
			assert_true(threads[0].stack_pointer <= on_stack);
			assert_true(threads[0].stack_pointer + 65536 > on_stack);
		}
		pause_end(&pause);
	}
	assert_true(found > 0);
	child_stop(child);
#else
	skip();
#endif
}

static void a_process_stopped_by_sigstop_stays_stopped(void **state)
{
	struct child *child = child_start(run_ticking, (void *)4);

	for (unsigned i = 0; i < 20; i++) {
		kill(child->pid, SIGSTOP);
		assert_int_equal(waitpid(child->pid, NULL, WUNTRACED), child->pid);

		struct pause *pause = begin(child->pid);
		assert_false(child_ticks_within(child, 4, 2));
		pause_end(&pause);

		assert_true(thread_reaches_state(child->pid, 'T'));
		assert_int_equal(thread_tracer_of(child->pid), 0);
		assert_false(child_ticks_within(child, 4, 5));
		kill(child->pid, SIGCONT);
		assert_true(child_ticks_on(child, 4));
	}
	child_stop(child);
}

static void a_sigstop_or_sigcont_during_the_pause_takes_effect_after_it(void **state)
{
	struct child *child = child_start(run_ticking, (void *)4);

	for (unsigned i = 0; i < 20; i++) {
		struct pause *pause = begin(child->pid);
		kill(child->pid, SIGSTOP);
		pause_end(&pause);
		assert_true(thread_reaches_state(child->pid, 'T'));

		pause = begin(child->pid);
		kill(child->pid, SIGCONT);
		assert_false(child_ticks_within(child, 4, 2));
		pause_end(&pause);
		assert_true(child_ticks_on(child, 4));
	}
	child_stop(child);
}

static void run_without_main_thread(struct child *child, void *argument)
{
	self = child;
	child_start_threads(3, tick_slowly);
	child_ready(child);
	pthread_exit(NULL);
}

static void a_process_whose_main_thread_has_ended_is_paused_all_the_same(void **state)
{
	struct child *child = child_start(run_without_main_thread, NULL);
	size_t count;

	assert_true(thread_reaches_state(child->pid, 'Z'));
	struct pause *pause = begin(child->pid);
	pause_threads(pause, &count);
	assert_int_equal(count, 3);
	assert_false(child_ticks_within(child, 3, 5));
	pause_end(&pause);
	assert_true(process_is_left_alone(child->pid));
	assert_true(child_ticks_on(child, 3));
	child_stop(child);
}

static void fails_with(pid_t pid, enum error_code code, const char *words)
{
	struct pause *pause = NULL;
	_cleanup_error_ struct error *error = pause_begin(pid, &pause);

	assert_non_null(error);
	assert_null(pause);
	assert_int_equal(error->code, code);
	if (!strstr(error->message, words))
		fail_msg("no '%s' in: %s", words, error->message);
}

/** A job that is done as soon as all stand still. */
struct first_job {
	size_t runs;
	size_t stopped;
	bool has_pause;
	bool fails;
	struct pause *pause;
};

static struct error *run_first_job(const struct tracees *tracees, void *context)
{
	struct first_job *job = context;

	job->runs++;
	job->has_pause = job->pause != NULL;
	for (size_t i = 0; i < tracees->count; i++)
		job->stopped += tracees->list[i].state == TRACEE_STOPPED;
	return job->fails ? error_create(ERROR_FAULT, "the job failed") : NULL;
}

static void the_first_job_finds_all_threads_stopped(void **state)
{
	for (int fails = 0; fails < 2; fails++) {
		struct child *child = child_start(run_ticking, (void *)3);
		struct first_job job = {.fails = fails};
		_cleanup_error_ struct error *error =
			pause_begin_trace(child->pid, run_first_job, &job, &job.pause);

		assert_int_equal(job.runs, 1);
		assert_int_equal(job.stopped, 3);
		assert_true(job.has_pause);
		// Whether it failed or not, the process is held.
		assert_int_equal(error ? error->code : 0, fails ? ERROR_FAULT : 0);
		assert_non_null(job.pause);
		assert_false(child_ticks_within(child, 3, 5));
		pause_end(&job.pause);
		assert_true(process_is_left_alone(child->pid));
		assert_true(child_ticks_on(child, 3));
		child_stop(child);
	}
}

static void run_and_end(struct child *child, void *argument)
{
	child_ready(child);
}

static void a_process_that_has_ended_cannot_be_paused(void **state)
{
	struct child *child = child_start(run_and_end, NULL);

	assert_true(thread_reaches_state(child->pid, 'Z'));
	fails_with(child->pid, ERROR_GONE, "has ended");
	pid_t pid = child->pid;
	child_stop(child);
	fails_with(pid, ERROR_GONE, "has ended");
}

static void run_tracer(struct child *child, void *traced)
{
	if (ptrace(PTRACE_SEIZE, (pid_t)(size_t)traced, NULL, NULL) < 0)
		_exit(1);
	child_ready(child);
	child_sleep_for_ever();
}

static void who_traces_a_process_already_is_named(void **state)
{
	struct child *child = child_start(run_ticking, (void *)2);
	struct child *tracer = child_start(run_tracer, (void *)(size_t)child->pid);
	char words[64];

	snprintf(words, sizeof(words), "(process %d); end that session first", tracer->pid);
	fails_with(child->pid, ERROR_FAILED, words);
	assert_int_equal(thread_tracer_of(child->pid), tracer->pid);
	assert_true(child_ticks_on(child, 2));
	child_stop(tracer);
	child_stop(child);
}

static void run_as_nobody(struct child *child, void *other)
{
	struct pause *pause;

	child_become_nobody();
	struct error *error = pause_begin((pid_t)(size_t)other, &pause);
	bool refused = error && error->code == ERROR_FAILED &&
		       strstr(error->message, "belongs to user root; run leakinspect as that user "
					      "or as root (sudo leakinspect ...)");
	atomic_store(&child->shared->values[0], refused);
	child_ready(child);
}

static void whose_process_it_is_that_may_not_be_paused_is_told(void **state)
{
	if (geteuid() != 0)
		skip();
	struct child *child = child_start(run_ticking, (void *)2);
	struct child *nobody = child_start(run_as_nobody, (void *)(size_t)child->pid);

	assert_true(atomic_load(&nobody->shared->values[0]));
	assert_true(process_is_left_alone(child->pid));
	assert_true(child_ticks_on(child, 2));
	child_stop(nobody);
	child_stop(child);
}

static void *vfork_for_ever(void *number)
{
	// Until its child has ended, the thread is in uninterruptible sleep.
	if (vfork() == 0) {
		char word;
		// A descriptor that the child shares with nobody else: its end is the test's word.
		if (read(self->from_test, &word, 1) != 1)
			_exit(1);
		_exit(0);
	}
	tick_slowly(number);
	return NULL;
}

static void run_vfork(struct child *child, void *argument)
{
	self = child;
	child_start_threads(1, vfork_for_ever);
	child_ready(child);
	tick_slowly((void *)1);
}

static pid_t find_sleeper(pid_t pid)
{
	for (;;) {
		_cleanup_free_ pid_t *tids = NULL;
		size_t count = 0;

		assert_null(process_threads(pid, &tids, &count));
		for (size_t i = 0; i < count; i++)
			if (thread_state_of(tids[i]) == 'D')
				return tids[i];
		usleep(1000);
	}
}

static void a_thread_in_uninterruptible_sleep_is_named_and_the_others_go_on(void **state)
{
	struct child *child = child_start(run_vfork, NULL);
	char words[128];

	snprintf(words, sizeof(words), "thread %d (", find_sleeper(child->pid));
	uint64_t start = clock_now_ns();
	fails_with(child->pid, ERROR_FAILED, words);
	assert_true(clock_now_ns() - start < 8000000000U);
	assert_true(process_is_left_alone(child->pid));

	// Not even the event it owed comes later.
	assert_int_equal(write(child->to_child, "x", 1), 1);
	assert_true(child_ticks_on(child, 2));
	assert_true(process_is_left_alone(child->pid));
	child_stop(child);
}

static void *let_vfork_end(void *argument)
{
	struct child *child = argument;

	usleep(300000);
	if (write(child->to_child, "x", 1) != 1)
		return NULL;
	return child;
}

static void the_first_job_waits_for_a_moment_at_which_all_can_stop(void **state)
{
	struct child *child = child_start(run_vfork, NULL);
	struct first_job job = {0};
	pthread_t thread;

	find_sleeper(child->pid);
	assert_int_equal(pthread_create(&thread, NULL, let_vfork_end, child), 0);
	_cleanup_error_ struct error *error =
		pause_begin_trace(child->pid, run_first_job, &job, &job.pause);
	pthread_join(thread, NULL);
	assert_null(error);
	assert_int_equal(job.runs, 1);
	assert_int_equal(job.stopped, 2);
	pause_end(&job.pause);
	child_stop(child);
}

static void no_job_is_done_where_nothing_could_be_stopped(void **state)
{
	struct child *child = child_start(run_and_end, NULL);
	struct first_job job = {0};

	assert_true(thread_reaches_state(child->pid, 'Z'));
	_cleanup_error_ struct error *error =
		pause_begin_trace(child->pid, run_first_job, &job, &job.pause);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	assert_int_equal(job.runs, 0);
	assert_null(job.pause);
	child_stop(child);
}

static void a_signal_to_us_ends_the_waiting(void **state)
{
	struct child *child = child_start(run_vfork, NULL);
	struct sigaction before;

	find_sleeper(child->pid);
	sigaction(SIGINT, NULL, &before);
	assert_null(interrupt_install());
	raise(SIGINT);
	uint64_t start = clock_now_ns();
	fails_with(child->pid, ERROR_INTERRUPTED, "INT");
	assert_true(clock_now_ns() - start < 1000000000U);
	interrupt_clear();
	sigaction(SIGINT, &before, NULL);
	assert_true(process_is_left_alone(child->pid));
	child_stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_of_one_thread_stands_still_and_goes_on),
		cmocka_unit_test(two_hundred_threads_stand_still_and_go_on),
		cmocka_unit_test(five_hundred_pauses_leave_no_trace),
		cmocka_unit_test(a_pause_that_goes_out_of_scope_ends),
		cmocka_unit_test(a_thread_is_named_by_what_pthread_self_returns_in_it),
		cmocka_unit_test(a_stopped_thread_tells_its_registers_and_where_its_stack_ends),
		cmocka_unit_test(a_process_stopped_by_sigstop_stays_stopped),
		cmocka_unit_test(a_sigstop_or_sigcont_during_the_pause_takes_effect_after_it),
		cmocka_unit_test(a_process_whose_main_thread_has_ended_is_paused_all_the_same),
		cmocka_unit_test(a_process_that_has_ended_cannot_be_paused),
		cmocka_unit_test(who_traces_a_process_already_is_named),
		cmocka_unit_test(whose_process_it_is_that_may_not_be_paused_is_told),
		cmocka_unit_test(a_thread_in_uninterruptible_sleep_is_named_and_the_others_go_on),
		cmocka_unit_test(a_signal_to_us_ends_the_waiting),
		cmocka_unit_test(the_first_job_finds_all_threads_stopped),
		cmocka_unit_test(the_first_job_waits_for_a_moment_at_which_all_can_stop),
		cmocka_unit_test(no_job_is_done_where_nothing_could_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
