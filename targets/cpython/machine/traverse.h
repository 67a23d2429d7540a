/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_MACHINE_TRAVERSE_H
#define TARGETS_CPYTHON_MACHINE_TRAVERSE_H

/*
 * What the collector sees of one object, by asking the only one who knows: the object's own
 * tp_traverse, run by cpu/ over a copy of the process's memory with a visitor that takes notes. Exact
 * for every build and every extension, without a table of types.
 *
 * One per thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "mem/source.h"
#include "targets/cpython/machine/libc_gates.h"

struct py_traverse;

/** @a memory must outlive it; @a thread_pointer is that of any thread of the process, or 0; @a gates
 *  may be NULL. *@a ret is NULL when this machine's code cannot be run. */
MUST_USE struct error *py_traverse_create(struct mem_source *memory, addr_t thread_pointer,
					  const struct py_libc_gates *gates,
					  struct py_traverse **ret);
/**
 * @a attach_at is a function of no arguments that makes its thread the current one, or 0. A collection
 * comes only in a thread that is current, but when we look all of them may wait: where a traversal
 * wants the thread's state (that of a struct sequence in 3.10) and meets a fault without one, it is
 * run once more after that function.
 */
void py_traverse_set_attach(struct py_traverse *traverse, addr_t attach_at);
/** Takes NULL. */
void py_traverse_destroy(struct py_traverse *traverse);

/**
 * Runs the function at @a traverse_at for the object at @a object_at. True with all objects it visited,
 * in its order, in *@a ret (valid until the next run); false when it could not be run to its end:
 * py_traverse_reason() says why.
 */
bool py_traverse_run(struct py_traverse *traverse, addr_t traverse_at, addr_t object_at,
		     const addr_t **ret, size_t *ret_count);

/** Why the last run failed; lives until the next. */
const char *py_traverse_reason(const struct py_traverse *traverse);

/** Calls a function of one argument; false when it could not be run. What it wrote is forgotten. */
bool py_traverse_call(struct py_traverse *traverse, addr_t function_at, addr_t argument,
		      uint64_t *ret);

/** A failure of ours (no memory), or NULL; once. */
MUST_USE struct error *py_traverse_take_error(struct py_traverse *traverse);

#endif
