// SPDX-License-Identifier: GPL-3.0-or-later
// A clone that runs: what its functions return comes back, and nothing that they do gets out.
#include "mem/clone/clone_run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mem/clone/clone.h"
#include "mem/clone/clone_filter.h"
#include "mem/clone/seccomp_filter.h"
#include "mem/live.h"
#include "mem/machine/machine.h"
#include "mem/maps.h"
#include "mem/pause.h"
#include "support/child.h"

enum { SHARED_BYTES = 1 << 16, PATIENCE_NS = 2000000000 };

/** A process, and a clone of it that runs. */
struct running {
	struct child *child;
	struct mem_source *live;
	struct maps maps;
	struct mem_cloner *cloner;
	struct pause *pause;
	struct mem_clone *clone;
	struct clone_run *run;
};

static void succeeds(struct error *error)
{
	_cleanup_error_ struct error *failed = error;

	if (failed)
		fail_msg("%s", failed->message);
}

// What the process and its clones have in common with us, who share nothing else with them.
static volatile int *shared;
static int pipe_ends[2];
static const char *fifo_path;

static void run_ticking(struct child *child, void *argument)
{
	child_ready(child);
	for (;;) {
		atomic_fetch_add(&child->shared->ticks[0], 1);
		usleep(100);
	}
}

static void running_clone(struct running *running)
{
	static const struct clone_run_limits limits = {
		.memory_bytes = 64 << 20,
		.cpu_seconds = 20,
		.room_bytes = 1 << 20,
		.shared_bytes = 16 << 20,
	};
	_cleanup_free_ char *reason = NULL, *unsealed = NULL;

	pid_t pid = running->child->pid;
	succeeds(mem_live_create(pid, &running->live));
	succeeds(mem_source_maps(running->live, &running->maps));
	succeeds(mem_cloner_create(pid, running->live, &running->maps, &running->cloner, &reason));
	assert_non_null(running->cloner);
	succeeds(pause_begin(pid, &running->pause));
	succeeds(mem_clone_create(running->cloner, running->pause, 0, false, &running->clone,
				  &reason));
	assert_non_null(running->clone);
	pause_let_go(running->pause);
	succeeds(mem_clone_open(running->clone));
	succeeds(clone_run_create(running->clone, &limits, &running->run, &unsealed));
	if (!running->run)
		fail_msg("not sealed: %s", unsealed);
}

static void running_begin(struct running *running)
{
	*running = (struct running){.child = child_start(run_ticking, NULL)};
	running_clone(running);
}

static void running_end(struct running *running)
{
	clone_run_destroy(running->run);
	mem_clone_destroy(running->clone);
	pause_end(&running->pause);
	mem_cloner_destroy(running->cloner);
	mem_source_destroy(running->live);
	maps_deinit(&running->maps);
	assert_true(child_ticks_on(running->child, 1));
	child_stop(running->child);
}

static struct clone_outcome running_call(struct running *running, long (*function)(long),
					 uint64_t argument, uint64_t timeout_ns)
{
	struct clone_outcome outcome;

	succeeds(clone_run_call(running->run, (addr_t)(uintptr_t)function, &argument, 1, timeout_ns,
				&outcome));
	return outcome;
}

static long running_value(struct running *running, long (*function)(long), uint64_t argument)
{
	struct clone_outcome outcome = running_call(running, function, argument, PATIENCE_NS);
	char words[160];

	clone_outcome_text(&outcome, words, sizeof(words));
	if (outcome.end != CLONE_RETURNED)
		fail_msg("%s", words);
	return (long)outcome.value;
}

static long twice(long number)
{
	return number * 2;
}

static long read_room(long room)
{
	return *(volatile long *)room += 1;
}

static void a_function_returns_its_value_again_and_again(void **state)
{
	struct running running;
	long number = 41;

	running_begin(&running);
	for (long i = 0; i < 100; i++)
		assert_int_equal(running_value(&running, twice, (uint64_t)i), 2 * i);
	addr_t room = clone_run_room(running.run);
	succeeds(clone_run_write(running.run, room, &number, sizeof(number)));
	assert_int_equal(running_value(&running, read_room, room), 42);
	succeeds(clone_run_read(running.run, room, &number, sizeof(number)));
	assert_int_equal(number, 42);
	running_end(&running);
}

static long write_shared(long value)
{
	int before = shared[0];

	shared[0] = (int)value;
	return before;
}

static void shared_memory_is_its_own(void **state)
{
	struct running running;

	shared[0] = 5;
	running_begin(&running);
	assert_int_equal(running_value(&running, write_shared, 6), 5);
	assert_int_equal(running_value(&running, write_shared, 7), 6);
	assert_int_equal(shared[0], 5);
	running_end(&running);
}

