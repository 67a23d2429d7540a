// SPDX-License-Identifier: GPL-3.0-or-later
// A clone is the process as of one instant, and the process does not notice: not while it is made, nor
// when whoever makes it is killed at any system call on the way.
#include "mem/clone/clone.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/inject.h"
#include "mem/live.h"
#include "mem/maps.h"
#include "mem/pause.h"
#include "mem/process.h"
#include "support/child.h"

/** What one process is cloned with. */
struct cloning {
	struct mem_source *live;
	struct maps maps;
	struct mem_cloner *cloner;
	struct pause *pause;
	struct mem_clone *clone;
	char *reason;
};

static void succeeds(struct error *error)
{
	_cleanup_error_ struct error *failed = error;

	if (failed)
		fail_msg("%s", failed->message);
}

/** How it is made: while it is stopped, or by somebody who has stopped it. */
enum way { AT_ONCE, IN_STEPS };

static struct error *cloning_begin(struct cloning *cloning, pid_t pid, enum way way)
{
	struct error *error = mem_live_create(pid, &cloning->live);

	if (!error)
		error = mem_source_maps(cloning->live, &cloning->maps);
	if (!error)
		error = mem_cloner_create(pid, cloning->live, &cloning->maps, &cloning->cloner,
					  &cloning->reason);
	if (error || !cloning->cloner)
		return error;
	if (way == AT_ONCE) {
		error = mem_clone_create_first(cloning->cloner, &cloning->pause, &cloning->clone,
					       &cloning->reason);
	} else {
		error = pause_begin(pid, &cloning->pause);
		if (!error)
			error = mem_clone_create(cloning->cloner, cloning->pause, 0, false,
						 &cloning->clone, &cloning->reason);
	}
	if (!error && cloning->clone) {
		pause_let_go(cloning->pause);
		error = mem_clone_open(cloning->clone);
	}
	return error;
}

static void cloning_end(struct cloning *cloning)
{
	mem_clone_destroy(cloning->clone);
	pause_end(&cloning->pause);
	mem_cloner_destroy(cloning->cloner);
	mem_source_destroy(cloning->live);
	maps_deinit(&cloning->maps);
	free(cloning->reason);
	*cloning = (struct cloning){0};
}

// Children of any kind, dead ones, too.
static size_t children_of(pid_t pid)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0, children = 0;

	succeeds(process_threads(pid, &tids, &count));
	for (size_t i = 0; i < count; i++) {
		char path[64];
		int child;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tids[i]);
		_cleanup_file_ FILE *file = fopen(path, "re");
		while (file && fscanf(file, "%d", &child) == 1)
			children++;
	}
	return children;
}

static volatile uint64_t counted;
static volatile sig_atomic_t child_signals;

static void count_signal(int number)
{
	child_signals++;
}

static void run_counting(struct child *child, void *argument)
{
	struct sigaction action = {.sa_handler = count_signal};

	sigaction(SIGCHLD, &action, NULL);
	child_ready(child);
	for (;;) {
		counted++;
		atomic_store(&child->shared->ticks[0], counted);
		atomic_store(&child->shared->values[0], (uint64_t)child_signals);
	}
}

static uint64_t counted_in(struct mem_source *source)
{
	uint64_t value = 0;

	succeeds(mem_source_read(source, (addr_t)(uintptr_t)&counted, &value, sizeof(value)));
	return value;
}

static void stands_still_while_the_process_goes_on(enum way way)
{
	struct child *child = child_start(run_counting, NULL);
	struct cloning cloning = {0};

	succeeds(cloning_begin(&cloning, child->pid, way));
	assert_non_null(cloning.clone);
	uint64_t before = counted_in(mem_clone_source(cloning.clone));
	assert_true(child_ticks_on(child, 1));
	assert_true(counted_in(cloning.live) > before);
	assert_int_equal(counted_in(mem_clone_source(cloning.clone)), before);
	assert_int_equal(children_of(child->pid), 1);
	cloning_end(&cloning);

	// then nothing is left of it
	assert_int_equal(children_of(child->pid), 0);
	assert_true(process_is_left_alone(child->pid));
	assert_true(child_ticks_on(child, 1));
	assert_int_equal(atomic_load(&child->shared->values[0]), 0);
	child_stop(child);
}

static void a_clone_stands_still_while_the_process_goes_on(void **state)
{
	stands_still_while_the_process_goes_on(AT_ONCE);
	stands_still_while_the_process_goes_on(IN_STEPS);
}

