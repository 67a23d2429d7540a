/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_WORDS_H
#define UI_CONSOLE_WORDS_H

/*
 * A line of the console in words, as a shell would split it: blanks separate, '...' and "..." keep
 * together, a backslash takes the next character as it is (within "..." only before " and \), and a
 * word that begins with # begins a comment.
 */

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

/** Zero-initialised is empty and valid. */
struct words {
	/** Ended by NULL. */
	char **list;
	size_t count;
	size_t capacity;
	char *chars;
};

/** ERROR_USAGE when a quote is not closed. */
MUST_USE struct error *words_split(const char *line, struct words *ret);

void words_deinit(struct words *words);
#define _cleanup_words_ CLEANUP(words_deinit)

#endif
