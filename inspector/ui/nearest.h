/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_NEAREST_H
#define UI_NEAREST_H

/*
 * What somebody may have meant who typed a name that is not there.
 */

#include <stddef.h>

enum { NEAREST_NAME_MAX = 64 };

/** How many typing errors lie between two names; SIZE_MAX when one of them is longer than
 *  NEAREST_NAME_MAX. */
size_t nearest_distance(const char *a, const char *b);

/** More than this is another name. */
size_t nearest_bound(const char *name);

#endif
