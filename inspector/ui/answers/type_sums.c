// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/type_sums.h"

#include <string.h>

#include "base/array.h"

struct error *type_sums_add(struct type_sums *sums, const struct type_sum *part)
{
	struct error *error =
		array_reserve(&sums->list, &sums->capacity, sums->count + 1, sizeof(*sums->list));

	if (!error)
		sums->list[sums->count++] = *part;
	return error;
}

static int type_sums_by_name(const void *a, const void *b)
{
	return strcmp(((const struct type_sum *)a)->name, ((const struct type_sum *)b)->name);
}

static int type_sums_by_count(const void *a, const void *b)
{
	const struct type_sum *left = a, *right = b;

	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return type_sums_by_name(a, b);
}

static void type_sums_join(struct type_sum *sum, const struct type_sum *part)
{
	sum->count += part->count;
	sum->excess += part->excess;
	sum->size_bytes += part->size_bytes;
}

void type_sums_finish(struct type_sums *sums)
{
	size_t count = 0;

	if (!sums->count)
		return;
	qsort(sums->list, sums->count, sizeof(*sums->list), type_sums_by_name);
	for (size_t i = 1; i < sums->count; i++) {
		if (!strcmp(sums->list[count].name, sums->list[i].name))
			type_sums_join(&sums->list[count], &sums->list[i]);
		else
			sums->list[++count] = sums->list[i];
	}
	sums->count = count + 1;
	qsort(sums->list, sums->count, sizeof(*sums->list), type_sums_by_count);
}

struct type_sum type_sums_total(const struct type_sums *sums)
{
	struct type_sum total = {.name = "total"};

	for (size_t i = 0; i < sums->count; i++)
		type_sums_join(&total, &sums->list[i]);
	return total;
}

void type_sums_deinit(struct type_sums *sums)
{
	free(sums->list);
	*sums = (struct type_sums){0};
}
