/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_MACHINE_LIBC_GATES_H
#define TARGETS_CPYTHON_MACHINE_LIBC_GATES_H

/*
 * glibc chooses its string functions for the processor when the process starts, and takes those with
 * instructions that cpu/ does not know where it can (AVX-512). Which one it took, the function that
 * chooses says again when it is run (an IFUNC resolver; it reads what glibc knows of the processor).
 * There a gate stands with what the function does.
 */

#include <stddef.h>

#include "cpu/cpu.h"
#include "debug/module.h"
#include "mem/source.h"

enum { PY_LIBC_GATES_MAX = 64 };

struct py_libc_gate {
	addr_t at;
	cpu_gate *gate;
};

/** Zero-initialised has none. */
struct py_libc_gates {
	struct py_libc_gate list[PY_LIBC_GATES_MAX];
	size_t count;
};

/** Where the functions are; none when there is no glibc or this machine's code cannot be run. What
 *  cannot be found out is left out. @a thread_pointer is that of any thread, or 0. */
MUST_USE struct error *py_libc_gates_find(struct module_list *modules, struct mem_source *memory,
					  addr_t thread_pointer, struct py_libc_gates *ret);

/** Takes NULL for none. */
MUST_USE struct error *py_libc_gates_add(const struct py_libc_gates *gates, struct cpu *cpu);

/** The module of the C library, or NULL. */
struct module *py_libc_module(struct module_list *modules);

#endif
