/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_FAKE_HEAP_H
#define SUPPORT_FAKE_HEAP_H

/*
 * A heap as glibc's malloc leaves it, in an array of the test: a chain of chunks that ends with the
 * top chunk. Aborts when it is full.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct fake_heap {
	/** [start, end) in the process; `bytes` is what is there. */
	addr_t start;
	addr_t end;
	unsigned char *bytes;
	/** The top chunk. */
	addr_t top;
};

/** An empty heap in @a size bytes at @a bytes; the first chunk is @a lead bytes behind the start. */
void fake_heap_init(struct fake_heap *heap, addr_t start, void *bytes, size_t size, size_t lead);

/** A block of at least @a bytes usable bytes, zeroed; its chunk is 16 bytes before it. */
addr_t fake_heap_add(struct fake_heap *heap, size_t bytes);

/** Gives the block at @a at back, not to a fastbin: the next chunk knows. */
void fake_heap_free(struct fake_heap *heap, addr_t at);

/** Somebody else calls sbrk() for @a gap bytes (filled with @a filling): two fenceposts before, and
 *  malloc goes on behind. */
void fake_heap_fence(struct fake_heap *heap, size_t gap, unsigned char filling);

/** The word at @a at. */
uint64_t *fake_heap_word(const struct fake_heap *heap, addr_t at);

#endif
