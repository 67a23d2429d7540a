/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_WALK_H
#define TARGETS_CPYTHON_SCAN_WALK_H

/*
 * One pass over the whole heap of a paused interpreter: pools and blocks of malloc in address order,
 * shared out among threads, and the judgement whether the moment was a consistent one.
 */

#include "debug/module.h"
#include "mem/source.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

struct py_walk_context {
	const struct py_layout *layout;
	struct mem_source *source;
	/** The name of a malloc other than glibc's that the process uses, or NULL. */
	const char *foreign_malloc;
	/** For the names of threads; may be NULL. */
	const struct target_stack *stacks;
	size_t stack_count;
	/** For references only: where code and its debug information are, and any thread's pointer. */
	struct module_list *modules;
	addr_t thread_pointer;
	unsigned thread_count;
	/** What is read is not the process itself, which runs meanwhile. */
	bool process_runs;
};

/** Contract of target_ops.walk(). */
MUST_USE struct error *py_walk(const struct py_walk_context *context, struct heap_sink *sink,
			       enum target_effort effort, struct target_verdict *ret);

#endif
