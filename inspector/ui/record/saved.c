// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/saved.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

static void saved_drop(struct saved *saved, size_t index)
{
	snapshot_deinit(&saved->list[index].snapshot);
	saved->count--;
	memmove(&saved->list[index], &saved->list[index + 1],
		(saved->count - index) * sizeof(*saved->list));
}

// The next number that is nobody's name.
static void name_by_number(struct saved *saved, char name[SAVED_NAME_CHARS])
{
	do
		snprintf(name, SAVED_NAME_CHARS, "%" PRIu64, ++saved->all_count);
	while (saved_find(saved, name));
}

struct error *saved_add(struct saved *saved, const char *name, struct snapshot *snapshot,
			const struct saved_one **ret)
{
	const struct saved_one *before = name ? saved_find(saved, name) : NULL;
	struct error *error = NULL;

	if (before)
		saved_drop(saved, (size_t)(before - saved->list));
	if (saved->count == SAVED_MAX)
		saved_drop(saved, 0);
	error = array_reserve(&saved->list, &saved->capacity, saved->count + 1,
			      sizeof(*saved->list));
	if (error) {
		snapshot_deinit(snapshot);
		return error;
	}
	struct saved_one *one = &saved->list[saved->count];
	if (name) {
		snprintf(one->name, sizeof(one->name), "%s", name);
		saved->all_count++;
	} else {
		name_by_number(saved, one->name);
	}
	saved->count++;
	one->snapshot = *snapshot;
	*snapshot = (struct snapshot){0};
	*ret = one;
	return NULL;
}

const struct saved_one *saved_find(const struct saved *saved, const char *name)
{
	for (size_t i = 0; i < saved->count; i++)
		if (!strcmp(saved->list[i].name, name))
			return &saved->list[i];
	return NULL;
}

void saved_deinit(struct saved *saved)
{
	for (size_t i = 0; i < saved->count; i++)
		snapshot_deinit(&saved->list[i].snapshot);
	free(saved->list);
	*saved = (struct saved){0};
}
