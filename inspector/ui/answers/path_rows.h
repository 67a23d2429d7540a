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

/** A table whose rows are path_rows_for_programs(), under @a key. */
MUST_USE struct error *path_rows_begin(struct report *report, const char *key);
MUST_USE struct error *path_rows_for_programs(struct report *report, struct inspected *inspected,
					      const struct heap *heap, const struct path *path,
					      const struct path_words *words);

#endif
