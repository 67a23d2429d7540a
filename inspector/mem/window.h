/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_WINDOW_H
#define MEM_WINDOW_H

/*
 * Random access to a process's memory through a small cache of pages: for the few reads that do not
 * come in address order (a type's name, a dict's key table). Bytes are as old as the page was read:
 * mem_window_clear() before looking at another moment.
 *
 * One window per thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "mem/source.h"

enum {
	MEM_WINDOW_PAGE_BYTES = 4096,
	/** The most that one call can ask for. */
	MEM_WINDOW_BYTES_MAX = 4096,
};

struct mem_window;

MUST_USE struct error *mem_window_create(struct mem_source *source, struct mem_window **ret);
/** Takes NULL. */
void mem_window_destroy(struct mem_window *window);
void mem_window_cleanup(struct mem_window **window);
#define _cleanup_mem_window_ CLEANUP(mem_window_cleanup)

void mem_window_clear(struct mem_window *window);

/**
 * Lends the window bytes that the caller has at hand anyway: what lies wholly in [@a at, @a at +
 * @a bytes) is answered from @a data without reading. NULL takes it back; @a data must live until then.
 */
void mem_window_lend(struct mem_window *window, addr_t at, const void *data, size_t bytes);

/**
 * @a bytes (at most MEM_WINDOW_BYTES_MAX) at @a at; valid until the next call on this window. NULL
 * when they cannot be read: the caller decides whether that is a problem. That the process has ended
 * is remembered for mem_window_take_error().
 */
const void *mem_window_at(struct mem_window *window, addr_t at, size_t bytes);

/** Copies instead; false when the bytes cannot be read. Any length. */
bool mem_window_read(struct mem_window *window, addr_t at, void *into, size_t bytes);

/** The 8-byte word at @a at, or @a otherwise when it cannot be read. */
uint64_t mem_window_word(struct mem_window *window, addr_t at, uint64_t otherwise);

/** A failure other than a bad address (the process has ended, no memory), or NULL; once. */
MUST_USE struct error *mem_window_take_error(struct mem_window *window);

#endif
