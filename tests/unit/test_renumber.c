// SPDX-License-Identifier: GPL-3.0-or-later
// Ids move up by the objects that were found below them later.
#include "heap/renumber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint32_t random_below(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((*seed >> 33) % below);
}

static void without_new_objects_ids_stay(void **state)
{
	struct renumber zero = {0}, empty;

	assert_int_equal(renumber_id(&zero, 7), 7);
	assert_null(renumber_init(&empty, NULL, 0, 100));
	assert_int_equal(renumber_id(&empty, 99), 99);
	renumber_deinit(&empty);
}

static void an_id_moves_up_by_the_new_objects_below_it(void **state)
{
	struct renumber renumber;
	uint32_t *old_below = calloc(4, sizeof(*old_below));

	// given two new objects below all old ones, one before the fifth and one above all
	assert_non_null(old_below);
	old_below[2] = 5;
	old_below[3] = 10;
	assert_null(renumber_init(&renumber, old_below, 4, 10));

	assert_int_equal(renumber_id(&renumber, 0), 2);
	assert_int_equal(renumber_id(&renumber, 4), 6);
	assert_int_equal(renumber_id(&renumber, 5), 8);
	assert_int_equal(renumber_id(&renumber, 9), 12);
	renumber_deinit(&renumber);
}

// One graph: some of @a count objects are new. Walking over all of them tells the ids of both.
static void check_random(uint64_t *seed, uint32_t count, uint32_t one_in)
{
	uint32_t *old_below = calloc(count + 1, sizeof(*old_below));
	uint32_t *now = calloc(count + 1, sizeof(*now));
	uint32_t old_count = 0, new_count = 0;
	struct renumber renumber;

	assert_non_null(old_below);
	assert_non_null(now);
	for (uint32_t i = 0; i < count; i++) {
		// New ones come in clusters, too.
		if (random_below(seed, one_in) == 0 || (i / 3000) % 5 == 1)
			old_below[new_count++] = old_count;
		else
			now[old_count++] = i;
	}
	assert_null(renumber_init(&renumber, old_below, new_count, old_count));
	for (uint32_t i = 0; i < old_count; i++)
		if (renumber_id(&renumber, i) != now[i])
			fail_msg("of %u, id %u becomes %u and not %u", count, i,
				 renumber_id(&renumber, i), now[i]);
	renumber_deinit(&renumber);
	free(now);
}

static void random_places_agree_with_counting(void **state)
{
	uint64_t seed = 1;

	for (int i = 0; i < 60; i++)
		check_random(&seed, random_below(&seed, 40000), 1 + random_below(&seed, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_new_objects_ids_stay),
		cmocka_unit_test(an_id_moves_up_by_the_new_objects_below_it),
		cmocka_unit_test(random_places_agree_with_counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
