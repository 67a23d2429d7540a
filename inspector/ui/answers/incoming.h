/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_INCOMING_H
#define UI_ANSWERS_INCOMING_H

/*
 * The references that lead to a few objects, by one pass over all references: it takes four bytes per
 * object and the answer, where heap_reverse() takes as much as all references besides.
 */

#include "base/cleanup.h"
#include "heap/heap.h"

/** A reference: number @a number of object @a from. */
struct incoming_reference {
	uint32_t from;
	uint32_t number;
};

struct incoming {
	/** Those to object i of the asked ones are list[first[i]] up to list[first[i + 1]], by referrer
	 *  and number; only the first `kept` of all were kept. */
	struct incoming_reference *list;
	size_t *first;
	size_t kept;
	/** All there are. */
	size_t count;
};

/** @a ids are @a id_count different objects; no more than @a kept_max references are kept. */
MUST_USE struct error *incoming_find(const struct heap *heap, const uint32_t *ids, size_t id_count,
				     size_t kept_max, struct incoming *ret);

/** Zero-initialised is valid. */
void incoming_deinit(struct incoming *incoming);
#define _cleanup_incoming_ CLEANUP(incoming_deinit)

#endif
