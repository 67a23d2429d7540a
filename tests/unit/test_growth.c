// SPDX-License-Identifier: GPL-3.0-or-later
// What grows from iteration to iteration of a load.
#include "analyze/censuses/growth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/text.h"
#include "support/graphs.h"

enum { CENSUSES_MAX = 40, ROWS_MAX = 8 };

static struct census_row rows[CENSUSES_MAX][ROWS_MAX];
static struct census censuses[CENSUSES_MAX];
static const struct census *list[CENSUSES_MAX];
static struct growth growth;

static int given_nothing(void **state)
{
	memset(censuses, 0, sizeof(censuses));
	for (size_t i = 0; i < CENSUSES_MAX; i++) {
		censuses[i].rows = rows[i];
		list[i] = &censuses[i];
	}
	growth = (struct growth){0};
	return 0;
}

static int end(void **state)
{
	growth_deinit(&growth);
	return 0;
}

static void given_count(const char *name, size_t census, uint64_t count)
{
	struct census *one = &censuses[census];

	one->rows[one->row_count++] = (struct census_row){.name = name, .count = count};
}

// How many there were each time; -1 is a census without a row of that type.
#define given(name, ...)                                                      \
	do {                                                                  \
		const int64_t counts_[] = {__VA_ARGS__};                      \
		for (size_t i_ = 0; i_ < ARRAY_COUNT(counts_); i_++)          \
			if (counts_[i_] >= 0)                                 \
				given_count(name, i_, (uint64_t)counts_[i_]); \
	} while (0)

static void when_found(size_t census_count)
{
	assert_null(growth_find(list, census_count, &growth));
	assert_int_equal(growth.step_count, census_count ? census_count - 1 : 0);
}

// "dict 2.50 1.000 5..15", in the order of the rows.
static void then_growth(const char *expected)
{
	_cleanup_text_ struct text text = {0};

	for (size_t i = 0; i < growth.row_count; i++) {
		const struct growth_row *row = &growth.rows[i];
		assert_null(text_appendf(&text, "%s%s %.2f %.3f %llu..%llu", i ? ", " : "",
					 row->name, row->per_iteration, row->confidence,
					 (unsigned long long)row->count_first,
					 (unsigned long long)row->count_last));
	}
	assert_string_equal(text_chars(&text), expected);
}

static void a_straight_line_is_told_without_doubt(void **state)
{
	given("dict", 7, 10, 13, 16, 19);
	when_found(5);
	then_growth("dict 3.00 1.000 7..19");
	assert_true(growth.rows[0].per_iteration == 3);
	assert_true(growth.rows[0].confidence == 1);
	assert_true(growth_is_linear(&growth.rows[0]));
}

static void most_per_iteration_comes_first_then_the_name(void **state)
{
	given("b", 0, 2, 4);
	given("a", 5, 7, 9);
	given("most", 1, 101, 201);
	given("least", 9000, 9001, 9002);
	when_found(3);
	then_growth("most 100.00 1.000 1..201, a 2.00 1.000 5..9, b 2.00 1.000 0..4, "
		    "least 1.00 1.000 9000..9002");
}

static void a_line_by_hand_is_the_line_computed(void **state)
{
	// From the means: -1.5 -0.5 0.5 1.5, and -3 -1 0 4. Slope 11 / 5, R^2 121 / (5 * 26).
	given("dict", 1, 3, 4, 8);
	when_found(4);
	then_growth("dict 2.20 0.931 1..8");
}

static void what_fell_once_does_not_grow(void **state)
{
	given("swings", 1, 2, 3, 2, 9);
	given("shrinks", 9, 8, 7, 6, 5);
	given("steady", 4, 4, 4, 4, 4);
	given("not there in between", 1, 2, -1, 3, 4);
	when_found(5);
	then_growth("");
}

static void half_of_the_steps_must_rise(void **state)
{
	given("half", 0, 1, 1, 2, 2);
	given("more than half", 0, 1, 1, 2, 3);
	when_found(5);
	assert_int_equal(growth.row_count, 2);
	growth_deinit(&growth);
	given_nothing(state);
	given("fewer", 0, 1, 1, 2, 2, 2);
	given("more", 0, 1, 1, 2, 2, 3);
	when_found(6);
	assert_int_equal(growth.row_count, 1);
	assert_string_equal(growth.rows[0].name, "more");
}

