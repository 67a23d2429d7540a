// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/tracees.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/machine/machine.h"
#include "mem/process.h"

enum {
	/** Looks at the list of threads that find it shorter than the kernel's count. */
	RECOUNTS_MAX = 16,
	SEIZE_TRIES_MAX = 4,
	/** Left to the end of the tracer, which takes some 5 us each with a lock of the system held. */
	RELEASED_TOGETHER = 64,
};

static const uint64_t stop_patience_ns = 3000000000U;
/** Each wait is within the patience for one thread; this is for all rounds of them. */
static const uint64_t total_patience_ns = 5000000000U;
/** How long the others are held for threads in uninterruptible sleep. */
static const uint64_t blocked_patience_ns = 100000000U;
/** A thread that stops does so within some microseconds of processor time. */
static const uint64_t spin_ns = 300000U;
static const uint64_t look_every_ns = 10000000U;
static const uint64_t sleep_min_ns = 20000U;
static const uint64_t sleep_max_ns = 1000000U;

void tracees_deinit(struct tracees *tracees)
{
	free(tracees->list);
	addr_map_deinit(&tracees->by_tid);
	*tracees = (struct tracees){0};
}

static struct error *ended_error(const struct tracees *tracees)
{
	return error_create(ERROR_GONE, "process %d has ended", tracees->pid);
}

static struct error *unlisted_error(const struct tracees *tracees, int reason)
{
	// ESRCH also for a moment of an exec: all the same, what was known of it is void.
	if (reason == ENOENT || reason == ESRCH)
		return ended_error(tracees);
	return error_create_os(reason, "cannot list the threads of process %d", tracees->pid);
}

// PTRACE_O_TRACEEXEC: with exec every address that was known is void, and the threads but one are
// gone without a word; so let it say a word.
static struct error *tracee_seize(const struct tracees *tracees, struct tracee *tracee)
{
	tracee->state = TRACEE_GONE;
	for (unsigned tries = 1;; tries++) {
		struct process_status status;

		if (ptrace(PTRACE_SEIZE, tracee->tid, NULL, PTRACE_O_TRACEEXEC) == 0) {
			tracee->state = TRACEE_STOPPING;
			return NULL;
		}
		if (errno == ESRCH)
			return NULL;
		if (errno != EPERM)
			return error_create_os(errno, "cannot attach to thread %d of process %d",
					       tracee->tid, tracees->pid);
		// EPERM is the answer not only to those who may not, but also for a thread that has
		// ended and is still listed (the main thread when it ends before the others), and
		// for one that is ours already under the id it had before an exec. In an exec the
		// id of a dead main thread becomes that of a living one, so look twice.
		_cleanup_error_ struct error *ended = process_status_read(tracee->tid, &status);
		if (ended || process_state_is_dead(status.state))
			return NULL;
		if (status.tracer_pid == gettid()) {
			tracee->state = TRACEE_STOPPING;
			return NULL;
		}
		if (tries == SEIZE_TRIES_MAX)
			return process_refusal(tracees->pid);
	}
}

static void tracee_interrupt(struct tracees *tracees, struct tracee *tracee)
{
	if (tracees->begin_ns == 0)
		tracees->begin_ns = clock_now_ns();
	// It has ended, or its id is that of another now, which is not ours.
	if (ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL) < 0)
		tracee->state = TRACEE_GONE;
}

static struct error *tracees_add(struct tracees *tracees, pid_t tid, struct tracee **ret)
{
	uint32_t index;

	if (addr_map_get(&tracees->by_tid, (addr_t)tid, &index)) {
		*ret = &tracees->list[index];
		return NULL;
	}
	struct error *error = array_reserve(&tracees->list, &tracees->capacity, tracees->count + 1,
					    sizeof(*tracees->list));
	if (!error)
		error = addr_map_put(&tracees->by_tid, (addr_t)tid, (uint32_t)tracees->count);
	if (error)
		return error;
	*ret = &tracees->list[tracees->count++];
	**ret = (struct tracee){.tid = tid, .state = TRACEE_GONE};
	return NULL;
}

