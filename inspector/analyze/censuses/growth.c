// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/censuses/growth.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/censuses/census_parts.h"

static int compare_rows(const void *left, const void *right)
{
	const struct growth_row *a = left, *b = right;

	if (a->per_iteration != b->per_iteration)
		return a->per_iteration < b->per_iteration ? 1 : -1;
	return strcmp(a->name, b->name);
}

static bool counts_grow(const uint64_t *counts, size_t count)
{
	size_t rises = 0;

	for (size_t i = 1; i < count; i++) {
		if (counts[i] < counts[i - 1])
			return false;
		rises += counts[i] > counts[i - 1];
	}
	return rises >= GROWTH_RISES_MIN && rises >= count - 1 - rises;
}

// Least squares over (i, counts[i]), which rise at least once. The first count is taken off before
// anything is summed: a double holds small numbers exactly, and of 2^60 objects only every 256th.
// And both are taken from their means, and R^2 from what the line leaves over: a perfect line is
// exactly 1.
static void line_fit(const uint64_t *counts, size_t count, struct growth_row *row)
{
	double middle = (double)(count - 1) / 2, mean = 0;
	double across = 0, along = 0, left_over = 0, all = 0;

	for (size_t i = 0; i < count; i++)
		mean += (double)(counts[i] - counts[0]);
	mean /= (double)count;
	for (size_t i = 0; i < count; i++) {
		double x = (double)i - middle;
		along += x * x;
		across += x * (double)(counts[i] - counts[0]);
	}
	row->per_iteration = across / along;
	for (size_t i = 0; i < count; i++) {
		double y = (double)(counts[i] - counts[0]) - mean;
		double off = y - row->per_iteration * ((double)i - middle);
		left_over += off * off;
		all += y * y;
	}
	row->confidence = 1 - left_over / all;
}

// A census without the type has none of it.
static void counts_set(const struct census_part *parts, size_t part_count, uint64_t *counts,
		       size_t count)
{
	memset(counts, 0, count * sizeof(*counts));
	for (size_t i = 0; i < part_count; i++)
		counts[parts[i].census] = parts[i].row->count;
}

struct error *growth_find(const struct census *const *censuses, size_t count, struct growth *ret)
{
	_cleanup_free_ struct census_part *parts = NULL;
	_cleanup_free_ uint64_t *counts = calloc(count + 1, sizeof(*counts));
	size_t part_count = 0, next;

	*ret = (struct growth){.step_count = count ? count - 1 : 0};
	if (!counts)
		return error_no_memory();
	struct error *error = census_parts_sort(censuses, count, &parts, &part_count);
	if (error)
		return error;
	ret->rows = calloc(part_count + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return error_no_memory();
	for (size_t begin = 0; begin < part_count; begin = next) {
		next = census_parts_end(parts, part_count, begin);
		counts_set(parts + begin, next - begin, counts, count);
		if (!counts_grow(counts, count))
			continue;
		struct growth_row *row = &ret->rows[ret->row_count++];
		*row = (struct growth_row){.name = parts[next - 1].row->name,
					   .count_first = counts[0],
					   .count_last = counts[count - 1]};
		line_fit(counts, count, row);
	}
	qsort(ret->rows, ret->row_count, sizeof(*ret->rows), compare_rows);
	return NULL;
}

bool growth_is_linear(const struct growth_row *row)
{
	return row->confidence >= GROWTH_LINEAR_CONFIDENCE;
}

void growth_deinit(struct growth *growth)
{
	free(growth->rows);
	*growth = (struct growth){0};
}