static void what_rose_once_does_not_grow(void **state)
{
	given("once", 1, 5, 5);
	given("twice", 1, 5, 6);
	when_found(3);
	then_growth("twice 2.50 0.893 1..6");
	assert_false(growth_is_linear(&growth.rows[0]));
}

static void what_was_not_there_at_first_grows_from_none(void **state)
{
	given("new", -1, 2, 4, 6);
	when_found(4);
	then_growth("new 2.00 1.000 0..6");
}

static void a_cache_that_fills_is_not_linear(void **state)
{
	given("cache", 0, 1000, 1100, 1110, 1111, 1112);
	when_found(6);
	assert_int_equal(growth.row_count, 1);
	assert_false(growth_is_linear(&growth.rows[0]));
}

static void one_step_tells_nothing(void **state)
{
	given("dict", 1, 1000000);
	for (size_t count = 0; count <= 2; count++) {
		when_found(count);
		then_growth("");
		growth_deinit(&growth);
	}
}

static void numbers_beyond_what_a_double_holds_are_exact(void **state)
{
	const uint64_t much = UINT64_MAX - 1000;

	for (size_t i = 0; i < 10; i++)
		given_count("many", i, much + 3 * i);
	when_found(10);
	assert_int_equal(growth.row_count, 1);
	assert_true(growth.rows[0].per_iteration == 3);
	assert_true(growth.rows[0].confidence == 1);
	assert_true(growth.rows[0].count_first == much);
	assert_true(growth.rows[0].count_last == much + 27);
}

// The formulas of textbooks, in long double.
static void then_as_in_textbooks(const uint64_t *counts, size_t count)
{
	const struct growth_row *row = &growth.rows[0];
	long double n = count, x = 0, y = 0, xy = 0, xx = 0, yy = 0;

	for (size_t i = 0; i < count; i++) {
		long double one = counts[i] - counts[0];
		x += i;
		y += one;
		xy += i * one;
		xx += (long double)i * i;
		yy += one * one;
	}
	long double slope = (n * xy - x * y) / (n * xx - x * x);
	long double r = (n * xy - x * y) / sqrtl((n * xx - x * x) * (n * yy - y * y));
	assert_true(fabsl(row->per_iteration - slope) <= 1e-9L * slope);
	assert_true(fabsl(row->confidence - r * r) <= 1e-9L);
	assert_true(row->confidence >= 0 && row->confidence <= 1);
}

static void random_growth_is_as_in_textbooks(void **state)
{
	uint64_t seed = 20261128, counts[CENSUSES_MAX];

	for (int round = 0; round < 1000; round++) {
		size_t count = 3 + graph_random(&seed) % (CENSUSES_MAX - 2);
		uint64_t step_max = 1ULL << graph_random(&seed) % 32;
		given_nothing(state);
		counts[0] = graph_random(&seed) >> graph_random(&seed) % 64 >> 1;
		given_count("dict", 0, counts[0]);
		for (size_t i = 1; i < count; i++) {
			counts[i] = counts[i - 1] + 1 + graph_random(&seed) % step_max;
			given_count("dict", i, counts[i]);
		}
		when_found(count);
		assert_int_equal(growth.row_count, 1);
		then_as_in_textbooks(counts, count);
		growth_deinit(&growth);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_nothing, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_straight_line_is_told_without_doubt),
		TEST(most_per_iteration_comes_first_then_the_name),
		TEST(a_line_by_hand_is_the_line_computed),
		TEST(what_fell_once_does_not_grow),
		TEST(half_of_the_steps_must_rise),
		TEST(what_rose_once_does_not_grow),
		TEST(what_was_not_there_at_first_grows_from_none),
		TEST(a_cache_that_fills_is_not_linear),
		TEST(one_step_tells_nothing),
		TEST(numbers_beyond_what_a_double_holds_are_exact),
		TEST(random_growth_is_as_in_textbooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
