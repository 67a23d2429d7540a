/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_PAUSE_TRACER_H
#define MEM_PAUSE_TRACER_H

/*
 * Work on the thread of a pause that may call ptrace: for mem/clone/clone.c, whose clone belongs to that thread
 * until pause_end().
 */

#include "mem/pause.h"

struct tracees;

/** Runs @a work there and waits for it. @a tracees are the stopped threads; none after
 *  pause_let_go(). */
MUST_USE struct error *
pause_trace(struct pause *pause,
	    struct error *(*work)(const struct tracees *tracees, void *context), void *context);

/** As pause_begin(), and runs @a work as soon as all threads stand still, when *@a ret is set already. What
 *  fails there is told as well, and the process still held. */
MUST_USE struct error *
pause_begin_trace(pid_t pid, struct error *(*work)(const struct tracees *tracees, void *context),
		  void *context, struct pause **ret);
/** pause_let_go(), for @a work there. */
void pause_trace_let_go(struct pause *pause);

#endif
