/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_FLEET_H
#define UI_WATCH_FLEET_H

/*
 * The processes that are watched together: those that were named, and, where that is asked for, the
 * children of the first and theirs, which come and go. Each has a recorder of its own, and its own share
 * of pauses. What one of them does ends the watch of no other. Of those that are gone a line each is
 * kept, of few.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "mem/process_tree.h"
#include "ui/inspected.h"
#include "ui/record/recorder.h"
#include "ui/watch/watch_growth.h"

enum {
	/** Watched at a time. */
	FLEET_MEMBERS_MAX = 64,
	/** Those that have gone, the last of them. */
	FLEET_PAST_MAX = 64,
	/** Children that cannot be watched. */
	FLEET_REFUSED_MAX = 1024,
	FLEET_PROGRAM_CHARS = RECORD_PROGRAM_CHARS,
};

struct fleet_options {
	/** Its path may have %p in it, the pid. */
	struct recorder_options recorder;
	/** The children of the first are watched, too. */
	bool children;
	enum inspected_snapshot snapshot;
	bool redacts;
};

struct fleet_member {
	struct process_identity identity;
	struct inspected *inspected;
	/** It was opened here, and is closed here. */
	bool is_owned;
	/** It was found, not named. */
	bool is_child;
	/** Of its start, in seconds since 1970. */
	double start_seconds;
	struct recorder recorder;
	struct watch_growth growth;
	/** A bit for each condition that holds. */
	uint32_t held;
	/** It was said that its types are not known any more. */
	bool told_types_unknown;
};

/** What is left of one. */
struct fleet_summary {
	int pid;
	bool is_child;
	char program[FLEET_PROGRAM_CHARS];
	/** "" while it is watched. */
	char ended[200];
	uint64_t points;
	/** Of the time; -1 is not known. */
	double pause_share;
	/** By enum recorder_series, SERIES_ABSENT where there is none. */
	int64_t first[RECORDER_SERIES_COUNT];
	int64_t last[RECORDER_SERIES_COUNT];
};

struct fleet {
	struct inspected_opener *opener;
	struct fleet_options options;
	/** The first is the one whose children are looked for. Named ones stay when they have ended. */
	struct fleet_member *members[FLEET_MEMBERS_MAX];
	size_t count;
	/** The last `past_count` that were dropped, in their order. */
	struct fleet_summary past[FLEET_PAST_MAX];
	size_t past_count;
	struct process_identity refused[FLEET_REFUSED_MAX];
	size_t refused_count;
	/** When children are looked for (base/clock.h). */
	uint64_t look_ns;
	/** Since the beginning. */
	uint64_t opened_count;
	/** Those among them that had not all their points. */
	uint64_t ended_count;
	bool told_full;
};

/** Who is told what happens; an error ends the round. */
struct fleet_watcher {
	/** A point was taken. */
	struct error *(*on_point)(struct fleet_watcher *watcher, struct fleet_member *member);
	/** Somebody came or went. */
	struct error *(*on_word)(struct fleet_watcher *watcher, const char *text);
};

/** Begins with the process of @a inspected, which outlives the fleet. The caller deinits. */
MUST_USE struct error *fleet_init(struct fleet *fleet, struct inspected *inspected,
				  struct inspected_opener *opener,
				  const struct fleet_options *options);

/** Opens another one. The error names it. */
MUST_USE struct error *fleet_add(struct fleet *fleet, pid_t pid);

/** Takes the first point of each, without a word. */
MUST_USE struct error *fleet_start(struct fleet *fleet);

/** When something is to be done again; UINT64_MAX when it is over. */
uint64_t fleet_due_ns(const struct fleet *fleet);

/** Whether what its last point tells is still there: the process, its program, and its watch or all points
 *  of that. */
bool fleet_member_is_there(const struct fleet_member *member);

/** Whether one of them has ended, or runs another program, and nobody knows. */
bool fleet_has_news(const struct fleet *fleet);

/** Takes the points that are due, drops who is gone, and looks for children. Fails where the only one
 *  fails, and when somebody asked us to stop. */
MUST_USE struct error *fleet_take(struct fleet *fleet, struct fleet_watcher *watcher);

/** Ends the recording of all; @a how says why. */
MUST_USE struct error *fleet_stop(struct fleet *fleet, const char *how);

/** Whether answers need to say which process they are about. */
bool fleet_is_several(const struct fleet *fleet);

void fleet_summarise(const struct fleet_member *member, struct fleet_summary *ret);

void fleet_deinit(struct fleet *fleet);
#define _cleanup_fleet_ CLEANUP(fleet_deinit)

#endif
