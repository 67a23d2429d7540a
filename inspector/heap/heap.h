/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_HEAP_H
#define HEAP_HEAP_H

/*
 * The graph of references of one moment: types, objects, references, roots, as packed arrays. Objects
 * have dense ids, ascending by address. No I/O, no interpreter.
 *
 * Memory: some 34 bytes per object and 4 per reference; 4 more of each when heap_reverse() was asked
 * for. Built by heap/builder.h, or from text (heap/text.h); constant afterwards, so that any number
 * of threads may read it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "heap/names.h"
#include "heap/sink.h"

/** Ids of objects; two bits of a reference hold its kind. */
static const uint32_t HEAP_NO_OBJECT = UINT32_MAX;
static const uint32_t HEAP_OBJECTS_MAX = (1U << 30) - 1;
static const uint32_t HEAP_TYPES_MAX = 1U << 26;

struct heap_type_row {
	/** Owned; "?" when it was never announced. */
	char *name;
	addr_t at;
	uint64_t basic_size_bytes;
	enum heap_finalizer finalizer;
	/** As in struct heap_type. */
	bool grows;
};

struct heap_root_row {
	uint32_t object;
	enum heap_root_kind kind;
	bool owns;
	/** "" where there is none; see struct heap_root. They are the heap's names. */
	const char *name;
	const char *part;
};

/** References of an object that are counted and can never be given back: its count has more in it than
 *  words anywhere in the process are its address. */
struct heap_leak {
	uint32_t object;
	uint32_t count;
};

/** A reference: the object it leads to and an enum heap_edge_kind, in one word. */
typedef uint32_t heap_edge;

static inline uint32_t heap_edge_target(heap_edge edge)
{
	return edge & ((1U << 30) - 1);
}

static inline enum heap_edge_kind heap_edge_kind(heap_edge edge)
{
	return (enum heap_edge_kind)(edge >> 30);
}

static inline heap_edge heap_edge_make(uint32_t target, enum heap_edge_kind kind)
{
	return target | (uint32_t)kind << 30;
}

/** Whether such a reference keeps its target alive. */
static inline bool heap_edge_holds(heap_edge edge)
{
	return heap_edge_kind(edge) != HEAP_EDGE_WEAK;
}

struct heap_index;
struct heap_reverse;

/** Says what a reference is called: the adapter for a process, a table for a heap from text. */
struct heap_labels {
	/** Appends the label of reference @a number (0 is the first) of @a from: ".child", "['key']",
	 *  "[3]"; nothing when it has no name. */
	struct error *(*label)(struct heap_labels *labels, uint32_t from, uint32_t number,
			       struct text *into);
	void (*destroy)(struct heap_labels *labels);
};

enum { HEAP_PROBLEM_TEXTS_MAX = 8 };

struct heap {
	struct heap_type_row *types;
	uint32_t type_count;

	uint32_t object_count;
	/** Each of object_count elements. */
	addr_t *at;
	uint64_t *size_bytes;
	/** UINT32_MAX stands for that and more; 0 for an immortal one. */
	uint32_t *refcount;
	uint32_t *type;
	/** enum heap_object_flags. */
	uint16_t *flags;
	/** References of object i: edges[first_edge[i]] up to edges[first_edge[i + 1]], in the
	 *  adapter's order, but without those that lead to no object. */
	uint32_t *first_edge;
	heap_edge *edges;

	struct heap_root_row *roots;
	size_t root_count;
	/** What they are called. */
	struct heap_names names;

	struct heap_collector collector;
	/** gc.garbage's own list object, or HEAP_NO_OBJECT. */
	uint32_t garbage_list;

	/** By object; NULL until heap_add_holders(). */
	struct heap_leak *leaks;
	size_t leak_count;
	/** heap_add_holders() was called: roots of C code, leaks and generations are known. */
	bool is_annotated;

