/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_LOG_LINE_H
#define UI_LOAD_LOG_LINE_H

/*
 * Logs of one line each time, written by many at once and read by tools that split lines at blanks.
 */

#include <stdint.h>

#include "base/text.h"

/** Appends the local time of @a time_ms (milliseconds since 1970): "2026-11-28", @a between,
 *  "21:51:19". */
MUST_USE struct error *log_line_time(struct text *into, int64_t time_ms, char between);

/** Appends @a word as one word: its blanks become `_`, what would harm a line or a terminal is
 *  escaped; `-` for NULL and "". */
MUST_USE struct error *log_line_word(struct text *into, const char *word);

/** Appends @a line, which ends with its newline, to the file; makes the file where there is none.
 *  ERROR_FAILED when it could not be written, or only a part of it. */
MUST_USE struct error *log_line_append(const char *path, const struct text *line);

#endif
