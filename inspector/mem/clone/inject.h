/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_INJECT_H
#define MEM_INJECT_H

/*
 * One system call made by a stopped thread of another process, after which the thread is as it was.
 *
 * Were we killed at any instant, the kernel lets the thread run with whatever registers it has then. So
 * the registers for the call come with a way back that needs nobody: below the thread's stack lie
 * frames as a signal handler has them, and the call is made at a `syscall; ret` of the program's own
 * code whose `ret` leads to the C library's rt_sigreturn. The last frame has everything that the thread
 * had. No code is written, and of memory only what lies below the stack pointer and the 128 bytes that a
 * leaf function may use beyond it (System V ABI), which gets its old bytes back.
 *
 * For clone() the way back first waits for the child, so that none is left, and the child has a frame of
 * its own that makes it end at once.
 *
 * What the way back cannot do is to have the kernel go on with a wait that has a time limit
 * (restart_syscall() for poll and nanosleep): rt_sigreturn makes it forget when that was to end. The call is
 * made anew instead, and its limit begins again; one that is a time of the clock, as the C library's for a
 * futex, stays. It ends with EINTR only where nobody knows which call it was: a thread stopped in it before,
 * whose code has the number elsewhere than right before `syscall`. injection_restores_all() tells threads
 * that would wait longer. When we put the registers back ourselves, as we do unless we are killed, the kernel
 * restarts it.
 *
 * What depends on the machine is in mem/machine/machine.h. All of it is called by the thread that traces.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "mem/source.h"

struct maps;

/** Where the program's own code has what is needed. */
struct inject_code {
	/** `syscall; ret`. */
	addr_t syscall_at;
	/** The system call rt_sigreturn. */
	addr_t sigreturn_at;
};

/** Looks for both in the executable mappings of @a maps; false in *@a ret_found when one is missing. */
MUST_USE struct error *inject_find_code(struct mem_source *source, const struct maps *maps,
					struct inject_code *ret, bool *ret_found);

/** A child that a process was made to have. */
struct inject_child {
	/** Its id for us; 0: there is none. */
	pid_t pid;
	/** Its id for the process, which may be in a namespace of its own. */
	pid_t own;
};

/** Whether @a code is still where it was found: not once the process has become another program. */
bool inject_code_is_there(pid_t tid, const struct inject_code *code);

struct injection;

/**
 * Prepares thread @a tid of process @a pid, which is stopped by ptrace and not about to take a signal:
 * saves its registers and writes the frames below its stack. *@a ret is NULL when this thread cannot be
 * used, and *@a ret_why then says why (a seccomp filter of its own, no room below its stack, a mode of the
 * processor that is not known, @a code that is not there any more); another may do.
 */
MUST_USE struct error *injection_begin(pid_t pid, pid_t tid, const struct maps *maps,
				       const struct inject_code *code, struct injection **ret,
				       const char **ret_why);

/** Whether the way back is as good as ours: see above. */
bool injection_restores_all(const struct injection *injection);

/**
 * Has the thread fork its process: the child, *@a ret_child, is traced by the caller and stops before its
 * first instruction (inject_hold_child()). *@a ret_child is 0 and *@a ret_errno says why
 * when the kernel would not.
 * @a made is called as soon as the child's ids are known, before anything else is done.
 */
MUST_USE struct error *
injection_clone(struct injection *injection,
		void (*made)(void *context, const struct inject_child *child), void *context,
		struct inject_child *ret_child, int *ret_errno);

/** Waits until a child of injection_clone() has stopped, and has it killed when the tracer ends. Not before
 *  the process goes on: until then, were we killed, the child would end by itself. */
MUST_USE struct error *inject_hold_child(pid_t pid, pid_t child);

/** Has the thread collect the ended child @a own (its id for the process); *@a ret_collected whether there was
 *  one to collect. */
MUST_USE struct error *injection_collect(struct injection *injection, pid_t own,
					 bool *ret_collected);

/**
 * Puts back registers, signal mask and memory; the thread is stopped as it was. Takes NULL. ERROR_GONE
 * when the process has ended meanwhile. Frees @a injection in any case.
 */
MUST_USE struct error *injection_end(struct injection *injection);

#endif
