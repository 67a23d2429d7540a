/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_BLOCKS_H
#define TARGETS_CPYTHON_SCAN_BLOCKS_H

/*
 * Where a block of memory ends: what was asked for is rounded up by pymalloc and by malloc, and debug
 * hooks put words around it.
 */

#include <stdbool.h>
#include <string.h>

#include "mem/malloc_heap.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/scan/pymalloc.h"

enum { PY_DEBUG_HEADER_BYTES = 16 };

/*
 * Objects/obmalloc.c, debug hooks: before the block its length (big-endian) and a word of one letter
 * for the kind of memory and seven forbidden bytes, 0xFB up to 3.7 and 0xFD since.
 */
static const uint64_t PY_DEBUG_FORBIDDEN_FD = 0xfdfdfdfdfdfdfdU;
static const uint64_t PY_DEBUG_FORBIDDEN_FB = 0xfbfbfbfbfbfbfbU;

/** Whether the two words at @a header are those that debug hooks put before a block; then the bytes that
 *  were asked for, and the letter for the kind of memory. In line: asked of every block. */
static inline bool py_debug_header(const void *header, uint64_t *ret_bytes, unsigned char *ret_kind)
{
	uint64_t words[2];

	memcpy(words, header, sizeof(words));
	if (words[1] >> 8 != PY_DEBUG_FORBIDDEN_FD && words[1] >> 8 != PY_DEBUG_FORBIDDEN_FB)
		return false;
	*ret_bytes = __builtin_bswap64(words[0]);
	*ret_kind = (unsigned char)words[1];
	return true;
}

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
