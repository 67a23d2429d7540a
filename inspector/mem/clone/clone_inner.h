/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_INNER_H
#define MEM_CLONE_INNER_H

/*
 * What of a clone mem/clone/clone_run.c needs to have it run. Private to the two.
 */

#include "mem/clone/clone.h"
#include "mem/clone/inject.h"

/** Runs @a work on the thread that may call ptrace for the clone, and waits for it. */
MUST_USE struct error *mem_clone_trace(struct mem_clone *clone,
				       struct error *(*work)(void *context), void *context);

const struct inject_code *mem_clone_code(const struct mem_clone *clone);

#endif
