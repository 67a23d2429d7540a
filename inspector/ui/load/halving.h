/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_HALVING_H
#define UI_LOAD_HALVING_H

/*
 * Which of many URLs leak, in few runs: groups of them are run, and a group that leaks is halved
 * until one is left. That one is run once more, alone; it is taken out, and what remains is run
 * again, until it does not leak. A half that does not leak says that the other one does, without a
 * run.
 *
 * Runs nothing itself: halving_next() says which group to run, halving_answer() takes whether it
 * leaked, and moves on. `d` of `n` are found in at most d * (ceil(log2 n) + 2) + 1 runs.
 *
 * Answers need not agree: a leak may be there once and not again, or come only of two URLs
 * together. The search then ends somewhere, at one that does not leak alone, which is told apart
 * from those found. The bound counts it as one of the d, and after HALVING_UNCONFIRMED_MAX of them
 * the search is given up. For the same reason a group that did not leak is not believed for good:
 * it is part of what remains when that is run again.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
	/** Of URLs. */
	HALVING_COUNT_MAX = 1 << 20,
	/** So many searches that led to nobody: what leaks, leaks not by one of them alone. */
	HALVING_UNCONFIRMED_MAX = 3,
};

enum halving_verdict {
	/** Not known yet; at the end only where the search was given up. */
	HALVING_OPEN,
	/** Leaked alone, when it was run to confirm. */
	HALVING_FOUND,
	/** A search ended at it, and then it did not leak alone: something leaked, perhaps not
	 *  this one. */
	HALVING_UNCONFIRMED,
	/** One of those that did not leak when all that remained were run. */
	HALVING_CLEAN,
};

enum halving_state {
	HALVING_DONE,
	/** The next group is all that are open. */
	HALVING_ALL,
	/** Half of a group that leaks. */
	HALVING_HALF,
	/** The one that is left of it. */
	HALVING_CONFIRM,
};

/** Zero-initialised is a search among none, which is done. */
struct halving {
	/** Of each URL, by its index; @a count of them. */
	enum halving_verdict *verdicts;
	size_t count;
	/** Answers so far. */
	size_t run_count;
	size_t found_count;
	size_t unconfirmed_count;
	enum halving_state state;

	/* The rest is halving.c's own. */
	size_t *open;
	size_t open_count;
	/** Of the open ones: the group that is known to leak. */
	size_t begin, end;
};

/** For URLs 0 to @a count - 1. ERROR_USAGE for more than HALVING_COUNT_MAX; none are done at
 *  once. */
MUST_USE struct error *halving_init(struct halving *halving, size_t count);
void halving_deinit(struct halving *halving);
#define _cleanup_halving_ CLEANUP(halving_deinit)

/**
 * Whether there is a group to run, and which: *@a ret_count indexes, 1 at least, ascending,
 * neighbours among those that are open. They live until halving_answer(). The same again until that
 * is called.
 */
bool halving_next(const struct halving *halving, const size_t **ret_group, size_t *ret_count);

/** Whether the group of halving_next() leaked. Nothing when there is none. */
void halving_answer(struct halving *halving, bool leaks);

/** The bound: runs at most to search @a count URLs when @a settled are found or unconfirmed in
 *  the end. */
size_t halving_runs_max(size_t count, size_t settled);

#endif
