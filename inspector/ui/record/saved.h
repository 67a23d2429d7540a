/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_RECORD_SAVED_H
#define UI_RECORD_SAVED_H

/*
 * Snapshots that a console keeps by name, so that later ones can be compared with them.
 */

#include "ui/record/snapshot.h"

enum {
	/** Some ten kilobytes each. */
	SAVED_MAX = 100,
	SAVED_NAME_CHARS = 40,
};

struct saved_one {
	char name[SAVED_NAME_CHARS];
	struct snapshot snapshot;
};

/** In the order they were taken. Zero-initialised is empty and valid. */
struct saved {
	struct saved_one *list;
	size_t count;
	size_t capacity;
	/** All that there ever were: their number is the name of those that get none. */
	uint64_t all_count;
};

/** Takes over @a snapshot, also when it fails. @a name NULL is the next number that is no name yet. One of
 *  that name is replaced; of too many the oldest goes. *@a ret lives until the next call. */
MUST_USE struct error *saved_add(struct saved *saved, const char *name, struct snapshot *snapshot,
				 const struct saved_one **ret);

/** The one called so; NULL when there is none. */
const struct saved_one *saved_find(const struct saved *saved, const char *name);

void saved_deinit(struct saved *saved);

#endif
