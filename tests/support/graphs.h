/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_GRAPHS_H
#define SUPPORT_GRAPHS_H

/*
 * Heaps for analyses: from text, at random, long ones.
 */

#include "heap/heap.h"

/** Fails the test when the text makes no sense. */
struct heap *graph_parse(const char *text);

/** The number of the object at @a at; fails the test when there is none. */
uint32_t graph_find(const struct heap *heap, addr_t at);

/** The same sequence for the same seed (not 0). */
uint64_t graph_random(uint64_t *seed);

/**
 * @a object_count objects of a few types and up to @a edge_count references of all kinds between
 * them, all at random; flags, too. Reference counts are those of the references, for some objects
 * more and for a few less. They have no labels.
 */
struct heap *graph_at_random(uint64_t seed, uint32_t object_count, uint32_t edge_count);

/** Gives @a heap, which has none, these roots (without names) and leaks; copies both. */
void graph_hold(struct heap *heap, const struct heap_root_row *roots, size_t root_count,
		const struct heap_leak *leaks, size_t leak_count);

/** Each object refers to the next one, or, if @a back, to the one before; if @a closed, the last one
 *  to the first, too. All tracked, of one type, and held by nothing else. */
struct heap *graph_list(uint32_t object_count, bool back, bool closed);

/** Runs @a function on a stack of 64 KiB. */
void graph_on_small_stack(void *(*function)(void *), void *argument);

#endif
