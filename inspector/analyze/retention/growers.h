/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_GROWERS_H
#define ANALYZE_RETENTION_GROWERS_H

/*
 * Containers that hold many of a kind: what a program forgets to take out of a list or a dict. Left out are
 * those that are a program's own make-up: namespaces, what the runtime keeps for itself, and containers of
 * classes and modules.
 */

#include "analyze/retention/paths.h"
#include "analyze/retention/retained.h"

enum {
	/** Of a kind, of objects that hold others. */
	GROWER_COUNT_MIN = 100,
	/** Of plain data (strings, numbers), unless they are much of all memory. */
	GROWER_DATA_COUNT_MIN = 10000,
	/** Those with most bytes, which are compared with others of their type. */
	GROWERS_COMPARED = 16,
};

struct grower {
	uint32_t object;
	/** The kind, and how many of it the container holds. */
	uint32_t type;
	uint64_t count;
	/** What would be freed with the container, or with what it holds of the kind, whichever is more. */
	uint64_t bytes;
	/** One of what it holds. */
	uint32_t example;
	/** Other containers of its type, and how many of them have a tenth as many references and more; of
	 *  the first GROWERS_COMPARED alone. */
	uint64_t peer_count;
	uint64_t peer_near_count;
};

struct growers {
	/** Most bytes first. */
	struct grower *list;
	size_t count;
};

/** @a paths, @a dominators and @a retained are those of @a heap. */
MUST_USE struct error *growers_find(const struct heap *heap, const struct paths *paths,
				    const struct dominators *dominators,
				    const struct retained *retained, struct growers *ret);
/** Zero-initialised is valid. */
void growers_deinit(struct growers *growers);
#define _cleanup_growers_ CLEANUP(growers_deinit)

#endif
