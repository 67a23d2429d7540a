/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MIRROR_PLAN_H
#define MEM_MIRROR_PLAN_H

/*
 * What of a process's memory a mirror copies, as of one moment: which ranges of addresses, and which
 * pages in them hold anything.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/maps.h"
#include "mem/source.h"

/** Bytes worth copying. */
struct mirror_run {
	addr_t start;
	addr_t end;
	/** Names the contents when they are part of a file and cannot change; else 0. */
	uint64_t constant_id;
	/** A constant one whose bytes a mirror has already. */
	bool copied;
};

/** Adjoining mappings that are copied; what no run of it holds reads as zeros. */
struct mirror_region {
	addr_t start;
	addr_t end;
	/** Bytes of its runs. */
	uint64_t run_bytes;
};

/** Both lists ascend and do not overlap; every run lies within one region. */
struct mirror_plan {
	struct maps maps;
	struct mirror_region *regions;
	size_t region_count;
	size_t region_capacity;
	struct mirror_run *runs;
	size_t run_count;
	size_t run_capacity;
	/** Of all runs. */
	uint64_t bytes;
};

/** Asks @a live; *@a ret is zero-initialised, and to be deinited on failure too. */
MUST_USE struct error *mirror_plan_make(struct mem_source *live, struct mirror_plan *ret);

void mirror_plan_deinit(struct mirror_plan *plan);
#define _cleanup_mirror_plan_ CLEANUP(mirror_plan_deinit)

#endif
