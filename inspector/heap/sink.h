/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_SINK_H
#define HEAP_SINK_H

/*
 * SEAM 3: what an adapter reports into. Knows no interpreter. One implementation counts
 * (heap/counter.h), one builds the graph of references (heap/builder.h), the tests have one that
 * remembers.
 *
 * Threads: an adapter that walks with several threads forks one sink per thread and joins them
 * afterwards; a sink itself is used by one thread at a time. Objects come in batches and in no
 * particular order, each object once.
 *
 * A sink that wants references gets those of each object in one call, after that object and from the
 * same thread. They lead to addresses, whether an object was reported there or not; when all is
 * joined, unknown() tells the addresses at which none was, so that the adapter can look there (static
 * objects, other allocators) and report those with their references, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum heap_object_flags {
	/** The collector tracks it. */
	HEAP_TRACKED = 1 << 0,
	/** Its reference count is not counted (immortal): `refcount` is 0. */
	HEAP_IMMORTAL = 1 << 1,
	/** Tracked, but set aside from collections (gc.freeze()). */
	HEAP_FROZEN = 1 << 2,
	/** Not on a heap but part of the program's own data: not counted among the objects of `types`. */
	HEAP_STATIC = 1 << 3,
	/** The collector will not free it when it is unreachable (PyGen_NeedsFinalizing, tp_del, Python
	 *  2's __del__), nor what can be reached from it. */
	HEAP_LEGACY_FINALIZER = 1 << 4,
	/** Its finalizer has run already and will not run again. */
	HEAP_FINALIZED = 1 << 5,
	/** Set by the builder: it is the attribute dict of the one object that refers to it so
	 *  (HEAP_REFERENCE_PART): a person counts the two as one. */
	HEAP_PART = 1 << 6,
	/** Which generation: 1 the youngest ... 3, 4 the permanent one, 0 not told. */
	HEAP_GENERATION_SHIFT = 8,
	HEAP_GENERATION_MASK = 7 << 8,
};

/** What calls code when an object dies. */
enum heap_finalizer {
	HEAP_FINALIZER_NONE,
	/** Written in the runtime's language (`__del__`). */
	HEAP_FINALIZER_DEL,
	/** tp_del of a type in C: never collected in a cycle. */
	HEAP_FINALIZER_LEGACY,
	/** tp_finalize of a type in C (generators, files, sockets). */
	HEAP_FINALIZER_BUILTIN,
};

enum heap_edge_kind {
	/** What the collector sees: the type's own traversal visits it. */
	HEAP_EDGE_GC,
	/** Owned, and not seen by the collector. */
	HEAP_EDGE_OWNED,
	/** Found by looking at the object's words: perhaps none, perhaps not owned. */
	HEAP_EDGE_GUESS,
	/** Refers to it without owning it (a weak reference). */
	HEAP_EDGE_WEAK,
};

enum heap_reference_flags {
	/** The target is the referrer's attribute dict. */
	HEAP_REFERENCE_PART = 1 << 2,
};

/** One reference: where to, and an enum heap_edge_kind with heap_reference_flags. */
struct heap_reference {
	addr_t to;
	uint32_t kind;
};

enum heap_root_kind {
	HEAP_ROOT_MODULE,
	/** A value of a running function, or its function. */
	HEAP_ROOT_FRAME,
	HEAP_ROOT_THREAD,
	HEAP_ROOT_INTERPRETER,
	HEAP_ROOT_INTERNED,
	HEAP_ROOT_STATIC_TYPE,
	/** gc.garbage. */
	HEAP_ROOT_GARBAGE,
	/** A variable of C code, named by its symbol. */
	HEAP_ROOT_C_VARIABLE,
	/** A word on a thread's stack or in a register. */
	HEAP_ROOT_C_STACK,
	/** A word in memory that holds no object and that nothing explains. */
	HEAP_ROOT_C_MEMORY,
	HEAP_ROOT_KIND_COUNT,
};

struct heap_root {
	addr_t object_at;
	enum heap_root_kind kind;
	/** It owns a reference to the object, which the object's count has in it. */
	bool owns;
	/** "sys", "thread 4711 in handle() at shop/web.py:42", "_asyncio.so: module_state+0x18"; valid
	 *  during the call. */
	const char *name;
	/** Which part of that, "local variable cart", or NULL; apart, as many have the same name. Likewise. */
	const char *part;
};

/** What the runtime's collector is set to. */
struct heap_collector {
	bool enabled;
	/** gc.DEBUG_SAVEALL: what is unreachable goes to gc.garbage instead of being freed. */
	bool saves_all;
	/** It calls functions of the program when it begins and ends: what it finds may change. */
	bool calls_back;
	/** The list object gc.garbage; 0 when there is none. */
	addr_t garbage_at;
	/** Interpreters that collect each for itself, so that none of them finds all; 0 and 1 are one. */
	uint32_t collector_count;
};

struct heap_object {
	addr_t at;
	/** As the runtime itself tells an object's size, in bytes. */
	uint64_t size_bytes;
	uint64_t refcount;
	/** Dense id of a type announced with type() before the walk ends. */
	uint32_t type;
	uint32_t flags;
};

struct heap_type {
	uint32_t id;
	/** `module.qualname`, bare for builtins; valid during the call. Two types may share a name. */
	const char *name;
	addr_t at;
	uint64_t basic_size_bytes;
	enum heap_finalizer finalizer;
	/** Its objects hold as many others as were put in: a list, a dict; not a tuple. */
	bool grows;
};

