/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_REPORT_REPORT_H
#define UI_REPORT_REPORT_H

/*
 * SEAM 5: how an answer is written: text for people, JSON for programs (CLI.md), more to come.
 * A verb describes its answer once, as a head, sections of key/values, and tables of rows; the
 * implementation decides the looks. Nothing is printed before end(), but for a table that is live and for
 * what a verb shows as it goes: an error half-way leaves stdout empty. Every text may hold any bytes
 * (names come from the inspected process): the implementation makes them harmless for its reader.
 *
 * How the process was stopped and what could not be read is in the head, and every implementation
 * tells it: no verb can forget to.
 *
 *   report_begin(report, &head);
 *   report_table(report, "types", columns, n);  report_row(report, cells); ...
 *   report_object(report, "total", columns, n, cells);
 *   report_note(report, ...);
 *   report_end(report);                         (command_run() does, for a verb)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"

enum report_unit {
	REPORT_TEXT,      /* cell.text */
	REPORT_COUNT,     /* cell.number, grouped for people */
	REPORT_BYTES,     /* cell.number, human units for people */
	REPORT_NUMBER,    /* cell.number, plain (ids, exit statuses) */
	REPORT_DURATION,  /* cell.number of nanoseconds, human units for people */
	REPORT_REAL,      /* cell.real, to six places; to three for people */
	REPORT_FIGURE,    /* cell.number in the unit that cell.unit names: its rows differ */
	REPORT_BOOL,      /* cell.number 0 or 1 */
	REPORT_ADDRESS,   /* cell.number as "0x..." */
	REPORT_NUMBERS,   /* cell.numbers, cell.count of them: an array in JSON, "700, 10, 10" */
	REPORT_TEXTS,     /* cell.texts, cell.count of them: an array in JSON, words for people */
	REPORT_ADDRESSES, /* cell.numbers, cell.count of them as "0x..." */
	REPORT_OBJECT,  /* cell.members: {...} in JSON, its values with blanks between for people */
	REPORT_OBJECTS, /* cell.members of cell.count objects, one object's after the other's */
};

enum report_reader {
	REPORT_FOR_ALL,
	/** For programs: in JSON only. */
	REPORT_FOR_PROGRAMS,
	/** For people: not in JSON. */
	REPORT_FOR_PEOPLE,
};

struct report_column {
	/** The JSON key (CLI.md), and the table's heading unless `title` is set. NULL for the only column of a
	 *  table: in JSON its rows are the values themselves. */
	const char *key;
	const char *title;
	enum report_unit unit;
	enum report_reader reader;
	/** Of REPORT_OBJECT and REPORT_OBJECTS: what each has. */
	const struct report_column *members;
	size_t member_count;
};

struct report_cell {
	/** The value is not known: null in JSON, "-" for people. */
	bool absent;
	const char *text;
	int64_t number;
	double real;
	/** Of REPORT_FIGURE: REPORT_COUNT, REPORT_BYTES or REPORT_DURATION; and whether it is a change,
	 *  of which people see the sign. */
	enum report_unit unit;
	bool is_change;
	const int64_t *numbers;
	const char *const *texts;
	const struct report_cell *members;
	size_t count;
};

/** How the graph of references was built that an answer comes from. */
struct report_graph {
	/** False for an answer that comes from no graph: the rest is 0 then, and nothing is told. */
	bool is_known;
	uint64_t object_count;
	uint64_t reference_count;
	/** All that the user waited for, and its largest parts (struct inspected_cost). */
	uint64_t build_ns;
	uint64_t copy_ns;
	uint64_t walk_ns;
	uint64_t pack_ns;
	/** Of our memory: the graph itself, and the copy of the process's memory beside it. */
	uint64_t bytes;
	uint64_t copied_bytes;
};

/** The head that every document has (CLI.md). NULL and 0 are null in JSON. */
struct report_head {
	const char *verb;
	int pid;
	const char *core;
	/** What is missing of the core file, and of the files that belong to it; "" or NULL otherwise. */
	const char *shortcomings;
	const char *runtime;
	const char *version;
	const char *build;
	const char *snapshot;
	/** How long the clone lived, 0 when there was none. */
	uint64_t clone_ns;
	/** Why the snapshot is not the clone that was wanted; "" or NULL otherwise. */
	const char *not_cloned;
	/** Why the process is left with what remains of the clone; "" or NULL otherwise. */
	const char *left_behind;
	const char *debug_info;
	/** How long the process stood still: in the stop that counted, and in all of them. */
	uint64_t pause_ns;
	uint64_t pause_total_ns;
	/** Stops made until the moment was a consistent one: 1 is the usual, 0 is none at all. */
	unsigned stops;
	bool consistent;
	/** How long ago that was, in what is kept from verb to verb; 0 when it was just now. */
	uint64_t age_ns;
	/** Why the last moment was not consistent; "" otherwise. */
	const char *inconsistency;
	/** No values are told. */
	bool is_redacted;
	uint64_t unreadable;
	uint64_t truncated;
	/** The first few of these problems in words. */
	const char *const *problem_texts;
	size_t problem_text_count;
	struct report_graph graph;
};

