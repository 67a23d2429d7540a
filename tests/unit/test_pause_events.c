// SPDX-License-Identifier: GPL-3.0-or-later
// What may happen while a process is being paused: signals, threads that come and go, exec, its end,
// and ours. The pause itself is in test_pause.c.
#include "mem/pause.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/process.h"
#include "support/child.h"

enum {
	SIGNALS = 20000,
	/** Slots of child_shared.values. */
	RECEIVED = 0,
	OUT_OF_ORDER = 1,
};

static struct child *self;

static void *tick(void *number)
{
	for (;;) {
		atomic_fetch_add(&self->shared->ticks[(size_t)number], 1);
		usleep(200);
	}
	return NULL;
}

static struct pause *begin(pid_t pid)
{
	struct pause *pause = NULL;
	_cleanup_error_ struct error *error = pause_begin(pid, &pause);

	if (error)
		fail_msg("%s", error->message);
	return pause;
}

// Pauses a process that may end or exec meanwhile, and lets it go; whether it was paused.
static bool pause_if_there(pid_t pid)
{
	struct pause *pause = NULL;
	_cleanup_error_ struct error *error = pause_begin(pid, &pause);

	if (error && error->code != ERROR_GONE)
		fail_msg("%s", error->message);
	pause_end(&pause);
	return !error;
}

static void count_signal(int number, siginfo_t *info, void *context)
{
	uint64_t received = atomic_fetch_add(&self->shared->values[RECEIVED], 1);

	if ((uint64_t)info->si_value.sival_int != received)
		atomic_fetch_add(&self->shared->values[OUT_OF_ORDER], 1);
}

static void run_counting(struct child *child, void *threads)
{
	struct sigaction action = {.sa_sigaction = count_signal, .sa_flags = SA_SIGINFO};

	self = child;
	sigaction(SIGRTMIN, &action, NULL);
	child_start_threads((size_t)threads - 1, tick);
	child_ready(child);
	tick((void *)((size_t)threads - 1));
}

static void *send_signals(void *pid)
{
	for (int i = 0; i < SIGNALS; i++) {
		union sigval value = {.sival_int = i};

		// The queue is full: the receiver is to come first.
		while (sigqueue((pid_t)(size_t)pid, SIGRTMIN, value) < 0 && errno == EAGAIN)
			usleep(100);
		if (i % 16 == 0)
			usleep(50);
	}
	return NULL;
}

static unsigned pause_while_signals_rain(struct child *child)
{
	uint64_t start = clock_now_ns();
	unsigned pauses = 0;
	pthread_t sender;

	assert_int_equal(pthread_create(&sender, NULL, send_signals, (void *)(size_t)child->pid),
			 0);
	while (atomic_load(&child->shared->values[RECEIVED]) < SIGNALS &&
	       clock_now_ns() - start < 60000000000U) {
		struct pause *pause = begin(child->pid);
		pause_end(&pause);
		pauses++;
	}
	pthread_join(sender, NULL);
	return pauses;
}

static void every_signal_is_delivered_exactly_once_and_in_order(void **state)
{
	struct child *child = child_start(run_counting, (void *)1);

	assert_true(pause_while_signals_rain(child) > 10);
	assert_int_equal(atomic_load(&child->shared->values[RECEIVED]), SIGNALS);
	assert_int_equal(atomic_load(&child->shared->values[OUT_OF_ORDER]), 0);
	assert_true(process_is_left_alone(child->pid));
	child_stop(child);
}

static void every_signal_to_many_threads_is_delivered_exactly_once(void **state)
{
	struct child *child = child_start(run_counting, (void *)16);

	assert_true(pause_while_signals_rain(child) > 10);
	usleep(20000);
	assert_int_equal(atomic_load(&child->shared->values[RECEIVED]), SIGNALS);
	assert_true(child_ticks_on(child, 16));
	child_stop(child);
}

static void run_stopping_itself(struct child *child, void *argument)
{
	self = child;
	child_start_threads(3, tick);
	child_ready(child);
	for (;;) {
		atomic_fetch_add(&self->shared->ticks[3], 1);
		raise(SIGSTOP);
	}
}