static long write_pipe(long number)
{
	return write(pipe_ends[1], "x", 1) + read(pipe_ends[0], &number, 1);
}

static void descriptors_are_nothing(void **state)
{
	struct running running;
	char byte;

	running_begin(&running);
	// Written, and nothing to be read.
	assert_int_equal(running_value(&running, write_pipe, 0), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	running_end(&running);
}

// The number of the first that was allowed, 0 when all were refused.
static long break_out(long unused)
{
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return 1;
	if (kill(getppid(), SIGKILL) == 0 || errno != EPERM)
		return 2;
	if (syscall(SYS_tgkill, getppid(), getppid(), SIGKILL) == 0)
		return 3;
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 || errno != EPERM)
		return 4;
#ifdef SYS_vfork
	if (syscall(SYS_vfork) >= 0)
		return 5;
#endif
	if (open("/dev/null", O_WRONLY) >= 0 || open("/tmp", O_TMPFILE | O_RDWR, 0600) >= 0)
		return 6;
	if (open(fifo_path, O_RDONLY | O_NONBLOCK) >= 0 || errno != EACCES)
		return 7;
	if (unlink(fifo_path) == 0 || mkdir("/tmp/x", 0700) == 0 || chdir("/") == 0)
		return 8;
	if (syscall(SYS_ptrace, 0, 0, 0, 0) >= 0 || syscall(SYS_execve, "/bin/true", 0, 0) >= 0)
		return 9;
	const struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
	if (setrlimit(RLIMIT_AS, &more) == 0)
		return 10;
	if (syscall(SYS_process_vm_writev, getppid(), 0, 0, 0, 0, 0) >= 0 || errno != EPERM)
		return 11;
	if (fcntl(0, F_SETOWN, getppid()) == 0)
		return 12;
	return 0;
}

static void there_is_no_way_out(void **state)
{
	struct running running;
	struct stat status;

	running_begin(&running);
	assert_int_equal(running_value(&running, break_out, 0), 0);
	assert_int_equal(lstat(fifo_path, &status), 0);
	running_end(&running);
}

static long look_around(long unused)
{
	char text[64];
	int file = open("/proc/self/stat", O_RDONLY);
	int folder = open("/", O_RDONLY | O_DIRECTORY);
	int random = open("/dev/urandom", O_RDONLY);
	long count = file < 0 ? -errno : read(file, text, sizeof(text));

	if (folder < 0 || random < 0 || open("/no such file", O_RDONLY) >= 0 || errno != ENOENT)
		return -1;
	return count;
}

static void files_can_be_read(void **state)
{
	struct running running;

	running_begin(&running);
	assert_true(running_value(&running, look_around, 0) > 10);
	running_end(&running);
}

