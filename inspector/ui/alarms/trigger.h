/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ALARMS_TRIGGER_H
#define UI_ALARMS_TRIGGER_H

/*
 * A condition on what is measured: "rss>1GiB", "objects>1000000", "garbage>0", "growth>1000/min",
 * "growth(app.Session)>10/min". It fires when it becomes true, and again only after it was false.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ui/watch/watch_growth.h"

enum trigger_subject {
	TRIGGER_RSS,
	TRIGGER_VSS,
	TRIGGER_PSS,
	TRIGGER_OBJECTS,
	TRIGGER_GARBAGE,
	TRIGGER_GROWTH,
	TRIGGER_SUBJECT_COUNT,
};

struct trigger {
	/** As it was given. */
	const char *text;
	enum trigger_subject subject;
	/** Of growth(TYPE), NULL of all objects; owned. */
	char *type;
	/** Bytes, objects, or objects per minute. */
	double threshold;
};

/** What a process has come to. */
struct trigger_point {
	/** By subject, growth aside; SERIES_ABSENT (ui/chart/series.h) is not known. */
	int64_t values[TRIGGER_SUBJECT_COUNT];
	const struct watch_growth *growth;
};

/** ERROR_USAGE with a sentence. @a text outlives *@a ret, which the caller deinits. */
MUST_USE struct error *trigger_parse(const char *text, struct trigger *ret);

/** Whether the process must be stopped to know. */
bool trigger_counts_objects(const struct trigger *trigger);

/** Whether it fires at this point; @a held, false in the beginning, is kept from point to point.
 *  *@a ret_value is what it compared. Where that is not known all stays as it was. */
bool trigger_fires(const struct trigger *trigger, const struct trigger_point *point, bool *held,
		   double *ret_value);

void trigger_deinit(struct trigger *trigger);

#endif
