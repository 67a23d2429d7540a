// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/censuses/census_parts.h"

#include <stdlib.h>
#include <string.h>

static int compare_parts(const void *left, const void *right)
{
	const struct census_part *a = left, *b = right;
	int by_name = strcmp(a->row->name, b->row->name);

	return by_name ? by_name : (a->census > b->census) - (a->census < b->census);
}

struct error *census_parts_sort(const struct census *const *censuses, size_t count,
				struct census_part **ret, size_t *ret_count)
{
	size_t all = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		all += censuses[i]->row_count;
	struct census_part *parts = calloc(all + 1, sizeof(*parts));
	if (!parts)
		return error_no_memory();
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < censuses[i]->row_count; j++)
			parts[at++] = (struct census_part){&censuses[i]->rows[j], i};
	qsort(parts, all, sizeof(*parts), compare_parts);
	*ret = parts;
	*ret_count = all;
	return NULL;
}

size_t census_parts_end(const struct census_part *parts, size_t part_count, size_t begin)
{
	size_t end = begin + 1;

	while (end < part_count && strcmp(parts[end].row->name, parts[begin].row->name) == 0)
		end++;
	return end;
}
