/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_SEAL_H
#define MEM_CLONE_SEAL_H

/*
 * The walls around a clone that is to run (mem/clone/clone_run.h tells which). Private to mem/clone/clone_run.c,
 * and called by the thread that traces.
 */

#include "mem/clone/clone_thread.h"

struct clone_sealing {
	struct clone_thread *thread;
	const struct clone_run_limits *limits;
	/** /proc/PID/mem, for reading and writing. */
	int mem_fd;
	/** Of the memory that was mapped for us: room, and above it a stack. */
	addr_t room_at;
	addr_t stack_end;
	/** Why it cannot be sealed; NULL when it can. */
	char *reason;
};

MUST_USE struct error *clone_seal(struct clone_sealing *sealing);

#endif
