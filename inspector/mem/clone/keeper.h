/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_KEEPER_H
#define MEM_KEEPER_H

/*
 * A process of ours that waits for our end, however that comes, and then has an inspected process collect
 * the clones that were made for it: the kernel kills them with us, and nobody else would.
 */

#include <sys/types.h>

#include "base/error.h"
#include "mem/clone/inject.h"

struct keeper;

MUST_USE struct error *keeper_create(pid_t pid, const struct inject_code *code,
				     struct keeper **ret);
/** Lets it end when it has collected what was noted, for which it is not waited for long. Takes NULL. */
void keeper_destroy(struct keeper *keeper);

/** There is a clone @a child from now on; with a pid of 0: there is none any more. When the keeper is gone,
 *  nobody looks after it but we. */
void keeper_note(struct keeper *keeper, const struct inject_child *child);

#endif
