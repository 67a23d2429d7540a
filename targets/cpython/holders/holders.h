/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_HOLDERS_HOLDERS_H
#define TARGETS_CPYTHON_HOLDERS_HOLDERS_H

/*
 * Who in C code holds objects: for those whose reference count has more in it than references were
 * found, every word of the process's memory that is their address: variables, stacks, registers,
 * memory that is no object. A counted reference for which there is no word at all is leaked.
 *
 * Memory that is free (pymalloc's and malloc's free blocks, stacks below their pointer, dead_stacks.h) is
 * not looked at, nor what of memory in use holds nothing (owned_memory.h, libc_memory.h); what else a buffer or
 * a stack frame still has from earlier may hide a leak. Who keeps an object by
 * anything but its plain, aligned address is not seen.
 */

#include "debug/module.h"
#include "heap/heap.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

/** Adds roots, leaks and generations to @a heap. @a modules name the variables. */
MUST_USE struct error *py_holders_annotate(const struct py_layout *layout,
					   struct module_list *modules,
					   const struct target_moment *moment, struct heap *heap,
					   unsigned thread_count);

#endif
