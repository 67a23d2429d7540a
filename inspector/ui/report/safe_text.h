/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_REPORT_SAFE_TEXT_H
#define UI_REPORT_SAFE_TEXT_H

/*
 * Text of the inspected process is hostile: a type may be named with an escape sequence, a newline,
 * a bidirectional override or bytes that are no UTF-8. What is shown goes through here.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/**
 * Appends @a chars for a terminal: control characters, characters that reorder or hide text, and
 * bytes that are no UTF-8 become \x1b, \u202e. Adds the columns it takes to *@a width unless that is
 * NULL.
 */
MUST_USE struct error *safe_text_terminal(struct text *into, const char *chars, size_t *width);

/** The same for what @a format comes to. */
MUST_USE PRINTF_LIKE(2, 3) struct error *safe_text_appendf(struct text *into, const char *format,
							   ...);
/** The same with the arguments in a list. */
MUST_USE PRINTF_LIKE(2, 0) struct error *safe_text_vappendf(struct text *into, const char *format,
							    va_list args);

/** Appends @a chars as valid UTF-8: bytes that are none become \xff. For JSON, which escapes the
 *  rest itself. */
MUST_USE struct error *safe_text_utf8(struct text *into, const char *chars);

/** Whether a terminal may get it as it is, as one word of a line: nothing to escape, no space, no
 *  quote, no backslash. */
bool safe_text_is_word(const char *chars);

#endif
