/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_SOURCE_H
#define MEM_SOURCE_H

/*
 * SEAM 1: the bytes of a process, wherever they come from: a live process, a core file, in tests
 * an array. Reading never writes to the process. Says nothing about what the bytes mean, and
 * nothing about when they are consistent: that is mem/pause.h's and the reader's business.
 *
 * All reading functions may be called from several threads at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct maps;
struct mem_source;

/** One piece of a scattered read: @a bytes from @a at to @a into. */
struct mem_span {
	addr_t at;
	void *into;
	size_t bytes;
	/** Set by mem_source_gather(): whether all bytes came. */
	bool ok;
};

struct mem_source_ops {
	struct error *(*read)(struct mem_source *source, addr_t at, void *into, size_t bytes);
	struct error *(*gather)(struct mem_source *source, struct mem_span *spans, size_t count);
	struct error *(*maps)(struct mem_source *source, struct maps *ret);
	struct error *(*resident)(struct mem_source *source, addr_t start, addr_t end,
				  addr_t *ret_start, addr_t *ret_end);
	/** NULL for a source whose bytes are not in our own memory. */
	const void *(*view)(struct mem_source *source, addr_t at, size_t bytes);
	/** NULL for a source that stays what it is. */
	struct error *(*check)(struct mem_source *source);
	void (*destroy)(struct mem_source *source);
};

/** Implementations embed this as their first member. */
struct mem_source {
	const struct mem_source_ops *ops;
};

/**
 * Reads exactly @a bytes bytes at @a at into @a into, or fails: ERROR_FAULT with the first bad
 * address, ERROR_GONE when the process has ended. After a failure @a into is undefined.
 */
MUST_USE static inline struct error *mem_source_read(struct mem_source *source, addr_t at,
						     void *into, size_t bytes)
{
	return source->ops->read(source, at, into, bytes);
}

/**
 * Reads @a count scattered pieces with as few system calls as possible. A piece that cannot be
 * read is no failure: its `ok` stays false. Fails with ERROR_GONE only, or for want of memory.
 */
MUST_USE static inline struct error *mem_source_gather(struct mem_source *source,
						       struct mem_span *spans, size_t count)
{
	return source->ops->gather(source, spans, count);
}

/** The mappings as they are now; the caller calls maps_deinit(). */
MUST_USE static inline struct error *mem_source_maps(struct mem_source *source, struct maps *ret)
{
	return source->ops->maps(source, ret);
}

/**
 * The first run of pages within [@a start, @a end) that hold anything (in memory or swapped out).
 * There is none: *@a ret_start == *@a ret_end == @a end. Pages never touched read as zeros and are
 * not worth reading. That is true of anonymous memory (mapping_is_anonymous()) only: an untouched
 * page of a file reads as the file's bytes. A source that cannot tell answers with the whole range.
 */
MUST_USE static inline struct error *mem_source_resident(struct mem_source *source, addr_t start,
							 addr_t end, addr_t *ret_start,
							 addr_t *ret_end)
{
	return source->ops->resident(source, start, end, ret_start, ret_end);
}

/**
 * The @a bytes bytes at @a at where they lie in our own memory, without copying; they stay until the
 * source is destroyed or filled anew. NULL when this source has none, or not all of these: read
 * them then.
 */
static inline const void *mem_source_view(struct mem_source *source, addr_t at, size_t bytes)
{
	return source->ops->view ? source->ops->view(source, at, bytes) : NULL;
}

/**
 * Whether what was read until now is of the memory that the source began with: ERROR_GONE when the process has
 * ended, or become another program, which a small read does not notice.
 */
MUST_USE static inline struct error *mem_source_check(struct mem_source *source)
{
	return source->ops->check ? source->ops->check(source) : NULL;
}

/** Takes NULL. */
static inline void mem_source_destroy(struct mem_source *source)
{
	if (source)
		source->ops->destroy(source);
}

#endif
