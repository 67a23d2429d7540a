/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * Text: a growing string, and numbers as a person reads them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** A growing, NUL-terminated string. Zero-initialised is empty and valid. */
struct text {
	char *chars;
	size_t length;
	size_t capacity;
};

void text_deinit(struct text *text);
#define _cleanup_text_ CLEANUP(text_deinit)

MUST_USE struct error *text_append(struct text *text, const char *chars, size_t length);
MUST_USE PRINTF_LIKE(2, 3) struct error *text_appendf(struct text *text, const char *format, ...);

/** The string, "" when empty; lives as long as @a text is not changed. */
const char *text_chars(const struct text *text);

enum { HUMAN_CHARS = 32 };

/** "512 B", "1.5 KiB", "2.0 GiB"; @a into has HUMAN_CHARS chars and is returned. Negative too. */
const char *human_bytes(int64_t bytes, char *into);

/** "12,345,678". */
const char *human_count(int64_t count, char *into);

/** "85 us", "3.1 ms", "2.4 s". */
const char *human_duration_ns(uint64_t ns, char *into);

/** Whether a byte of UTF-8 begins a character, and does not go on with one. */
static inline bool text_begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

#endif
