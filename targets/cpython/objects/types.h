/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_TYPES_H
#define TARGETS_CPYTHON_OBJECTS_TYPES_H

/*
 * The types met during one walk: an address is a type only after its own type, flags and sizes have
 * been checked, for it is taken from any two words of the heap that look like an object. Old-style
 * classes of Python 2 stand beside the types, so that an instance counts under its class.
 *
 * Look-ups come from several threads; each has a cache of its own in front (struct py_type_cache).
 */

#include "heap/sink.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"

/** How the size of an object of a type is told: what its __sizeof__ does. */
enum py_shape {
	/** basicsize + |ob_size| * itemsize; fixed when itemsize is 0. */
	PY_SHAPE_PLAIN,
	PY_SHAPE_STR,
	PY_SHAPE_UNICODE2,
	PY_SHAPE_BYTES2,
	PY_SHAPE_LONG,
	PY_SHAPE_LIST,
	PY_SHAPE_DICT,
	PY_SHAPE_ORDERED_DICT,
	PY_SHAPE_SET,
	PY_SHAPE_DEQUE,
	PY_SHAPE_BYTEARRAY,
	PY_SHAPE_TYPE,
	/** Old-style instance: counts under its class. */
	PY_SHAPE_INSTANCE2,
};

/** What a scan asks of it for every object stands first, in one line of the processor's cache. */
struct py_type {
	addr_t at;
	uint64_t basicsize;
	uint64_t itemsize;
	uint32_t id;
	enum py_shape shape;
	/** Bytes before the object itself: collector's head, and from 3.11 two words before it. */
	uint32_t presize;
	/** Bytes of an object, without `presize`, that are there whatever its length and that tell its
	 *  size. Not tp_basicsize: a compact string and a naive datetime are shorter. */
	uint32_t header_bytes;
	bool is_gc;
	/** Nothing but class statements made it, down to `object`: its instances are tracked from their
	 *  first to their last moment, so what looks like one and is not tracked is stale memory. */
	bool is_always_tracked;
	/** See struct heap_type. */
	bool grows;
	/** The size does not depend on the object. */
	bool is_fixed;
	/** Where an object has the address of its lock of the C library, which owns no objects; 0: none. */
	uint32_t lock_offset;
	uint64_t flags;
	char *name;
};

struct py_types;

enum { PY_TYPE_CACHE_SLOTS = 2048 };

/** Of one thread; zero-initialised is empty. Remembers what is no type, too. */
struct py_type_cache {
	struct {
		addr_t key;
		const struct py_type *type;
	} slots[PY_TYPE_CACHE_SLOTS];
};

/** @a layout must outlive it. */
MUST_USE struct error *py_types_create(const struct py_layout *layout, struct py_types **ret);
/** Takes NULL. */
void py_types_destroy(struct py_types *types);

/**
 * Look-ups of all threads read through @a window from now on, so that what one has read the others
 * need not read again. It must outlive the types, and nobody else may use it while a look-up can come.
 */
void py_types_share_window(struct py_types *types, struct mem_window *window);

/** The slow way of py_types_find(). */
const struct py_type *py_types_look_up(struct py_types *types, struct mem_window *window,
				       addr_t type_at);

static inline const struct py_type *py_types_find(struct py_types *types,
						  struct py_type_cache *cache,
						  struct mem_window *window, addr_t type_at)
{
	size_t slot = (size_t)(type_at >> 4 ^ type_at >> 15) % PY_TYPE_CACHE_SLOTS;

	if (__builtin_expect(cache->slots[slot].key != type_at, 0)) {
		cache->slots[slot].type = py_types_look_up(types, window, type_at);
		cache->slots[slot].key = type_at;
	}
	return cache->slots[slot].type;
}

/** What an old-style instance of the class object at @a class_at counts under; NULL when that is no
 *  class. */
const struct py_type *py_types_of_class(struct py_types *types, struct py_type_cache *cache,
					struct mem_window *window, addr_t class_at);

/** Announces all types met to @a sink; their finalizers, too, unless @a window is NULL. */
MUST_USE struct error *py_types_announce(struct py_types *types, struct heap_sink *sink,
					 struct mem_window *window);

/** A failure of a look-up (no memory), or NULL; once. */
MUST_USE struct error *py_types_take_error(struct py_types *types);

#endif
