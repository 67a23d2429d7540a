/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_MARKS_H
#define ANALYZE_MARKS_H

/*
 * Sets of objects (base/bits.h) of one sort: a bit of each fits into a cache where its row does not.
 */

#include "base/bits.h"
#include "heap/heap.h"

/** Attribute dicts. The caller frees it. */
MUST_USE struct error *marks_of_parts(const struct heap *heap, uint64_t **ret);

/** Classes: objects that the heap knows as a type, too. The caller frees it. */
MUST_USE struct error *marks_of_classes(const struct heap *heap, uint64_t **ret);

#endif
