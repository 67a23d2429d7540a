// SPDX-License-Identifier: GPL-3.0-or-later
// Which of many leak, by running groups of them.
#include "ui/load/halving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/graphs.h"

enum { COUNT_MAX = 3000 };

static struct halving halving;
static bool leaking[COUNT_MAX];

static int given_nothing(void **state)
{
	halving = (struct halving){0};
	memset(leaking, 0, sizeof(leaking));
	return 0;
}

static int end(void **state)
{
	halving_deinit(&halving);
	return 0;
}

// What halving_next() promises of a group.
static void then_well_formed(const size_t *group, size_t count)
{
	assert_true(count >= 1);
	for (size_t i = 0; i < count; i++) {
		assert_true(group[i] < halving.count);
		assert_int_equal(halving.verdicts[group[i]], HALVING_OPEN);
		for (size_t j = i ? group[i - 1] + 1 : group[i]; j < group[i]; j++)
			assert_int_not_equal(halving.verdicts[j], HALVING_OPEN);
	}
}

static bool one_leaks(const size_t *group, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (leaking[group[i]])
			return true;
	return false;
}

static void when_searched(size_t count, bool (*answer)(const size_t *group, size_t count))
{
	const size_t *group;
	size_t group_count;

	halving_deinit(&halving);
	assert_null(halving_init(&halving, count));
	while (halving_next(&halving, &group, &group_count)) {
		then_well_formed(group, group_count);
		halving_answer(&halving, answer(group, group_count));
		size_t settled = halving.found_count + halving.unconfirmed_count;
		// One search beyond those that are settled may be under way.
		assert_true(halving.run_count <= halving_runs_max(count, settled + 1));
	}
}

static size_t verdict_count(enum halving_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < halving.count; i++)
		count += halving.verdicts[i] == verdict;
	return count;
}

// However the answers were: the counts are right, and the bound holds.
static void then_ended_in_time(void)
{
	size_t settled = halving.found_count + halving.unconfirmed_count;

	assert_true(halving.run_count <= halving_runs_max(halving.count, settled));
	assert_int_equal(verdict_count(HALVING_FOUND), halving.found_count);
	assert_int_equal(verdict_count(HALVING_UNCONFIRMED), halving.unconfirmed_count);
	assert_true(halving.unconfirmed_count <= HALVING_UNCONFIRMED_MAX);
	if (halving.unconfirmed_count < HALVING_UNCONFIRMED_MAX)
		assert_int_equal(verdict_count(HALVING_OPEN), 0);
}

static void then_found_exactly(void)
{
	for (size_t i = 0; i < halving.count; i++)
		assert_int_equal(halving.verdicts[i], leaking[i] ? HALVING_FOUND : HALVING_CLEAN);
	then_ended_in_time();
}

static void none_need_no_run(void **state)
{
	when_searched(0, one_leaks);
	assert_int_equal(halving.run_count, 0);
	halving_answer(&halving, true);
	assert_int_equal(halving.run_count, 0);
}

static void where_none_leaks_one_run_says_so(void **state)
{
	when_searched(200, one_leaks);
	then_found_exactly();
	assert_int_equal(halving.run_count, 1);
}

static void a_single_one_is_run_to_find_and_to_confirm(void **state)
{
	leaking[0] = true;
	when_searched(1, one_leaks);
	then_found_exactly();
	assert_int_equal(halving.run_count, 2);
}

static void a_search_goes_by_halves(void **state)
{
	const size_t sizes[] = {8, 4, 2, 1, 1, 7};
	const size_t firsts[] = {0, 0, 4, 4, 5, 0};
	const size_t *group;
	size_t count, run = 0;

	leaking[5] = true;
	assert_null(halving_init(&halving, 8));
	for (; halving_next(&halving, &group, &count); run++) {
		assert_true(run < 6);
		assert_int_equal(count, sizes[run]);
		assert_int_equal(group[0], firsts[run]);
		halving_answer(&halving, one_leaks(group, count));
	}
	assert_int_equal(run, 6);
	then_found_exactly();
}

static void a_group_is_the_same_until_it_is_answered(void **state)
{
	const size_t *group, *again;
	size_t count, again_count;

	assert_null(halving_init(&halving, 5));
	assert_true(halving_next(&halving, &group, &count));
	assert_true(halving_next(&halving, &again, &again_count));
	assert_ptr_equal(group, again);
	assert_int_equal(count, again_count);
	assert_int_equal(halving.run_count, 0);
}

static void any_of_up_to_twelve_are_found(void **state)
{
	for (size_t count = 0; count <= 12; count++)
		for (unsigned int set = 0; set < 1U << count; set++) {
			for (size_t i = 0; i < count; i++)
				leaking[i] = set >> i & 1;
			when_searched(count, one_leaks);
			then_found_exactly();
		}
}

// By the ends of the group, for a million searches: it is of neighbours among those that are open.
static bool triple_leaks(const size_t triple[3], const size_t *group, size_t count)
{
	for (size_t i = 0; i < 3; i++)
		if (halving.verdicts[triple[i]] == HALVING_OPEN && triple[i] >= group[0] &&
		    triple[i] <= group[count - 1])
			return true;
	return false;
}

static size_t runs_for_triple(const size_t triple[3])
{
	const size_t *group;
	size_t count;

	assert_null(halving_init(&halving, 200));
	while (halving_next(&halving, &group, &count))
		halving_answer(&halving, triple_leaks(triple, group, count));
	bool found = halving.found_count == 3 && !halving.unconfirmed_count;
	for (size_t i = 0; i < 3; i++)
		found = found && halving.verdicts[triple[i]] == HALVING_FOUND;
	assert_true(found);
	size_t runs = halving.run_count;
	halving_deinit(&halving);
	return runs;
}

