/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REPL_REPL_COLLECT_H
#define TARGETS_CPYTHON_REPL_REPL_COLLECT_H

/*
 * The interpreter's own collection, run in a clone.
 */

#include "targets/target.h"

/** Contract of target_ops.runner_collect(). */
MUST_USE struct error *py_repl_collect(struct target_runner *runner, bool saves,
				       uint64_t timeout_ns, struct target_collection *ret);

#endif
