/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

/*
 * Zeroed memory for large arrays: asked from the kernel, so that it goes back there at once, and in
 * huge pages where there are any. First touch of a fresh page costs many times what writing it does,
 * and a huge page has one where small ones have 512. Small arrays come from malloc. What is asked from
 * the kernel is not there in children that are forked.
 */

#include <stddef.h>

enum { PAGES_HUGE_BYTES = 1 << 21 };

/** NULL without memory; @a bytes may be 0. */
void *pages_alloc(size_t bytes);

/** Takes NULL. @a bytes is what was asked for. */
void pages_free(void *pages, size_t bytes);

/** The same for a table of which little is used: of its zeros, only small pages that are touched take
 *  memory. malloc() would write them all where it has memory of that size left over. */
void *pages_alloc_sparse(size_t bytes);
/** Takes NULL. */
void pages_free_sparse(void *pages, size_t bytes);

#endif
