/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_SINK_H
#define HEAP_SINK_H

/*
 * SEAM 3: what an adapter reports into. Knows no interpreter. One implementation counts
 * (heap/counter.h), the tests have one that remembers; one that builds the graph of references moves
 * in beside them.
 *
 * Threads: an adapter that walks with several threads forks one sink per thread and joins them
 * afterwards; a sink itself is used by one thread at a time. Objects come in batches and in no
 * particular order, each object once.
 */

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

struct heap_sink;

struct heap_sink_ops {
	struct error *(*types)(struct heap_sink *sink, const struct heap_type *types, size_t count);
	struct error *(*objects)(struct heap_sink *sink, const struct heap_object *objects,
				 size_t count);
	struct error *(*problem)(struct heap_sink *sink, const struct heap_problem *problem);
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
