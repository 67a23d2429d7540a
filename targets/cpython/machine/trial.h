/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_MACHINE_TRIAL_H
#define TARGETS_CPYTHON_MACHINE_TRIAL_H

/*
 * What gc.collect() would return, with everything that finalizers and callbacks do to it: the
 * interpreter's own collection, run by cpu/ over a copy of the process's memory. Nothing runs in the
 * process, and nothing that the code does gets out: memory it writes is ours, system calls are answered
 * here (trial_system.h) or end the trial.
 */

#include "debug/module.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

/** Contract of target_ops.collect(). */
MUST_USE struct error *py_trial_collect(const struct py_layout *layout, struct module_list *modules,
					const struct target_moment *moment, uint64_t object_count,
					struct target_collection *ret);

#endif
