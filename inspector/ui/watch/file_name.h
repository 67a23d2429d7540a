/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_FILE_NAME_H
#define UI_WATCH_FILE_NAME_H

/*
 * Names of files with a place for the process and the time in them, for what is written of several.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** ERROR_USAGE for a % that is none of %p, %t and %%; @a option is where it was given. */
MUST_USE struct error *file_name_check(const char *option, const char *pattern);

/** Whether it has %p. */
bool file_name_tells_pid(const char *pattern);

/** %p is @a pid, %t the local time as 20261128-213045, %% is %. The caller frees *@a ret. */
MUST_USE struct error *file_name_expand(const char *pattern, int pid, int64_t time_ms, char **ret);

#endif
