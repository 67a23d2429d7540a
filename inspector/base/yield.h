/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_YIELD_H
#define BASE_YIELD_H

/*
 * For threads of ours that work while the inspected process runs. Once they have all processors, a thread of
 * its own that wakes up waits for one until the kernel's next tick, some milliseconds, which may be more than
 * it was ever stopped for. So they ask now and then whether somebody waits.
 */

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/**
 * To be called after each half a millisecond of work or so; *@a yields belongs to the thread and is true at
 * first. It becomes false, and nothing is done any more, when coming back took so long that others are at
 * work on this processor: they would take as long each time. Costs half a microsecond where nobody waits.
 */
static inline void yield_processor(bool *yields)
{
	const uint64_t late_ns = 1000000;

	if (!*yields)
		return;
	uint64_t begin_ns = clock_now_ns();
	sched_yield();
	*yields = clock_now_ns() - begin_ns < late_ns;
}

#endif
