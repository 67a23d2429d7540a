// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/pymalloc.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"

enum {
	/** Arenas are 256 KiB at least: this many are 16 TiB. */
	ARENAS_MAX = 1 << 26,
	/** Sixteen times what they are today. */
	ARENA_BYTES_MAX = 16 << 20,
	/** Pools looked at to learn their size. */
	GEOMETRY_SAMPLES = 64,
	POOL_BYTES_MAX = 1 << 16,
	ALIGNMENT_BYTES_MIN = 8,
	BLOCK_BYTES_MAX = 512,
};

void py_arenas_deinit(struct py_arenas *arenas)
{
	free(arenas->list);
	*arenas = (struct py_arenas){0};
}

static int arenas_by_address(const void *a, const void *b)
{
	const struct py_arena *left = a, *right = b;

	return left->address < right->address ? -1 : left->address > right->address;
}

// Reads the array of arena_object at @a array_at.
static struct error *arenas_add(const struct py_layout *layout, struct mem_window *window,
				addr_t array_at, uint64_t count, struct py_arenas *arenas)
{
	if (count > ARENAS_MAX)
		return error_create(
			ERROR_FAILED,
			"pymalloc claims %llu arenas: the debug information is not that "
			"of this interpreter",
			(unsigned long long)count);
	for (uint64_t i = 0; array_at && i < count; i++) {
		const void *arena = mem_window_at(window, array_at + i * layout->size.arena,
						  layout->size.arena);
		if (!arena)
			return error_create_fault(array_at + i * layout->size.arena,
						  "cannot read pymalloc's arenas");
		addr_t address = py_get(arena, layout->f.arena_address);
		addr_t carved_end = py_get(arena, layout->f.arena_pool_address);
		// An arena_object without an arena is on a list of spare ones.
		if (!address || carved_end <= address)
			continue;
		if (carved_end - address > ARENA_BYTES_MAX)
			return error_create(ERROR_FAILED,
					    "pymalloc's arena at 0x%llx claims %llu bytes",
					    (unsigned long long)address,
					    (unsigned long long)(carved_end - address));
		struct error *error = array_reserve(&arenas->list, &arenas->capacity,
						    arenas->count + 1, sizeof(*arenas->list));
		if (error)
			return error;
		arenas->list[arenas->count++] =
			(struct py_arena){.address = address, .end = carved_end};
	}
	return NULL;
}

// Adds the arenas of which an array's address stands at @a array_at, their number at @a count_at.
static struct error *arenas_add_array(const struct py_layout *layout, struct mem_window *window,
				      addr_t array_at, addr_t count_at, struct py_arenas *arenas)
{
	addr_t array;
	uint32_t count;

	if (!mem_window_read(window, array_at, &array, sizeof(array)) ||
	    !mem_window_read(window, count_at, &count, sizeof(count)))
		return error_create_fault(array_at, "cannot read where pymalloc's arenas are");
	return arenas_add(layout, window, array, count, arenas);
}

/*
 * PyInterpreterState.obmalloc: in 3.12 the state itself (used by the main interpreter and by those
 * with an allocator of their own), from 3.13 a pointer that several may share, NULL until used.
 */
static struct error *arenas_add_interpreters(const struct py_layout *layout,
					     struct mem_window *window,
					     const struct py_interpreters *interpreters,
					     struct py_arenas *arenas)
{
	for (size_t i = 0; i < interpreters->count; i++) {
		addr_t state_at = interpreters->at[i] + layout->f.interp_obmalloc.offset;
		bool seen = false;
		if (layout->f.interp_obmalloc.is_pointer) {
			if (!mem_window_read(window, state_at, &state_at, sizeof(state_at)))
				return error_create_fault(state_at,
							  "cannot read where pymalloc's state is");
			for (size_t j = 0; j < i && !seen; j++)
				seen = mem_window_word(window,
						       interpreters->at[j] +
							       layout->f.interp_obmalloc.offset,
						       0) == state_at;
		}
		if (!state_at || seen)
			continue;
		struct error *error = arenas_add_array(
			layout, window, state_at + layout->f.obmalloc_arenas.offset,
			state_at + layout->f.obmalloc_maxarenas.offset, arenas);
		if (error)
			return error;
	}
	return NULL;
}

// Whether the header at @a pool_at is that of a pool of these sizes: the last block begins just where
// a block of its size ends with the pool.
static bool arenas_fit(const struct py_layout *layout, struct mem_window *window, addr_t pool_at,
		       uint32_t pool_bytes, uint32_t alignment)
{
	const void *pool = mem_window_at(window, pool_at, layout->size.pool_header);

	if (!pool)
		return false;
	uint64_t block_bytes = (py_get(pool, layout->f.pool_szidx) + 1) * alignment;
	return block_bytes <= BLOCK_BYTES_MAX &&
	       py_get(pool, layout->f.pool_maxnextoffset) + block_bytes == pool_bytes;
}

static addr_t align_up(addr_t at, uint64_t alignment)
{
	return (at + alignment - 1) & ~(alignment - 1);
}

// Which sizes explain the most first pools of the arenas.
static void arenas_learn_geometry(const struct py_layout *layout, struct mem_window *window,
				  struct py_arenas *arenas)
{
	size_t best = 0;

