/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_SCAN_H
#define TARGETS_CPYTHON_SCAN_SCAN_H

/*
 * Recognises the object in a block of memory. A block holds an object when, behind the words that may
 * stand before one (debug hooks, the collector's head, a managed dict), there is a believable
 * reference count and the address of a type whose objects have just those words before them. Blocks
 * are met in address order and most of them hold an object, so this is the hot path of a walk.
 *
 * The invariant that makes the tracked count exact: an object is tracked if its head is linked, and
 * the collector's lists are closed. Summing a hash of every linked head's own address, of its next
 * and of its prev gives three equal sums if, and but for a chance of 2^-60 only if, the heads found
 * (with those of the generations) are just the members of the lists. A missed object, a false one, or
 * a list torn by the moment of the stop shows as a difference, without following a single link.
 *
 * One scan per thread.
 */

#include "base/addr_map.h"
#include "heap/sink.h"
#include "mem/malloc_heap.h"
#include "mem/maps.h"
#include "mem/window.h"
#include "targets/cpython/holders/words.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/objects/types.h"
#include "targets/cpython/references/edges.h"
#include "targets/cpython/scan/marks.h"
#include "targets/cpython/scan/pymalloc.h"

/** Low bits of the collector's links that are flags (Include/internal/pycore_gc.h). */
static const addr_t PY_LINK_FLAGS = 3;

/** Sums over the heads of tracked objects (see above). */
struct py_link_sums {
	uint64_t heads;
	uint64_t nexts;
	uint64_t prevs;
};

enum { PY_SCAN_BATCH = 128 };

enum py_scan_mode {
	/** Report objects; tracked is who looks linked. */
	PY_SCAN_REPORT,
	/** Report nothing, mark heads and links. */
	PY_SCAN_MARK,
	/** Report objects; tracked is who was found to be in a list (py_marks_is_member()). */
	PY_SCAN_REPORT_MARKED,
	/** Report nothing, count words (words.h), whatever the block holds. */
	PY_SCAN_COUNT_WORDS,
};

struct py_scan {
	const struct py_layout *layout;
	struct py_types *types;
	struct mem_window *window;
	/** NULL while marking. */
	struct heap_sink *sink;
	/** NULL unless the sink wants references. Owned. */
	struct py_edges *edges;
	/** NULL while only reporting. */
	struct py_marks *marks;
	enum py_scan_mode mode;
	/** While counting words. */
	struct py_words *words;
	const struct heap *words_heap;
	/** Where blocks are, to tell the end of one; may be NULL. */
	const struct py_arenas *arenas;
	const struct malloc_regions *regions;
	/** The mappings of this moment. */
	const struct maps *maps;
	/** Nothing is mapped below: a smaller number is no address. */
	addr_t lowest_address;
	/** Heads of the permanent generation; NULL or empty when there is none. */
	const struct addr_map *frozen;
	/** A collection is under way: the fields of heads mean other things. */
	bool collecting;
	/** While marking: leave out who was no member the last time. */
	bool marks_again;
	struct py_link_sums sums;
	/** The first failure; later blocks are passed over. */
	struct error *error;

	/** How far the fields reach that every object has. */
	uint32_t object_header_bytes;
	/** Where an object can stand in a block. */
	uint32_t presizes[4];
	uint32_t presize_count;
	struct heap_object batch[PY_SCAN_BATCH];
	size_t batch_count;
	struct py_type_cache cache;
};

MUST_USE struct error *py_scan_create(const struct py_layout *layout, struct py_types *types,
				      struct mem_source *source, struct py_scan **ret);
/** Takes NULL. Does not destroy the sink. */
void py_scan_destroy(struct py_scan *scan);

/**
 * The block of @a bytes bytes at @a at, of which @a data_bytes are at @a data. @a looks_freed: its first
 * word may be an allocator's link, so that an object beginning there is none.
 */
void py_scan_block(struct py_scan *scan, const unsigned char *data, size_t data_bytes, addr_t at,
		   size_t bytes, bool looks_freed);

/** While counting words (PY_SCAN_COUNT_WORDS): those of the block, as far as anything in it lives. @a data
 *  may be NULL with @a data_bytes 0; then the bytes are read. */
void py_scan_count_words(struct py_scan *scan, const unsigned char *data, size_t data_bytes,
			 addr_t at, size_t bytes);

/** Which words of a block count. */
enum py_scan_words {
	/** There is no object in it. */
	PY_SCAN_WORDS_ALL,
	/** It looks given back: an object with a count of 0, or a block in a cache of malloc's. */
	PY_SCAN_WORDS_NONE,
	PY_SCAN_WORDS_OF_OBJECT,
};

/** What py_scan_block() counts of the block in use [@a at, @a end), of which only the beginning is read. */
enum py_scan_words py_scan_words_of(struct py_scan *scan, addr_t at, addr_t end);

/** An object known to be one, without anything before it (Python 2's int and float). */
void py_scan_plain_object(struct py_scan *scan, const struct py_type *type,
			  const unsigned char *object, addr_t at);

/** A tracked object that no block led to: one whose collector's head is at @a head_at. False when there
 *  is none. */
bool py_scan_tracked_at(struct py_scan *scan, addr_t head_at);

/** An object that only a reference led to, at any address @a at: reports it as HEAP_STATIC. False when
 *  what is there does not look like one. */
bool py_scan_referred_at(struct py_scan *scan, addr_t at);

/** Reports what is still in the batch and returns the first failure. */
MUST_USE struct error *py_scan_finish(struct py_scan *scan);

/** Reports a problem into the sink, if there is one. */
PRINTF_LIKE(4, 5)
void py_scan_problem(struct py_scan *scan, enum heap_problem_kind kind, addr_t at,
		     const char *format, ...);

/** The term that an address adds to the sums. */
static inline uint64_t py_link_term(addr_t at)
{
	// Odd multiplier from the golden ratio; the product with itself keeps sums of differences
	// from cancelling.
	uint64_t x = at * 0x9e3779b97f4a7c15U;

	return x * (x >> 32 | 1);
}

#endif