// One pass over the list of threads, seizing those not yet seized. *ret_seen counts all of them, *ret_new
// those that nobody knew of before.
static struct error *tracees_seize_new(struct tracees *tracees, DIR *tasks, bool interrupt,
				       size_t *ret_seen, size_t *ret_new)
{
	*ret_seen = *ret_new = 0;
	rewinddir(tasks);
	for (;;) {
		struct tracee *tracee;

		errno = 0;
		const struct dirent *entry = readdir(tasks);
		if (!entry)
			return errno ? unlisted_error(tracees, errno) : NULL;
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		++*ret_seen;
		size_t known_count = tracees->count;
		struct error *error =
			tracees_add(tracees, (pid_t)strtol(entry->d_name, NULL, 10), &tracee);
		if (error)
			return error;
		if (tracee->state != TRACEE_GONE)
			continue;
		error = tracee_seize(tracees, tracee);
		if (error)
			return error;
		bool is_gone = tracee->state == TRACEE_GONE;
		// One that ended before it was ours may have begun another one that this pass misses.
		if (!is_gone || tracees->count > known_count)
			++*ret_new;
		if (!is_gone && interrupt)
			tracee_interrupt(tracees, tracee);
	}
}

// Looks at the next event of a thread, if there is one. Every ptrace-stop will do: the one asked for,
// the delivery of a signal that came first, a group-stop.
//
// WNOWAIT, because an event that has been taken loses its signal when the tracer ends (or is
// killed): wait_task_stopped() in kernel/exit.c clears the number that ptrace_stop() is to return.
// And the end of the main thread is for its parent to take, who may be of our own process.
static struct error *tracee_collect(struct tracees *tracees, struct tracee *tracee)
{
	siginfo_t event = {0};
	int flags = WSTOPPED | WEXITED | WNOHANG | __WALL;

	if (waitid(P_PID, (id_t)tracee->tid, &event, flags | WNOWAIT) == 0 && event.si_pid == 0)
		return NULL;
	if (event.si_pid != 0 && event.si_code == CLD_TRAPPED) {
		int kind = event.si_status >> 8;

		if (kind == PTRACE_EVENT_EXEC)
			return error_create(ERROR_GONE,
					    "process %d has become another program; attach to it "
					    "again",
					    tracees->pid);
		tracee->state = TRACEE_STOPPED;
		tracee->in_signal = kind != PTRACE_EVENT_STOP;
		tracee->signal = tracee->in_signal ? event.si_status & 0x7f : 0;
		// A signal stops a thread that is seized without being asked.
		if (tracee->in_signal)
			tracees->begin_ns = tracees->seize_ns;
		return NULL;
	}
	// It has ended, or (ECHILD) ended without a word in another thread's exec. Other threads than
	// the main one are nobody else's to collect, and counted until they are.
	tracee->state = TRACEE_GONE;
	if (event.si_pid != 0 && tracee->tid != tracees->pid)
		waitid(P_PID, (id_t)tracee->tid, &event, flags);
	return NULL;
}

// Takes what events there are. *ret_slow is a thread that is still to stop, NULL if all have.
static struct error *tracees_collect(struct tracees *tracees, struct tracee **ret_slow)
{
	*ret_slow = NULL;
	for (size_t i = 0; i < tracees->count; i++) {
		struct tracee *tracee = &tracees->list[i];

		if (tracee->state != TRACEE_STOPPING)
			continue;
		struct error *error = tracee_collect(tracees, tracee);
		if (error)
			return error;
		if (tracee->state == TRACEE_STOPPING)
			*ret_slow = tracee;
	}
	return NULL;
}

// The state letter of a thread; 'X' when there is no such thread (any more).
static char thread_state(pid_t tid)
{
	struct process_status status;
	_cleanup_error_ struct error *ended = process_status_read(tid, &status);

	return ended ? 'X' : status.state;
}

