/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_RECORD_RECORD_FILE_H
#define UI_RECORD_RECORD_FILE_H

/*
 * Records as a file: a JSON object on each line. A run begins with a head that tells the process and
 * names the series with their units ("bytes", "count", "ns"), has a line for each point, and, unless it
 * was cut off, a last line that tells how it came to an end:
 *
 *   {"leakinspect": "record", "format": 1, "time_ms": 1795860000000, "pid": 4711, "start_ticks": 583920,
 *    "runtime": "cpython", "version": "3.11.2", "build": "release", "program": "python3 service.py",
 *    "series": {"rss": "bytes", "objects": "count", "pause": "ns"}}
 *   {"pid": 4711, "time_ms": 1795860000100, "rss": 54632448, "objects": 117362, "pause": 6200000}
 *   {"pid": 4711, "time_ms": 1795860060100, "end": "the process has ended"}
 *
 * null is a value that could not be had, and "inexact": true a point whose numbers are near the truth.
 * Other keys may come with later versions. A file may hold several runs, one behind the other, and
 * several processes, as every line names its own.
 *
 * A line is written by one write(): what is cut off is the last line at most, and what follows begins a
 * new one. A file that is read may be damaged or hostile: what is wrong with it is counted, and no line
 * is the end of the rest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "ui/record/record.h"

/** How every record begins. */
extern const char record_file_mark[];

/** "bytes", "count", "ns": how files and JSON documents call a unit. */
const char *record_unit_name(enum series_unit unit);

/* Writing. */

struct record_writer;

/** Opens @a path to append to: ERROR_FAILED for a file that is there and is no record, and when it
 *  cannot be written. */
MUST_USE struct error *record_writer_open(const char *path, struct record_writer **ret);

/** Writes the head of a run of @a record: process and series. */
MUST_USE struct error *record_writer_begin(struct record_writer *writer,
					   const struct record *record, int64_t time_ms);

/** Writes a point: a value for each series of @a record. */
MUST_USE struct error *record_writer_add(struct record_writer *writer, const struct record *record,
					 int64_t time_ms, const int64_t *values, bool inexact);

/** Writes how the run came to an end. */
MUST_USE struct error *record_writer_end(struct record_writer *writer, const struct record *record,
					 int64_t time_ms, const char *how);

/** The file it appends to. */
const char *record_writer_path(const struct record_writer *writer);

/** Takes NULL. */
void record_writer_close(struct record_writer *writer);

/* Reading. */

enum {
	/** Processes of one file; of more, the first ones. */
	RECORD_PROCESSES_MAX = 16,
	RECORD_LINE_BYTES_MAX = 64 << 10,
	RECORD_PROBLEM_TEXTS_MAX = 3,
};

/** No more than this of a file is read, in bytes. */
static const uint64_t RECORD_FILE_BYTES_MAX = UINT64_C(1) << 30;

struct record_file {
	/** In the order in which they appear. */
	struct record *records[RECORD_PROCESSES_MAX];
	size_t record_count;
	uint64_t line_count;
	/** Lines that could not be made sense of; what was left out for a limit. */
	uint64_t unreadable;
	uint64_t truncated;
	/** The first of these problems in words. */
	char *problem_texts[RECORD_PROBLEM_TEXTS_MAX];
	size_t problem_text_count;
};

/** Reads @a path. ERROR_FAILED when it cannot be opened or does not begin as a record does. */
MUST_USE struct error *record_file_read(const char *path, struct record_file *ret);

void record_file_deinit(struct record_file *file);
#define _cleanup_record_file_ CLEANUP(record_file_deinit)

#endif
