/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_LAYOUT_CACHE_H
#define DEBUG_LAYOUT_CACHE_H

/*
 * Saved layouts: the answers (absences too) that a slower source gave for one build-id, kept in
 * $XDG_CACHE_HOME/leakinspect (~/.cache/leakinspect) as a small text file. A file from the cache is
 * untrusted input: what does not parse, has the wrong version or a wrong checksum is not there.
 */

#include "debug/layout.h"

/** Makes the slower source, when a question is not among the saved answers. */
struct layout_cache_backing {
	struct error *(*open)(void *context, struct layout_source **ret);
	void *context;
};

/**
 * A source that answers from the saved layout of @a build_id (hex), asks @a backing for the rest
 * and remembers. @a build_id NULL or "" means nothing is saved. Without a writable cache directory
 * all works, slower.
 */
MUST_USE struct error *layout_cache_create(const char *build_id,
					   const struct layout_cache_backing *backing,
					   struct layout_source **ret);

/** Writes what was learned since (a new file renamed over the old); nothing learned, nothing done.
 *  Failing to save is not worth an error to a user: returned, for the log. */
MUST_USE struct error *layout_cache_save(struct layout_source *cache);

/** Whether the backing source has been opened, that is, whether DWARF was read. */
bool layout_cache_is_cold(const struct layout_source *cache);

/** Whether there is no answer, saved or learned. */
bool layout_cache_is_empty(const struct layout_source *cache);

#endif
