/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_PAUSE_H
#define MEM_PAUSE_H

/*
 * Stops every thread of a process (PTRACE_SEIZE, PTRACE_INTERRUPT) and lets every one go on as it
 * was: a running one runs, one stopped by SIGSTOP stays stopped, a signal that arrived meanwhile is
 * delivered. Nothing is written to the process; were we killed at any instant, the kernel itself
 * detaches and resumes it.
 *
 * As with every stop, the few system calls that signal(7) lists as never restarted (epoll_wait,
 * sigtimedwait, semop, sockets with SO_RCVTIMEO) end with EINTR. CPython calls again, from 3.5 on.
 *
 * ptrace binds a tracee to the thread that seized it. That is a thread of the pause's own, which
 * ends with the pause: all functions may be called from any thread, and others may read the memory
 * meanwhile. What they must not do while pause_begin() runs is wait for any child of ours at all
 * (waitpid(-1)): the kernel would hand them the tracees' events.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct pause;

enum { PAUSE_REGISTERS_MAX = 32 };

struct pause_thread {
	pid_t tid;
	/** The thread pointer (what pthread_self() returns in glibc); 0 when it could not be read. */
	addr_t pthread_at;
	/** 0 when the registers could not be read; then register_count is 0, too. */
	addr_t stack_pointer;
	/** Likewise. */
	addr_t program_counter;
	/** General-purpose registers in no particular order: any of them may hold a pointer. */
	uint64_t registers[PAUSE_REGISTERS_MAX];
	size_t register_count;
};

/**
 * Stops all threads of @a pid, those that appear meanwhile too. On failure everything is resumed.
 * ERROR_GONE when the process ends meanwhile, ERROR_INTERRUPTED when a signal asked us to stop,
 * the sentences of process_refusal() and process_check() where ptrace is refused, ERROR_FAILED when
 * a thread does not stop within a few seconds (uninterruptible sleep) with its id and wait channel.
 */
MUST_USE struct error *pause_begin(pid_t pid, struct pause **ret);

/**
 * Resumes all threads, frees the pause and sets *@a pause to NULL (which it may be already).
 * @return how long the process stood still, from the first thread stopped to the last resumed, in
 * nanoseconds. Cannot fail: a thread that ended meanwhile needs no resuming.
 */
uint64_t pause_end(struct pause **pause);
#define _cleanup_pause_ CLEANUP(pause_cleanup)
void pause_cleanup(struct pause **pause);

/** Resumes all threads as pause_end() does, which is still to be called, and answers the same; what its
 *  tracer has got meanwhile (mem/pause_tracer.h) is held until then. */
uint64_t pause_let_go(struct pause *pause);

/** The stopped threads; lives until pause_end(). The first call asks the kernel about each of them
 *  (some microseconds per thread). */
const struct pause_thread *pause_threads(struct pause *pause, size_t *ret_count);

#endif
