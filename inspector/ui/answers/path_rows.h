/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_PATH_ROWS_H
#define UI_ANSWERS_PATH_ROWS_H

/*
 * Paths from roots to objects: a table for people, root first, and an element of "paths" for programs.
 */

#include "analyze/retention/path_words.h"
#include "ui/command.h"

/** Appends what holds the first object of a path: "module shop", "C code, which leaked a reference". */
MUST_USE struct error *path_rows_start(const struct heap *heap, const struct path_start *start,
				       struct text *into);

/** The word of CLI.md: "module", "leaked". */
const char *path_rows_start_kind(const struct heap *heap, const struct path_start *start);

/** A table of the report's, for people alone; a heading or a note comes before it. */
MUST_USE struct error *path_rows_for_people(struct report *report, struct inspected *inspected,
					    const struct heap *heap, const struct path *path,
					    const struct path_words *words);

/** The cells of the steps of a path, for a column of a table of one's own (path_rows_column). */
struct path_rows_cells {
	struct report_cell *cells;
	size_t count;
	/** What they point into. */
	struct text *texts;
};

/** {.unit = REPORT_OBJECTS, ...}; for programs. */
extern const struct report_column path_rows_column;

MUST_USE struct error *path_rows_fill(struct inspected *inspected, const struct heap *heap,
				      const struct path *path, const struct path_words *words,
				      struct path_rows_cells *ret);
/** Zero-initialised is valid. */
void path_rows_cells_deinit(struct path_rows_cells *cells);

#endif