static void a_stopped_process_stays_stopped(void **state)
{
	struct child *child = child_start(run_counting, NULL);
	struct cloning cloning = {0};

	kill(child->pid, SIGSTOP);
	assert_true(thread_reaches_state(child->pid, 'T'));
	succeeds(cloning_begin(&cloning, child->pid, AT_ONCE));
	assert_non_null(cloning.clone);
	cloning_end(&cloning);
	assert_true(thread_reaches_state(child->pid, 'T'));
	assert_false(child_ticks_within(child, 1, 50));
	kill(child->pid, SIGCONT);
	assert_true(child_ticks_on(child, 1));
	child_stop(child);
}

static void run_napping(struct child *child, void *argument)
{
	struct timespec span = {.tv_sec = 1};

	child_ready(child);
	atomic_store(&child->shared->values[0], 2 - (uint64_t)(nanosleep(&span, NULL) == 0));
	child_sleep_for_ever();
}

// Were its sleep begun anew each time, it would never end.
static void who_sleeps_and_is_cloned_all_the_time_wakes_when_it_is_due(void **state)
{
	struct child *child = child_start(run_napping, NULL);
	uint64_t end = clock_now_ns() + 10000000000U;
	size_t clones = 0;

	while (!atomic_load(&child->shared->values[0]) && clock_now_ns() < end) {
		struct cloning cloning = {0};
		succeeds(cloning_begin(&cloning, child->pid, AT_ONCE));
		clones += cloning.clone != NULL;
		cloning_end(&cloning);
		usleep(5000);
	}
	assert_int_equal(atomic_load(&child->shared->values[0]), 1);
	assert_true(clones > 0);
	child_stop(child);
}

#define FILTER(number, refused)                                                        \
	{                                                                              \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),           \
			BPF_STMT(BPF_RET | BPF_K, (refused)),                          \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),                  \
	}

static void run_filtered(struct child *child, void *argument)
{
	struct sock_filter program[2][4] = {FILTER(SYS_clone, SECCOMP_RET_KILL_PROCESS),
					    FILTER(SYS_swapon, SECCOMP_RET_KILL_PROCESS)};
	struct sock_fprog filter = {.len = 4, .filter = program[*(const int *)argument]};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(1);
	run_counting(child, NULL);
}

static void a_filter_that_forbids_it_is_not_tried(void **state)
{
	int which = 0;
	struct child *child = child_start(run_filtered, &which);
	struct cloning cloning = {0};

	succeeds(cloning_begin(&cloning, child->pid, AT_ONCE));
	assert_null(cloning.clone);
	assert_non_null(strstr(cloning.reason, "seccomp filter"));
	cloning_end(&cloning);
	assert_true(child_ticks_on(child, 1));
	child_stop(child);
}

static void a_filter_that_lets_it_pass_is_no_obstacle(void **state)
{
	int which = 1;
	struct child *child = child_start(run_filtered, &which);
	struct cloning cloning = {0};

	succeeds(cloning_begin(&cloning, child->pid, AT_ONCE));
	// Who may not read filters cannot tell.
	if (!cloning.clone)
		assert_non_null(strstr(cloning.reason, "CAP_SYS_ADMIN"));
	cloning_end(&cloning);
	assert_int_equal(children_of(child->pid), 0);
	assert_true(child_ticks_on(child, 1));
	child_stop(child);
}

// Processes to be cloned by somebody who is killed on the way: each counts its calls' effects.

static void run_writing(struct child *child, void *argument)
{
	uint64_t number = 0;

	child_ready(child);
	// A call that is lost or made twice shows in the numbers.
	while (write(child->to_test, &number, sizeof(number)) == sizeof(number))
		number++;
}

static void run_sleeping(struct child *child, void *argument)
{
	const struct timespec span = {.tv_nsec = 3000000};

	child_ready(child);
	for (;;) {
		uint64_t begin = clock_now_ns();
		if (nanosleep(&span, NULL) != 0 || clock_now_ns() - begin < (uint64_t)span.tv_nsec)
			_exit(3);
		atomic_fetch_add(&child->shared->ticks[0], 1);
	}
}

static void *poll_forever(void *number)
{
	while (poll(NULL, 0, 5) == 0)
		continue;
	_exit(3);
}

static void run_threads(struct child *child, void *argument)
{
	child_start_threads(50, poll_forever);
	run_sleeping(child, argument);
}

