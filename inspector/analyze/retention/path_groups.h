/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_PATH_GROUPS_H
#define ANALYZE_RETENTION_PATH_GROUPS_H

/*
 * Many objects by the way they are held: paths of equal signature (path_words.h) are one group.
 *
 * To read the names of references means to read the objects they come from, which takes a microsecond and
 * more each. So where as many as PATH_LABEL_SAMPLES references of the same number, in objects of the same
 * type, were all called the same, the others are taken to be, too; `assumed_count` says how many.
 */

#include "analyze/retention/paths.h"

enum {
	PATH_LABEL_SAMPLES = 64,
	/** Names that are read where the samples differed; after that the first sample's stands. */
	PATH_LABEL_READS_MAX = 200000,
	/** Different ways that are told apart; all others are one group, the last. */
	PATH_GROUPS_MAX = 100000,
};

struct path_group {
	uint64_t count;
	uint64_t size_bytes;
	/** The one of them with the lowest id. */
	uint32_t example;
	/** Of more ways than are told apart: the last group. */
	bool is_rest;
};

struct path_groups {
	/** Most objects first. */
	struct path_group *list;
	size_t count;
	/** Objects no root reaches, their size, and the first of them (HEAP_NO_OBJECT without any). */
	uint64_t unreached_count;
	uint64_t unreached_bytes;
	uint32_t unreached_example;
	uint64_t assumed_count;
};

MUST_USE struct error *path_groups_make(const struct heap *heap, const struct paths *paths,
					const uint32_t *ids, size_t id_count,
					struct path_groups *ret);
/** Zero-initialised is valid. */
void path_groups_deinit(struct path_groups *groups);
#define _cleanup_path_groups_ CLEANUP(path_groups_deinit)

#endif
