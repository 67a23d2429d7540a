/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_BLOCKS_H
#define TARGETS_CPYTHON_SCAN_BLOCKS_H

/*
 * Where a block of memory ends: what was asked for is rounded up by pymalloc and by malloc, and debug
 * hooks put words around it.
 */

#include <stdbool.h>

#include "mem/malloc_heap.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/scan/pymalloc.h"

enum { PY_DEBUG_HEADER_BYTES = 16 };

/** Whether the two words at @a header are those that debug hooks put before a block; then the bytes that
 *  were asked for, and the letter for the kind of memory. */
bool py_debug_header(const void *header, uint64_t *ret_bytes, unsigned char *ret_kind);

/** What is known of blocks at one moment. */
struct py_blocks {
	const struct py_layout *layout;
	struct mem_window *window;
	/** Either may be NULL: none. */
	const struct py_arenas *arenas;
	const struct malloc_regions *regions;
};

/** The end of the block that begins at @a at, as far as a walk sees it; 0 when no block begins there. That
 *  it is in use is not checked. */
addr_t py_block_end(const struct py_blocks *blocks, addr_t at);

#endif
