/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_TEXT_LINE_H
#define HEAP_TEXT_LINE_H

/* A line of a heap as text, taken apart into words; and the numbers in words. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct text_word {
	/** Without quotes and backslashes. */
	char *chars;
	/** It stood in quotes: a name, whatever it looks like. */
	bool quoted;
};

struct text_line {
	struct text_word *words;
	size_t count;
	size_t capacity;
	/** What the words point into; it and the array are used again for the next line. */
	char *chars;
	size_t chars_capacity;
	/** Of the words, the next one that nobody took. */
	size_t taken;
};

/** Takes the line at @a start (up to its end or the end of the text) apart. ERROR_FAILED for quotes
 *  that do not end. */
MUST_USE struct error *text_line_split(struct text_line *line, const char *start);
void text_line_deinit(struct text_line *line);

/** The next word, or NULL when there is none. */
struct text_word *text_line_take(struct text_line *line);

/** Decimal or, after 0x, hexadecimal; false for anything else and beyond 64 bits. */
bool text_number(const char *chars, uint64_t *ret);

/** For the word KEY=NUMBER; *@a ret_is: it begins with KEY=. ERROR_FAILED when what follows is no
 *  number. */
MUST_USE struct error *text_assignment(const struct text_word *word, const char *key, bool *ret_is,
				       uint64_t *ret);

#endif