static void *continue_again_and_again(void *pid)
{
	for (unsigned i = 0; i < 3000; i++) {
		kill((pid_t)(size_t)pid, SIGCONT);
		usleep(100);
	}
	return NULL;
}

static void stops_and_continues_are_not_lost_between_pauses(void **state)
{
	struct child *child = child_start(run_stopping_itself, NULL);
	pthread_t sender;

	assert_int_equal(
		pthread_create(&sender, NULL, continue_again_and_again, (void *)(size_t)child->pid),
		0);
	for (unsigned i = 0; i < 300; i++) {
		struct pause *pause = begin(child->pid);
		pause_end(&pause);
	}
	pthread_join(sender, NULL);

	// It stops itself once more, and stays so until it is told to go on.
	assert_true(thread_reaches_state(child->pid, 'T'));
	assert_true(process_is_left_alone(child->pid));
	assert_false(child_ticks_within(child, 4, 20));
	uint64_t before = atomic_load(&child->shared->ticks[3]);
	kill(child->pid, SIGCONT);
	for (unsigned i = 0; i < 10000 && atomic_load(&child->shared->ticks[3]) == before; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&child->shared->ticks[3]), before + 1);
	child_stop(child);
}

static void *tick_briefly(void *number)
{
	for (unsigned i = 0; i < 20; i++)
		atomic_fetch_add(&self->shared->ticks[(size_t)number], 1);
	return NULL;
}

// Always some threads that begin and some that end, each made by a thread that soon ends too.
static void *breed(void *number)
{
	for (;;) {
		child_start_threads(4, tick_briefly);
		atomic_fetch_add(&self->shared->ticks[(size_t)number], 1);
		// Not so fast that the machine runs out of threads.
		usleep(300);
	}
	return NULL;
}

