/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_REPORT_TEXT_TABLE_H
#define UI_REPORT_TEXT_TABLE_H

/*
 * A table for people: numbers on the right, text on the left, columns as wide as what is in them.
 * Columns and cells are those of ui/report.h; what is written is harmless for a terminal.
 */

#include "base/cleanup.h"
#include "base/text.h"
#include "ui/report/report.h"

struct text_table_cell {
	char *chars;
	/** In columns of the terminal. */
	size_t width;
};

/** Zero-initialised is no table, and valid. */
struct text_table {
	/** Owned. */
	struct report_column *columns;
	size_t column_count;
	/** Row by row, the headings first. */
	struct text_table_cell *cells;
	size_t cell_count;
	size_t cell_capacity;
	/** Of a table that is written row by row; NULL before the first. */
	size_t *widths;
};

/** Appends a value as people read it; adds its width to *@a width unless that is NULL. */
MUST_USE struct error *text_table_format(const struct report_column *column,
					 const struct report_cell *cell, struct text *into,
					 size_t *width);

/** Starts a table with its headings. What @a columns point to must outlive it. */
MUST_USE struct error *text_table_init(struct text_table *table,
				       const struct report_column *columns, size_t count);
void text_table_deinit(struct text_table *table);

/** Adds a row with a cell per column. */
MUST_USE struct error *text_table_add(struct text_table *table, const struct report_cell *cells);

/** Whether all of these columns are columns of the table. */
bool text_table_fits(const struct text_table *table, const struct report_column *columns,
		     size_t count);

/** Adds a row of some of the columns; @a name stands in the first where that is not one of them. */
MUST_USE struct error *text_table_add_total(struct text_table *table, const char *name,
					    const struct report_column *columns, size_t count,
					    const struct report_cell *cells);

/** Whether it has headings and nothing else. */
bool text_table_is_empty(const struct text_table *table);

/** Appends the table; the headings are bold in @a color. */
MUST_USE struct error *text_table_write(const struct text_table *table, bool color,
					struct text *into);

/** Appends what has come since the last time and forgets it. Columns begin as wide as their unit needs
 *  as a rule, and grow. */
MUST_USE struct error *text_table_write_on(struct text_table *table, bool color, struct text *into);

#endif
