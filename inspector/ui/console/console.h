/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_CONSOLE_H
#define UI_CONSOLE_CONSOLE_H

/*
 * The console: lines of verbs for one inspected process, from a person (GNU readline), from -c, or
 * from a stdin that is no terminal. Prints the errors of its lines on stderr and goes on.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "ui/arguments.h"
#include "ui/inspected.h"

struct console;
struct recorder;

struct console_options {
	/** These lines instead of stdin; NULL reads stdin. */
	const char *const *lines;
	size_t line_count;
	/** What was given to the console's own verb: -q, -v and --no-color are its lines' too. */
	const struct arguments *arguments;
};

/** Whether a person will be at it: nothing but stdin to read from, and that a terminal. */
bool console_is_interactive(const struct console_options *options);

/**
 * Runs lines until they end or one of them says to leave. Fails only when the console itself cannot
 * go on; *@a ret_status is the exit status of the first line that failed, 0 when none did or when a
 * person was at it.
 */
MUST_USE struct error *console_run(struct inspected *inspected,
				   const struct console_options *options, int *ret_status);

/** What `watch` records here, while a person types and between lines; lives as long as the console. */
struct recorder *console_recorder(struct console *console);

struct saved;

/** What `save` keeps here, for `diff`; lives as long as the console. */
struct saved *console_saved(struct console *console);

struct settings;

/** What is set for all lines; lives as long as the console. */
struct settings *console_settings(struct console *console);

/** Whether an answer that is too long for the screen goes to a pager. */
bool console_wants_pager(const struct console *console);

/** No line after this one. */
void console_leave(struct console *console);

#endif
