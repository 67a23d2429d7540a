// SPDX-License-Identifier: GPL-3.0-or-later
// Collecting a clone asks no more of its process than it must.
#include "mem/clone/clone_collect.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/inject.h"
#include "mem/live.h"
#include "mem/maps.h"
#include "mem/process.h"
#include "mem/source.h"
#include "support/child.h"

enum { RELAYS = 30 };

static const uint64_t SHORT_PATIENCE_NS = 50000000U;
static const uint64_t LONG_PATIENCE_NS = 10000000000U;

static void succeeds(struct error *error)
{
	_cleanup_error_ struct error *failed = error;

	if (failed)
		fail_msg("%s", failed->message);
}

// Stands for a clone: a child that lives until it is killed.
static void make_clone(struct child *child)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_sleep_for_ever();
	}
	atomic_store(&child->shared->values[0], (uint64_t)pid);
}

static struct inject_child clone_of(struct child *child)
{
	pid_t pid = (pid_t)atomic_load(&child->shared->values[0]);

	return (struct inject_child){.pid = pid, .own = pid};
}

// Every stop cuts an epoll_wait() short (signal(7)).
static void run_counting_stops(struct child *child, void *argument)
{
	struct epoll_event event;
	int epoll = epoll_create1(0);

	make_clone(child);
	child_ready(child);
	for (;;)
		if (epoll_wait(epoll, &event, 1, 1000000) < 0)
			atomic_fetch_add(&child->shared->ticks[0], 1);
}

static void find_code(pid_t pid, struct inject_code *ret)
{
	_cleanup_maps_ struct maps maps = {0};
	struct mem_source *live;
	bool found;

	succeeds(mem_live_create(pid, &live));
	succeeds(mem_source_maps(live, &maps));
	succeeds(inject_find_code(live, &maps, ret, &found));
	assert_true(found);
	mem_source_destroy(live);
}

static void collects(struct child *child, const struct inject_code *code)
{
	const struct inject_child its = clone_of(child);

	succeeds(clone_collect(child->pid, code, &its, LONG_PATIENCE_NS));
	assert_int_equal(thread_state_of(its.pid), '\0');
}

static void a_process_is_not_stopped_for_a_clone_that_has_not_ended(void **state)
{
	struct child *child = child_start(run_counting_stops, NULL);
	const struct inject_child living = clone_of(child);
	struct inject_code code;

	assert_true(thread_reaches_state(child->pid, 'S'));
	find_code(child->pid, &code);
	_cleanup_error_ struct error *failed =
		clone_collect(child->pid, &code, &living, SHORT_PATIENCE_NS);
	assert_non_null(failed);
	assert_int_equal(atomic_load(&child->shared->ticks[0]), 0);
	child_stop(child);
}

// Its process has ended, and the id may be somebody else's by now.
static void a_process_is_not_stopped_for_the_child_of_another(void **state)
{
	struct child *child = child_start(run_counting_stops, NULL);
	struct child *other = child_start(run_counting_stops, NULL);
	const struct inject_child its = clone_of(child);
	struct inject_code code;

	assert_true(thread_reaches_state(other->pid, 'S'));
	find_code(other->pid, &code);
	kill(its.pid, SIGKILL);
	assert_true(thread_reaches_state(its.pid, 'Z'));
	succeeds(clone_collect(other->pid, &code, &its, SHORT_PATIENCE_NS));
	assert_int_equal(atomic_load(&other->shared->ticks[0]), 0);
	assert_int_equal(thread_state_of(its.pid), 'Z');
	child_stop(other);
	child_stop(child);
}

static void run_exec_at_the_word(struct child *child, void *argument)
{
	char word;

	make_clone(child);
	child_ready(child);
	if (read(child->from_test, &word, 1) == 1)
		execl("/bin/sleep", "sleep", "600", (char *)NULL);
}

static void a_process_collects_although_it_has_become_another_program(void **state)
{
	struct child *child = child_start(run_exec_at_the_word, NULL);
	struct inject_code code;
	char name[32] = "";

	find_code(child->pid, &code);
	kill(clone_of(child).pid, SIGKILL);
	assert_int_equal(write(child->to_child, "x", 1), 1);
	while (strcmp(name, "sleep") != 0)
		process_thread_name(child->pid, child->pid, name, sizeof(name));
	collects(child, &code);
	assert_true(process_is_left_alone(child->pid));
	child_stop(child);
}

static void *begin_the_next(void *pid)
{
	pthread_detach(pthread_self());
	clock_sleep_ns(300000);
	child_start_threads(1, begin_the_next);
	return NULL;
}

static void run_relay(struct child *child, void *argument)
{
	make_clone(child);
	child_start_threads(1, begin_the_next);
	child_ready(child);
	pthread_exit(NULL);
}

// Whoever is found has ended, mostly, before it could be made to do it.
static void a_process_whose_threads_relieve_each_other_collects(void **state)
{
	for (unsigned i = 0; i < RELAYS; i++) {
		struct child *child = child_start(run_relay, NULL);
		struct inject_code code;

		assert_true(thread_reaches_state(child->pid, 'Z'));
		find_code(child->pid, &code);
		kill(clone_of(child).pid, SIGKILL);
		collects(child, &code);
		child_stop(child);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_not_stopped_for_a_clone_that_has_not_ended),
		cmocka_unit_test(a_process_is_not_stopped_for_the_child_of_another),
		cmocka_unit_test(a_process_collects_although_it_has_become_another_program),
		cmocka_unit_test(a_process_whose_threads_relieve_each_other_collects),
	};

	return tracing_is_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