// Nothing has happened for a while: looks at why. Whether all that are still awaited are in
// uninterruptible sleep is the result.
static bool tracees_look_closer(struct tracees *tracees)
{
	bool blocked = true;

	for (size_t i = 0; i < tracees->count; i++) {
		struct tracee *tracee = &tracees->list[i];

		if (tracee->state != TRACEE_STOPPING)
			continue;
		char state = thread_state(tracee->tid);
		// A main thread that has ended before the others sends no event.
		if (process_state_is_dead(state)) {
			tracee->state = TRACEE_GONE;
			continue;
		}
		// An exec may have given its id to one that was not asked.
		tracee_interrupt(tracees, tracee);
		if (state != 'D')
			blocked = false;
	}
	return blocked;
}

static struct error *slow_error(const struct tracees *tracees, const struct tracee *slow)
{
	struct process_status status;
	_cleanup_text_ struct text channel = {0};
	_cleanup_error_ struct error *unknown = process_status_read(slow->tid, &status);
	// The file is empty for those who may not see kernel addresses.
	_cleanup_error_ struct error *hidden = process_file(slow->tid, "wchan", &channel);
	bool known = !hidden && channel.length > 1;

	if (unknown)
		return ended_error(tracees);
	return error_create(ERROR_FAILED,
			    "thread %d (%s) of process %d does not stop: its state is %c%s%s; try "
			    "again when that has passed",
			    slow->tid, status.comm, tracees->pid, status.state,
			    known ? ", waiting in the kernel's " : "",
			    known ? text_chars(&channel) : "");
}

// Waits until every thread that was asked to stop has.
static struct error *tracees_await(struct tracees *tracees)
{
	uint64_t start = clock_now_ns();
	uint64_t look_ns = look_every_ns;
	uint64_t nap_ns = sleep_min_ns;
	struct tracee *slow;

	for (;;) {
		struct error *error = tracees_collect(tracees, &slow);
		if (error || !slow)
			return error;
		error = interrupt_check();
		if (error)
			return error;

		uint64_t waited = clock_now_ns() - start;
		if (waited < spin_ns) {
			sched_yield();
			continue;
		}
		if (waited >= look_ns) {
			bool blocked = tracees_look_closer(tracees);

			look_ns = waited + look_every_ns;
			tracees->blocked = blocked && waited > blocked_patience_ns;
			if (slow->state == TRACEE_STOPPING &&
			    (tracees->blocked || waited > stop_patience_ns))
				return slow_error(tracees, slow);
		}
		clock_sleep_ns(nap_ns);
		nap_ns = nap_ns * 2 < sleep_max_ns ? nap_ns * 2 : sleep_max_ns;
	}
}

// The kernel's count: proc_task_getattr() adds it to the links of the directory, which are 2 before.
static struct error *count_threads(const struct tracees *tracees, DIR *tasks, size_t *ret)
{
	struct stat directory;

	if (fstat(dirfd(tasks), &directory) < 0)
		return error_create_os(errno, "cannot count the threads of process %d",
				       tracees->pid);
	*ret = (size_t)directory.st_nlink - 2;
	return NULL;
}

static size_t count_stopped(const struct tracees *tracees)
{
	size_t stopped = 0;

	for (size_t i = 0; i < tracees->count; i++)
		stopped += tracees->list[i].state == TRACEE_STOPPED;
	return stopped;
}

// Fewer threads than were stopped: a SIGKILL or an exec has ended some, which no event tells. The event
// of one that is stopped is still there, as tracee_collect() does not take it.
static void tracees_doubt(struct tracees *tracees)
{
	for (size_t i = 0; i < tracees->count; i++) {
		if (tracees->list[i].state == TRACEE_GONE)
			continue;
		tracees->list[i].state = TRACEE_STOPPING;
		tracee_interrupt(tracees, &tracees->list[i]);
	}
}

// Waits, and does the same with the threads that appeared meanwhile, until none is left: as many are
// stopped as the kernel counts. It also counts a main thread that has ended, and one pass over the
// list may miss threads that stand behind one that ends just then (next_tid() in fs/proc/base.c):
// so otherwise until a pass that saw as many as there are found nothing new.
static struct error *tracees_stop_rest(struct tracees *tracees, DIR *tasks)
{
	size_t seen, new_count, expected = 0;
	unsigned recounts = 0;

