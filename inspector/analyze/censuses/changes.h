/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CENSUSES_CHANGES_H
#define ANALYZE_CENSUSES_CHANGES_H

/*
 * What changed between censuses of one process, type by type. Two of them tell what there is more of;
 * three and more tell what only grows from what comes and goes.
 */

#include "base/cleanup.h"
#include "heap/counter.h"

enum change_trend {
	/** Two censuses are no trend. */
	CHANGE_TREND_UNKNOWN,
	/** Never fewer than the time before, and more at least twice. */
	CHANGE_TREND_GROWS,
	/** More once, and never fewer: filled, started, loaded. */
	CHANGE_TREND_ONCE,
	/** More and fewer. */
	CHANGE_TREND_SWINGS,
	/** Never more. */
	CHANGE_TREND_SHRINKS,
	/** As many all the time: other objects, or other sizes. */
	CHANGE_TREND_STEADY,
};

/** The word of CLI.md; NULL for CHANGE_TREND_UNKNOWN. */
const char *change_trend_name(enum change_trend trend);

struct change_row {
	/** Lives as long as the censuses. */
	const char *name;
	/** Of the last census less those of the first: objects, bytes, sum of reference counts. */
	int64_t count;
	int64_t size_bytes;
	int64_t refs;
	/** Objects in the last. */
	uint64_t last_count;
	/** How the number of objects went. */
	enum change_trend trend;
};

/** Zero-initialised is empty and valid. */
struct changes {
	/** Types of which any of the three changed between any two: most new objects first, then most bytes,
	 *  then by name. */
	struct change_row *rows;
	size_t row_count;
	/** The sum over all types. */
	struct change_row total;
};

/** @a censuses are in the order of time, @a count of them, 2 at least; they outlive *@a ret. */
MUST_USE struct error *changes_find(const struct census *const *censuses, size_t count,
				    struct changes *ret);
void changes_deinit(struct changes *changes);
#define _cleanup_changes_ CLEANUP(changes_deinit)

#endif
