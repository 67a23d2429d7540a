/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_DOT_TEXT_H
#define UI_ANSWERS_DOT_TEXT_H

/*
 * Text of the inspected process in a DOT file: harmless, of a bounded length, in quotes. Within quotes
 * Graphviz knows no HTML, but backslashes (\N, \l) and entities (&amp;): neither gets through.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/** Appends @a chars for a place between double quotes; lines are separated by \n in DOT, too. */
MUST_USE struct error *dot_text_escape(const char *chars, struct text *into);

/** Appends @a chars as a terminal would get them (ui/report/safe_text.h), at most @a chars_max
 *  characters of them: of a longer text the begin, or with @a keep_end the end, beside an ellipsis. */
MUST_USE struct error *dot_text_cut(const char *chars, size_t chars_max, bool keep_end,
				    struct text *into);

/** Replaces blanks by newlines so that lines have @a chars_wanted characters, words allowing. */
void dot_text_wrap(struct text *text, size_t chars_wanted);

#endif
