/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_BUILDER_H
#define HEAP_BUILDER_H

/*
 * The sink that builds the graph of references. Every thread's sink keeps what it gets as it comes,
 * addresses and all, and marks the objects in one bitmap (a bit per 8 bytes). When all are joined it is
 * counted, which turns addresses into dense ids without sorting or hashing, and the references are
 * packed in two passes (count, fill), by all processors. What came in is freed as it is packed.
 *
 * A child that is destroyed instead of joined has marked objects that nobody knows: reset() then.
 */

#include "heap/heap.h"
#include "heap/sink.h"

/** @a thread_count threads pack. */
MUST_USE struct error *heap_builder_create(unsigned thread_count, struct heap_sink **ret);

/** Packs what @a builder (of heap_builder_create(), everything joined) got; the builder is empty
 *  afterwards and only to be destroyed or reset. ERROR_FAILED beyond HEAP_OBJECTS_MAX objects or
 *  UINT32_MAX references. */
MUST_USE struct error *heap_builder_finish(struct heap_sink *builder, struct heap **ret);

#endif
