/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_GARBAGE_VERIFY_H
#define UI_ANSWERS_GARBAGE_VERIFY_H

/*
 * `garbage --verify`: the prediction beside what the interpreter's own collection did in clones of the same
 * moment. The number always counts. The objects do unless finalizers or callbacks ran, which may have freed
 * some of them, brought others back or left new ones.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyze/garbage.h"
#include "heap/heap.h"
#include "targets/target.h"
#include "ui/report/report.h"

struct garbage_prediction {
	const struct heap *heap;
	const struct garbage *garbage;
	/** What gc.collect() would return. */
	uint64_t found;
};

/** Adds the comparison to the report; *@a ret_agrees is false, too, when there is nothing to compare
 *  with. */
MUST_USE struct error *garbage_verify_report(struct report *report,
					     const struct garbage_prediction *prediction,
					     const struct target_collection *returned,
					     const struct target_collection *saved,
					     bool *ret_agrees);

#endif