struct report;

struct report_ops {
	struct error *(*begin)(struct report *report, const struct report_head *head);
	struct error *(*table)(struct report *report, const char *key,
			       const struct report_column *columns, size_t count);
	struct error *(*live)(struct report *report, const struct report_column *columns,
			      size_t count);
	struct error *(*row)(struct report *report, const struct report_cell *cells);
	struct error *(*object)(struct report *report, const char *key,
				const struct report_column *columns, size_t count,
				const struct report_cell *cells);
	struct error *(*heading)(struct report *report, const char *text);
	struct error *(*lines)(struct report *report, const char *const *lines, size_t count);
	struct error *(*remark)(struct report *report, const char *text);
	struct error *(*note)(struct report *report, const char *text);
	struct error *(*show)(struct report *report);
	struct error *(*amend)(struct report *report, const struct report_head *head);
	struct error *(*end)(struct report *report);
	void (*destroy)(struct report *report);
};

/** How a report for people looks. */
struct report_style {
	/** Bold headings: the reader is a terminal. */
	bool color;
	/** Nothing but the answer, and what makes it less than whole. */
	bool quiet;
	/** Where it came from, too. */
	bool verbose;
};

/** Implementations embed this as their first member. */
struct report {
	const struct report_ops *ops;
};

/** Starts a document. @a head is needed during the call only. */
MUST_USE struct error *report_begin(struct report *report, const struct report_head *head);
/** Starts the table under @a key; rows follow, each with a cell per column. One of which no column is for
 *  programs is not in JSON. @a key, and what @a columns point to, must outlive the report. */
MUST_USE struct error *report_table(struct report *report, const char *key,
				    const struct report_column *columns, size_t count);
/** Starts a table that goes on as long as the verb runs, for people alone: each row is shown as it comes,
 *  with all that was reported before. For programs, who get one document, the verb reports at its end
 *  what is worth keeping. What @a columns point to must outlive the report. */
MUST_USE struct error *report_live(struct report *report, const struct report_column *columns,
				   size_t count);
MUST_USE struct error *report_row(struct report *report, const struct report_cell *cells);
/** One row with its keys, {"key": {...}} in JSON; with @a key NULL its members stand at the top. When
 *  all its keys are keys of the table before it, it is a last row of that table for people (a total),
 *  named by @a key unless a cell for the first column names it. */
MUST_USE struct error *report_object(struct report *report, const char *key,
				     const struct report_column *columns, size_t count,
				     const struct report_cell *cells);
/** A line for people above what comes next, in place of its key; nothing in JSON. */
MUST_USE PRINTF_LIKE(2, 3) struct error *report_heading(struct report *report, const char *format,
							...);
/** Lines for people that are no table (a traceback), below the heading before them; nothing in JSON. */
MUST_USE struct error *report_lines(struct report *report, const char *const *lines, size_t count);
/** A line for people between two rows of a live table, shown at once; nothing in JSON. */
MUST_USE PRINTF_LIKE(2, 3) struct error *report_remark(struct report *report, const char *format,
						       ...);
/** A sentence for people, and an element of "notes" in JSON. */
MUST_USE PRINTF_LIKE(2, 3) struct error *report_note(struct report *report, const char *format,
						     ...);
/** Shows people what was reported so far: for a verb whose next words take a while. Programs get it at the
 *  end. */
MUST_USE struct error *report_show(struct report *report);
/** Tells anew how the process was stopped and what could not be read: for a verb that did not know it
 *  when it began. @a head is otherwise that of the beginning. */
MUST_USE struct error *report_amend(struct report *report, const struct report_head *head);
/** Writes everything out; fails when it cannot be written (disk full, closed pipe). */
MUST_USE struct error *report_end(struct report *report);
/** Takes NULL. */
void report_destroy(struct report *report);
static inline void cleanup_report(struct report **report)
{
	report_destroy(*report);
}
#define _cleanup_report_ CLEANUP(cleanup_report)

/** For people: aligned columns. Does not own @a out. */
MUST_USE struct error *report_text_create(FILE *out, const struct report_style *style,
					  struct report **ret);
/** One JSON document (jansson). Does not own @a out. */
MUST_USE struct error *report_json_create(FILE *out, struct report **ret);

#endif
