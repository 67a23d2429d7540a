/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_BUILDER_STORE_H
#define HEAP_BUILDER_STORE_H

/*
 * What a builder keeps until it packs: objects and references as they came, in large pieces of memory.
 * Private to the builder's files.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "heap/builder.h"
#include "heap/heap.h"
#include "heap/index.h"

/** An object: its address in the low 48 bits, enum heap_object_flags in the high 16. An address of 0:
 *  left out. */
struct builder_object {
	uint64_t at_flags;
	uint64_t size_bytes;
	uint32_t refcount;
	uint32_t type;
};

/**
 * References are words. Those of one object are a run: a word with the object's address in the low 48
 * bits and the number of references in the high 16, followed by the number in a word of its own where
 * BUILDER_RUN_LONG stands for it, followed by the references: addresses in the low 48 bits (0 for one
 * that no object can have), whether it is a part in bit 61, and the kind in bits 62 and 63.
 *
 * Once numbered, a run has its object's id in place of the address (BUILDER_LOST when there is no such
 * object), and so have the references that led to an object then, which bit 60 says. Ids are those of
 * that moment: heap/renumber.h.
 */
enum {
	BUILDER_RUN_LONG = 0xffff,
	BUILDER_HAS_ID_SHIFT = 60,
	BUILDER_PART_SHIFT = 61,
	BUILDER_KIND_SHIFT = 62,
};
static const uint64_t BUILDER_ADDRESS_MASK = (UINT64_C(1) << HEAP_ADDRESS_BITS) - 1;
static const uint64_t BUILDER_LOST = (UINT64_C(1) << HEAP_ADDRESS_BITS) - 1;

struct builder_piece {
	struct builder_piece *next;
	/** Of the whole mapping. */
	size_t bytes;
	/** Bytes of what is in it; a run lies in one piece whole. */
	size_t used;
	/** Of references: up to where they are numbered, and up to where unknown() has seen them; both
	 *  between runs. */
	size_t numbered;
	size_t seen;
	_Alignas(16) unsigned char content[];
};

/** Zero-initialised is empty and valid. */
struct builder_store {
	struct builder_piece *first, *last;
	size_t count;
};

/** Room for @a bytes (a multiple of 8) at the end of the last piece or in a new one; NULL without
 *  memory. */
void *store_add(struct builder_store *store, size_t bytes);
/** The last @a bytes of what store_add() gave last are not needed. */
static inline void store_give_back(struct builder_store *store, size_t bytes)
{
	store->last->used -= bytes;
}

/** Moves all of @a other, which is empty then, behind what is in @a store. */
void store_move(struct builder_store *store, struct builder_store *other);
void store_clear(struct builder_store *store);
void store_free_piece(struct builder_piece *piece);
/** All pieces in an array of store->count, which the caller frees; NULL without memory. */
struct builder_piece **store_list(const struct builder_store *store);

static inline addr_t builder_object_at(const struct builder_object *object)
{
	return object->at_flags & BUILDER_ADDRESS_MASK;
}

/** Zero-initialised is empty and valid. */
struct builder_addresses {
	addr_t *list;
	size_t count;
	size_t capacity;
};

struct builder {
	struct heap_sink sink;
	/** The builder that it was forked of, and so on; itself when it was created. */
	struct builder *root;
	unsigned thread_count;
	struct builder_store objects;
	struct builder_store references;
	uint64_t object_count;
	uint64_t reference_count;
	/** By type id; without a name until announced. */
	struct heap_type_row *types;
	size_t types_capacity;
	/** One more than the largest id that was announced or used. */
	uint32_t type_count;
	/** Their names are in `names`. */
	struct heap_root *roots;
	size_t root_count;
	size_t roots_capacity;
	struct heap_names names;
	struct heap_collector collector;
	bool collector_known;
	uint64_t problem_counts[2];
	char *problem_texts[HEAP_PROBLEM_TEXTS_MAX];
	size_t problem_text_count;
	/** Objects met more than once, each time but the first. */
	struct builder_addresses repeated;
	/** Objects met after the numbering. */
	struct builder_addresses late;
	/** The rest is the root's. All objects met are marked in the index; NULL before the first. */
	struct heap_index *index;
	/** How many objects had ids when references were numbered. */
	uint32_t numbered_count;
	bool is_numbered;
	/** What unknown() told already. */
	struct addr_map told;
};

/** Counts a problem and keeps @a text if there is room. */
MUST_USE struct error *builder_complain(struct builder *builder, enum heap_problem_kind kind,
					const char *text);

/** Makes the root's index when there is none. */
MUST_USE struct error *builder_want_index(struct builder *builder);

MUST_USE static inline struct error *builder_add_address(struct builder_addresses *addresses,
							 addr_t at)
{
	struct error *error = array_reserve(&addresses->list, &addresses->capacity,
					    addresses->count + 1, sizeof(*addresses->list));

	if (!error)
		addresses->list[addresses->count++] = at;
	return error;
}

/** Of the objects met more than once all but the first are left out, and complained of. */
MUST_USE struct error *builder_leave_out_repeated(struct builder *builder);

/** Gives ids to the objects met so far and to the references; once, of a root. */
MUST_USE struct error *builder_number(struct builder *builder);

/** See heap_sink_unknown(). */
MUST_USE struct error *builder_unknown(struct heap_sink *sink, addr_t **ret, size_t *ret_count);

#endif
