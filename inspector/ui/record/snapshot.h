/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_RECORD_SNAPSHOT_H
#define UI_RECORD_SNAPSHOT_H

/*
 * How many objects of each type a process had at one moment, kept to be compared with another moment:
 * in memory, and in files of some ten kilobytes.
 */

#include "ui/inspected.h"
#include "ui/record/record_process.h"

/** Zero-initialised is empty and valid. */
struct snapshot {
	struct record_process process;
	/** Milliseconds since 1970. */
	int64_t time_ms;
	/** 0 of a core file, which does not tell. */
	uint64_t rss_bytes;
	uint64_t vss_bytes;
	/** The runtime's own sum of all reference counts, -1 when it keeps none (a release build). */
	int64_t ref_total;
	/** The numbers belong to one moment, and all of them were read. */
	bool exact;
	struct census census;
};

/** Stops the process, counts every object, lets it go; @a look tells how that went. The caller deinits
 *  *@a ret. */
MUST_USE struct error *snapshot_take(struct inspected *inspected, struct session_look *look,
				     struct snapshot *ret);

/** What `sys.gettotalrefcount()` tells on a debug build; else the sum over all objects on the heap. */
int64_t snapshot_refs(const struct snapshot *snapshot);

/** Whether both are of one process, and not of two that had one pid. */
bool snapshot_is_of_same(const struct snapshot *one, const struct snapshot *other);

void snapshot_deinit(struct snapshot *snapshot);
#define _cleanup_snapshot_ CLEANUP(snapshot_deinit)

enum {
	/** Of a file, and of the types in it. */
	SNAPSHOT_BYTES_MAX = 64 << 20,
	SNAPSHOT_TYPES_MAX = 1 << 20,
};

/** Writes one JSON document: {"leakinspect": "snapshot", "format": 1, ..., "types": [[name, count, tracked,
 *  frozen, size, refs], ...]}. ERROR_FAILED when it cannot be written. */
MUST_USE struct error *snapshot_write(FILE *out, const struct snapshot *snapshot);

/** Reads what snapshot_write() wrote. Nothing in the file is believed: a wrong number is an error that
 *  names it. The caller deinits *@a ret. */
MUST_USE struct error *snapshot_read(const char *path, struct snapshot *ret);

#endif
