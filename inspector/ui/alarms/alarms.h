/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ALARMS_ALARMS_H
#define UI_ALARMS_ALARMS_H

/*
 * What happens when a condition becomes true: it is told, a snapshot is saved from the census that there
 * is already, a command is run. Nothing of it makes a point wait. The last alarms are kept, for the
 * answer.
 */

#include "ui/alarms/background.h"
#include "ui/report/report.h"
#include "ui/watch/fleet.h"
#include "ui/watch/watch_options.h"

enum { ALARMS_KEPT_MAX = 100 };

struct alarm {
	uint64_t number;
	int64_t time_ms;
	int pid;
	const struct trigger *trigger;
	double value;
	/** The snapshot; owned, NULL when there is none. */
	char *saved;
	/** How the command ended, -1 when that is not known (yet), or there was none. */
	int exit_status;
};

struct alarms {
	const struct watch_options *options;
	/** --force: a snapshot may take the place of a file. */
	bool force;
	struct background background;
	struct alarm kept[ALARMS_KEPT_MAX];
	size_t count;
	/** All that there were. */
	uint64_t total;
};

/** @a options outlives it. */
void alarms_init(struct alarms *alarms, const struct watch_options *options, bool force);

/** Looks at all conditions at a point of @a member. What cannot be saved or run is told to
 *  @a watcher and is no error. */
MUST_USE struct error *alarms_judge(struct alarms *alarms, struct fleet_member *member,
				    struct fleet_watcher *watcher);

/** Sees which commands have ended; those that failed are told. */
MUST_USE struct error *alarms_collect(struct alarms *alarms, struct fleet_watcher *watcher);

/** Waits for the commands, until somebody asks us to stop: then they are killed. */
MUST_USE struct error *alarms_finish(struct alarms *alarms, struct fleet_watcher *watcher);

/** `triggers`, for programs; for people they were told. */
MUST_USE struct error *alarms_report(const struct alarms *alarms, struct report *report);

void alarms_deinit(struct alarms *alarms);
#define _cleanup_alarms_ CLEANUP(alarms_deinit)

#endif
