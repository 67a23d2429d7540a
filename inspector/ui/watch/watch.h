/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_WATCH_H
#define UI_WATCH_WATCH_H

/*
 * A watch from the shell: points when they are due, and with each the line or the screen, the metrics
 * and the conditions, until it is over or somebody asks it to stop.
 */

#include "ui/command.h"
#include "ui/watch/watch_options.h"

/** @a tell is told where metrics are served, before the first point, and what it wants to know of no other
 *  place; it may be NULL. */
MUST_USE struct error *watch_here(struct command_context *context,
				  const struct watch_options *options,
				  void (*tell)(const char *text));

#endif
