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

/** pause_let_go(), for @a work there. */
void pause_trace_let_go(struct pause *pause);

#endif
