/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

/*
 * Processes to inspect, made by the test itself: forked, with memory shared with the test to be
 * watched through, and a handshake instead of sleeps. They die with the test, whatever ends it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_SLOTS = 1024 };

/** Shared by the child and the test; zeroed at the start. */
struct child_shared {
	/** Counts up while a thread of the child runs, one slot for each of them. */
	_Atomic uint64_t ticks[CHILD_SLOTS];
	/** Whatever the test agrees upon. */
	_Atomic uint64_t values[CHILD_SLOTS];
};

struct child {
	pid_t pid;
	struct child_shared *shared;
	/** The test writes to_child, the child reads it, and vice versa. */
	int to_child;
	int from_child;
	/** The other ends; in the child only. */
	int from_test;
	int to_test;
};

/** Forks a process that calls @a run and returns once that has called child_ready(). @a argument is for
 *  the child alone. Skips the test where there is no tracing. The child exits with status 0 when @a run returns. */
struct child *child_start(void (*run)(struct child *child, void *argument), void *argument);

/** Whether processes can be traced here: everywhere but in qemu's emulation of programs (qemu-user), which
 *  knows neither ptrace nor process_vm_readv. Says so when not. */
bool tracing_is_there(void);

/** Whether a child that is forked now has no memory at @a page, a page's beginning, where the test has some. */
bool page_is_not_inherited(void *page);

/** In the child: everything stands as the test wants to find it. */
void child_ready(struct child *child);

/** In the child: sleeps until it is killed. */
_Noreturn void child_sleep_for_ever(void);

/** In the child, of root: gives up all privileges. */
void child_become_nobody(void);

/** Kills the child unless it has ended, collects it and frees @a child. Takes NULL. */
void child_stop(struct child *child);

/** In the child: starts @a count threads with small stacks, each running @a run with its number. */
void child_start_threads(size_t count, void *(*run)(void *number));

/** For child_start(): three threads that sleep until thread_end() ends them; the main thread ends at once. */
void child_run_mortal_threads(struct child *child, void *argument);

/** Ends a thread of child_run_mortal_threads() and waits until its id is nobody's. */
void thread_end(pid_t pid, pid_t tid);

/** Whether each of the first @a count tick slots goes up within some seconds. */
bool child_ticks_on(struct child *child, size_t count);

/** Whether any of the first @a count tick slots goes up within @a span_ms. */
bool child_ticks_within(struct child *child, size_t count, unsigned span_ms);

/** The state letter of a thread, 0 when there is none; its tracer, 0 when there is none. */
char thread_state_of(pid_t tid);
pid_t thread_tracer_of(pid_t tid);

/** Whether @a pid is there and none of its threads is traced, or stopped by a tracer. */
bool process_is_left_alone(pid_t pid);

/** Waits, up to some seconds, until @a tid has state @a state; whether it has. */
bool thread_reaches_state(pid_t tid, char state);

#endif
