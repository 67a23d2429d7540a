// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/name_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/fnv.h"

enum { FIRST_BUCKETS = 1024, ENTRIES_LIMIT = 64 * 1024 * 1024 };

void name_index_deinit(struct name_index *index)
{
	free(index->list);
	free(index->buckets);
	*index = (struct name_index){0};
}

static uint32_t name_hash(const char *name)
{
	uint32_t hash = fnv32(FNV32_START, name, strlen(name));

	return hash ^ hash >> 15;
}

static void entry_link(struct name_index *index, size_t number)
{
	struct name_entry *entry = &index->list[number];
	uint32_t *bucket = &index->buckets[entry->hash & (index->bucket_count - 1)];

	entry->next = *bucket;
	*bucket = (uint32_t)number + 1;
}

static struct error *buckets_grow(struct name_index *index)
{
	size_t count = index->bucket_count ? index->bucket_count * 2 : FIRST_BUCKETS;
	uint32_t *buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return error_no_memory();
	free(index->buckets);
	index->buckets = buckets;
	index->bucket_count = count;
	for (size_t i = 0; i < index->count; i++)
		entry_link(index, i);
	return NULL;
}

struct error *name_index_add(struct name_index *index, struct name_entry entry)
{
	size_t earlier;

	// Inline functions of headers are in every unit.
	if (entry.kind != NAME_VARIABLE &&
	    name_index_find(index, (enum name_kind)entry.kind, entry.name, 0, &earlier) &&
	    (entry.kind != NAME_FUNCTION ||
	     name_index_find(index, NAME_FUNCTION, entry.name, earlier + 1, &earlier)))
		return NULL;
	if (index->count >= ENTRIES_LIMIT)
		return error_create(ERROR_FAILED, "more than %d names", ENTRIES_LIMIT);
	struct error *error = NULL;
	if (index->count >= index->bucket_count)
		error = buckets_grow(index);
	if (!error)
		error = array_reserve(&index->list, &index->capacity, index->count + 1,
				      sizeof(*index->list));
	if (error)
		return error;
	entry.hash = name_hash(entry.name);
	index->list[index->count] = entry;
	entry_link(index, index->count++);
	return NULL;
}

bool name_index_find(const struct name_index *index, enum name_kind kind, const char *name,
		     size_t from, size_t *ret)
{
	uint32_t hash = name_hash(name);
	bool found = false;

	if (index->bucket_count == 0)
		return false;
	// A chain runs from the last added to the first.
	uint32_t i = index->buckets[hash & (index->bucket_count - 1)];
	for (; i > from; i = index->list[i - 1].next) {
		const struct name_entry *entry = &index->list[i - 1];
		if (entry->hash != hash || entry->kind != kind || strcmp(entry->name, name) != 0)
			continue;
		*ret = i - 1;
		found = true;
	}
	return found;
}
