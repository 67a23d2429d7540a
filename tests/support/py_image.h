/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_PY_IMAGE_H
#define SUPPORT_PY_IMAGE_H

/*
 * A tiny interpreter laid out in arrays: its static types, its collector's lists, an arena with pools,
 * a heap of malloc's, and what objects a test puts there. The layout is that of an era, so a walk sees
 * what it would see in a process of that version. What needs py_objects.h (strings, dicts, classes)
 * is there. Aborts when something does not fit.
 *
 * Memory of the image: statics (a file's, which no walk searches), the heap, the arena, and "outside",
 * which no walk searches either.
 */

#include "mem/window.h"
#include "support/fake_heap.h"
#include "support/fake_source.h"
#include "support/py_eras.h"
#include "targets/cpython/layout.h"

/** Static types. Python 2's `str` is IMAGE_BYTES, its `unicode` IMAGE_STR, its `long` IMAGE_LONG;
 *  it has no IMAGE_ORDERED_DICT, and Python 3 none of those that end in 2. */
enum py_image_type {
	IMAGE_TYPE,
	IMAGE_OBJECT,
	IMAGE_STR,
	IMAGE_BYTES,
	IMAGE_DICT,
	IMAGE_LIST,
	IMAGE_TUPLE,
	IMAGE_LONG,
	IMAGE_FLOAT,
	IMAGE_SET,
	IMAGE_FROZENSET,
	IMAGE_BYTEARRAY,
	IMAGE_DEQUE,
	IMAGE_ORDERED_DICT,
	IMAGE_INT2,
	IMAGE_INSTANCE2,
	IMAGE_CLASS2,
	IMAGE_TYPES,
};

enum {
	PY_IMAGE_GENERATIONS = 3,
	PY_IMAGE_SIZE_CLASSES = 64,
	PY_IMAGE_MADE_MAX = 64,
};

struct py_image_memory {
	addr_t start;
	size_t bytes;
	unsigned char *data;
	addr_t next;
};

/** What was made of one type. */
struct py_image_made {
	addr_t type;
	size_t count;
	size_t tracked;
};

struct py_image {
	enum py_era era;
	struct fake_layout *fields;
	struct py_layout layout;
	struct fake_source *fake;
	/** On the image; to be cleared after a change to what was read. */
	struct mem_window *window;
	addr_t type[IMAGE_TYPES];
	addr_t interpreter;
	addr_t thread;
	/** Heads of the lists of the collector's generations. */
	addr_t generation[PY_IMAGE_GENERATIONS];
	/** 0 where nothing can be frozen. */
	addr_t permanent;
	/** The word or int that says that a collection is under way. */
	addr_t collecting;
	/** The array of arena_object with one arena in use. */
	addr_t arenas;
	uint32_t pool_bytes;
	uint32_t alignment_bytes;

	struct py_image_memory statics;
	struct py_image_memory arena;
	struct py_image_memory outside;
	struct fake_heap heap;
	addr_t pool[PY_IMAGE_SIZE_CLASSES];
	struct py_image_made made[PY_IMAGE_MADE_MAX];
	size_t made_count;
};

struct py_image *py_image_create(enum py_era era);
/** Takes NULL. */
void py_image_destroy(struct py_image *image);
void py_image_cleanup(struct py_image **image);
#define _cleanup_py_image_ CLEANUP(py_image_cleanup)

struct mem_source *py_image_source(const struct py_image *image);

/** The byte at @a at; aborts where the image has none. */
void *py_image_at(const struct py_image *image, addr_t at);
uint64_t *py_image_word(const struct py_image *image, addr_t at);
void py_image_set(const struct py_image *image, addr_t at, struct py_field field, uint64_t value);
uint64_t py_image_get(const struct py_image *image, addr_t at, struct py_field field);

/** @a bytes zeroed bytes. In a pool, or in the heap when there are more than 512. */
addr_t py_image_alloc(struct py_image *image, size_t bytes);
/** Puts a block of a pool onto the pool's free list. */
void py_image_free(struct py_image *image, addr_t block);
/** The pool that holds @a block. */
addr_t py_image_pool_of(const struct py_image *image, addr_t block);
addr_t py_image_alloc_static(struct py_image *image, size_t bytes);
addr_t py_image_alloc_outside(struct py_image *image, size_t bytes);

/** A static type, which nobody tracks; Py_TPFLAGS_READY is set. */
addr_t py_image_static_type(struct py_image *image, const char *name, uint64_t basicsize,
			    uint64_t itemsize, uint64_t flags);
/** Bytes before an object of the type at @a type. */
uint32_t py_image_presize(const struct py_image *image, addr_t type);
/** An untracked object of @a bytes bytes with one reference, all zero behind its type. */
addr_t py_image_object(struct py_image *image, addr_t type, size_t bytes);
/** The same in @a block, which has room for it and what stands before it. */
addr_t py_image_object_in(struct py_image *image, addr_t block, addr_t type);

/** Links @a object at the end of the list at @a head, or takes it out of its list. */
void py_image_track_in(struct py_image *image, addr_t object, addr_t head);
void py_image_track(struct py_image *image, addr_t object);
void py_image_untrack(struct py_image *image, addr_t object);
/** The collector's head of @a object. */
addr_t py_image_head(const struct py_image *image, addr_t object);

/** How many objects of the type were made (or adjusted since), and tracked ones among them. */
struct py_image_made *py_image_made(struct py_image *image, addr_t type);

#endif
