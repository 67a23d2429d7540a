/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_INJECT_THREAD_H
#define MEM_INJECT_THREAD_H

/*
 * What is to be known of a stopped thread before it is made to call (mem/clone/inject.h): what its seccomp
 * filters would say, whether it is in a sequence that the kernel restarts, and where it goes on. Private
 * to mem/clone/inject.c and mem/clone/inject_frames.c, and called by the thread that traces.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "mem/source.h"

/** The next stop of thread @a tid of process @a pid, which was let run. *@a ret_status as of waitpid().
 *  ERROR_GONE when it ends; an error when it does not stop within seconds. */
MUST_USE struct error *inject_await_stop(pid_t pid, pid_t tid, int *ret_status);

/** *@a ret_why says why the thread may not make the calls, by `syscall; ret` at @a syscall_at; as it was
 *  when it may. */
MUST_USE struct error *inject_thread_ask_filters(pid_t tid, addr_t syscall_at,
						 const char **ret_why);

/**
 * Whether the thread is, with its program counter at @a at, in a restartable sequence (rseq(2)): when it was
 * stopped there, the kernel sends it back to the beginning as it goes on, but not when it went
 * somewhere else first.
 */
bool inject_thread_is_in_sequence(pid_t tid, addr_t at);

/**
 * Has the thread begin again the system call that was interrupted by its stop, and stops it in there: then
 * the kernel has decided how it goes on (machine_restart_is_open()). It is what happens when a thread
 * is let go and stopped once more, so nothing is lost were we killed.
 */
MUST_USE struct error *inject_thread_settle(pid_t pid, pid_t tid);

#endif