static void run_breeding(struct child *child, void *argument)
{
	pthread_attr_t attributes;

	self = child;
	// Nobody joins them.
	pthread_getattr_default_np(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_setattr_default_np(&attributes);
	child_start_threads(4, breed);
	child_ready(child);
	child_sleep_for_ever();
}

static void threads_that_come_and_go_all_stand_still(void **state)
{
	struct child *child = child_start(run_breeding, NULL);

	for (unsigned i = 0; i < 300; i++) {
		struct pause *pause = begin(child->pid);
		assert_false(child_ticks_within(child, 8, 1));
		pause_end(&pause);
		assert_int_equal(thread_tracer_of(child->pid), 0);
	}
	assert_true(child_ticks_on(child, 4));
	child_stop(child);
}

struct killing {
	pid_t pid;
	unsigned after_us;
};

static void *kill_later(void *argument)
{
	const struct killing *killing = argument;

	usleep(killing->after_us);
	kill(killing->pid, SIGKILL);
	return NULL;
}

static void run_forty_threads(struct child *child, void *argument)
{
	self = child;
	child_start_threads(39, tick);
	child_ready(child);
	tick((void *)39);
}

static void a_process_killed_meanwhile_is_gone_and_collected(void **state)
{
	unsigned paused = 0, gone = 0;

	for (unsigned i = 0; i < 60; i++) {
		struct child *child = child_start(run_forty_threads, NULL);
		struct killing killing = {.pid = child->pid, .after_us = i * 40};
		pthread_t killer;
		int status;

		assert_int_equal(pthread_create(&killer, NULL, kill_later, &killing), 0);
		for (;;) {
			if (!pause_if_there(child->pid))
				break;
			paused++;
		}
		gone++;
		pthread_join(killer, NULL);
		// As its parent we are told of its end.
		assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		child_stop(child);
	}
	assert_int_equal(gone, 60);
	assert_true(paused > 0);
}

static void a_process_killed_while_it_stands_still_ends_with_the_pause(void **state)
{
	struct child *child = child_start(run_forty_threads, NULL);
	struct pause *pause = begin(child->pid);
	int status;

	kill(child->pid, SIGKILL);
	pause_end(&pause);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	child_stop(child);
}

static void *exec_at_the_word(void *number)
{
	char word;

	if (read(self->from_test, &word, 1) != 1)
		_exit(1);
	execl("/bin/sleep", "sleep", "600", (char *)NULL);
	_exit(1);
}

static void run_exec(struct child *child, void *argument)
{
	self = child;
	child_start_threads(6, tick);
	// It becomes another program in a thread that is not its first: thread ids change.
	child_start_threads(1, exec_at_the_word);
	child_ready(child);
	tick((void *)7);
}

static void a_process_that_becomes_another_program_does_not_hang(void **state)
{
	for (unsigned i = 0; i < 60; i++) {
		struct child *child = child_start(run_exec, NULL);
		char name[32] = "";

		assert_int_equal(write(child->to_child, "x", 1), 1);
		for (unsigned n = 0; n < 1000 && strcmp(name, "sleep") != 0; n++) {
			pause_if_there(child->pid);
			process_thread_name(child->pid, child->pid, name, sizeof(name));
		}
		assert_string_equal(name, "sleep");
		assert_true(process_is_left_alone(child->pid));
		assert_true(thread_reaches_state(child->pid, 'S'));
		child_stop(child);
	}
}

static void run_pausing(struct child *child, void *pid)
{
	child_ready(child);
	for (;;) {
		struct pause *pause = NULL;
		struct error *error = pause_begin((pid_t)(size_t)pid, &pause);

		if (error)
			_exit(2);
		pause_end(&pause);
	}
}

static void killed_inspectors_leave_no_trace(size_t threads, unsigned rounds)
{
	struct child *child =
		child_start(threads == 1 ? run_counting : run_forty_threads, (void *)threads);

	srandom(1);
	for (unsigned i = 0; i < rounds; i++) {
		struct child *inspector = child_start(run_pausing, (void *)(size_t)child->pid);

		usleep((unsigned)random() % 5000);
		child_stop(inspector);
		assert_true(process_is_left_alone(child->pid));
		assert_true(child_ticks_on(child, threads));
	}
	child_stop(child);
}

static void our_own_death_at_any_instant_leaves_one_thread_running(void **state)
{
	killed_inspectors_leave_no_trace(1, 200);
}

static void our_own_death_at_any_instant_leaves_all_threads_running(void **state)
{
	killed_inspectors_leave_no_trace(40, 200);
}

static void our_own_death_leaves_a_stopped_process_stopped(void **state)
{
	struct child *child = child_start(run_forty_threads, NULL);

	srandom(2);
	kill(child->pid, SIGSTOP);
	assert_true(thread_reaches_state(child->pid, 'T'));
	for (unsigned i = 0; i < 50; i++) {
		struct child *inspector = child_start(run_pausing, (void *)(size_t)child->pid);

		usleep((unsigned)random() % 5000);
		child_stop(inspector);
		assert_true(thread_reaches_state(child->pid, 'T'));
		assert_true(process_is_left_alone(child->pid));
	}
	assert_false(child_ticks_within(child, 40, 20));
	kill(child->pid, SIGCONT);
	assert_true(child_ticks_on(child, 40));
	child_stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_signal_is_delivered_exactly_once_and_in_order),
		cmocka_unit_test(every_signal_to_many_threads_is_delivered_exactly_once),
		cmocka_unit_test(stops_and_continues_are_not_lost_between_pauses),
		cmocka_unit_test(threads_that_come_and_go_all_stand_still),
		cmocka_unit_test(a_process_killed_meanwhile_is_gone_and_collected),
		cmocka_unit_test(a_process_killed_while_it_stands_still_ends_with_the_pause),
		cmocka_unit_test(a_process_that_becomes_another_program_does_not_hang),
		cmocka_unit_test(our_own_death_at_any_instant_leaves_one_thread_running),
		cmocka_unit_test(our_own_death_at_any_instant_leaves_all_threads_running),
		cmocka_unit_test(our_own_death_leaves_a_stopped_process_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
