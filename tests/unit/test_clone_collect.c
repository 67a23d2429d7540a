// SPDX-License-Identifier: GPL-3.0-or-later
// Collecting a clone asks no more of its process than it must.
#include "mem/clone/clone_collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mem/clone/inject.h"
#include "mem/live.h"
#include "mem/maps.h"
#include "mem/source.h"
#include "support/child.h"

static void succeeds(struct error *error)
{
	_cleanup_error_ struct error *failed = error;

	if (failed)
		fail_msg("%s", failed->message);
}

// Every stop cuts an epoll_wait() short (signal(7)).
static void run_counting_stops(struct child *child, void *argument)
{
	struct epoll_event event;
	int epoll = epoll_create1(0);

	child_ready(child);
	for (;;)
		if (epoll_wait(epoll, &event, 1, 1000000) < 0)
			atomic_fetch_add(&child->shared->ticks[0], 1);
}

static void a_process_is_not_stopped_for_a_clone_that_has_not_ended(void **state)
{
	struct child *child = child_start(run_counting_stops, NULL);
	const struct inject_child living = {.pid = getpid(), .own = getpid()};
	_cleanup_maps_ struct maps maps = {0};
	struct mem_source *live;
	struct inject_code code;
	bool found;

	assert_true(thread_reaches_state(child->pid, 'S'));
	succeeds(mem_live_create(child->pid, &live));
	succeeds(mem_source_maps(live, &maps));
	succeeds(inject_find_code(live, &maps, &code, &found));
	assert_true(found);
	_cleanup_error_ struct error *failed = clone_collect(child->pid, &code, &living, 50000000);
	assert_non_null(failed);
	assert_int_equal(atomic_load(&child->shared->ticks[0]), 0);
	mem_source_destroy(live);
	child_stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_not_stopped_for_a_clone_that_has_not_ended),
	};

	return tracing_is_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
