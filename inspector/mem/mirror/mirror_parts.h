/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MIRROR_PARTS_H
#define MEM_MIRROR_PARTS_H

/*
 * Private to mirror.c, which answers from the copy, and mirror_fill.c, which makes it.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "mem/mirror/mirror.h"
#include "mem/mirror/mirror_memory.h"
#include "mem/mirror/mirror_plan.h"

enum {
	/** Addresses with the same slot share a guess at the block they lie in. */
	GUESS_SLOTS = 1024,
	GUESS_SHIFT = 21,
};

struct mirror {
	struct mem_source source;
	struct mem_source *live;
	/** What is copied: the process, or its clone during a fill from that. */
	struct mem_source *copied;
	uint64_t page_bytes;
	/** Of a plan, as mirror_memory_needed() counts. */
	uint64_t bytes_max;
	struct mirror_memory memory;
	/** Memory was touched for that much. */
	uint64_t touched_bytes;
	/** Of the last create or fill: the bytes of ours that may be other than zero are in its runs. */
	struct mirror_plan plan;
	/** Of the last fill; there are none before the first and after one that failed. */
	struct mirror_blocks blocks;
	bool filled;
	uint64_t copied_bytes;
	/** Guards the list of bad pages while threads copy. */
	pthread_mutex_t lock;
	/** Addresses of the pages in runs that could not be read; ascending once filled. */
	addr_t *bad;
	size_t bad_count;
	size_t bad_capacity;
	/** Index of the block where an address was found last; any number is right, some are slow. */
	_Atomic uint32_t guess[GUESS_SLOTS];
};

extern const struct mem_source_ops mirror_ops;

static inline struct mirror *mirror_of(struct mem_source *source)
{
	return (struct mirror *)source;
}

/** The first bad page that ends behind @a at, ~0 when there is none. */
addr_t mirror_bad_page(const struct mirror *mirror, addr_t at);

#endif
