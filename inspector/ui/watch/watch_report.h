/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_WATCH_REPORT_H
#define UI_WATCH_WATCH_REPORT_H

/*
 * What `watch` tells: a line for each point, and at the end how it went, process by process and type by
 * type.
 */

#include "ui/command.h"
#include "ui/watch/fleet.h"

/** A type of a process. */
struct watch_type_row {
	int pid;
	/** Its name lives until the process's next point. */
	struct change_row change;
	double per_minute;
};

struct watch_type_rows {
	struct watch_type_row *rows;
	size_t count;
	/** Types that changed beyond those, of all processes. */
	size_t more_count;
};

/** The most grown types of all processes, @a max of them, most first. The caller frees `rows`. */
MUST_USE struct error *watch_types_find(const struct fleet *fleet, size_t max,
					struct watch_type_rows *ret);

enum { WATCH_TYPE_COLUMNS = 8 };

/** In the order of the cells; the first is the pid, which is left out where there is one process. */
extern const struct report_column watch_type_columns[WATCH_TYPE_COLUMNS];
void watch_type_cells(const struct watch_type_row *row, struct report_cell *cells);

/** How all stops of the first process went so far. */
void watch_report_head(const struct command_context *context, const struct fleet *fleet,
		       struct report_head *ret);

/** Begins the table of points. */
MUST_USE struct error *watch_report_live(struct report *report, const struct fleet *fleet);
MUST_USE struct error *watch_report_point(struct report *report, const struct fleet *fleet,
					  const struct fleet_member *member);

struct watch_report_style {
	/** People see the growth by type, too: so many. 0 is none. */
	size_t types;
	bool on_terminal;
};

/** All that is told at the end. */
MUST_USE struct error *watch_report_end(struct report *report, const struct fleet *fleet,
					const struct watch_report_style *style);

/** What @a recorder could not do as it was asked to. */
MUST_USE struct error *watch_report_notes(struct report *report, const struct recorder *recorder);

#endif
