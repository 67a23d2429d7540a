// SPDX-License-Identifier: GPL-3.0-or-later
// A thread that waits in a system call goes on waiting after a pause, and gets the right answer.
#include "mem/pause.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/inject.h"
#include "mem/live.h"
#include "mem/maps.h"
#include "mem/pause_tracer.h"
#include "mem/process.h"
#include "mem/tracees.h"
#include "support/child.h"

static const uint64_t sleep_ns = 1500000000U;

static struct child *self;
/** Readable once the test has said so; never read. */
static int go_fd;
static sem_t go;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Each waits for what the main thread does when the test says so, and returns 0 or its errno.
static int wait_read(void)
{
	uint64_t word;

	// Not even a byte short: several threads read the same counter.
	return read(go_fd, &word, sizeof(word)) == sizeof(word) ? 0 : errno;
}

static int wait_poll(void)
{
	struct pollfd asked = {.fd = go_fd, .events = POLLIN};

	return poll(&asked, 1, -1) == 1 ? 0 : errno;
}

static int wait_poll_with_a_timeout(void)
{
	struct pollfd asked = {.fd = go_fd, .events = POLLIN};

	return poll(&asked, 1, 600000) == 1 ? 0 : errno;
}

static int wait_select(void)
{
	struct timeval timeout = {.tv_sec = 600};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(go_fd, &set);
	return select(go_fd + 1, &set, NULL, NULL, &timeout) == 1 ? 0 : errno;
}

// Linux never restarts this one and sigtimedwait() after any stop (signal(7)): who uses them, CPython too,
// calls again.
static int wait_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(0);
	int got;

	epoll_ctl(fd, EPOLL_CTL_ADD, go_fd, &event);
	do
		got = epoll_wait(fd, &event, 1, -1);
	while (got < 0 && errno == EINTR);
	return got == 1 ? 0 : errno;
}

static int wait_lock(void)
{
	int failed = pthread_mutex_lock(&lock);

	if (!failed)
		pthread_mutex_unlock(&lock);
	return failed;
}

static int wait_semaphore(void)
{
	return sem_wait(&go) == 0 ? 0 : errno;
}

static int wait_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_poll();
		_exit(7);
	}
	int status;
	if (waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : EPROTO;
}

static int wait_sleep(void)
{
	struct timespec span = {.tv_sec = 1, .tv_nsec = 500000000};
	uint64_t start = clock_now_ns();

	if (nanosleep(&span, NULL) < 0)
		return errno;
	uint64_t slept = clock_now_ns() - start;
	return slept >= sleep_ns && slept < 3 * sleep_ns ? 0 : ETIME;
}

static int wait_signal(void)
{
	struct timespec timeout = {.tv_sec = 600};
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	do
		got = sigtimedwait(&set, NULL, &timeout);
	while (got < 0 && errno == EINTR);
	return got == SIGUSR1 ? 0 : errno;
}

static int (*const calls[])(void) = {
	wait_read,  wait_poll,   wait_poll_with_a_timeout, wait_select,
	wait_epoll, wait_lock,   wait_semaphore,           wait_child,
	wait_sleep, wait_signal,
};

static void *wait_in_call(void *number)
{
	int failed = calls[(size_t)number]();

	// 0 is no answer yet.
	atomic_store(&self->shared->values[(size_t)number], (uint64_t)failed + 1);
	return NULL;
}

static void run_waiting(struct child *child, void *argument)
{
	uint64_t many = 1000;
	sigset_t set;
	char word;

	self = child;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sem_init(&go, 0, 0);
	go_fd = eventfd(0, EFD_SEMAPHORE);
	pthread_mutex_lock(&lock);
	child_start_threads(ARRAY_COUNT(calls), wait_in_call);
	child_ready(child);
	if (read(child->from_test, &word, 1) != 1 || write(go_fd, &many, sizeof(many)) < 0)
		_exit(1);
	pthread_mutex_unlock(&lock);
	sem_post(&go);
	kill(getpid(), SIGUSR1);
	child_sleep_for_ever();
}
static bool all_threads_sleep(pid_t pid)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	assert_null(process_threads(pid, &tids, &count));
	for (size_t i = 0; i < count; i++)
		if (thread_state_of(tids[i]) != 'S')
			return false;
	return count == ARRAY_COUNT(calls) + 1;
}

static void only_pause(struct pause *pause, pid_t pid, unsigned pause_us)
{
	usleep(pause_us);
}

