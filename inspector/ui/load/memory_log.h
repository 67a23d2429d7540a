/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_MEMORY_LOG_H
#define UI_LOAD_MEMORY_LOG_H

/*
 * Launchpad's log of memory, a line per request there and per iteration of a load here, with eight
 * columns and a blank between them:
 *
 *     timestamp page_id oops_id duration start_vss start_rss end_vss end_rss
 *     2026-11-28T21:51:19 /shop/cart - 1.250000 104857600 20971520 105906176 22020096
 *
 * The timestamp is local, the duration is in seconds, sizes are in bytes.
 */

#include <stdint.h>

#include "base/error.h"

struct memory_log_line {
	/** When the iteration began: milliseconds since 1970. */
	int64_t time_ms;
	/** Borrowed. NULL or "" is none, which is logged as `-`; blanks are logged as `_`. */
	const char *page_id;
	const char *oops_id;
	uint64_t duration_ns;
	uint64_t start_vss_bytes;
	uint64_t start_rss_bytes;
	uint64_t end_vss_bytes;
	uint64_t end_rss_bytes;
};

/** Appends one line to the file at @a path, whole also where others append to it; makes the file
 *  where there is none. ERROR_FAILED when it cannot be written. */
MUST_USE struct error *memory_log_append(const char *path, const struct memory_log_line *line);

#endif
