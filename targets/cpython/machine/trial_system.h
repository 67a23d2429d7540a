/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_MACHINE_TRIAL_SYSTEM_H
#define TARGETS_CPYTHON_MACHINE_TRIAL_SYSTEM_H

/*
 * The kernel as code on trial sees it: it gives memory, tells the time, wakes nobody, and takes what is
 * written without writing it. Whatever would need the real one is refused, and then the trial ends.
 */

#include "cpu/cpu.h"
#include "debug/module.h"
#include "mem/source.h"

struct py_trial_system {
	/** Where the next mapping goes: nobody's addresses. */
	addr_t map_next;
	/** The end of the heap as the process knows it, and of our pages there; 0 when there is none. */
	addr_t break_at;
	addr_t break_end;
	/** The system call that was refused last; UINT64_MAX when none was. */
	uint64_t refused;
	/** It waits for another thread: then it is that. */
	bool waits;
};

/** Answers the system calls of @a cpu, and stands for functions of the C library that ask the kernel
 *  without one. @a ret must outlive the cpu. */
MUST_USE struct error *py_trial_system_set_up(struct module_list *modules,
					      struct mem_source *memory, struct cpu *cpu,
					      struct py_trial_system *ret);

#endif
