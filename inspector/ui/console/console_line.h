/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_CONSOLE_LINE_H
#define UI_CONSOLE_CONSOLE_LINE_H

/*
 * A line typed by a person: GNU readline behind three functions. The terminal and the handling of
 * signals are changed only while a line is typed.
 */

#include "base/error.h"
#include "ui/console/complete.h"

struct console_line_ops {
	/** Adds what only the console knows to the question. */
	void (*complete)(void *closure, struct complete_question *question);
	/** Asked whenever something came, and after wait_ms(): something to say to the person, or
	 *  NULL. */
	const char *(*notice)(void *closure);
	/** How long to wait for the person at most, in milliseconds. */
	int (*wait_ms)(void *closure);
};

/** Reads the history; that it cannot is an error after which lines can be read all the same. */
MUST_USE struct error *console_line_open(const char *prompt, const struct console_line_ops *ops,
					 void *closure);

/** The next line, freed by the caller; NULL at the end of the input, or when a signal other than
 *  Ctrl-C asks us to stop (interrupt_pending() tells). Ctrl-C empties the line. */
char *console_line_read(void);

/** Saves the history. */
MUST_USE struct error *console_line_close(void);

#endif
