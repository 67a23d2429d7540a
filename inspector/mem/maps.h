/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MAPS_H
#define MEM_MAPS_H

/*
 * The mappings of a process, in address order, parsed from the text of /proc/PID/maps (a core file
 * makes the same out of its segments and NT_FILE note).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum mapping_flags {
	MAPPING_READ = 1 << 0,
	MAPPING_WRITE = 1 << 1,
	MAPPING_EXEC = 1 << 2,
	MAPPING_SHARED = 1 << 3,
	/** The file it came from has been unlinked or replaced since. */
	MAPPING_DELETED = 1 << 4,
};

struct mapping {
	/** [start, end), page-aligned. */
	addr_t start;
	addr_t end;
	/** Of `start` within the file, in bytes. */
	uint64_t file_offset;
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	uint32_t flags;
	/** "" for anonymous memory, "[heap]" and the like for the kernel's names; owned by the maps,
	 *  without the " (deleted)" of the kernel. */
	const char *path;
};

struct maps {
	struct mapping *list;
	size_t count;
	size_t capacity;
	/** What the paths point into. */
	char *text;
};

/** Takes a zero-initialised or filled struct. */
void maps_deinit(struct maps *maps);
#define _cleanup_maps_ CLEANUP(maps_deinit)

/** Parses @a text, @a length bytes in the form of /proc/PID/maps, into *@a ret (zero-initialised).
 *  Lines that do not parse are an error, not skipped. Of two that overlap the first stays whole. */
MUST_USE struct error *maps_parse(const char *text, size_t length, struct maps *ret);

/** A copy of its own of @a maps into *@a ret (zero-initialised). */
MUST_USE struct error *maps_copy(const struct maps *maps, struct maps *ret);

/** The mapping that holds @a at, or NULL. O(log n). */
const struct mapping *maps_find(const struct maps *maps, addr_t at);

/** A mapping of anonymous memory (heap, arena, stack), not of a file and not of the kernel. */
bool mapping_is_anonymous(const struct mapping *mapping);

#endif