struct forking {
	pid_t pid;
	struct maps maps;
	struct inject_code code;
	size_t count;
	size_t threads;
};

static void note_nothing(void *context, const struct inject_child *child)
{
}

// Has one thread fork, ends the child, and has the same thread collect it.
static struct error *fork_in(const struct forking *forking, pid_t tid, bool *ret_done)
{
	struct injection *injection;
	struct inject_child made;
	const char *why;
	int failed = 0;
	struct error *error = injection_begin(forking->pid, tid, &forking->maps, &forking->code,
					      &injection, &why);

	*ret_done = false;
	if (error || !injection)
		return error;
	error = injection_clone(injection, note_nothing, NULL, &made, &failed);
	if (!error)
		error = injection_end(injection);
	if (error || !made.pid)
		return error;
	error = inject_hold_child(forking->pid, made.pid);
	if (error)
		return error;
	kill(made.pid, SIGKILL);
	while (waitpid(made.pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	error = injection_begin(forking->pid, tid, &forking->maps, &forking->code, &injection,
				&why);
	if (!error)
		error = injection_collect(injection, made.own, ret_done);
	return error ? error : injection_end(injection);
}

static struct error *fork_in_all(const struct tracees *tracees, void *context)
{
	struct forking *forking = context;
	struct error *error = NULL;

	forking->threads = tracees->count;
	for (size_t i = 0; !error && i < tracees->count; i++) {
		bool done;
		error = fork_in(forking, tracees->list[i].tid, &done);
		forking->count += done;
	}
	return error;
}

static void fork_in_each_thread(struct pause *pause, pid_t pid, unsigned pause_us)
{
	struct forking forking = {.pid = pid};
	struct mem_source *live;
	bool found;

	assert_null(mem_live_create(pid, &live));
	assert_null(mem_source_maps(live, &forking.maps));
	assert_null(inject_find_code(live, &forking.maps, &forking.code, &found));
	assert_true(found);
	_cleanup_error_ struct error *error = pause_trace(pause, fork_in_all, &forking);
	if (error)
		fail_msg("%s", error->message);
	// The main one and all that wait; on a slow machine the sleep may be over.
	assert_int_equal(forking.count, forking.threads);
	assert_true(forking.threads >= ARRAY_COUNT(calls));
	maps_deinit(&forking.maps);
	mem_source_destroy(live);
}

static void answers_come_only_when_they_are_due(unsigned pauses, unsigned pause_us,
						void (*disturb)(struct pause *pause, pid_t pid,
								unsigned pause_us))
{
	struct child *child = child_start(run_waiting, NULL);
	uint64_t start = clock_now_ns();

	while (!all_threads_sleep(child->pid))
		usleep(1000);
	// Long before the sleep is over, and every other wait lasts until the test ends it.
	for (unsigned i = 0; i < pauses; i++) {
		struct pause *pause = NULL;
		_cleanup_error_ struct error *error = pause_begin(child->pid, &pause);

		if (error)
			fail_msg("%s", error->message);
		disturb(pause, child->pid, pause_us);
		pause_end(&pause);
	}
	if (clock_now_ns() - start < sleep_ns)
		for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
			assert_int_equal(atomic_load(&child->shared->values[i]), 0);

	assert_int_equal(write(child->to_child, "x", 1), 1);
	start = clock_now_ns();
	for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
		while (atomic_load(&child->shared->values[i]) == 0 &&
		       clock_now_ns() - start < 20000000000U)
			usleep(1000);
		if (atomic_load(&child->shared->values[i]) != 1)
			fail_msg("call %zu failed with errno %d", i,
				 (int)atomic_load(&child->shared->values[i]) - 1);
	}
	child_stop(child);
}

static void a_thread_in_a_system_call_waits_on_after_one_pause(void **state)
{
	answers_come_only_when_they_are_due(1, 10000, only_pause);
}

static void a_thread_in_a_system_call_waits_on_after_many_pauses(void **state)
{
	answers_come_only_when_they_are_due(200, 1000, only_pause);
}

static void a_thread_in_a_system_call_waits_on_after_it_was_made_to_fork(void **state)
{
	answers_come_only_when_they_are_due(10, 0, fork_in_each_thread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_in_a_system_call_waits_on_after_one_pause),
		cmocka_unit_test(a_thread_in_a_system_call_waits_on_after_many_pauses),
		cmocka_unit_test(a_thread_in_a_system_call_waits_on_after_it_was_made_to_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
