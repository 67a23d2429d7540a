// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/holders/dead_stacks.h"

#include <stdlib.h>

#include "base/array.h"

enum {
	/** How far below the end of its stack a thread's control block may be: static TLS is above it. */
	CONTROL_BLOCK_BYTES_MAX = 64 << 10,
	CONTROL_BLOCK_ALIGN = 16,
	/** Of the control block's own address: %fs:0 (the ABI), and `self` of glibc's tcbhead_t. */
	CONTROL_BLOCK_SELF_OFFSET = 16,
};

void py_dead_deinit(struct py_dead *dead)
{
	free(dead->list);
	*dead = (struct py_dead){0};
}

static struct error *dead_add(struct py_dead *dead, addr_t start, addr_t end)
{
	if (start >= end)
		return NULL;
	struct error *error =
		array_reserve(&dead->list, &dead->capacity, dead->count + 1, sizeof(*dead->list));
	if (!error)
		dead->list[dead->count++] = (struct py_range){start, end};
	return error;
}

static struct error *dead_of_functions(const struct py_layout *layout, struct mem_window *window,
				       const struct py_interpreters *interpreters,
				       struct py_dead *dead)
{
	struct error *error = NULL;

	if (!layout->f.tstate_datastack_top.present)
		return NULL;
	for (size_t i = 0; i < interpreters->count; i++) {
		addr_t at = mem_window_word(
			window, interpreters->at[i] + layout->f.interp_tstate_head.offset, 0);
		for (int seen = 0; !error && at && seen < PY_THREADS_MAX; seen++) {
			error = dead_add(
				dead,
				mem_window_word(window, at + layout->f.tstate_datastack_top.offset,
						0),
				mem_window_word(window,
						at + layout->f.tstate_datastack_limit.offset, 0));
			at = mem_window_word(window, at + layout->f.tstate_next.offset, 0);
		}
	}
	return error;
}

static bool dead_is_of_living(const struct target_moment *moment, const struct mapping *mapping)
{
	for (size_t i = 0; i < moment->stack_count; i++) {
		const struct target_stack *stack = &moment->stacks[i];
		if ((stack->stack_pointer >= mapping->start &&
		     stack->stack_pointer < mapping->end) ||
		    (stack->thread_pointer >= mapping->start &&
		     stack->thread_pointer < mapping->end))
			return true;
	}
	return false;
}

/*
 * pthread_create() maps a stack with a guard below it and the thread's control block, which holds its own
 * address twice, at its upper end (nptl/allocatestack.c). Both stay when the thread ends.
 */
static bool dead_is_thread_stack(struct mem_window *window, const struct mapping *guard,
				 const struct mapping *mapping)
{
	addr_t at = mapping->end - 2 * CONTROL_BLOCK_ALIGN;
	addr_t lowest = mapping->end - mapping->start > CONTROL_BLOCK_BYTES_MAX
				? mapping->end - CONTROL_BLOCK_BYTES_MAX
				: mapping->start;

	if (!mapping_is_anonymous(mapping) || guard->end != mapping->start ||
	    guard->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC))
		return false;
	for (; at >= lowest; at -= CONTROL_BLOCK_ALIGN)
		if (mem_window_word(window, at, 0) == at &&
		    mem_window_word(window, at + CONTROL_BLOCK_SELF_OFFSET, 0) == at)
			return true;
	return false;
}

static struct error *dead_of_threads(struct mem_window *window, const struct target_moment *moment,
				     const struct maps *maps, struct py_dead *dead)
{
	struct error *error = NULL;

	// A thread of which nothing is known may be on any of them.
	for (size_t i = 0; i < moment->stack_count; i++)
		if (!moment->stacks[i].stack_pointer || !moment->stacks[i].thread_pointer)
			return NULL;
	for (size_t i = 1; !error && i < maps->count; i++) {
		const struct mapping *mapping = &maps->list[i];
		if ((mapping->flags & (MAPPING_READ | MAPPING_WRITE)) ==
			    (MAPPING_READ | MAPPING_WRITE) &&
		    dead_is_thread_stack(window, mapping - 1, mapping) &&
		    !dead_is_of_living(moment, mapping))
			error = dead_add(dead, mapping->start, mapping->end);
	}
	return error;
}

struct error *py_dead_find(const struct py_layout *layout, struct mem_window *window,
			   const struct target_moment *moment, const struct py_memory *memory,
			   struct py_dead *ret)
{
	struct error *error = dead_of_functions(layout, window, &memory->interpreters, ret);

	return error ? error : dead_of_threads(window, moment, &memory->maps, ret);
}

addr_t py_dead_skip(const struct py_dead *dead, addr_t at, addr_t *end)
{
	for (size_t i = 0; i < dead->count; i++) {
		const struct py_range *range = &dead->list[i];
		if (at >= range->start && at < range->end)
			at = range->end;
		else if (range->start > at && range->start < *end)
			*end = range->start;
	}
	return at;
}
