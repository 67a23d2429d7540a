// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/addresses.h"

#include <stdlib.h>

static int addresses_compare(const void *a, const void *b)
{
	addr_t left = *(const addr_t *)a, right = *(const addr_t *)b;

	return (left > right) - (left < right);
}

void py_addresses_sort(addr_t *list, size_t count)
{
	if (count)
		qsort(list, count, sizeof(*list), addresses_compare);
}

bool py_addresses_differ_by(const addr_t *mine, size_t count, const addr_t *theirs, addr_t extra)
{
	size_t skipped = 0;

	for (size_t i = 0; i < count; i++) {
		if (!skipped && mine[i] == extra && (i == count - 1 || theirs[i] != extra))
			skipped = 1;
		else if (i - skipped >= count - 1 || mine[i] != theirs[i - skipped])
			return false;
	}
	return skipped;
}