static void any_three_of_two_hundred_take_at_most_forty_runs(void **state)
{
	size_t most = 0;

	for (size_t a = 0; a < 200; a++)
		for (size_t b = a + 1; b < 200; b++)
			for (size_t c = b + 1; c < 200; c++) {
				size_t runs = runs_for_triple((const size_t[]){a, b, c});
				most = runs > most ? runs : most;
			}
	assert_true(most <= halving_runs_max(200, 3));
	assert_int_equal(halving_runs_max(200, 3), 31);
}

static void random_ones_of_many_are_found(void **state)
{
	uint64_t seed = 20261128;

	for (int round = 0; round < 100; round++) {
		size_t count = 1 + graph_random(&seed) % COUNT_MAX;
		size_t leaking_max = graph_random(&seed) % 12;
		memset(leaking, 0, sizeof(leaking));
		for (size_t i = 0; i < leaking_max; i++)
			leaking[graph_random(&seed) % count] = true;
		when_searched(count, one_leaks);
		then_found_exactly();
	}
}

static void all_of_many_are_found(void **state)
{
	memset(leaking, true, sizeof(leaking));
	when_searched(300, one_leaks);
	then_found_exactly();
	assert_int_equal(halving.found_count, 300);
}

static bool many_leak(const size_t *group, size_t count)
{
	return count > 1;
}

static void what_leaks_only_in_company_is_unconfirmed_and_given_up(void **state)
{
	when_searched(200, many_leak);
	then_ended_in_time();
	assert_int_equal(halving.found_count, 0);
	assert_int_equal(halving.unconfirmed_count, HALVING_UNCONFIRMED_MAX);
	assert_int_equal(verdict_count(HALVING_OPEN), 200 - HALVING_UNCONFIRMED_MAX);
}

static bool both_leak(const size_t *group, size_t count)
{
	size_t there = 0;

	for (size_t i = 0; i < count; i++)
		there += leaking[group[i]];
	return there == 2;
}

static void what_two_leak_together_is_nobodys_and_neither_is_clean(void **state)
{
	leaking[3] = leaking[150] = true;
	when_searched(200, both_leak);
	then_ended_in_time();
	assert_int_equal(halving.found_count, 0);
	assert_int_equal(halving.unconfirmed_count, HALVING_UNCONFIRMED_MAX);
	assert_int_equal(halving.verdicts[3], HALVING_OPEN);
	assert_int_equal(halving.verdicts[150], HALVING_OPEN);
}

static bool leaks_at_first(const size_t *group, size_t count)
{
	return halving.run_count == 0;
}

static void a_leak_that_disappears_is_unconfirmed(void **state)
{
	when_searched(64, leaks_at_first);
	then_ended_in_time();
	assert_int_equal(halving.found_count, 0);
	assert_int_equal(halving.unconfirmed_count, 1);
	assert_int_equal(halving.run_count, 1 + 6 + 1 + 1);
}

static bool misses_once(const size_t *group, size_t count)
{
	return halving.run_count != 1 && one_leaks(group, count);
}

static void a_leak_that_was_missed_once_is_found_all_the_same(void **state)
{
	leaking[0] = true;
	when_searched(64, misses_once);
	then_ended_in_time();
	assert_int_equal(halving.verdicts[0], HALVING_FOUND);
	assert_int_equal(halving.unconfirmed_count, 1);
}

static uint64_t lie_seed;
static unsigned int lies_of_16;

static bool lies_at_random(const size_t *group, size_t count)
{
	bool lies = graph_random(&lie_seed) % 16 < lies_of_16;

	return lies != one_leaks(group, count);
}

static void whatever_the_answers_it_ends_in_time(void **state)
{
	lie_seed = 20261128;
	for (int round = 0; round < 2000; round++) {
		size_t count = graph_random(&lie_seed) % 100;
		lies_of_16 = graph_random(&lie_seed) % 17;
		for (size_t i = 0; i < count; i++)
			leaking[i] = graph_random(&lie_seed) % 20 == 0;
		when_searched(count, lies_at_random);
		then_ended_in_time();
	}
}

static void too_many_are_refused(void **state)
{
	struct error *error = halving_init(&halving, HALVING_COUNT_MAX + 1);
	const size_t *group;
	size_t count;

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_USAGE);
	error_destroy(error);
	assert_false(halving_next(&halving, &group, &count));
}

static void the_bound_is_as_told(void **state)
{
	assert_int_equal(halving_runs_max(0, 0), 0);
	assert_int_equal(halving_runs_max(1, 1), 3);
	assert_int_equal(halving_runs_max(2, 1), 4);
	assert_int_equal(halving_runs_max(128, 2), 19);
	assert_int_equal(halving_runs_max(129, 2), 21);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_nothing, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(none_need_no_run),
		TEST(where_none_leaks_one_run_says_so),
		TEST(a_single_one_is_run_to_find_and_to_confirm),
		TEST(a_search_goes_by_halves),
		TEST(a_group_is_the_same_until_it_is_answered),
		TEST(any_of_up_to_twelve_are_found),
		TEST(any_three_of_two_hundred_take_at_most_forty_runs),
		TEST(random_ones_of_many_are_found),
		TEST(all_of_many_are_found),
		TEST(what_leaks_only_in_company_is_unconfirmed_and_given_up),
		TEST(what_two_leak_together_is_nobodys_and_neither_is_clean),
		TEST(a_leak_that_disappears_is_unconfirmed),
		TEST(a_leak_that_was_missed_once_is_found_all_the_same),
		TEST(whatever_the_answers_it_ends_in_time),
		TEST(too_many_are_refused),
		TEST(the_bound_is_as_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
