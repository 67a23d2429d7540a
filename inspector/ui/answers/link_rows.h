/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_LINK_ROWS_H
#define UI_ANSWERS_LINK_ROWS_H

/*
 * The table that `refs` and `referrers` answer with: a row per reference, at most as many as -n says.
 */

#include "ui/command.h"
#include "ui/answers/object_choice.h"

struct link_rows {
	struct report *report;
	struct inspected *inspected;
	const struct heap *heap;
	size_t limit;
	/** Rows that were asked for; those beyond the limit are only counted. */
	size_t count;
};

/** Begins the report with whom it is about, and the table. */
MUST_USE struct error *link_rows_begin(struct link_rows *rows,
				       const struct command_context *context, const char *verb,
				       const struct inspected_graph *graph,
				       const struct object_choice *choice);

/** Reference @a number of @a from; @a shown is the end of it that the row shows, @a of the other. */
MUST_USE struct error *link_rows_add(struct link_rows *rows, uint32_t from, uint32_t number,
				     uint32_t shown, uint32_t of);

/** A root that holds its object. */
MUST_USE struct error *link_rows_add_root(struct link_rows *rows, const struct heap_root_row *root);

/** @a count more rows that are not shown. */
static inline void link_rows_skip(struct link_rows *rows, size_t count)
{
	rows->count += count;
}

/** Tells how many there are, and what was left out. */
MUST_USE struct error *link_rows_end(const struct link_rows *rows,
				     const struct object_choice *choice);

#endif
