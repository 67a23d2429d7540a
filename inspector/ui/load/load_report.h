/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_LOAD_REPORT_H
#define UI_LOAD_LOAD_REPORT_H

/*
 * What `load` tells: each iteration as it ends, in the form that zope.testrunner has made familiar, and
 * what grows with them.
 */

#include "ui/load/load_growth.h"
#include "ui/report/report.h"

struct load_style {
	/** Requests that the command makes, for changes per request; 0 when not known. */
	uint64_t per;
	/** With the changes of each type. */
	bool details;
};

/** Begins the table of iterations; its rows are for programs. */
MUST_USE struct error *load_report_begin(struct report *report);

/** An iteration of the block under way, for people and for programs, at once. */
MUST_USE struct error *load_report_iteration(struct report *report, const struct load *load,
					     const struct load_iteration *iteration,
					     const struct load_style *style);

/** The verdict over all blocks, @a count of them. */
MUST_USE struct error *load_report_verdict(struct report *report, const struct load_growth *blocks,
					   size_t count, const struct load_style *style);

/** The URLs by what they leak, most first. */
MUST_USE struct error *load_report_ranking(struct report *report,
					   const struct load_ranking *ranking,
					   const struct load_style *style);

/** What makes the numbers less than exact, and how they are meant. */
MUST_USE struct error *load_report_notes(struct report *report, const struct load *load);

#endif
