/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_TYPE_PATTERN_H
#define UI_ANSWERS_TYPE_PATTERN_H

#include <stdbool.h>

/** What --filter means: @a name has @a pattern in it, or matches it as a whole when it has one of
 *  *, ? and [. Everything matches NULL. */
bool type_pattern_matches(const char *pattern, const char *name);

#endif
