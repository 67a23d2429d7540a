/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_FREED_H
#define ANALYZE_FREED_H

/*
 * All that goes when a collection frees what it finds: the unreachable objects themselves, and those that the
 * collector does not track (strings, numbers) and that they alone refer to.
 */

#include "analyze/garbage.h"

/** How many objects of each type, by the type's id; the caller frees *@a ret. 8 bytes per object and a bit while it
 *  works; linear, without recursion. */
MUST_USE struct error *freed_count(const struct heap *heap, const struct garbage *garbage,
				   uint64_t **ret);

#endif
