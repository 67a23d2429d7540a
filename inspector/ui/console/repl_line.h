/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_REPL_LINE_H
#define UI_CONSOLE_REPL_LINE_H

/*
 * A line of Python typed by a person, with a history of its own; the console's readline (which may be
 * the one that called) is put back at the end.
 */

#include <stdbool.h>

#include "base/error.h"

/** That the history cannot be read is an error after which lines can be read all the same. */
MUST_USE struct error *repl_line_open(void);

/** The next line, freed by the caller; NULL at the end of the input or when a signal asks us to stop.
 *  After Ctrl-C it is NULL with *@a ret_emptied. */
char *repl_line_read(const char *prompt, bool *ret_emptied);

/** Saves the history. */
MUST_USE struct error *repl_line_close(void);

#endif
