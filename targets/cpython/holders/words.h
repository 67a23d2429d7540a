/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_HOLDERS_WORDS_H
#define TARGETS_CPYTHON_HOLDERS_WORDS_H

/*
 * How many words of a process's memory are the address of an object, for a few objects: those whose
 * reference count has more in it than references were found. A counted reference that no word stands
 * for can never be given back.
 *
 * Counting may be done by several threads at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct py_words;

/** Told of each word found where the caller asked for it. From any thread. */
typedef void py_words_found(void *context, addr_t word_at, uint32_t object);

/** For @a count objects at @a at, numbered as there. */
MUST_USE struct error *py_words_create(const addr_t *at, size_t count, struct py_words **ret);
/** Takes NULL. */
void py_words_destroy(struct py_words *words);

/** Counts the words of the @a bytes bytes at @a data, which are those of @a at (a multiple of 8).
 *  @a found may be NULL. */
void py_words_count(struct py_words *words, const void *data, size_t bytes, addr_t at,
		    py_words_found *found, void *context);

/** Takes back what was counted, or will be, of bytes that hold nothing any more. */
void py_words_discount(struct py_words *words, const void *data, size_t bytes);

/** The same for one word that is the address of object @a number. */
void py_words_discount_one(struct py_words *words, size_t number);

addr_t py_words_address(const struct py_words *words, size_t number);

/** So far, of object @a number. */
uint64_t py_words_total(const struct py_words *words, size_t number);

#endif
