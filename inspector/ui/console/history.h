/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_HISTORY_H
#define UI_CONSOLE_HISTORY_H

/*
 * The console's lines, kept from one run to the next in $XDG_STATE_HOME/leakinspect/history. Only
 * its owner can read the file, and it does not grow without end.
 */

#include "base/error.h"

/** Reads the lines of earlier runs; that there are none is no error. */
MUST_USE struct error *history_load(void);

/** Remembers a line, unless it is empty or the same as the one before. */
void history_remember(const char *line);

/** Adds the lines of this run to the file. Other consoles may have added theirs meanwhile. */
MUST_USE struct error *history_save(void);

/** Another history, in a file called @a name beside it, until history_leave(); not within another. */
MUST_USE struct error *history_enter(const char *name);
/** Saves that, and goes back to the one before. */
MUST_USE struct error *history_leave(void);

#endif
