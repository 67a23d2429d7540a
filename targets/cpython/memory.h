/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_MEMORY_H
#define TARGETS_CPYTHON_MEMORY_H

/*
 * Where the objects of one moment can be: pymalloc's arenas, malloc's regions, and what the runtime
 * says of its interpreters and its collector.
 */

#include "mem/malloc_heap.h"
#include "mem/maps.h"
#include "targets/cpython/runtime.h"
#include "targets/cpython/scan/pymalloc.h"

struct py_memory {
	struct py_interpreters interpreters;
	struct py_gc_state gc;
	struct py_arenas arenas;
	struct maps maps;
	struct malloc_regions regions;
	/** Nothing is mapped below. */
	addr_t lowest_address;
};

/** The interpreters and the collector alone; *@a ret is zero-initialised. */
MUST_USE struct error *py_memory_read_state(const struct py_layout *layout,
					    struct mem_window *window, struct py_memory *ret);

/** After py_memory_read_state(): arenas, mappings, regions. */
MUST_USE struct error *py_memory_find(const struct py_layout *layout, struct mem_window *window,
				      struct mem_source *source, struct py_memory *memory);

void py_memory_deinit(struct py_memory *memory);
#define _cleanup_py_memory_ CLEANUP(py_memory_deinit)

#endif
