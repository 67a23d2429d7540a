/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_TRACEES_H
#define MEM_TRACEES_H

/*
 * The ptrace half of mem/pause.h: seizes and stops all threads of a process. All of it runs on one
 * thread of ours, the tracer, and what lets go for good is the end of that thread: the kernel then
 * detaches what it still held, in whatever state that is. So every way out is the one that a SIGKILL
 * takes, and works where PTRACE_DETACH does not (it wants a stopped thread: not one in
 * uninterruptible sleep, not a main thread that has ended before the others). A signal whose delivery
 * was stopped is delivered then, and a process that was stopped stays so (exit_ptrace() and
 * __ptrace_unlink() in kernel/ptrace.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr_map.h"
#include "base/error.h"

enum tracee_state {
	/** Asked to stop. */
	TRACEE_STOPPING,
	TRACEE_STOPPED,
	/** Has ended. */
	TRACEE_GONE,
};

struct tracee {
	pid_t tid;
	enum tracee_state state;
	/** It stopped when it was about to take a signal: this one. */
	bool in_signal;
	int signal;
};

struct tracees {
	pid_t pid;
	struct tracee *list;
	size_t count;
	size_t capacity;
	/** Index in the list by thread id. */
	struct addr_map by_tid;
	/** When the first thread was seized, and when the first one may have stopped; 0 before. */
	uint64_t seize_ns;
	uint64_t begin_ns;
	/** Why tracees_stop() failed: nothing but threads in uninterruptible sleep; may be tried
	 *  again. */
	bool blocked;
};

void tracees_deinit(struct tracees *tracees);

/**
 * Stops all threads of `pid`, those that appear meanwhile too; everything else is zero-initialised.
 * Errors as of pause_begin(); what was stopped by then stays so until the calling thread ends.
 */
MUST_USE struct error *tracees_stop(struct tracees *tracees);

/**
 * Collects the threads of @a pid that have ended while they were seized, the main one excepted. To be
 * called now and then by another thread while tracees_stop() runs: PTRACE_SEIZE waits for an exec to
 * finish (cred_guard_mutex), and an exec waits for all other threads to be collected. What the tracer does
 * next may have begun: a stop is only looked at, and a clone is in no process's list of threads.
 */
void tracees_reap(pid_t pid);

/**
 * Lets all threads but some go, one by one; the end of the calling thread, which is to follow, does
 * the rest. (It could do all, and faster, but holds a lock of the whole system meanwhile.)
 */
void tracees_release(const struct tracees *tracees);

/**
 * Lets all threads go, while the calling thread remains a tracer (of a clone). Unlike the end of the
 * tracer it takes a call for each, and there must be nothing but stopped threads.
 */
void tracees_detach(const struct tracees *tracees);

/** The general-purpose registers of a stopped thread into @a into (of MACHINE_REGISTERS_MAX), the stack
 *  pointer apart, too, the program counter, and what pthread_self() is there, 0 when that cannot be told.
 *  Their number; 0, as the three then, when the kernel does not tell. */
size_t tracee_registers(const struct tracee *tracee, uint64_t *into, addr_t *ret_stack_pointer,
			addr_t *ret_program_counter, addr_t *ret_pthread);

#endif
