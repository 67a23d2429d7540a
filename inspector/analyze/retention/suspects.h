/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_SUSPECTS_H
#define ANALYZE_RETENTION_SUSPECTS_H

/*
 * What is most likely leaked, of all that a graph shows: cycles that nobody can free, references that C code
 * took and forgot, cycles that wait for a collection, and containers that hold many of a kind. One moment
 * shows what is there and not what grows: a registry that was filled once looks like a leak that began
 * long ago.
 */

#include "analyze/cycles.h"
#include "analyze/retention/growers.h"

enum suspect_state {
	SUSPECT_UNCOLLECTABLE,
	/** Held by references that nobody can give back. */
	SUSPECT_LEAKED,
	SUSPECT_PENDING,
	/** Held by a container. */
	SUSPECT_REACHABLE,
};

/** The word of CLI.md. */
const char *suspect_state_name(enum suspect_state state);

enum {
	SUSPECTS_MAX = 5,
	/** Fewer pending cycles with a finalizer, or leaked objects, are no suspects: a collection may be about
	 *  to come, and interpreters forget a few objects themselves. */
	SUSPECT_PENDING_MIN = 20,
	SUSPECT_LEAKED_MIN = 10,
};

struct suspect {
	enum suspect_state state;
	/** The type that tells most, its first by name, and how many of its objects are meant. */
	uint32_t type;
	uint64_t count;
	/** What would be freed with them. */
	uint64_t retained_bytes;
	/** One of them. */
	uint32_t example;
	/** The container that holds them, or HEAP_NO_OBJECT. */
	uint32_t holder;
	/** Of a container: its elements' type, and how many of these; see struct grower for the others. */
	uint32_t element_type;
	uint64_t element_count;
	uint64_t peer_count;
	uint64_t peer_near_count;
	/** Of cycles: their shape, owned; NULL otherwise. */
	char *shape;
	/** 0 to 1. */
	double score;
};

struct suspects {
	/** Most likely first. */
	struct suspect list[SUSPECTS_MAX];
	size_t count;
	/** Others that were found and are less likely. */
	size_t more;
};

/** What has been found out about one heap. */
struct suspects_evidence {
	const struct heap *heap;
	const struct garbage *garbage;
	const struct cycles *cycles;
	const struct paths *paths;
	const struct dominators *dominators;
	const struct retained *retained;
	const struct growers *growers;
};

MUST_USE struct error *suspects_find(const struct suspects_evidence *evidence,
				     struct suspects *ret);
/** Zero-initialised is valid. */
void suspects_deinit(struct suspects *suspects);
#define _cleanup_suspects_ CLEANUP(suspects_deinit)

#endif
