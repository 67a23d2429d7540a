/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_SCOREBOARD_H
#define UI_LOAD_SCOREBOARD_H

/*
 * Types in the forms that Launchpad's tools read: the scoreboard, a file per process that is
 * written anew at each look,
 *
 *     12345.0
 *     5021 <class 'dict'>
 *     304 <class 'list'>
 *
 * and the leak log, with a line for each look:
 *
 *     2026-11-28 21:51:19 /shop/cart 1.25Mb <class 'dict'>=12; <class 'list'>=3
 *
 * Types of a Python 2 are <type 'dict'>. Names are what a process calls its types: what would end a
 * line or a name in them is escaped, so that each entry is one type that was counted.
 */

#include "base/error.h"
#include "ui/record/snapshot.h"

/** ERROR_USAGE for an empty @a pattern, and for a % in it that is neither %d nor %%. */
MUST_USE struct error *scoreboard_check(const char *pattern);

/** ERROR_FAILED when a file of that name is there and is no scoreboard. */
MUST_USE struct error *scoreboard_check_file(const char *pattern, int pid);

/** Writes the scoreboard of @a snapshot: its RSS in bytes, then each type with its number of
 *  objects, most first. The file's name is @a pattern with the process id for %d and % for %%. It
 *  has its name only when it is whole, and then instead of the one before. ERROR_FAILED when it
 *  cannot be written. */
MUST_USE struct error *scoreboard_write(const char *pattern, const struct snapshot *snapshot);

/** Appends one line to the file at @a path, whole also where others append to it: the local time
 *  of @a after, @a page_id as one word (blanks become `_`, `-` for NULL and ""), by how many
 *  times 2^20 bytes the RSS changed, and each type of which there are more in @a after than in @a
 *  before, with how many, most first. ERROR_FAILED when it cannot be written. */
MUST_USE struct error *leak_log_append(const char *path, const char *page_id,
				       const struct snapshot *before, const struct snapshot *after);

#endif
