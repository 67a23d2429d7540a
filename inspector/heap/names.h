/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_NAMES_H
#define HEAP_NAMES_H

/*
 * Texts, each kept once: roots are many, and what they are called repeats. A thread with a thousand
 * frames has one name for each of them and a few for all of its variables.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct heap_names_piece;

/** Zero-initialised is empty and valid. */
struct heap_names {
	struct heap_names_piece *pieces;
	/** Open addressing; NULL is free. */
	const char **slots;
	size_t count;
	/** Number of slots, a power of two or 0. */
	size_t size;
	/** Of the pieces. */
	size_t bytes;
};

/** *@a ret is the text that equals @a text (NULL is ""); it lives as long as @a names. */
MUST_USE struct error *heap_names_add(struct heap_names *names, const char *text, const char **ret);

/** What they take of our memory. */
uint64_t heap_names_bytes(const struct heap_names *names);

void heap_names_deinit(struct heap_names *names);

#endif