	/** References that led to no object and were left out, by kind. */
	uint64_t dangling_count[4];
	/** Roots that led to no object and were left out. */
	uint64_t dangling_root_count;
	uint64_t unreadable;
	uint64_t truncated;
	char *problem_texts[HEAP_PROBLEM_TEXTS_MAX];
	size_t problem_text_count;

	/** Owned; NULL when nobody can tell. */
	struct heap_labels *labels;
	/** Private to heap/. */
	struct heap_index *index;
	struct heap_reverse *reverse;
};

/** Takes NULL. */
void heap_destroy(struct heap *heap);
void heap_cleanup(struct heap **heap);
#define _cleanup_heap_ CLEANUP(heap_cleanup)

/** What the graph takes of our memory: its arrays and names, heap_reverse()'s when they were made; not
 *  what the labels read. */
uint64_t heap_bytes(const struct heap *heap);

/** The object at @a at, or HEAP_NO_OBJECT. */
uint32_t heap_find(const struct heap *heap, addr_t at);

static inline uint32_t heap_edge_count(const struct heap *heap, uint32_t object)
{
	return heap->first_edge[object + 1] - heap->first_edge[object];
}

static inline const heap_edge *heap_edges(const struct heap *heap, uint32_t object)
{
	return heap->edges + heap->first_edge[object];
}

/** No number of a reference: there are fewer of them. */
static const uint32_t HEAP_NO_EDGE = UINT32_MAX;

/** The number of the first reference of @a from that keeps @a to alive, HEAP_NO_EDGE when there is none. */
static inline uint32_t heap_find_holding(const struct heap *heap, uint32_t from, uint32_t to)
{
	const heap_edge *edges = heap_edges(heap, from);
	uint32_t count = heap_edge_count(heap, from);

	for (uint32_t i = 0; i < count; i++)
		if (heap_edge_target(edges[i]) == to && heap_edge_holds(edges[i]))
			return i;
	return HEAP_NO_EDGE;
}

static inline const char *heap_type_name(const struct heap *heap, uint32_t object)
{
	return heap->types[heap->type[object]].name;
}

static inline enum heap_finalizer heap_finalizer(const struct heap *heap, uint32_t object)
{
	return heap->types[heap->type[object]].finalizer;
}

/** Whether a collection of all generations looks at it. */
static inline bool heap_is_collectable(const struct heap *heap, uint32_t object)
{
	return (heap->flags[object] & (HEAP_TRACKED | HEAP_FROZEN)) == HEAP_TRACKED;
}

/** Appends the label of reference @a number of @a from; nothing when nobody can tell. */
MUST_USE struct error *heap_label(const struct heap *heap, uint32_t from, uint32_t number,
				  struct text *into);

/** Appends what a root is called, its part and all: "thread 4711 in handle() at web.py:42, local variable
 *  cart"; nothing when it has no name. */
MUST_USE struct error *heap_root_name(const struct heap_root_row *root, struct text *into);

/** Who refers to whom: the referrers of object i are ids[first[i]] up to ids[first[i + 1]],
 *  ascending, one of them twice when it refers to it twice; of all kinds. */
struct heap_referrers {
	const uint32_t *first;
	const uint32_t *ids;
};

/** Made when first asked for (not thread-safe), by @a thread_count threads; kept with the heap. */
MUST_USE struct error *heap_reverse(struct heap *heap, unsigned thread_count,
				    struct heap_referrers *ret);

/**
 * References that the count of @a object has and that nothing in the heap explains: its reference
 * count less the references of kinds gc, owned and guess that lead to it and less the roots that own
 * one; negative when more were found than are counted. 0 for immortal objects. *@a ret has
 * object_count elements and is the caller's to free.
 */
MUST_USE struct error *heap_excess(const struct heap *heap, int64_t **ret);

/** Adds what a second look at the memory told: more roots (of objects that are there), and all leaks,
 *  ascending by object. Copies both. */
MUST_USE struct error *heap_add_holders(struct heap *heap, const struct heap_root *roots,
					size_t root_count, const struct heap_leak *leaks,
					size_t leak_count);

#endif
