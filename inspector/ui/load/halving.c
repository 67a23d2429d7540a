// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/halving.h"

#include <stdlib.h>
#include <string.h>

struct error *halving_init(struct halving *halving, size_t count)
{
	*halving = (struct halving){0};
	if (count > HALVING_COUNT_MAX)
		return error_create(ERROR_USAGE, "%zu URLs are too many to search; at most %d are",
				    count, HALVING_COUNT_MAX);
	halving->verdicts = calloc(count + 1, sizeof(*halving->verdicts));
	halving->open = calloc(count + 1, sizeof(*halving->open));
	if (!halving->verdicts || !halving->open) {
		halving_deinit(halving);
		return error_no_memory();
	}
	for (size_t i = 0; i < count; i++)
		halving->open[i] = i;
	halving->count = halving->open_count = count;
	if (count)
		halving->state = HALVING_ALL;
	return NULL;
}

void halving_deinit(struct halving *halving)
{
	free(halving->verdicts);
	free(halving->open);
	*halving = (struct halving){0};
}

static size_t halving_middle(const struct halving *halving)
{
	return halving->begin + (halving->end - halving->begin) / 2;
}

bool halving_next(const struct halving *halving, const size_t **ret_group, size_t *ret_count)
{
	size_t begin = halving->begin, end = halving->end;

	switch (halving->state) {
	case HALVING_ALL:
		begin = 0;
		end = halving->open_count;
		break;
	case HALVING_HALF:
		end = halving_middle(halving);
		break;
	case HALVING_CONFIRM:
		break;
	case HALVING_DONE:
		*ret_group = NULL;
		*ret_count = 0;
		return false;
	}
	*ret_group = halving->open + begin;
	*ret_count = end - begin;
	return true;
}

// The open ones from @a begin up to @a end are known to leak.
static void halving_narrow(struct halving *halving, size_t begin, size_t end)
{
	halving->begin = begin;
	halving->end = end;
	// Even if it has just been run alone: what leaked once is what a second look is for.
	halving->state = end - begin > 1 ? HALVING_HALF : HALVING_CONFIRM;
}

static void halving_end_clean(struct halving *halving)
{
	for (size_t i = 0; i < halving->open_count; i++)
		halving->verdicts[halving->open[i]] = HALVING_CLEAN;
	halving->state = HALVING_DONE;
}

static void halving_settle(struct halving *halving, bool leaks)
{
	size_t *one = halving->open + halving->begin;

	halving->verdicts[*one] = leaks ? HALVING_FOUND : HALVING_UNCONFIRMED;
	halving->found_count += leaks;
	halving->unconfirmed_count += !leaks;
	memmove(one, one + 1, (halving->open_count - halving->end) * sizeof(*one));
	halving->open_count--;
	bool goes_on =
		halving->open_count > 0 && halving->unconfirmed_count < HALVING_UNCONFIRMED_MAX;
	halving->state = goes_on ? HALVING_ALL : HALVING_DONE;
}

void halving_answer(struct halving *halving, bool leaks)
{
	size_t middle = halving_middle(halving);

	halving->run_count += halving->state != HALVING_DONE;
	switch (halving->state) {
	case HALVING_ALL:
		if (leaks)
			halving_narrow(halving, 0, halving->open_count);
		else
			halving_end_clean(halving);
		break;
	case HALVING_HALF:
		if (leaks)
			halving_narrow(halving, halving->begin, middle);
		else
			halving_narrow(halving, middle, halving->end);
		break;
	case HALVING_CONFIRM:
		halving_settle(halving, leaks);
		break;
	case HALVING_DONE:
		break;
	}
}

size_t halving_runs_max(size_t count, size_t settled)
{
	size_t depth = 0;

	while (((size_t)1 << depth) < count)
		depth++;
	// For each: all that remain, the halves, and it alone. In the end all that remain are
	// clean.
	return settled * (depth + 2) + (count > 0);
}
