// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/censuses/changes.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/censuses/census_parts.h"

const char *change_trend_name(enum change_trend trend)
{
	static const char *const names[] = {
		[CHANGE_TREND_GROWS] = "grows",   [CHANGE_TREND_ONCE] = "once",
		[CHANGE_TREND_SWINGS] = "swings", [CHANGE_TREND_SHRINKS] = "shrinks",
		[CHANGE_TREND_STEADY] = "steady",
	};

	return names[trend];
}

static int compare_rows(const void *left, const void *right)
{
	const struct change_row *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	if (a->size_bytes != b->size_bytes)
		return a->size_bytes < b->size_bytes ? 1 : -1;
	return strcmp(a->name, b->name);
}

/** What one type came to, census by census. */
struct walk {
	struct census_row last;
	size_t up_count;
	size_t down_count;
	bool changed;
};

static void walk_to(struct walk *walk, const struct census_row *row)
{
	walk->up_count += row->count > walk->last.count;
	walk->down_count += row->count < walk->last.count;
	walk->changed |= row->count != walk->last.count || row->refs != walk->last.refs ||
			 row->size_bytes != walk->last.size_bytes;
	walk->last = *row;
}

static enum change_trend trend_of(const struct walk *walk, size_t census_count)
{
	if (census_count < 3)
		return CHANGE_TREND_UNKNOWN;
	if (walk->up_count && walk->down_count)
		return CHANGE_TREND_SWINGS;
	if (walk->down_count)
		return CHANGE_TREND_SHRINKS;
	if (!walk->up_count)
		return CHANGE_TREND_STEADY;
	return walk->up_count > 1 ? CHANGE_TREND_GROWS : CHANGE_TREND_ONCE;
}

static void row_set(struct change_row *row, const struct census_row *first,
		    const struct census_row *last)
{
	row->count = (int64_t)last->count - (int64_t)first->count;
	row->size_bytes = (int64_t)last->size_bytes - (int64_t)first->size_bytes;
	row->refs = (int64_t)last->refs - (int64_t)first->refs;
	row->last_count = last->count;
}

// @a parts are those of one type, @a part_count of them; a census without it has none of it.
static bool row_make(const struct census_part *parts, size_t part_count, size_t census_count,
		     struct change_row *ret)
{
	static const struct census_row none = {0};
	const struct census_row *first = parts[0].census == 0 ? parts[0].row : &none;
	struct walk walk = {.last = *first};
	size_t part = parts[0].census == 0;

	for (size_t i = 1; i < census_count; i++) {
		bool is_there = part < part_count && parts[part].census == i;
		walk_to(&walk, is_there ? parts[part++].row : &none);
	}
	*ret = (struct change_row){.name = parts[part_count - 1].row->name,
				   .trend = trend_of(&walk, census_count)};
	row_set(ret, first, &walk.last);
	return walk.changed;
}

struct error *changes_find(const struct census *const *censuses, size_t count, struct changes *ret)
{
	_cleanup_free_ struct census_part *parts = NULL;
	size_t part_count = 0, next;

	*ret = (struct changes){.total.name = "total"};
	struct error *error = census_parts_sort(censuses, count, &parts, &part_count);
	if (error)
		return error;
	ret->rows = calloc(part_count + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return error_no_memory();
	for (size_t begin = 0; begin < part_count; begin = next) {
		next = census_parts_end(parts, part_count, begin);
		ret->row_count +=
			row_make(parts + begin, next - begin, count, &ret->rows[ret->row_count]);
	}
	qsort(ret->rows, ret->row_count, sizeof(*ret->rows), compare_rows);
	row_set(&ret->total, &censuses[0]->total, &censuses[count - 1]->total);
	return NULL;
}

void changes_deinit(struct changes *changes)
{
	free(changes->rows);
	*changes = (struct changes){0};
}
