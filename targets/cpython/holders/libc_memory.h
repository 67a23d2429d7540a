/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_HOLDERS_LIBC_MEMORY_H
#define TARGETS_CPYTHON_HOLDERS_LIBC_MEMORY_H

/*
 * Memory from malloc() in which the C library keeps what is its own: it knows nothing of objects, and most
 * of it is room for more, with what was there before. See owned_memory.h.
 */

#include "debug/module.h"
#include "targets/cpython/scan/scan.h"

/** Takes back buffers of open streams (stdio) and the dynamic linker's tables of loaded code. */
void py_unused_of_libc(struct py_scan *scan, struct module_list *modules);

#endif
