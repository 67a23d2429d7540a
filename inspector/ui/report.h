/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_REPORT_H
#define UI_REPORT_H

/*
 * SEAM 5: how an answer is written: text for people, JSON for programs (CLI.md), more to come.
 * A verb describes its answer once, as a head, sections of key/values, and tables of rows; the
 * implementation decides the looks. Nothing is printed before end(): an error half-way leaves stdout
 * empty.
 *
 *   report_begin(report, &head);
 *   report_table(report, "types", columns, n);  report_row(report, cells); ...
 *   report_object(report, "total", columns, n, cells);
 *   report_note(report, ...);
 *   report_end(report);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum report_unit {
	REPORT_TEXT,    /* cell.text */
	REPORT_COUNT,   /* cell.number, grouped for people */
	REPORT_BYTES,   /* cell.number, human units for people */
	REPORT_NUMBER,  /* cell.number, plain (ids, exit statuses) */
	REPORT_BOOL,    /* cell.number 0 or 1 */
	REPORT_ADDRESS, /* cell.number as "0x..." */
	REPORT_NUMBERS, /* cell.numbers, cell.count of them: an array in JSON, "700, 10, 10" */
	REPORT_TEXTS,   /* cell.texts, cell.count of them */
};

struct report_column {
	/** The JSON key (CLI.md), and the table's heading unless `title` is set. */
	const char *key;
	const char *title;
	enum report_unit unit;
	/** In JSON only. */
	bool hidden;
};

struct report_cell {
	/** The value is not known: null in JSON, "-" for people. */
	bool absent;
	const char *text;
	int64_t number;
	const int64_t *numbers;
	const char *const *texts;
	size_t count;
};

/** The head that every document has (CLI.md). NULL and 0 are null in JSON. */
struct report_head {
	const char *verb;
	int pid;
	const char *core;
	const char *runtime;
	const char *version;
	const char *build;
	const char *snapshot;
	const char *debug_info;
	uint64_t pause_ns;
	/** Stops made until the moment was a consistent one: 1 is the usual. */
	unsigned stops;
	bool consistent;
	/** Why the last moment was not consistent; "" otherwise. */
	const char *inconsistency;
	uint64_t unreadable;
	uint64_t truncated;
};

struct report;

struct report_ops {
	struct error *(*begin)(struct report *report, const struct report_head *head);
	struct error *(*table)(struct report *report, const char *key,
			       const struct report_column *columns, size_t count);
	struct error *(*row)(struct report *report, const struct report_cell *cells);
	struct error *(*object)(struct report *report, const char *key,
				const struct report_column *columns, size_t count,
				const struct report_cell *cells);
	struct error *(*note)(struct report *report, const char *text);
	struct error *(*end)(struct report *report);
	void (*destroy)(struct report *report);
};

/** Implementations embed this as their first member. */
struct report {
	const struct report_ops *ops;
};

/** Starts a document. */
MUST_USE struct error *report_begin(struct report *report, const struct report_head *head);
/** Starts the table under @a key; rows follow, each with a cell per column. @a columns must outlive
 *  the report. */
MUST_USE struct error *report_table(struct report *report, const char *key,
				    const struct report_column *columns, size_t count);
MUST_USE struct error *report_row(struct report *report, const struct report_cell *cells);
/** One row with its keys, {"key": {...}} in JSON; with @a key NULL its members stand at the top. A
 *  total, when the columns are those of the table before. */
MUST_USE struct error *report_object(struct report *report, const char *key,
				     const struct report_column *columns, size_t count,
				     const struct report_cell *cells);
/** A sentence for people, and an element of "notes" in JSON. */
MUST_USE PRINTF_LIKE(2, 3) struct error *report_note(struct report *report, const char *format,
						     ...);
/** Writes everything out; fails when it cannot be written (disk full, closed pipe). */
MUST_USE struct error *report_end(struct report *report);
/** Takes NULL. */
void report_destroy(struct report *report);

/** For people: aligned columns; @a color where the reader is a terminal. Does not own @a out. */
MUST_USE struct error *report_text_create(FILE *out, bool color, struct report **ret);
/** One JSON document (jansson). Does not own @a out. */
MUST_USE struct error *report_json_create(FILE *out, struct report **ret);

#endif
