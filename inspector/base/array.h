/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

/*
 * Growable arrays without a type of their own: a pointer, a count and a capacity in the struct that
 * owns them, grown here. Amortised O(1), growth checked for overflow.
 */

#include <stddef.h>

#include "base/error.h"

/**
 * Makes room for @a want items of @a item_bytes in *@a data (a pointer to the array's pointer).
 * On failure the array is as it was. The items beyond the old capacity are zeroed.
 */
MUST_USE struct error *array_reserve(void *data, size_t *capacity, size_t want, size_t item_bytes);

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
