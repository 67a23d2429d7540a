/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REPL_REPL_H
#define TARGETS_CPYTHON_REPL_REPL_H

/*
 * Runs Python code in a sealed clone (mem/clone/clone_run.h), in __main__ of the application. The interpreter
 * is entered as any thread of C may enter it, by PyGILState_Ensure(); then a small program of ours
 * (repl_source.h) takes what is asked from the room that both sides see, and leaves the answer there.
 * Between two calls the interpreter waits within that program, as deep in the stack of the application
 * as its thread was.
 *
 * What is changed in the clone: sys.stdout and sys.stderr; no collection comes by itself; nobody waits for the GIL any more, as nobody
 * is there; an exception that was on its way when the process was stopped is forgotten.
 */

#include "debug/module.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

/** Contracts of target_ops.runner_*(). @a python is the module with the interpreter. */
MUST_USE struct error *py_repl_create(const struct py_layout *layout, struct module *python,
				      struct clone_run *run, uint64_t timeout_ns,
				      struct target_runner **ret, struct target_answer *ret_answer);
MUST_USE struct error *py_repl_run(struct target_runner *runner, const struct target_code *code,
				   struct target_answer *ret);
void py_repl_destroy(struct target_runner *runner);

const struct py_layout *py_repl_layout(const struct target_runner *runner);
struct clone_run *py_repl_clone(const struct target_runner *runner);

#endif
