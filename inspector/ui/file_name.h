/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_FILE_NAME_H
#define UI_FILE_NAME_H

/*
 * Names of files with places in them, %d or %p, for what is written of several processes or several times.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { FILE_NAME_TIME_CHARS = 32 };

/** What stands for % and a letter. */
struct file_name_value {
	char letter;
	const char *text;
};

/** Appends @a pattern with its places filled, %% being %. ERROR_USAGE, with the letters that are known, for
 *  any other %. */
MUST_USE struct error *file_name_fill(const char *pattern, const struct file_name_value *values,
				      size_t count, struct text *into);

/** Whether it has a place for @a letter. */
bool file_name_has(const char *pattern, char letter);

/** The local time as it stands in a name, 20261128-213045; @a into is returned. */
const char *file_name_time(int64_t time_ms, char into[FILE_NAME_TIME_CHARS]);

#endif
