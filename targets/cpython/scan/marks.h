/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_MARKS_H
#define TARGETS_CPYTHON_SCAN_MARKS_H

/*
 * Who is in the collector's lists, as bitmaps: a bit per 8 bytes for "a linked head stands here", "a
 * next points here", "a prev points here". Where the sums of scan.h differ, these tell whether the lists are
 * torn or merely look so: stale memory that passes for a tracked object has nobody pointing to it,
 * and a head in memory that no walk reaches (another allocator's, a static one) is pointed to.
 *
 * Costs 4 bits per 8 bytes of heap and random access, so it is used only after a first look that did
 * not add up. May be written from several threads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct py_marks;

/** Ranges whose heads are to be marked, sorted by address and not overlapping. */
struct py_marks_range {
	addr_t start;
	addr_t end;
};

/** ERROR_FAILED when the ranges ask for more than @a bytes_max of memory, saying how much. */
MUST_USE struct error *py_marks_create(const struct py_marks_range *ranges, size_t count,
				       uint64_t bytes_max, struct py_marks **ret);
/** Takes NULL. */
void py_marks_destroy(struct py_marks *marks);

/** A linked head at @a head_at with these links. Any of them may be outside the ranges. */
void py_marks_add(struct py_marks *marks, addr_t head_at, addr_t next, addr_t prev);

/** The head of a generation: a member that is no object. */
void py_marks_add_list(struct py_marks *marks, addr_t head_at, addr_t next, addr_t prev);

/** A link that leads to an address outside the ranges which is no generation's head: where walks have
 *  not been. At most PY_MARKS_OUTSIDE_MAX are kept. */
enum { PY_MARKS_OUTSIDE_MAX = 1 << 20 };
size_t py_marks_outside_count(const struct py_marks *marks);
addr_t py_marks_outside(const struct py_marks *marks, size_t index);

/** Whether a linked head was found at @a head_at, an address outside the ranges. */
bool py_marks_was_found(const struct py_marks *marks, addr_t head_at);

/**
 * After all were added: whether the lists are whole. Heads that nothing points to are left out of
 * them (*@a ret_stray is how many); one that is pointed to and is none, or pointed to from one side
 * only, makes them torn, and *@a ret_at is the first such.
 */
bool py_marks_settle(struct py_marks *marks, uint64_t *ret_stray, addr_t *ret_at);

/** Forgets what was added, but not who was a member, for another round of adding. */
void py_marks_restart(struct py_marks *marks);

/** After restarting: whether the head at @a head_at, within the ranges, was no member. */
bool py_marks_is_stray(const struct py_marks *marks, addr_t head_at);

/** After settling: whether the head at @a head_at is in a list. Outside the ranges: true when
 *  something points there. */
bool py_marks_is_member(const struct py_marks *marks, addr_t head_at);

#endif
