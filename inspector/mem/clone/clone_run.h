/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_RUN_H
#define MEM_CLONE_RUN_H

/*
 * A clone of a process (mem/clone/clone.h) made to run code, where it reaches nothing. Before the first
 * instruction it is sealed, by system calls that it is made to make:
 *
 * - every descriptor is /dev/null, so nothing that was open is read, written or shut down;
 * - memory shared with other processes becomes its own, a copy of what was in it; where that is too much
 *   or belongs to a device it is taken away;
 * - it has a session of its own, and limits on memory and processor time; no core file, no process, no
 *   file of its own;
 * - a real-time priority of the process is not its own;
 * - a seccomp filter lets pass what stays within the clone, and opening for reading. No socket, signal,
 *   process, thread, or change to a file system (mem/clone/clone_filter.c has the list);
 * - what it opens is looked at first (mem/clone/clone_gate.h): files and folders. Others have effects when they
 *   are but opened or read: queues, terminals, devices.
 *
 * It has one thread, the one that was made to fork, whose own work is given up. Locks that other threads
 * held stay held for ever, and what this one was about to do is half done: whoever calls a function chose
 * the moment, and gives it a bounded time. A clone that crashes, hangs or ends is over, and all that it
 * costs is another one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct mem_clone;
struct mem_source;
struct clone_run;

struct clone_run_limits {
	/** What it may take beyond what it has. */
	uint64_t memory_bytes;
	/** Of a processor. */
	uint64_t cpu_seconds;
	/** Of the room that both sides read and write. */
	uint64_t room_bytes;
	/** Of shared memory that is copied. */
	uint64_t shared_bytes;
};

/** Seals @a clone, which outlives it. *@a ret is NULL when it cannot be sealed, and *@a ret_reason then
 *  says why in words that follow "not sealed: ". */
MUST_USE struct error *clone_run_create(struct mem_clone *clone,
					const struct clone_run_limits *limits,
					struct clone_run **ret, char **ret_reason);
/** Kills it. Takes NULL. */
void clone_run_destroy(struct clone_run *run);

/** All memory of the clone. */
struct mem_source *clone_run_source(const struct clone_run *run);

/** Memory of the clone that its program does not know of. */
addr_t clone_run_room(const struct clone_run *run);
MUST_USE struct error *clone_run_read(struct clone_run *run, addr_t at, void *into, size_t bytes);
MUST_USE struct error *clone_run_write(struct clone_run *run, addr_t at, const void *from,
				       size_t bytes);

enum clone_end {
	CLONE_RETURNED,
	/** A signal that ends programs: `signal`, at `at`. */
	CLONE_CRASHED,
	/** It called exit: `status`. */
	CLONE_EXITED,
	/** It was killed from outside: by `signal`, SIGSYS by a filter of the process's own, else as the first one
	 *  when memory is short. */
	CLONE_KILLED,
	/** The time was over, and so is the clone. */
	CLONE_TIMED_OUT,
	/** A signal asked us to stop (base/interrupt.h), and the clone is over. */
	CLONE_INTERRUPTED,
};

struct clone_outcome {
	enum clone_end end;
	uint64_t value;
	int signal;
	int status;
	/** The program counter. */
	addr_t at;
};

/** Calls the function at @a at with up to six words. What it wrote can be read afterwards, whatever the
 *  outcome but CLONE_KILLED and CLONE_EXITED; call it again only after CLONE_RETURNED. */
MUST_USE struct error *clone_run_call(struct clone_run *run, addr_t at, const uint64_t *args,
				      size_t count, uint64_t timeout_ns, struct clone_outcome *ret);

enum { CLONE_OUTCOME_CHARS = 160 };

/** Words for people, at most CLONE_OUTCOME_CHARS: "it crashed (SIGSEGV at 0x...)". */
void clone_outcome_text(const struct clone_outcome *outcome, char *into, size_t bytes);

#endif
