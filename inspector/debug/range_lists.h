/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_RANGE_LISTS_H
#define DEBUG_RANGE_LISTS_H

/*
 * Whether the headers in .debug_rnglists (DWARF 5, section 7.28) make sense, before libdwarf reads them:
 * up to 20210528 it frees them twice when one does not (internal_load_rnglists_contexts()).
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** Of the section's @a count bytes, of a file with our byte order. */
bool range_lists_are_sound(const unsigned char *bytes, size_t count);

/** Fails where the section in the ELF file open at @a fd (and called @a path in messages) does not make
 *  sense or cannot be read. Not when there is none, or it is of another byte order. */
MUST_USE struct error *range_lists_check(int fd, const char *path);

#endif