static long allocate(long unused)
{
	return mmap(NULL, 1UL << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static void memory_has_a_limit(void **state)
{
	struct running running;

	running_begin(&running);
	assert_int_equal(running_value(&running, allocate, 0), 1);
	running_end(&running);
}

static long crash(long address)
{
	return *(volatile int *)address;
}

static long loop(long unused)
{
	for (;;)
		shared[1]++;
	return 0;
}

static long end(long status)
{
	_exit((int)status);
}

static void the_end_of_a_clone_is_told(void **state)
{
	struct running running;

	running_begin(&running);
	struct clone_outcome outcome = running_call(&running, crash, 16, PATIENCE_NS);
	assert_int_equal(outcome.end, CLONE_CRASHED);
	assert_int_equal(outcome.signal, SIGSEGV);
	running_end(&running);
	running_begin(&running);
	outcome = running_call(&running, end, 3, PATIENCE_NS);
	assert_int_equal(outcome.end, CLONE_EXITED);
	assert_int_equal(outcome.status, 3);
	running_end(&running);
	running_begin(&running);
	outcome = running_call(&running, loop, 0, 100000000);
	assert_int_equal(outcome.end, CLONE_TIMED_OUT);
	running_end(&running);
}

static uint32_t filtered(uint64_t number, uint32_t machine, uint64_t flags)
{
	struct sock_filter program[CLONE_FILTER_MAX];
	size_t count = clone_filter_make(program);
	const struct seccomp_data data = {
		.nr = (int)number,
		.arch = machine,
		.args = {flags, flags, flags, flags, flags, flags},
	};

	return seccomp_filter_run(program, count, &data);
}

static void the_filter_lets_pass_what_it_knows(void **state)
{
	// OTHER_MACHINE: i386.
	enum { OTHER_MACHINE = 0x40000003, X32 = 0x40000000 };
	const uint32_t MACHINE = machine_audit_arch();

	assert_int_equal(filtered(SYS_getpid, MACHINE, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(filtered(SYS_openat, MACHINE, O_RDONLY), SECCOMP_RET_TRACE);
	assert_int_equal(filtered(SYS_openat, MACHINE, O_CREAT), SECCOMP_RET_ERRNO | EACCES);
	assert_int_equal(filtered(SYS_mmap, MACHINE, MAP_PRIVATE), SECCOMP_RET_ALLOW);
	assert_int_equal(filtered(SYS_mmap, MACHINE, MAP_SHARED), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(filtered(SYS_mmap, MACHINE, MAP_SHARED | MAP_ANONYMOUS),
			 SECCOMP_RET_ALLOW);
	assert_int_equal(filtered(SYS_madvise, MACHINE, MADV_DONTNEED), SECCOMP_RET_ALLOW);
	assert_int_equal(filtered(SYS_madvise, MACHINE, 100), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(filtered(SYS_connect, MACHINE, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(filtered(SYS_clone3, MACHINE, 0), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(filtered(SYS_prlimit64, MACHINE, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(filtered(SYS_prlimit64, MACHINE, 1), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(filtered(SYS_prlimit64, MACHINE, 1ULL << 32), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(filtered(SYS_getpid, OTHER_MACHINE, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(filtered(X32 | SYS_getpid, MACHINE, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(filtered(100000, MACHINE, 0), SECCOMP_RET_ERRNO | EPERM);
}

static void it_has_no_real_time_priority(void **state)
{
	struct running running = {.child = child_start(run_ticking, NULL)};
	const struct sched_param first = {.sched_priority = 1};
	pid_t pid = running.child->pid;

	// who may not do so looks at an ordinary process
	bool is_first = sched_setscheduler(pid, SCHED_RR, &first) == 0;
	running_clone(&running);
	assert_int_equal(sched_getscheduler(pid), is_first ? SCHED_RR : SCHED_OTHER);
	assert_int_equal(sched_getscheduler(mem_clone_pid(running.clone)), SCHED_OTHER);
	running_end(&running);
}

static void *tell_and_wait(void *argument)
{
	struct child *child = argument;

	atomic_store(&child->shared->values[1], (uint64_t)gettid());
	child_sleep_for_ever();
}

// Its stack is larger than any that was there before.
static void run_with_a_late_thread(struct child *child, void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	char word;

	child_ready(child);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 20);
	if (read(child->from_test, &word, 1) == 1)
		pthread_create(&thread, &attributes, tell_and_wait, child);
	child_sleep_for_ever();
}

static void a_thread_that_was_started_later_can_be_chosen(void **state)
{
	struct running running = {.child = child_start(run_with_a_late_thread, NULL)};
	_cleanup_free_ char *reason = NULL;
	pid_t pid = running.child->pid;
	uint64_t tid;

	succeeds(mem_live_create(pid, &running.live));
	succeeds(mem_source_maps(running.live, &running.maps));
	succeeds(mem_cloner_create(pid, running.live, &running.maps, &running.cloner, &reason));
	assert_int_equal(write(running.child->to_child, "w", 1), 1);
	while (!(tid = atomic_load(&running.child->shared->values[1])))
		usleep(100);
	assert_true(thread_reaches_state((pid_t)tid, 'S'));
	succeeds(pause_begin(pid, &running.pause));
	succeeds(mem_clone_create(running.cloner, running.pause, (pid_t)tid, false, &running.clone,
				  &reason));
	if (!running.clone)
		fail_msg("not cloned: %s", reason);
	pause_let_go(running.pause);
	mem_clone_destroy(running.clone);
	pause_end(&running.pause);
	mem_cloner_destroy(running.cloner);
	mem_source_destroy(running.live);
	maps_deinit(&running.maps);
	child_stop(running.child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_returns_its_value_again_and_again),
		cmocka_unit_test(shared_memory_is_its_own),
		cmocka_unit_test(descriptors_are_nothing),
		cmocka_unit_test(there_is_no_way_out),
		cmocka_unit_test(files_can_be_read),
		cmocka_unit_test(memory_has_a_limit),
		cmocka_unit_test(the_end_of_a_clone_is_told),
		cmocka_unit_test(it_has_no_real_time_priority),
		cmocka_unit_test(a_thread_that_was_started_later_can_be_chosen),
		cmocka_unit_test(the_filter_lets_pass_what_it_knows),
	};
	char folder[] = "/tmp/test_clone_run.XXXXXX", path[64];

	if (!tracing_is_there())
		return 0;
	shared =
		mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pipe2(pipe_ends, O_NONBLOCK) < 0 || !mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/fifo", folder);
	fifo_path = path;
	if (mkfifo(path, 0600) < 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
