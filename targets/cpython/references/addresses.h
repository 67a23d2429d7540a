/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_ADDRESSES_H
#define TARGETS_CPYTHON_REFERENCES_ADDRESSES_H

/*
 * Lists of addresses as multisets: to tell whether two ways of finding references agree.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** Ascending. */
void py_addresses_sort(addr_t *list, size_t count);

/** Whether @a mine, of @a count (at least 1) addresses, is @a theirs, of one less, and one @a extra; both
 *  sorted. */
bool py_addresses_differ_by(const addr_t *mine, size_t count, const addr_t *theirs, addr_t extra);

#endif
