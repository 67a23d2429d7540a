/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_MACHINE_LIBC_FUNCTIONS_H
#define TARGETS_CPYTHON_MACHINE_LIBC_FUNCTIONS_H

/*
 * What glibc's string functions do, over memory as cpu/ shows it. Memory that cannot be read or
 * written stops the run.
 */

#include <stddef.h>

#include "cpu/cpu.h"

struct libc_function {
	const char *name;
	cpu_gate *gate;
};

/** Ended by a NULL name. Several names may come to the same code. */
extern const struct libc_function libc_functions[];

#endif
