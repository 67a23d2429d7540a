/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/** Monotonic time in nanoseconds. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/** Sleeps, cut short by a signal. */
static inline void clock_sleep_ns(uint64_t ns)
{
	struct timespec span = {.tv_sec = (time_t)(ns / 1000000000U),
				.tv_nsec = (long)(ns % 1000000000U)};

	nanosleep(&span, NULL);
}

#endif
