// SPDX-License-Identifier: GPL-3.0-or-later
// What changed from one census to the next.
#include "analyze/censuses/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

enum { CENSUSES_MAX = 4, ROWS_MAX = 8 };

static struct census_row rows[CENSUSES_MAX][ROWS_MAX];
static struct census censuses[CENSUSES_MAX];
static size_t census_count;
static struct changes changes;

static int given_nothing(void **state)
{
	memset(censuses, 0, sizeof(censuses));
	census_count = 0;
	changes = (struct changes){0};
	return 0;
}

static int end(void **state)
{
	changes_deinit(&changes);
	return 0;
}

// "dict 5 500 20", objects, bytes, references: what a census has, one type after the other.
static void given_census(const char *words)
{
	struct census *census = &censuses[census_count];
	static char names[CENSUSES_MAX][ROWS_MAX][32];
	int read;

	census->rows = rows[census_count];
	for (size_t i = 0; sscanf(words, "%31s%n", names[census_count][i], &read) == 1; i++) {
		unsigned long long count, size, refs;
		struct census_row *row = &census->rows[i];
		words += read;
		assert_int_equal(sscanf(words, "%llu %llu %llu%n", &count, &size, &refs, &read), 3);
		words += read;
		*row = (struct census_row){.name = names[census_count][i],
					   .count = count,
					   .size_bytes = size,
					   .refs = refs};
		census->total.count += count;
		census->total.size_bytes += size;
		census->total.refs += refs;
		census->row_count++;
	}
	census_count++;
}

// "dict +1 +100 -3 grows", in the order of the rows.
static void then_changes(const char *expected)
{
	const struct census *list[CENSUSES_MAX];
	_cleanup_text_ struct text text = {0};

	for (size_t i = 0; i < census_count; i++)
		list[i] = &censuses[i];
	assert_null(changes_find(list, census_count, &changes));
	for (size_t i = 0; i < changes.row_count; i++) {
		const struct change_row *row = &changes.rows[i];
		const char *trend = change_trend_name(row->trend);
		assert_null(text_appendf(&text, "%s%s %+lld %+lld %+lld %s", i ? ", " : "",
					 row->name, (long long)row->count,
					 (long long)row->size_bytes, (long long)row->refs,
					 trend ? trend : "-"));
	}
	assert_string_equal(text_chars(&text), expected);
}

static void what_is_as_before_is_no_change(void **state)
{
	given_census("dict 5 500 20 list 1 80 1");
	given_census("dict 5 500 20 list 1 80 1");
	then_changes("");
	assert_int_equal(changes.total.count, 0);
}

static void most_new_objects_come_first(void **state)
{
	given_census("dict 5 500 20 list 9 720 9 tuple 3 90 3 set 1 200 1");
	given_census("list 7 560 7 tuple 5 190 5 dict 7 900 25 set 1 200 2");
	then_changes("dict +2 +400 +5 -, tuple +2 +100 +2 -, set +0 +0 +1 -, list -2 -160 -2 -");
	assert_int_equal(changes.total.count, 2);
	assert_int_equal(changes.total.size_bytes, 340);
	assert_int_equal(changes.total.refs, 6);
	assert_int_equal(changes.total.last_count, 20);
}

static void types_come_and_go(void **state)
{
	given_census("shop.Old 2 96 2");
	given_census("shop.New 3 144 4");
	then_changes("shop.New +3 +144 +4 -, shop.Old -2 -96 -2 -");
	assert_int_equal(changes.rows[0].last_count, 3);
	assert_int_equal(changes.rows[1].last_count, 0);
}

static void what_only_grows_is_told_from_what_swings(void **state)
{
	given_census("leak 1 10 1 cache 1 10 1 once 1 10 1 less 9 90 9 same 4 40 4 idle 1 10 1");
	given_census("leak 2 20 2 cache 9 90 9 once 5 50 5 less 8 80 8 same 4 50 4 idle 2 20 2");
	given_census("leak 3 30 3 cache 2 20 2 once 5 50 5 less 8 80 8 same 4 40 4 idle 2 20 2");
	given_census("leak 4 40 4 cache 3 30 3 once 5 50 5 less 7 70 7 same 4 40 4 idle 3 30 3");
	then_changes("once +4 +40 +4 once, leak +3 +30 +3 grows, cache +2 +20 +2 swings, "
		     "idle +2 +20 +2 grows, same +0 +0 +0 steady, less -2 -20 -2 shrinks");
}

static void what_was_not_there_in_between_swings(void **state)
{
	given_census("a 1 10 1");
	given_census("b 1 10 1");
	given_census("a 1 10 1 b 2 20 2");
	then_changes("b +2 +20 +2 grows, a +0 +0 +0 swings");
}

static void nothing_at_all_is_no_change(void **state)
{
	given_census("");
	given_census("");
	then_changes("");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_nothing, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_as_before_is_no_change),
		TEST(most_new_objects_come_first),
		TEST(types_come_and_go),
		TEST(what_only_grows_is_told_from_what_swings),
		TEST(what_was_not_there_in_between_swings),
		TEST(nothing_at_all_is_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