// A futex, with a time of the clock.
static void wait_for_semaphore(time_t seconds)
{
	struct timespec until;
	sem_t semaphore;

	sem_init(&semaphore, 0, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	sem_timedwait(&semaphore, &until);
}

// Waits with a time limit that does not come: whoever comes back was disturbed.
static void run_waiting(struct child *child, void *argument)
{
	enum { LONG_MS = 1000000 };
	const struct timespec span = {.tv_sec = LONG_MS / 1000};
	const char *how = argument;

	child_ready(child);
	if (strcmp(how, "poll") == 0)
		poll(NULL, 0, LONG_MS);
	else if (strcmp(how, "nanosleep") == 0)
		nanosleep(&span, NULL);
	else
		wait_for_semaphore(span.tv_sec);
	_exit(3);
}

static volatile double product = 1;

static void run_computing(struct child *child, void *argument)
{
	child_ready(child);
	// A register that is not put back shows in the product.
	for (uint64_t rounds = 1;; rounds++) {
		double check = 1;
		product = 1;
		for (int i = 1; i < 500; i++) {
			product = product * (1 + 1.0 / i);
			check = check * (1 + 1.0 / i);
		}
		if (product != check)
			_exit(3);
		atomic_store(&child->shared->ticks[0], rounds);
	}
}

#if defined(__aarch64__)
// The kernel does not keep these over a system call, all but their first 128 bits: what is not put back shows.
static void run_with_scalable_vectors(struct child *child, void *argument)
{
	_Atomic uint64_t *ticks = &child->shared->ticks[0];

	child_ready(child);
	__asm__ volatile(".arch_extension sve\n"
			 "	ptrue p0.b\n"
			 "	mov z8.b, #5\n"
			 "1:	cmpne p1.b, p0/z, z8.b, #5\n"
			 "	b.any 2f\n"
			 "	ldr x9, [%0]\n"
			 "	add x9, x9, #1\n"
			 "	str x9, [%0]\n"
			 "	b 1b\n"
			 "2:\n"
			 :
			 : "r"(ticks)
			 : "x9", "v8", "cc", "memory");
	_exit(3);
}
#endif

// Runs in a process that the test traces, so that it ends where the test wants it to.
_Noreturn static void clone_and_end(pid_t pid, enum way way)
{
	struct cloning cloning = {0};

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	error_destroy(cloning_begin(&cloning, pid, way));
	cloning_end(&cloning);
	_exit(0);
}

/*
 * Has @a pid cloned by a process that is killed as it comes to its system call number @a last, counted
 * over its threads; false when it came to its end before.
 */
static bool killed_at(pid_t pid, unsigned last, enum way way)
{
	pid_t maker = fork(), stopped;
	unsigned calls = 0;
	int status;

	if (maker == 0)
		clone_and_end(pid, way);
	assert_int_equal(waitpid(maker, &status, 0), maker);
	ptrace(PTRACE_SETOPTIONS, maker, NULL,
	       PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, maker, NULL, NULL);
	for (;;) {
		stopped = waitpid(-1, &status, __WALL);
		if (stopped < 0)
			return false;
		if (!WIFSTOPPED(status)) {
			if (stopped == maker)
				return false;
			continue;
		}
		int signal = WSTOPSIG(status);
		if (signal == (SIGTRAP | 0x80) && ++calls == last)
			break;
		bool passes = signal != (SIGTRAP | 0x80) && signal != SIGTRAP && signal != SIGSTOP;
		ptrace(PTRACE_SYSCALL, stopped, NULL, (void *)(uintptr_t)(passes ? signal : 0));
	}
	kill(maker, SIGKILL);
	while (waitpid(-1, &status, __WALL) != maker || !WIFSIGNALED(status))
		if (errno == ECHILD)
			break;
	while (waitpid(-1, &status, __WALL | WNOHANG) > 0)
		continue;
	return true;
}

static bool signals_pass(pid_t pid)
{
	_cleanup_text_ struct text status = {0};

	succeeds(process_file(pid, "status", &status));
	return strstr(text_chars(&status), "SigBlk:\t0000000000000000");
}

// What was begun ends by itself, within a second on a machine that has time; each is looked at once in a round,
// as the keeper may come once more.
static void assert_left_alone(pid_t pid, unsigned call)
{
	uint64_t end = clock_now_ns() + 5000000000U;
	bool alone, childless, pass;

	for (;;) {
		alone = process_is_left_alone(pid);
		childless = children_of(pid) == 0;
		pass = signals_pass(pid);
		if (alone && childless && pass)
			return;
		if (clock_now_ns() > end)
			break;
		usleep(1000);
	}
	fail_msg("killed at call %u: the process %s", call,
		 !childless ? "keeps a child"
		 : !alone   ? "is not let go"
			    : "has signals blocked");
}

enum { CALLS_MAX = 20000 };

// Where a machine is emulated, all calls would take too long.
static unsigned kill_step(void)
{
	const char *step = getenv("LEAKINSPECT_KILL_STEP");

	return step && atoi(step) > 0 ? (unsigned)atoi(step) : 1;
}

// Whether the process goes on: it counts, or it is still where it waits.
static bool goes_on(struct child *child, bool counts)
{
	return counts ? child_ticks_on(child, 1) : thread_reaches_state(child->pid, 'S');
}

static void kill_everywhere(void (*run)(struct child *child, void *argument), char *how,
			    enum way way)
{
	struct child *child = child_start(run, how);
	unsigned call = 1;

	for (; killed_at(child->pid, call, way); call += kill_step()) {
		assert_left_alone(child->pid, call);
		if (!goes_on(child, !how))
			fail_msg("killed at call %u: the process does not go on, its state is %c",
				 call, thread_state_of(child->pid));
		assert_true(call < CALLS_MAX);
	}
	// After a clone that was made and ended by nobody but its maker, too.
	assert_true(goes_on(child, !how));
	// Making a clone takes more than a few calls, and the last one was whole.
	assert_true(call > 100);
	child_stop(child);
}

static void a_computing_process_survives_whoever_clones_it(void **state)
{
	kill_everywhere(run_computing, NULL, AT_ONCE);
}

static void scalable_vectors_survive_whoever_clones_their_process(void **state)
{
#if defined(__aarch64__)
	if (getauxval(AT_HWCAP) & HWCAP_SVE)
		kill_everywhere(run_with_scalable_vectors, NULL, AT_ONCE);
	else
		skip();
#else
	skip();
#endif
}

static void a_sleeping_process_survives_whoever_clones_it(void **state)
{
	kill_everywhere(run_sleeping, NULL, AT_ONCE);
	kill_everywhere(run_sleeping, NULL, IN_STEPS);
}

static void a_process_with_threads_survives_whoever_clones_it(void **state)
{
	kill_everywhere(run_threads, NULL, AT_ONCE);
}

static void a_wait_with_a_time_limit_is_not_cut_short(void **state)
{
	static char ways[][16] = {"poll", "nanosleep", "futex"};

	for (size_t i = 0; i < ARRAY_COUNT(ways); i++)
		kill_everywhere(run_waiting, ways[i], i % 2 ? IN_STEPS : AT_ONCE);
}

// What the process writes between two looks comes in order, each number once.
static uint64_t read_in_order(struct child *child, uint64_t next, unsigned span_ms)
{
	struct pollfd readable = {.fd = child->from_child, .events = POLLIN};
	uint64_t end = clock_now_ns() + span_ms * 1000000ULL, number;

	while (clock_now_ns() < end && poll(&readable, 1, 0) >= 0) {
		if (!(readable.revents & POLLIN))
			continue;
		assert_int_equal(read(child->from_child, &number, sizeof(number)), sizeof(number));
		if (number != next)
			fail_msg("%llu was written where %llu was due", (unsigned long long)number,
				 (unsigned long long)next);
		next++;
	}
	return next;
}

static void a_writing_process_loses_and_repeats_nothing(void **state)
{
	struct child *child = child_start(run_writing, NULL);
	uint64_t next = 0;
	unsigned call = 1;

	for (; killed_at(child->pid, call, AT_ONCE); call += kill_step()) {
		uint64_t before = next;
		assert_left_alone(child->pid, call);
		next = read_in_order(child, next, 2);
		if (next == before)
			next = read_in_order(child, next, 1000);
		if (next == before)
			fail_msg("killed at call %u: the process does not go on", call);
	}
	assert_true(call > 100);
	child_stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clone_stands_still_while_the_process_goes_on),
		cmocka_unit_test(a_stopped_process_stays_stopped),
		cmocka_unit_test(who_sleeps_and_is_cloned_all_the_time_wakes_when_it_is_due),
		cmocka_unit_test(a_filter_that_forbids_it_is_not_tried),
		cmocka_unit_test(a_filter_that_lets_it_pass_is_no_obstacle),
		cmocka_unit_test(a_computing_process_survives_whoever_clones_it),
		cmocka_unit_test(scalable_vectors_survive_whoever_clones_their_process),
		cmocka_unit_test(a_sleeping_process_survives_whoever_clones_it),
		cmocka_unit_test(a_process_with_threads_survives_whoever_clones_it),
		cmocka_unit_test(a_wait_with_a_time_limit_is_not_cut_short),
		cmocka_unit_test(a_writing_process_loses_and_repeats_nothing),
	};

	return tracing_is_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
