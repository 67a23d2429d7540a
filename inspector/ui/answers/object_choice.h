/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_OBJECT_CHOICE_H
#define UI_ANSWERS_OBJECT_CHOICE_H

/*
 * The objects that words of a verb mean: an address ("0x7f..."), or the name of a type, which is its
 * first object by address or all of them.
 */

#include "base/cleanup.h"
#include "heap/heap.h"
#include "ui/arguments.h"
#include "ui/report/report.h"

/** Zero-initialised is empty and valid. */
struct object_choice {
	/** In the order of the words, each object once. */
	uint32_t *ids;
	size_t count;
	size_t capacity;
	/** Of types of which only the first object was taken. */
	size_t others;
};

/** ERROR_USAGE for a word that can be neither, before the process is looked at. */
MUST_USE struct error *object_choice_check(const struct arguments *arguments);

/** ERROR_FAILED when there is no such object: no object at that address, no object of such a type
 *  (with the names that are near). */
MUST_USE struct error *object_choice_make(const struct heap *heap,
					  const struct arguments *arguments, bool all,
					  struct object_choice *ret);

/** The same of any words: those of an option. */
MUST_USE struct error *object_choice_of_words(const struct heap *heap, const char *const *words,
					      size_t word_count, bool all,
					      struct object_choice *ret);

/** ERROR_USAGE as object_choice_check() says it. */
MUST_USE struct error *object_choice_check_words(const char *const *words, size_t word_count);

/** Tells that there are more objects of a type that was named, and with @a hint how to see them. */
MUST_USE struct error *object_choice_note(const struct object_choice *choice, struct report *report,
					  const char *hint);

void object_choice_deinit(struct object_choice *choice);
#define _cleanup_object_choice_ CLEANUP(object_choice_deinit)

#endif
