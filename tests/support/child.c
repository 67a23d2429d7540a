// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/process.h"

enum { STACK_BYTES = 256 << 10 };

static const uint64_t patience_ns = 10000000000U;
static const uint64_t poll_ns = 200000U;

// A test that cannot even be set up has nothing to say about the program.
static void need(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "the test cannot %s: %s\n", what, strerror(errno));
	abort();
}

static void child_main(struct child *child, pid_t test,
		       void (*run)(struct child *child, void *argument), void *argument)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != test)
		_exit(1);
	// Where Yama restricts ptrace, a sibling may attach too.
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	run(child, argument);
	_exit(0);
}

bool tracing_is_there(void)
{
	// Every kernel knows the call, and refuses this one.
	bool is_there = ptrace(PTRACE_CONT, 0, NULL, NULL) == 0 || errno != ENOSYS;

	if (!is_there)
		fprintf(stderr, "skipped, as there is no ptrace here (qemu-user): %s\n",
			program_invocation_short_name);
	return is_there;
}

struct child *child_start(void (*run)(struct child *child, void *argument), void *argument)
{
	int down[2], up[2];
	char ready;

	if (!tracing_is_there())
		skip();
	struct child *child = calloc(1, sizeof(*child));
	need(child, "get memory");
	child->shared = mmap(NULL, sizeof(*child->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(child->shared != MAP_FAILED, "share memory");
	need(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0, "make pipes");
	*child = (struct child){
		.shared = child->shared,
		.to_child = down[1],
		.from_child = up[0],
		.from_test = down[0],
		.to_test = up[1],
	};
	pid_t test = getpid();
	child->pid = fork();
	need(child->pid >= 0, "fork");
	if (child->pid == 0) {
		close(child->to_child);
		close(child->from_child);
		child_main(child, test, run, argument);
	}
	close(child->from_test);
	close(child->to_test);
	child->from_test = child->to_test = -1;
	need(read(child->from_child, &ready, 1) == 1, "start a process to inspect");
	return child;
}

bool page_is_not_inherited(void *page)
{
	int status;

	if (msync(page, 1, MS_ASYNC) < 0)
		return false;
	pid_t pid = fork();
	if (pid == 0)
		_exit(msync(page, 1, MS_ASYNC) < 0 && errno == ENOMEM ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

void child_ready(struct child *child)
{
	if (write(child->to_test, "r", 1) != 1)
		_exit(1);
}

void child_sleep_for_ever(void)
{
	for (;;)
		pause();
}

void child_become_nobody(void)
{
	if (setgid(65534) < 0 || setuid(65534) < 0)
		_exit(1);
	// To change the user is also to forget this.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void child_stop(struct child *child)
{
	if (!child)
		return;
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	close(child->to_child);
	close(child->from_child);
	munmap(child->shared, sizeof(*child->shared));
	free(child);
}

void child_start_threads(size_t count, void *(*run)(void *number))
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (size_t i = 0; i < count; i++) {
		pthread_t thread;
		if (pthread_create(&thread, &attributes, run, (void *)i) != 0)
			_exit(1);
	}
	pthread_attr_destroy(&attributes);
}

static void end_this_thread(int signal)
{
	syscall(SYS_exit, 0);
}

static void *sleep_for_ever(void *number)
{
	child_sleep_for_ever();
}

void child_run_mortal_threads(struct child *child, void *argument)
{
	signal(SIGUSR1, end_this_thread);
	child_start_threads(3, sleep_for_ever);
	child_ready(child);
	syscall(SYS_exit, 0);
}

void thread_end(pid_t pid, pid_t tid)
{
	syscall(SYS_tgkill, pid, tid, SIGUSR1);
	while (thread_state_of(tid) != '\0')
		clock_sleep_ns(poll_ns);
}

static void ticks_take(struct child *child, size_t count, uint64_t *into)
{
	for (size_t i = 0; i < count; i++)
		into[i] = atomic_load(&child->shared->ticks[i]);
}

bool child_ticks_on(struct child *child, size_t count)
{
	uint64_t before[CHILD_SLOTS];
	uint64_t start = clock_now_ns();
	size_t waiting = 0;

	ticks_take(child, count, before);
	while (waiting < count) {
		if (atomic_load(&child->shared->ticks[waiting]) != before[waiting])
			waiting++;
		else if (clock_now_ns() - start > patience_ns)
			return false;
		else
			clock_sleep_ns(poll_ns);
	}
	return true;
}

bool child_ticks_within(struct child *child, size_t count, unsigned span_ms)
{
	uint64_t before[CHILD_SLOTS], after[CHILD_SLOTS];

	ticks_take(child, count, before);
	clock_sleep_ns((uint64_t)span_ms * 1000000U);
	ticks_take(child, count, after);
	return memcmp(before, after, count * sizeof(*before)) != 0;
}

char thread_state_of(pid_t tid)
{
	struct process_status status;
	_cleanup_error_ struct error *ended = process_status_read(tid, &status);

	return ended ? '\0' : status.state;
}

pid_t thread_tracer_of(pid_t tid)
{
	struct process_status status;
	_cleanup_error_ struct error *ended = process_status_read(tid, &status);

	return ended ? 0 : status.tracer_pid;
}

bool process_is_left_alone(pid_t pid)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;
	_cleanup_error_ struct error *ended = process_threads(pid, &tids, &count);

	if (ended)
		return false;
	for (size_t i = 0; i < count; i++)
		if (thread_tracer_of(tids[i]) != 0 || thread_state_of(tids[i]) == 't')
			return false;
	return true;
}

bool thread_reaches_state(pid_t tid, char state)
{
	uint64_t start = clock_now_ns();

	while (thread_state_of(tid) != state) {
		if (clock_now_ns() - start > patience_ns)
			return false;
		clock_sleep_ns(poll_ns);
	}
	return true;
}
