/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_EDGES_H
#define TARGETS_CPYTHON_REFERENCES_EDGES_H

/*
 * The references of one object: what its traversal visits (gc), what it owns beyond that (owned,
 * guess), what it merely points to (weak). plan.h knows how for each type, and the first objects of a
 * type whose layout is read directly are checked against their own tp_traverse.
 *
 * One per thread.
 */

#include "heap/sink.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/machine/libc_gates.h"
#include "targets/cpython/objects/types.h"
#include "targets/cpython/references/plan.h"

/** Where in its object a reference was found, for a label. */
enum py_origin {
	/** Visited by code that was run. */
	PY_ORIGIN_VISITED,
	/** detail: the item's number. */
	PY_ORIGIN_ITEM,
	/** detail: the key's address. */
	PY_ORIGIN_VALUE,
	PY_ORIGIN_KEY,
	PY_ORIGIN_ATTRIBUTE,
	/** detail: the slot's number in the plan. */
	PY_ORIGIN_SLOT,
	/** detail: the offset. */
	PY_ORIGIN_MEMBER,
	PY_ORIGIN_DICT,
	PY_ORIGIN_TYPE,
};

struct py_edge_origin {
	enum py_origin origin;
	uint64_t detail;
	/** Of a C member, or NULL. */
	const char *name;
};

/** Shared by all threads of a walk; whoever fills it owns what is pointed to. */
struct py_edges_context {
	const struct py_layout *layout;
	struct mem_source *source;
	struct py_plans *plans;
	/** Of any thread of the process, or 0. */
	addr_t thread_pointer;
	struct py_libc_gates libc;
};

struct py_edges;

/** @a wants_origins: py_edges_origins() has them. @a context must outlive it. */
MUST_USE struct error *py_edges_create(const struct py_edges_context *context, bool wants_origins,
				       struct py_edges **ret);
/** Takes NULL. */
void py_edges_destroy(struct py_edges *edges);

/** The references of the object of @a type at @a at; valid until the next call. @a type is that of an
 *  old-style instance itself (`instance`), not what it counts under. */
const struct heap_reference *py_edges_collect(struct py_edges *edges, const struct py_type *type,
					      addr_t at, size_t *ret_count);

/** Lends memory that the caller has at hand anyway, see mem_window_lend(). */
void py_edges_lend(struct py_edges *edges, addr_t at, const void *data, size_t bytes);

/** Of the last collection, one per reference. */
const struct py_edge_origin *py_edges_origins(const struct py_edges *edges);

/** HEAP_LEGACY_FINALIZER and HEAP_FINALIZED, as far as they are true of the object. */
uint32_t py_edges_finalizer_flags(struct py_edges *edges, const struct py_type *type, addr_t at);

/** The first failure (no memory), or NULL; once. */
MUST_USE struct error *py_edges_take_error(struct py_edges *edges);

/** Types whose tp_traverse could not be run, one at a time: the name and why; NULL when all were told. */
const char *py_edges_next_failure(struct py_edges *edges, const char **ret_reason);

#endif