	for (uint32_t pool = MEM_WINDOW_PAGE_BYTES; pool <= POOL_BYTES_MAX; pool *= 2) {
		for (uint32_t align = 2 * ALIGNMENT_BYTES_MIN; align >= ALIGNMENT_BYTES_MIN;
		     align /= 2) {
			size_t hits = 0;
			for (size_t i = 0; i < arenas->count && i < GEOMETRY_SAMPLES; i++)
				hits += arenas_fit(layout, window,
						   align_up(arenas->list[i].address, pool), pool,
						   align);
			if (hits > best) {
				best = hits;
				arenas->pool_bytes = pool;
				arenas->alignment_bytes = align;
			}
		}
	}
	if (best)
		arenas->pool_overhead_bytes =
			(uint32_t)align_up(layout->size.pool_header, arenas->alignment_bytes);
}

static struct error *arenas_read(const struct py_layout *layout, struct mem_window *window,
				 const struct py_interpreters *interpreters, struct py_arenas *ret)
{
	struct error *error = NULL;

	if (layout->f.interp_obmalloc.present && layout->f.obmalloc_arenas.present)
		error = arenas_add_interpreters(layout, window, interpreters, ret);
	else if (layout->var.arenas && layout->var.maxarenas)
		error = arenas_add_array(layout, window, layout->var.arenas, layout->var.maxarenas,
					 ret);
	if (error)
		return error;
	if (ret->count == 0)
		return NULL;
	qsort(ret->list, ret->count, sizeof(*ret->list), arenas_by_address);
	arenas_learn_geometry(layout, window, ret);
	if (!ret->pool_bytes)
		return error_create(ERROR_FAILED,
				    "pymalloc's pools do not look as its debug information says");
	for (size_t i = 0; i < ret->count; i++) {
		struct py_arena *arena = &ret->list[i];
		arena->first_pool = align_up(arena->address, ret->pool_bytes);
		if (arena->end < arena->first_pool)
			arena->end = arena->first_pool;
		// Whole pools only.
		arena->end -= (arena->end - arena->first_pool) % ret->pool_bytes;
	}
	return NULL;
}

struct error *py_arenas_read(const struct py_layout *layout, struct mem_window *window,
			     const struct py_interpreters *interpreters, struct py_arenas *ret)
{
	struct error *error = arenas_read(layout, window, interpreters, ret);
	struct error *cause = mem_window_take_error(window);

	// That the process has ended is why its arenas look wrong.
	if (cause)
		error_destroy(error);
	return cause ? cause : error;
}

// Marks what hangs on the pool's free list. False when the list leaves its pool or bites its tail.
static bool pool_mark_free(const struct py_arenas *arenas, addr_t pool_at,
			   const unsigned char *bytes, addr_t at, struct py_pool *pool,
			   uint32_t *ret_count)
{
	*ret_count = 0;
	while (at) {
		uint64_t offset = at - pool_at - pool->first_block;
		uint32_t block = (uint32_t)(offset / pool->block_bytes);
		if (at < pool_at + pool->first_block || at >= pool_at + arenas->pool_bytes ||
		    offset % pool->block_bytes != 0 || block >= pool->block_count ||
		    py_pool_is_free(pool, block))
			return false;
		pool->free[block / 64] |= 1ULL << block % 64;
		++*ret_count;
		memcpy(&at, bytes + (at - pool_at), sizeof(at));
	}
	return true;
}

bool py_pool_parse(const struct py_layout *layout, const struct py_arenas *arenas, addr_t pool_at,
		   const unsigned char *bytes, struct py_pool *ret)
{
	uint64_t used_count = py_get(bytes, layout->f.pool_count);
	uint64_t szidx = py_get(bytes, layout->f.pool_szidx);
	uint64_t next_offset = py_get(bytes, layout->f.pool_nextoffset);
	uint32_t free_count;

	ret->block_bytes = ret->block_count = 0;
	// Its last block was freed: what the rest of the header says is from then.
	if (used_count == 0)
		return true;
	uint64_t block_bytes = (szidx + 1) * arenas->alignment_bytes;
	if (block_bytes > BLOCK_BYTES_MAX || next_offset < arenas->pool_overhead_bytes ||
	    next_offset > arenas->pool_bytes ||
	    py_get(bytes, layout->f.pool_maxnextoffset) + block_bytes != arenas->pool_bytes ||
	    (next_offset - arenas->pool_overhead_bytes) % block_bytes != 0)
		return false;
	ret->block_bytes = (uint32_t)block_bytes;
	ret->block_count = (uint32_t)((next_offset - arenas->pool_overhead_bytes) / block_bytes);
	ret->first_block = arenas->pool_overhead_bytes;
	if (ret->block_count > PY_POOL_BLOCKS_MAX)
		return false;
	memset(ret->free, 0, (ret->block_count + 63) / 64 * sizeof(uint64_t));
	if (!pool_mark_free(arenas, pool_at, bytes, py_get(bytes, layout->f.pool_freeblock), ret,
			    &free_count))
		return false;
	return used_count + free_count == ret->block_count;
}