	do {
		struct error *error = tracees_await(tracees);
		if (!error)
			error = count_threads(tracees, tasks, &expected);
		if (error || count_stopped(tracees) == expected)
			return error;
		if (count_stopped(tracees) > expected) {
			tracees_doubt(tracees);
			error = tracees_await(tracees);
		}
		if (!error)
			error = tracees_seize_new(tracees, tasks, true, &seen, &new_count);
		if (error)
			return error;
		if (clock_now_ns() - tracees->seize_ns > total_patience_ns)
			return error_create(ERROR_FAILED,
					    "process %d starts threads faster than they can be "
					    "stopped; try again when it is less busy",
					    tracees->pid);
	} while (new_count > 0 || (seen != expected && recounts++ < RECOUNTS_MAX));
	return NULL;
}

// Drops the threads that have ended.
static void tracees_compact(struct tracees *tracees)
{
	size_t kept = 0;

	for (size_t i = 0; i < tracees->count; i++)
		if (tracees->list[i].state == TRACEE_STOPPED)
			tracees->list[kept++] = tracees->list[i];
	tracees->count = kept;
	addr_map_deinit(&tracees->by_tid);
}

struct error *tracees_stop(struct tracees *tracees)
{
	_cleanup_dir_ DIR *tasks = NULL;
	size_t seen, new_count;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", tracees->pid);
	tasks = opendir(path);
	if (!tasks)
		return unlisted_error(tracees, errno);

	// Seizing does not stop: all the slow work first, then one burst of interrupts.
	tracees->seize_ns = clock_now_ns();
	struct error *error = tracees_seize_new(tracees, tasks, false, &seen, &new_count);
	if (error)
		return error;
	for (size_t i = 0; i < tracees->count; i++)
		if (tracees->list[i].state != TRACEE_GONE)
			tracee_interrupt(tracees, &tracees->list[i]);
	error = tracees_stop_rest(tracees, tasks);
	if (error)
		return error;
	tracees_compact(tracees);
	return tracees->count ? NULL : ended_error(tracees);
}

void tracees_reap(pid_t pid)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;
	_cleanup_error_ struct error *ended = process_threads(pid, &tids, &count);

	if (ended)
		return;
	for (size_t i = 0; i < count; i++) {
		siginfo_t event = {0};
		int flags = WEXITED | WNOHANG | __WALL;

		// Looks first, as the stop of a tracee comes whether it is asked for or not.
		if (tids[i] != pid && waitid(P_PID, (id_t)tids[i], &event, flags | WNOWAIT) == 0 &&
		    event.si_pid != 0 && event.si_code != CLD_TRAPPED)
			waitid(P_PID, (id_t)tids[i], &event, flags);
	}
}

void tracees_release(const struct tracees *tracees)
{
	for (size_t i = RELEASED_TOGETHER; i < tracees->count; i++)
		if (tracees->list[i].state == TRACEE_STOPPED && !tracees->list[i].in_signal)
			ptrace(PTRACE_DETACH, tracees->list[i].tid, NULL, NULL);
}

void tracees_detach(const struct tracees *tracees)
{
	// The signal that was about to be taken is taken then. One that has ended meanwhile needs nothing.
	for (size_t i = 0; i < tracees->count; i++)
		ptrace(PTRACE_DETACH, tracees->list[i].tid, NULL,
		       (void *)(uintptr_t)tracees->list[i].signal);
}

size_t tracee_registers(const struct tracee *tracee, uint64_t *into, addr_t *ret_stack_pointer,
			addr_t *ret_program_counter, addr_t *ret_pthread)
{
	struct machine_registers registers;
	bool known;
	struct error *unread = machine_registers_read(tracee->tid, &registers, &known);

	*ret_stack_pointer = *ret_program_counter = *ret_pthread = 0;
	error_destroy(unread);
	if (unread || !known)
		return 0;
	*ret_stack_pointer = machine_stack_pointer(&registers);
	*ret_program_counter = machine_program_counter(&registers);
	*ret_pthread = machine_pthread(&registers);
	return machine_general(&registers, into);
}
