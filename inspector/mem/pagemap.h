/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_PAGEMAP_H
#define MEM_PAGEMAP_H

/*
 * Which pages of a process hold anything, asked of an open file of /proc/PID/pagemap: with the
 * PAGEMAP_SCAN of Linux 6.7, and by reading the file before that (three times slower).
 */

#include <stdbool.h>

#include "base/error.h"

/** A run of pages; start == end: none. */
struct pagemap_run {
	addr_t start;
	addr_t end;
};

/**
 * The first run of pages within [@a start, @a end) that are in memory or swapped out, not cut to the
 * range: its first page may begin before @a start and its last one end behind @a end. ERROR_FAILED
 * when the kernel refuses; a process that has ended has no such pages.
 */
MUST_USE struct error *pagemap_find(int fd, addr_t start, addr_t end, struct pagemap_run *ret);

/** The first run of pages within [@a start, @a end), cut to that; both of them @a end when there is none, and
 *  the whole range where @a fd is -1: nobody can tell. */
MUST_USE struct error *pagemap_resident(int fd, addr_t start, addr_t end, addr_t *ret_start,
					addr_t *ret_end);

/** As pagemap_find(), by reading the file only; for that and its test. */
MUST_USE struct error *pagemap_find_by_reading(int fd, addr_t start, addr_t end,
					       struct pagemap_run *ret);

#endif
