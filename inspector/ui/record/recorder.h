/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_RECORD_RECORDER_H
#define UI_RECORD_RECORDER_H

/*
 * Measures a process at intervals. It has no thread and no timer of its own: its owner asks when the
 * next point is due and has it taken, between other work on the same process. A point costs the process
 * one short stop for the state of its collector and one census; where the two would keep it from its
 * work for more than its share of the time, the next point comes later.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "ui/inspected.h"
#include "ui/record/record.h"
#include "ui/record/record_file.h"

enum recorder_series {
	RECORDER_RSS,
	RECORDER_VSS,
	RECORDER_PSS,
	/** What /proc tells without a stop ends here. */
	RECORDER_OBJECTS,
	RECORDER_GARBAGE,
	RECORDER_PAUSE,
	RECORDER_SERIES_COUNT,
};

struct recorder_options {
	uint64_t interval_ns;
	/** Points to take; 0 for no end. */
	uint64_t points_max;
	/** The part of the time for which the process may stand still for us: 0.001. */
	double pause_share_max;
	/** The process is never stopped: no objects, no garbage. */
	bool no_stop;
	/** The last census is kept, for who wants to know about types. */
	bool keeps_census;
	/** The file that points are appended to, or NULL; needed to start only. */
	const char *path;
};

/** Zero-initialised is one that has recorded nothing. */
struct recorder {
	/** All runs of this recorder. */
	struct record record;
	struct recorder_options options;
	bool running;
	/** Of this run, by base/clock.h and by the calendar. */
	uint64_t began_ns;
	int64_t began_ms;
	uint64_t due_ns;
	uint64_t point_count;
	/** The last point. */
	int64_t time_ms;
	int64_t values[RECORD_SERIES_MAX];
	/** How the stops of this run went; and the last census. */
	struct session_look look;
	/** That of the last point, with options.keeps_census; without rows where there was none. Its owner may
	 *  take what is in it. */
	struct census census;
	/** What the runtime's own collections came to, at the last point that could tell. */
	struct target_gc_stats gc_stats[TARGET_GENERATIONS_MAX];
	uint32_t gc_stats_count;
	unsigned stops;
	uint64_t pause_ns;
	uint64_t pause_total_ns;
	/** From the last point to the next that is due. */
	uint64_t planned_ns;
	/** The longest time from one point to the next, when a pause made it longer than was asked. */
	uint64_t longest_interval_ns;
	/** Points that lack objects and garbage, and why the last of them does. */
	uint64_t failed_count;
	char failure[240];
	/** What a census could not read, the most of it. */
	uint64_t unreadable;
	uint64_t truncated;
	struct record_writer *writer;
};

/** Begins a run; the one before must have ended. Takes no point yet: the first is due at once. */
MUST_USE struct error *recorder_start(struct recorder *recorder, struct inspected *inspected,
				      const struct recorder_options *options);

/** When the next point is due (base/clock.h); UINT64_MAX when nothing is recorded. */
uint64_t recorder_due_ns(const struct recorder *recorder);

/**
 * Takes a point. Ends the run when that was the last one, or when the process has ended, which is no
 * error. After an error the run has ended, too: when the first point could not be had, when the record's
 * file cannot be written, and with ERROR_INTERRUPTED.
 */
MUST_USE struct error *recorder_take(struct recorder *recorder, struct inspected *inspected);

/** How a run ends that somebody asked to stop. */
#define RECORDER_INTERRUPTED "interrupted"
/** How one ends with the process. */
#define RECORDER_ENDED "the process has ended"

/** Ends the run, if there is one; @a how says why in a few words. */
MUST_USE struct error *recorder_stop(struct recorder *recorder, const char *how);

/** Whether the process that is recorded is still there. */
bool recorder_process_lives(const struct recorder *recorder);

/** Drops everything; the run's file has no last line then. */
void recorder_deinit(struct recorder *recorder);
#define _cleanup_recorder_ CLEANUP(recorder_deinit)

#endif
