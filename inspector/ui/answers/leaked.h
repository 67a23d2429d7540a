/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_LEAKED_H
#define UI_ANSWERS_LEAKED_H

/*
 * What `refs --leaked` answers: objects with references that are counted and found nowhere.
 */

#include "ui/command.h"

/** Reports them: a row per object whose type's name matches @a pattern (may be NULL), or with
 *  @a by_type a row per type. */
MUST_USE struct error *leaked_report(const struct command_context *context, const char *verb,
				     const char *pattern, bool by_type);

#endif
