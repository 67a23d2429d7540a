/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CENSUSES_GROWTH_H
#define ANALYZE_CENSUSES_GROWTH_H

/*
 * Which types grow under load, and by how many objects each time: a straight line through the
 * numbers of objects after iterations of one and the same load. A cache that fills bends the line,
 * what a leak leaves behind does not.
 */

#include "base/cleanup.h"
#include "heap/counter.h"

/** The least confidence with which a type is said to grow linearly. */
static const double GROWTH_LINEAR_CONFIDENCE = 0.9;

enum {
	/** Of two steps at least a type must have grown in both: one step is no trend. */
	GROWTH_RISES_MIN = 2,
};

/** A type of which there were never fewer than the time before, and more in at least half of the
 *  steps, GROWTH_RISES_MIN at least. */
struct growth_row {
	/** Lives as long as the censuses. */
	const char *name;
	/** Objects more per iteration: the slope of the least squares line; above 0. */
	double per_iteration;
	/** How much of the change the line explains: the coefficient of determination R^2, 0 to
	 *  1; 1 when each iteration left as many as the others. */
	double confidence;
	/** Objects in the first census and in the last. */
	uint64_t count_first;
	uint64_t count_last;
};

/** Zero-initialised is empty and valid. */
struct growth {
	/** Most objects per iteration first, then by name. */
	struct growth_row *rows;
	size_t row_count;
	/** From one census to the next. Below GROWTH_RISES_MIN nothing can be said: there are no
	 *  rows. */
	size_t step_count;
};

/** @a censuses[0] is the look after the warm-up, the others those after each iteration that
 *  followed; @a count of them, any number. They outlive *@a ret. */
MUST_USE struct error *growth_find(const struct census *const *censuses, size_t count,
				   struct growth *ret);

/** Whether it grows linearly: GROWTH_LINEAR_CONFIDENCE or more. */
bool growth_is_linear(const struct growth_row *row);

void growth_deinit(struct growth *growth);
#define _cleanup_growth_ CLEANUP(growth_deinit)

#endif