enum heap_problem_kind {
	/** Bytes that should have been readable were not. */
	HEAP_PROBLEM_UNREADABLE,
	/** A walk ended at a limit or at something that made no sense: what is behind is not counted. */
	HEAP_PROBLEM_TRUNCATED,
};

struct heap_problem {
	enum heap_problem_kind kind;
	addr_t at;
	/** What, in a sentence; valid during the call. */
	const char *text;
};

/** Objects, reported as others, that only a cache of the runtime's own keeps: it gives them up when it needs
 *  the place. */
struct heap_cached {
	/** Of their type; valid during the call. */
	const char *name;
	uint64_t count;
	uint64_t size_bytes;
	/** All references that the cache owns, those to objects that others hold, too. */
	uint64_t refs;
};

struct heap_sink;

struct heap_sink_ops {
	struct error *(*types)(struct heap_sink *sink, const struct heap_type *types, size_t count);
	struct error *(*objects)(struct heap_sink *sink, const struct heap_object *objects,
				 size_t count);
	struct error *(*problem)(struct heap_sink *sink, const struct heap_problem *problem);
	/** NULL for a sink that does not want to know. */
	struct error *(*cached)(struct heap_sink *sink, const struct heap_cached *cached);
	/** The next four are NULL for a sink that does not want references. */
	struct error *(*references)(struct heap_sink *sink, addr_t from,
				    const struct heap_reference *references, size_t count);
	struct error *(*roots)(struct heap_sink *sink, const struct heap_root *roots, size_t count);
	struct error *(*collector)(struct heap_sink *sink, const struct heap_collector *collector);
	struct error *(*unknown)(struct heap_sink *sink, addr_t **ret, size_t *ret_count);
	struct error *(*fork)(struct heap_sink *sink, struct heap_sink **ret);
	struct error *(*join)(struct heap_sink *sink, struct heap_sink *child);
	void (*reset)(struct heap_sink *sink);
	void (*destroy)(struct heap_sink *sink);
};

/** Implementations embed this as their first member. */
struct heap_sink {
	const struct heap_sink_ops *ops;
};

/** Announces types, ids dense from 0; each once per walk, at the latest when it ends. */
MUST_USE static inline struct error *heap_sink_types(struct heap_sink *sink,
						     const struct heap_type *types, size_t count)
{
	return sink->ops->types(sink, types, count);
}

MUST_USE static inline struct error *
heap_sink_objects(struct heap_sink *sink, const struct heap_object *objects, size_t count)
{
	return sink->ops->objects(sink, objects, count);
}

MUST_USE static inline struct error *heap_sink_problem(struct heap_sink *sink,
						       const struct heap_problem *problem)
{
	return sink->ops->problem(sink, problem);
}

/** Whether heap_sink_cached() may be called. */
static inline bool heap_sink_wants_cached(const struct heap_sink *sink)
{
	return sink->ops->cached;
}

/** Once per type, when all is joined. */
MUST_USE static inline struct error *heap_sink_cached(struct heap_sink *sink,
						      const struct heap_cached *cached)
{
	return sink->ops->cached(sink, cached);
}

/** Whether the functions below may be called. */
static inline bool heap_sink_wants_references(const struct heap_sink *sink)
{
	return sink->ops->references;
}

/** All references that the object at @a from has, in an order that the adapter can repeat (the nth is
 *  the nth of target_ops.label()). Once per object, and not at all where there are none. */
MUST_USE static inline struct error *heap_sink_references(struct heap_sink *sink, addr_t from,
							  const struct heap_reference *references,
							  size_t count)
{
	return sink->ops->references(sink, from, references, count);
}

MUST_USE static inline struct error *heap_sink_roots(struct heap_sink *sink,
						     const struct heap_root *roots, size_t count)
{
	return sink->ops->roots(sink, roots, count);
}

MUST_USE static inline struct error *heap_sink_collector(struct heap_sink *sink,
							 const struct heap_collector *collector)
{
	return sink->ops->collector(sink, collector);
}

/** Addresses that references and roots lead to and at which no object was reported, each once,
 *  ascending; those told before are not told again, and those that no object can have (0, not a
 *  multiple of 8, beyond 48 bits) not at all. The caller frees *@a ret. When all sinks are joined. */
MUST_USE static inline struct error *heap_sink_unknown(struct heap_sink *sink, addr_t **ret,
						       size_t *ret_count)
{
	return sink->ops->unknown(sink, ret, ret_count);
}

/** A sink of the same kind for another thread; ended by heap_sink_join() or heap_sink_destroy(). */
MUST_USE static inline struct error *heap_sink_fork(struct heap_sink *sink, struct heap_sink **ret)
{
	return sink->ops->fork(sink, ret);
}

/** Adds what @a child got to @a sink and destroys @a child, on failure too. */
MUST_USE static inline struct error *heap_sink_join(struct heap_sink *sink, struct heap_sink *child)
{
	return sink->ops->join(sink, child);
}

/** Forgets everything: the walk begins again. */
static inline void heap_sink_reset(struct heap_sink *sink)
{
	sink->ops->reset(sink);
}

/** Takes NULL. */
static inline void heap_sink_destroy(struct heap_sink *sink)
{
	if (sink)
		sink->ops->destroy(sink);
}

#endif
