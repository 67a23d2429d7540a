/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_THREAD_H
#define MEM_CLONE_THREAD_H

/*
 * The one thread of a clone, made to call: system calls and functions. It is ours, so nothing is put
 * back. All of it is called by the thread that traces; private to mem/clone/clone_run.c and
 * mem/clone/clone_seal.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "mem/clone/clone_run.h"

struct clone_thread {
	pid_t pid;
	/** `syscall; ret`. */
	addr_t syscall_at;
	/** It was killed, or has ended: nothing can be asked of it any more. */
	bool is_over;
	/** What it is about to open has been looked at. */
	bool may_open;
};

/** Once, before anything else. */
MUST_USE struct error *clone_thread_take(struct clone_thread *thread);

enum { CLONE_THREAD_ARGS_MAX = 6 };

/** *@a ret is what the kernel returns, -errno for a failure. An error when the thread has not come
 *  back from it. */
MUST_USE struct error *clone_thread_syscall(struct clone_thread *thread, uint64_t number,
					    const uint64_t args[CLONE_THREAD_ARGS_MAX],
					    int64_t *ret);

/**
 * Calls the function at @a at, with what it may take for all of its arguments in @a args, on the stack
 * that ends at @a stack_end, and waits until it returns or @a outcome says otherwise; whatever else it
 * is, the clone is over then.
 */
MUST_USE struct error *clone_thread_call(struct clone_thread *thread, addr_t at,
					 const uint64_t args[CLONE_THREAD_ARGS_MAX],
					 addr_t stack_end, uint64_t timeout_ns,
					 struct clone_outcome *ret);

#endif
