// SPDX-License-Identifier: GPL-3.0-or-later
// Waiting until a process is at rest.
#include "ui/load/settle.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "support/child.h"

static const uint64_t ms = 1000000;

static void sleep_on(struct child *child, void *argument)
{
	child_ready(child);
	child_sleep_for_ever();
}

static void compute_until(struct child *child, uint64_t end_ns)
{
	child_ready(child);
	while (clock_now_ns() < end_ns)
		child->shared->ticks[0]++;
}

static void compute_on(struct child *child, void *argument)
{
	compute_until(child, UINT64_MAX);
}

static void compute_and_sleep(struct child *child, void *argument)
{
	compute_until(child, clock_now_ns() + 300 * ms);
	child_sleep_for_ever();
}

static void *compute_in_thread(void *number)
{
	for (volatile uint64_t i = 0;; i++)
		;
	return NULL;
}

static void sleep_with_a_thread_that_computes(struct child *child, void *argument)
{
	child_start_threads(1, compute_in_thread);
	child_ready(child);
	child_sleep_for_ever();
}

/** How long it took to wait for @a child, at most @a max_ns. */
static uint64_t when_awaited(const struct child *child, uint64_t max_ns, bool *ret_idle)
{
	uint64_t begin_ns = clock_now_ns();

	assert_null(settle_wait(child->pid, max_ns, ret_idle));
	return clock_now_ns() - begin_ns;
}

static void one_that_sleeps_is_at_rest_soon(void **state)
{
	struct child *child = child_start(sleep_on, NULL);
	bool idle = false;

	assert_true(when_awaited(child, 20000 * ms, &idle) < 5000 * ms);
	assert_true(idle);
	child_stop(child);
}

static void one_that_computes_is_not_and_the_time_is_kept(void **state)
{
	void (*const programs[])(struct child *, void *) = {compute_on,
							    sleep_with_a_thread_that_computes};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct child *child = child_start(programs[i], NULL);
		bool idle = true;
		uint64_t taken_ns = when_awaited(child, 200 * ms, &idle);
		assert_true(taken_ns >= 200 * ms && taken_ns < 5000 * ms);
		assert_false(idle);
		child_stop(child);
	}
}

static void one_that_is_done_after_a_while_is_awaited(void **state)
{
	struct child *child = child_start(compute_and_sleep, NULL);
	bool idle = false;

	assert_true(when_awaited(child, 30000 * ms, &idle) < 25000 * ms);
	assert_true(idle);
	child_stop(child);
}

static void one_that_is_stopped_is_in_the_middle_of_its_work(void **state)
{
	struct child *child = child_start(compute_on, NULL);
	bool idle = false;

	kill(child->pid, SIGSTOP);
	assert_true(thread_reaches_state(child->pid, 'T'));
	when_awaited(child, 300 * ms, &idle);
	assert_false(idle);
	child_stop(child);
}

static void little_time_is_enough_for_one_that_sleeps(void **state)
{
	struct child *child = child_start(sleep_on, NULL);
	bool idle = false;

	// Of many times once: others may use the processors.
	for (int i = 0; i < 100 && !idle; i++)
		when_awaited(child, 30 * ms, &idle);
	assert_true(idle);
	child_stop(child);
}

static void no_time_is_no_wait(void **state)
{
	struct child *child = child_start(sleep_on, NULL);
	bool idle = true;

	assert_true(when_awaited(child, 0, &idle) < 1000 * ms);
	assert_false(idle);
	child_stop(child);
}

static void one_that_has_ended_is_gone(void **state)
{
	struct child *child = child_start(sleep_on, NULL);
	bool idle = true;

	kill(child->pid, SIGKILL);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	_cleanup_error_ struct error *error = settle_wait(child->pid, 1000 * ms, &idle);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	assert_false(idle);
	child_stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_sleeps_is_at_rest_soon),
		cmocka_unit_test(one_that_computes_is_not_and_the_time_is_kept),
		cmocka_unit_test(one_that_is_done_after_a_while_is_awaited),
		cmocka_unit_test(one_that_is_stopped_is_in_the_middle_of_its_work),
		cmocka_unit_test(little_time_is_enough_for_one_that_sleeps),
		cmocka_unit_test(no_time_is_no_wait),
		cmocka_unit_test(one_that_has_ended_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
