/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_CHANGE_ROWS_H
#define UI_ANSWERS_CHANGE_ROWS_H

/*
 * Changes of types as `diff` and `load` tell them.
 */

#include "analyze/censuses/changes.h"
#include "ui/record/snapshot.h"
#include "ui/report/report.h"

/** The columns of one type: name, instances, refs, size, now, trend. */
enum change_column {
	CHANGE_NAME,
	CHANGE_INSTANCES,
	CHANGE_REFS,
	CHANGE_SIZE,
	CHANGE_NOW,
	CHANGE_TREND,
	CHANGE_COLUMNS,
};

extern const struct report_column change_columns[CHANGE_COLUMNS];

/** Cells of a row; they live as long as @a row and its name. */
void change_cells(const struct change_row *row, struct report_cell cells[CHANGE_COLUMNS]);

/** How the sum of references changed: of the runtime's own total when both moments have one. */
int64_t change_of_refs(const struct snapshot *before, const struct snapshot *after);

#endif
