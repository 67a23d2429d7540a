/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BENCH_KILL_MARKS_H
#define BENCH_KILL_MARKS_H

/*
 * How far a run of leakinspect has come in making a clone, written by kill_marks.c, which is preloaded into
 * it, to a file that killer.c maps, too: so it is known at which step a SIGKILL met it.
 */

#include <stdatomic.h>
#include <stdint.h>

enum kill_step {
	/** The process has not been touched yet. */
	STEP_BEFORE,
	/** Its threads are being seized and stopped. */
	STEP_STOP,
	/** What lies below a thread's stack is being written. */
	STEP_FRAMES,
	/** The thread has the registers of the call, and makes it. */
	STEP_CALL,
	/** There is a child; the thread's registers and memory are put back. */
	STEP_CHILD,
	/** The threads are let go, one by one. */
	STEP_LET_GO,
	/** The clone is held, and read. */
	STEP_LIVES,
	/** It is killed, and the process made to collect it. */
	STEP_COLLECT,
	/** Nothing is left to be done. */
	STEP_AFTER,
	STEP_COUNT,
};

struct kill_marks {
	_Atomic int step;
	_Atomic int child;
	/** When each step began, by CLOCK_MONOTONIC; 0: not yet. */
	_Atomic uint64_t at_ns[STEP_COUNT];
};

#endif
