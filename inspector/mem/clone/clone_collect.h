/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_COLLECT_H
#define MEM_CLONE_COLLECT_H

/*
 * Has a process collect a child that was made for it and has ended; by whoever may trace it: mem/clone/clone.c,
 * or mem/clone/keeper.c when that is gone. Private to the two.
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "mem/clone/inject.h"

/**
 * Stops a thread of @a pid for it (some ten microseconds) as soon as @a child has ended, again and again
 * for @a patience_ns where that is not to be had: somebody else may trace the process for a moment, or each
 * thread end that is found. That somebody else has collected the child is as good, and that it has another
 * parent, as the process has ended. Where that has become another program meanwhile, @a code is looked for
 * in that.
 */
MUST_USE struct error *clone_collect(pid_t pid, const struct inject_code *code,
				     const struct inject_child *child, uint64_t patience_ns);

#endif
