/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_WATCH_TABLE_H
#define UI_WATCH_WATCH_TABLE_H

/*
 * The screen of a watch at a terminal, as top has one: how the processes are, and below it the types
 * that there are more and more of. It has the terminal's other screen to itself, and leaves the first
 * one as it was.
 */

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "ui/watch/fleet.h"

enum { WATCH_TABLE_WORDS_MAX = 3 };

/** Zero-initialised is none, and valid. */
struct watch_table {
	/** NULL while it is not shown. */
	FILE *out;
	bool color;
	size_t types_max;
	/** The types, as they were at the last point; a line each. */
	struct text types;
	/** What was said last, for the lowest lines. */
	char *words[WATCH_TABLE_WORDS_MAX];
	/** When the screen was drawn last (base/clock.h), and how large it was. */
	uint64_t drawn_ns;
	int columns, rows;
};

/** Whether the screen of @a out can be written all over. */
bool watch_table_fits(FILE *out);

/** Takes the screen. Ended by watch_table_end(), on every way out. */
MUST_USE struct error *watch_table_begin(struct watch_table *table, FILE *out, bool color,
					 size_t types_max);

/** There is a new point. */
MUST_USE struct error *watch_table_update(struct watch_table *table, const struct fleet *fleet);

/** Somebody came or went, or a condition came true. */
MUST_USE struct error *watch_table_say(struct watch_table *table, const char *text);

/** Draws the screen, where a second has passed or its size has changed. */
MUST_USE struct error *watch_table_refresh(struct watch_table *table, const struct fleet *fleet);

/** Gives the screen back. */
void watch_table_end(struct watch_table *table);
#define _cleanup_watch_table_ CLEANUP(watch_table_end)

#endif
