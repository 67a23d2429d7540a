/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_PY_GRAPH_H
#define SUPPORT_PY_GRAPH_H

/*
 * A py_image whose types have a tp_traverse, so that references can be read from it: of list, tuple,
 * dict and type as code in the image, of classes written in Python as the test program's own
 * subtype_traverse, which is found by its name as the interpreter's is. What that one visits is a
 * class's own business (py_graph_class()).
 *
 * The test program also describes a few structs with its own debug information (struct basket and
 * others below): a type whose tp_dealloc is basket_dealloc() has objects of that struct.
 *
 * Aborts or fails the test where something does not fit.
 */

#include "debug/module.h"
#include "heap/heap.h"
#include "support/py_objects.h"
#include "targets/cpython/references/edges.h"
#include "targets/target.h"

struct py_graph {
	struct py_image *image;
	/** This program; NULL for a test in which nothing is known of structs and functions. */
	struct module_list *modules;
	addr_t weakref_type;
	/** What py_graph_collect() keeps from one call to the next. */
	struct py_types *types;
	struct py_edges_context context;
	struct py_edges *edges;
};

struct py_graph *py_graph_create(enum py_era era);
/** Takes NULL. */
void py_graph_destroy(struct py_graph *graph);
void py_graph_cleanup(struct py_graph **graph);
#define _cleanup_py_graph_ CLEANUP(py_graph_cleanup)

/** The modules of this program, made once. */
struct module_list *py_graph_own_modules(void);

/** A class written in Python whose subtype_traverse runs the code at @a visits; 0: it fails. */
addr_t py_graph_class(struct py_graph *graph, const char *name, uint64_t basicsize, uint64_t flags,
		      const struct py_image_slot *slots, size_t slot_count, addr_t visits);

/** What the subtype_traverse of @a class runs from now on. */
void py_graph_set_visits(struct py_graph *graph, addr_t class, addr_t visits);

/** A static type of the collector's with this tp_traverse and tp_dealloc. */
addr_t py_graph_static_type(struct py_graph *graph, const char *name, uint64_t basicsize,
			    addr_t traverse_at, void (*dealloc)(void *));

/** An instance of a class or an object of a type, tracked. */
addr_t py_graph_object(struct py_graph *graph, addr_t type);
/** Something to refer to. */
addr_t py_graph_str(struct py_graph *graph, const char *text);

/** Forgets what was learned of types. */
void py_graph_forget(struct py_graph *graph);

/** The references of the object at @a at, by its type; valid until the next call. */
const struct heap_reference *py_graph_collect(struct py_graph *graph, addr_t at, size_t *ret_count);

/** Fails the test unless these are they, in any order. */
void py_graph_expect(struct py_graph *graph, addr_t at, const struct heap_reference *expected,
		     size_t count);

/** PY_GRAPH_EXPECT(graph, at, {to, kind}, {to, kind}); without references: PY_GRAPH_EXPECT_NONE. */
#define PY_GRAPH_EXPECT(graph, at, ...)                                              \
	py_graph_expect((graph), (at), (const struct heap_reference[]){__VA_ARGS__}, \
			sizeof((const struct heap_reference[]){__VA_ARGS__}) /       \
				sizeof(struct heap_reference))
#define PY_GRAPH_EXPECT_NONE(graph, at) py_graph_expect((graph), (at), NULL, 0)

/** A walk over the image into a graph, which is the caller's. */
MUST_USE struct error *py_graph_try_walk(struct py_graph *graph, enum target_effort effort,
					 struct target_verdict *verdict, struct heap **ret);
/** The same; fails the test when it fails or the moment is not a consistent one. */
struct heap *py_graph_walk(struct py_graph *graph);

/** How many references of @a kind lead from the object at @a from to that at @a to. */
size_t py_graph_count(const struct heap *heap, addr_t from, addr_t to, enum heap_edge_kind kind);

/* Deallocs that say what an object's struct is; see py_graph.c. */

/** basket: `owner` at 16, `items[2]` at 24, `inner.label` at 40, `basket_weaklist` at 48, `raw`, no
 *  object, at 56, `next` at 64 and `prev` at 72. */
void py_graph_basket_dealloc(void *object);
enum { PY_GRAPH_BASKET_BYTES = 80 };
/** PyWeakReference. */
void py_graph_weakref_dealloc(void *object);
/** moment: a flag `hastzinfo` at 24, `tzinfo` at 32. */
void py_graph_moment_dealloc(void *object);
enum { PY_GRAPH_MOMENT_BYTES = 40 };

#endif
