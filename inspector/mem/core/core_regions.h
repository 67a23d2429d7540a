/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CORE_REGIONS_H
#define MEM_CORE_REGIONS_H

/*
 * The memory of a core's process as ranges, out of the two lists that tell of it: segments of the core, and
 * files that were mapped. Either may know ranges that the other does not: GDB writes no segment for code.
 */

#include "mem/core/core_files.h"
#include "mem/core/core_notes.h"

struct core_region {
	/** [start, end), page-aligned. */
	addr_t start;
	addr_t end;
	/** Bit set of mapping_flags. */
	uint32_t flags;
	/** A segment of the core tells of it. */
	bool has_segment;
	/** What the core has of it, from `start` on, and what it would have, were it not cut short. */
	const unsigned char *bytes;
	uint64_t held_bytes;
	uint64_t dumped_bytes;
	/** Number of its file, from 1; 0: none. */
	uint32_t file;
	uint64_t file_offset;
	/** The kernel's name, "" for none. */
	const char *name;
};

/** Zero-initialised is empty and valid. */
struct core_regions {
	/** Ascending, without overlaps. */
	struct core_region *list;
	size_t count;
	size_t capacity;
	struct core_file *files;
	size_t file_count;
	size_t file_capacity;
	/** Segments that say what cannot be. */
	size_t damaged_count;
	/** Bytes that the segments speak of, and how many of these the core has. */
	uint64_t dumped_bytes;
	uint64_t held_bytes;
};

/** Makes the regions, finds the files, and names what can be named. *@a ret is zero-initialised; the caller
 *  deinits it, after an error too. It points into @a core. */
MUST_USE struct error *core_regions_make(const struct core_bytes *core, const Elf64_Ehdr *header,
					 const struct core_notes *notes, struct core_regions *ret);

void core_regions_deinit(struct core_regions *regions);

/** The region that holds @a at, or, when none does, the first behind it; `count` beyond the last. */
size_t core_regions_find(const struct core_regions *regions, addr_t at);

/**
 * The bytes at @a at, which region @a region holds, as far as they lie together, at most to its end:
 * *@a ret_count of them, *@a ret NULL when they are zeros that are nowhere. False when the first of them
 * cannot be read.
 */
bool core_regions_piece(const struct core_regions *regions, const struct core_region *region,
			addr_t at, const unsigned char **ret, uint64_t *ret_count);

#endif
