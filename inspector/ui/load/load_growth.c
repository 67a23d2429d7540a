// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/load_growth.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/censuses/changes.h"
#include "base/array.h"

static struct error *own_url(const char *url, struct load_growth *ret)
{
	*ret = (struct load_growth){.url = url ? strdup(url) : NULL};
	return url && !ret->url ? error_no_memory() : NULL;
}

// Rows with names of their own, room for @a count.
static struct error *rows_alloc(struct growth *growth, size_t count)
{
	growth->rows = calloc(count + 1, sizeof(*growth->rows));
	return growth->rows ? NULL : error_no_memory();
}

static struct error *rows_add(struct load_growth *growth, const struct growth_row *row)
{
	struct growth_row *own = &growth->growth.rows[growth->growth.row_count];

	*own = *row;
	own->name = strdup(row->name);
	if (!own->name)
		return error_no_memory();
	growth->growth.row_count++;
	growth->objects_per_iteration += row->per_iteration;
	return NULL;
}

static double bytes_between(const struct load_look *first, const struct load_look *last)
{
	return (double)last->snapshot.census.total.size_bytes -
	       (double)first->snapshot.census.total.size_bytes;
}

struct error *load_growth_find(const struct load *load, const char *url, struct load_growth *ret)
{
	// The look before the warm-up tells what is loaded once.
	const struct load_look *looks = load->looks + 1;
	size_t count = load->look_count - 1;
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_free_ const struct census **censuses = calloc(count + 1, sizeof(const void *));
	struct error *error = own_url(url, ret);

	if (!error && !censuses)
		error = error_no_memory();
	for (size_t i = 0; i < count && !error; i++)
		censuses[i] = &looks[i].snapshot.census;
	if (!error)
		error = growth_find(censuses, count, &growth);
	if (!error)
		error = rows_alloc(&ret->growth, growth.row_count);
	ret->growth.step_count = growth.step_count;
	for (size_t i = 0; i < growth.row_count && !error; i++)
		if (growth_is_linear(&growth.rows[i]))
			error = rows_add(ret, &growth.rows[i]);
	if (count > 1)
		ret->bytes_per_iteration =
			bytes_between(looks, looks + count - 1) / (double)(count - 1);
	return error;
}

struct error *load_growth_of_last(const struct load *load, const char *url, uint64_t least,
				  struct load_growth *ret)
{
	const struct load_look *now = &load->looks[load->look_count - 1], *before = now - 1;
	const struct census *const censuses[] = {&before->snapshot.census, &now->snapshot.census};
	_cleanup_changes_ struct changes changes = {0};
	struct error *error = own_url(url, ret);

	if (!error)
		error = changes_find(censuses, 2, &changes);
	if (!error)
		error = rows_alloc(&ret->growth, changes.row_count);
	ret->growth.step_count = 1;
	for (size_t i = 0; i < changes.row_count && !error; i++) {
		const struct change_row *row = &changes.rows[i];
		if (row->count < 0 || (uint64_t)row->count < least)
			continue;
		const struct growth_row grown = {
			.name = row->name,
			.per_iteration = (double)row->count,
			.count_first = row->last_count - (uint64_t)row->count,
			.count_last = row->last_count,
		};
		error = rows_add(ret, &grown);
	}
	ret->bytes_per_iteration = bytes_between(before, now);
	return error;
}

static void rows_deinit(struct growth *growth)
{
	for (size_t i = 0; i < growth->row_count; i++)
		free((char *)growth->rows[i].name);
	growth_deinit(growth);
}

void load_growth_deinit(struct load_growth *growth)
{
	rows_deinit(&growth->growth);
	rows_deinit(&growth->waiting);
	free(growth->url);
	*growth = (struct load_growth){0};
}

static bool leaks_more(const struct load_growth *one, const struct load_growth *other)
{
	if (one->objects_per_iteration != other->objects_per_iteration)
		return one->objects_per_iteration > other->objects_per_iteration;
	return one->bytes_per_iteration > other->bytes_per_iteration;
}

struct error *load_ranking_add(struct load_ranking *ranking, struct load_growth *growth)
{
	struct error *error = array_reserve(&ranking->list, &ranking->capacity, ranking->count + 1,
					    sizeof(*ranking->list));
	size_t at = ranking->count;

	if (error) {
		load_growth_deinit(growth);
		return error;
	}
	for (; at && leaks_more(growth, &ranking->list[at - 1]); at--)
		ranking->list[at] = ranking->list[at - 1];
	ranking->list[at] = *growth;
	ranking->count++;
	*growth = (struct load_growth){0};
	return NULL;
}

bool load_ranking_is_found(const struct load_ranking *ranking)
{
	for (size_t i = 0; i < ranking->count; i++)
		if (load_growth_is_found(&ranking->list[i]))
			return true;
	return false;
}

void load_ranking_deinit(struct load_ranking *ranking)
{
	for (size_t i = 0; i < ranking->count; i++)
		load_growth_deinit(&ranking->list[i]);
	free(ranking->list);
	*ranking = (struct load_ranking){0};
}
