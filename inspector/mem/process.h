/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_PROCESS_H
#define MEM_PROCESS_H

/*
 * What /proc tells about a process before it is touched: whether it can be inspected at all (and if
 * not, the sentence that says why and what to do), its threads, its memory, its command line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/text.h"

struct process_status {
	pid_t pid;
	/** The process it is a thread of; `pid` itself for a whole process. */
	pid_t tgid;
	/** The state letter of /proc/PID/stat: R S D T t Z X I. */
	char state;
	/** Of the whole process. */
	pid_t parent_pid;
	bool kernel_thread;
	/** The thread that traces it, 0 when nobody does. */
	pid_t tracer_pid;
	/** Effective. */
	uid_t uid;
	/** Start time in clock ticks after boot: with the pid it names a process for good. */
	uint64_t start_ticks;
	/** Where the stack of its program began, another place after exec mostly; 0 where the kernel does not
	 *  tell. */
	uint64_t stack_start;
	/** In bytes. What a main thread that has ended tells is that of the others, if one is found; any other
	 *  thread that has ended has 0. */
	uint64_t rss_bytes;
	uint64_t vss_bytes;
	size_t thread_count;
	/** Bits as in linux/capability.h. */
	uint64_t capabilities_permitted;
	uint64_t capabilities_effective;
	char comm[32];
};

/** ERROR_GONE, with "no process N" in its message, when there is none. */
MUST_USE struct error *process_status_read(pid_t pid, struct process_status *ret);

/** The same as far as /proc/PID/stat has it, in one read: all but tgid, tracer_pid, uid, the sizes and the
 *  capabilities. */
MUST_USE struct error *process_stat_read(pid_t pid, struct process_status *ret);

/** What errno says about a call on a thread: ERROR_GONE when it has ended, else "cannot @a what thread N". */
MUST_USE struct error *process_thread_error(pid_t tid, const char *what);

/** Whether a state letter is that of a thread that has ended. */
bool process_state_is_dead(char state);

/** Whether a process has ended: of its main thread's status. That one may be dead while others go on. */
bool process_has_ended(const struct process_status *status);

/**
 * Fails with the reason and the fix when @a pid cannot be inspected: no such process, a zombie, a
 * kernel thread, a thread of another process (names the process), traced by somebody (names the
 * tracer), ourselves, a 32-bit or foreign-architecture program (ERROR_UNSUPPORTED for the last two
 * and for kernel threads and zombies).
 */
MUST_USE struct error *process_check(pid_t pid);

/**
 * All of /proc/@a pid/@a name into *@a ret (zero-initialised); @a pid may be a thread's id too.
 * ERROR_GONE when there is no such process (any more), process_refusal() where it is not allowed.
 */
MUST_USE struct error *process_file(pid_t pid, const char *name, struct text *ret);

/** The same of its thread @a tid: no file of another process that has its id by now. */
MUST_USE struct error *process_thread_file(pid_t pid, pid_t tid, const char *name,
					   struct text *ret);

/**
 * The thread whose /proc entry leads to the memory of @a pid: @a pid itself, except where its main
 * thread has ended, or is about to, while others go on; then one of those. ERROR_GONE when all have ended.
 */
MUST_USE struct error *process_memory_thread(pid_t pid, pid_t *ret);

/**
 * Calls @a use with the thread of process_memory_thread(), and again with the one that is to be had then
 * while it says ERROR_GONE, 100 times at most: each may end at any moment. What @a use said last;
 * ERROR_GONE when all have ended.
 */
MUST_USE struct error *
process_through_memory_thread(pid_t pid, struct error *(*use)(pid_t thread, void *argument),
			      void *argument);

/** The thread ids now under /proc/PID/task; *@a ret_tids is freed by the caller. */
MUST_USE struct error *process_threads(pid_t pid, pid_t **ret_tids, size_t *ret_count);

/** The arguments as one NUL-separated block of *@a ret_bytes bytes, freed by the caller. */
MUST_USE struct error *process_arguments(pid_t pid, char **ret, size_t *ret_bytes);

/** The proportional set size: resident memory, pages shared with others counted by their part. False
 *  when the kernel does not tell. It walks the process's page tables for it. */
bool process_pss(pid_t pid, uint64_t *ret_bytes);

/** The thread's name (comm) into @a into of @a bytes; "" when it has ended. */
void process_thread_name(pid_t pid, pid_t tid, char *into, size_t bytes);

/**
 * EPERM from ptrace or process_vm_readv in words: whose process it is, kernel.yama.ptrace_scope,
 * the missing CAP_SYS_PTRACE, a process that made itself undumpable; each with the fix.
 */
MUST_USE struct error *process_refusal(pid_t pid);

#endif
