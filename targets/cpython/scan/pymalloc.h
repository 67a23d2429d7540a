/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_PYMALLOC_H
#define TARGETS_CPYTHON_SCAN_PYMALLOC_H

/*
 * CPython's allocator for blocks of up to 512 bytes (Objects/obmalloc.c): arenas made of pools, pools
 * made of blocks of one size. The sizes of a pool and of its blocks are macros and in no debug
 * information; they are derived from pools themselves and checked in each one.
 */

#include "mem/window.h"
#include "targets/cpython/runtime.h"

struct py_arena {
	/** Pools carved so far: [first_pool, end), pool-aligned. */
	addr_t first_pool;
	addr_t end;
	/** Where its memory begins. */
	addr_t address;
};

struct py_arenas {
	/** By address. */
	struct py_arena *list;
	size_t count;
	size_t capacity;
	/** 0 while there are no pools. */
	uint32_t pool_bytes;
	uint32_t alignment_bytes;
	/** Where the first block of a pool begins. */
	uint32_t pool_overhead_bytes;
};

void py_arenas_deinit(struct py_arenas *arenas);
#define _cleanup_py_arenas_ CLEANUP(py_arenas_deinit)

/** The arenas of all interpreters; none under PYTHONMALLOC=malloc. */
MUST_USE struct error *py_arenas_read(const struct py_layout *layout, struct mem_window *window,
				      const struct py_interpreters *interpreters,
				      struct py_arenas *ret);

enum { PY_POOL_BLOCKS_MAX = 4096 };

/** The blocks of one pool. */
struct py_pool {
	/** 0 when the pool is empty. */
	uint32_t block_bytes;
	uint32_t block_count;
	/** Offset of the first block. */
	uint32_t first_block;
	/** Bit i: block i is free. */
	uint64_t free[PY_POOL_BLOCKS_MAX / 64];
};

/**
 * Parses the pool of arenas->pool_bytes at @a pool_at, copied to @a bytes. False when its header or
 * free list contradict each other: a moment in the middle of malloc or free, or no pool; what could
 * be told is in *@a ret then.
 */
bool py_pool_parse(const struct py_layout *layout, const struct py_arenas *arenas, addr_t pool_at,
		   const unsigned char *bytes, struct py_pool *ret);

static inline bool py_pool_is_free(const struct py_pool *pool, uint32_t block)
{
	return pool->free[block / 64] >> block % 64 & 1;
}

#endif
