/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CORE_NAMES_H
#define MEM_CORE_NAMES_H

/*
 * The kernel's names of regions that have no file ("[heap]", "[stack]", "[vdso]"), which no core has: found
 * by what the notes and the memory say. core_regions.c's own.
 */

#include "mem/core/core_regions.h"

/** Names what it can. */
void core_names_find(struct core_regions *regions, const struct core_notes *notes);

#endif
