// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct error *array_reserve(void *data, size_t *capacity, size_t want, size_t item_bytes)
{
	void **slot = data;

	if (want <= *capacity)
		return NULL;
	size_t grown = *capacity < 8 ? 8 : *capacity + *capacity / 2;
	if (grown < want)
		grown = want;
	if (grown > SIZE_MAX / item_bytes)
		return error_no_memory();
	void *moved = realloc(*slot, grown * item_bytes);
	if (!moved)
		return error_no_memory();
	memset((char *)moved + *capacity * item_bytes, 0, (grown - *capacity) * item_bytes);
	*slot = moved;
	*capacity = grown;
	return NULL;
}
