/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_EDGES_INTERNAL_H
#define TARGETS_CPYTHON_REFERENCES_EDGES_INTERNAL_H

/*
 * What the files of edges.h share; nobody else includes it. edges_direct.c reads layouts that are known,
 * edges.c runs what is not and adds what is owned.
 */

#include <string.h>

#include "targets/cpython/machine/traverse.h"
#include "targets/cpython/references/edges.h"

enum {
	/** Read at once where the source has no views. */
	PIECE_WORDS = 4096,
	PLAN_SLOTS = 1024,
	/** Fields of a struct sequence. */
	SEQUENCE_FIELDS_MAX = 1024,
	/** Larger objects are not worth running twice to be checked. */
	TRIAL_REFERENCES_MAX = 1 << 12,
	/** SHARED_KEYS_MAX_SIZE of pycore_dict.h is 30; one byte has the number. */
	SHARED_KEYS_MAX = 255,
	/** In the kind of a reference that a member is found to stand for; not outside edges_owned(). */
	EDGE_TAKEN = 1 << 30,
};

/** More items than any real object has; a corrupt one ends here. */
static const uint64_t ITEMS_MAX = 1ULL << 32;

struct failure {
	const char *type;
	char reason[120];
};

struct py_edges {
	const struct py_edges_context *context;
	const struct py_layout *layout;
	struct mem_window *window;
	/** Memory at hand, see py_edges_lend(). */
	const unsigned char *near;
	addr_t near_at;
	size_t near_bytes;
	/** NULL where the machine's code cannot be run. */
	struct py_traverse *traverse;
	bool wants_origins;
	struct heap_reference *list;
	size_t count;
	size_t capacity;
	/** Of the object at hand. */
	const struct py_type *type;
	/** Some of its references have EDGE_TAKEN. */
	bool has_taken;
	/** Which way the object at hand has its attributes: a bit for values, one for a dict. */
	unsigned variant;
	struct py_edge_origin *origins;
	size_t origin_capacity;
	/** A few of the plans, by type id. */
	struct {
		const struct py_type *type;
		struct py_plan *plan;
	} plans[PLAN_SLOTS];
	addr_t piece[PIECE_WORDS];
	/** To compare two lists of addresses. */
	addr_t *sorted[2];
	size_t sorted_capacity[2];
	struct failure *failures;
	size_t failure_count;
	size_t failure_capacity;
	size_t failure_told;
	struct error *error;
};

// @a bytes at @a at in our own memory; NULL when they are not there in one piece.
static inline const void *edges_view(const struct py_edges *edges, addr_t at, uint64_t bytes)
{
	addr_t offset = at - edges->near_at;

	// A damaged pointer: what is seen is taken for words.
	if (at % sizeof(addr_t) != 0)
		return NULL;
	if (bytes <= edges->near_bytes && offset <= edges->near_bytes - bytes)
		return edges->near + offset;
	return mem_source_view(edges->context->source, at, bytes);
}

// What is near an object is most of what is asked for.
static inline addr_t edges_word(struct py_edges *edges, addr_t at)
{
	addr_t offset = at - edges->near_at, word;

	if (edges->near_bytes >= sizeof(word) && offset <= edges->near_bytes - sizeof(word)) {
		memcpy(&word, edges->near + offset, sizeof(word));
		return word;
	}
	return mem_window_word(edges->window, at, 0);
}

/** edges_add() where there is no room, or where it is asked what references are. */
void edges_add_with_origin(struct py_edges *edges, addr_t to, uint32_t kind, enum py_origin origin,
			   uint64_t detail, const char *name);

static inline void edges_add(struct py_edges *edges, addr_t to, uint32_t kind,
			     enum py_origin origin, uint64_t detail, const char *name)
{
	if (!to)
		return;
	if (edges->count < edges->capacity && !edges->wants_origins)
		edges->list[edges->count++] = (struct heap_reference){to, kind};
	else
		edges_add_with_origin(edges, to, kind, origin, detail, name);
}

/** That references of the object at hand could not be found, and why; told once per type. */
void edges_note(struct py_edges *edges, const char *reason);

/** @a count pointers in a row. */
void edges_items(struct py_edges *edges, addr_t at, uint64_t count);

/** An attribute dict. */
void edges_add_dict(struct py_edges *edges, addr_t dict_at);

/** Where the pointer to the attribute dict stands (plan->dict_offset is not 0); 0 when that makes no
 *  sense. */
addr_t edges_dict_pointer(struct py_edges *edges, const struct py_plan *plan, addr_t at);

/** Runs a traversal; false when it could not be run, which is noted once per type. */
bool edges_run(struct py_edges *edges, struct py_plan *plan, addr_t traverse_at, addr_t at,
	       const addr_t **ret, size_t *ret_count);

/** Adds what the layouts that the plan knows hold. */
void edges_direct(struct py_edges *edges, struct py_plan *plan, addr_t at);

#endif
