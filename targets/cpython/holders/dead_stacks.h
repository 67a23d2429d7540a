/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_HOLDERS_DEAD_STACKS_H
#define TARGETS_CPYTHON_HOLDERS_DEAD_STACKS_H

/*
 * Parts of stacks in which nothing lives: the unused ends of the threads' stacks of running functions, and
 * the C stacks of threads that have ended, which glibc keeps for the next ones.
 */

#include "targets/cpython/layout.h"
#include "targets/cpython/memory.h"
#include "targets/target.h"

struct py_range {
	addr_t start;
	addr_t end;
};

/** Zero-initialised is empty. */
struct py_dead {
	struct py_range *list;
	size_t count;
	size_t capacity;
};

void py_dead_deinit(struct py_dead *dead);

/** Adds those of @a moment to *@a ret. */
MUST_USE struct error *py_dead_find(const struct py_layout *layout, struct mem_window *window,
				    const struct target_moment *moment,
				    const struct py_memory *memory, struct py_dead *ret);

/** The first living byte from @a at on; @a end comes down to where the next dead ones begin. */
addr_t py_dead_skip(const struct py_dead *dead, addr_t at, addr_t *end);

#endif
