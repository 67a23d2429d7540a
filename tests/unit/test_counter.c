// SPDX-License-Identifier: GPL-3.0-or-later
// The sink that counts.
#include "heap/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void cleanup_sink(struct heap_sink **sink)
{
	heap_sink_destroy(*sink);
}
#define _cleanup_sink_ CLEANUP(cleanup_sink)

static struct heap_sink *new_counter(void)
{
	struct heap_sink *counter;

	assert_null(counter_create(&counter));
	return counter;
}

static void announce(struct heap_sink *sink, uint32_t id, const char *name)
{
	assert_null(heap_sink_types(sink, &(struct heap_type){.id = id, .name = name}, 1));
}

static void count(struct heap_sink *sink, uint32_t type, uint32_t flags, uint64_t bytes,
		  uint64_t refs)
{
	struct heap_object object = {
		.type = type, .flags = flags, .size_bytes = bytes, .refcount = refs};

	assert_null(heap_sink_objects(sink, &object, 1));
}

static void complain(struct heap_sink *sink, enum heap_problem_kind kind, const char *text)
{
	assert_null(heap_sink_problem(sink, &(struct heap_problem){.kind = kind, .text = text}));
}

static struct census census_of(const struct heap_sink *sink)
{
	struct census census;

	assert_null(counter_census(sink, &census));
	return census;
}

static void objects_are_summed_by_type(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();

	announce(counter, 0, "dict");
	announce(counter, 1, "str");
	count(counter, 0, HEAP_TRACKED, 232, 3);
	count(counter, 0, 0, 64, 1);
	count(counter, 1, HEAP_IMMORTAL, 50, 0);

	_cleanup_census_ struct census census = census_of(counter);
	const struct census_row *dict = census_find(&census, "dict");
	assert_int_equal(census.row_count, 2);
	assert_int_equal(dict->count, 2);
	assert_int_equal(dict->tracked, 1);
	assert_int_equal(dict->size_bytes, 296);
	assert_int_equal(dict->refs, 4);
	assert_int_equal(census.total.count, 3);
	assert_int_equal(census.total.tracked, 1);
	assert_int_equal(census.total.size_bytes, 346);
	assert_int_equal(census.total.refs, 4);
	assert_null(census_find(&census, "list"));
}

static void types_of_one_name_are_one_row(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();

	announce(counter, 0, "shop.Cart");
	announce(counter, 1, "shop.Cash");
	announce(counter, 2, "shop.Cart");
	for (int i = 0; i < 3; i++)
		count(counter, 0, HEAP_TRACKED, 48, 1);
	count(counter, 1, 0, 48, 1);
	count(counter, 2, 0, 56, 2);

	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census.row_count, 2);
	assert_int_equal(census_find(&census, "shop.Cart")->count, 4);
	assert_int_equal(census_find(&census, "shop.Cart")->tracked, 3);
	assert_int_equal(census_find(&census, "shop.Cart")->size_bytes, 3 * 48 + 56);
	assert_int_equal(census.total.count, 5);
}

static void most_objects_come_first_then_the_names(void **state)
{
	static const char *const expected[] = {"many", "a", "b", "c"};
	_cleanup_sink_ struct heap_sink *counter = new_counter();

	announce(counter, 0, "c");
	announce(counter, 1, "a");
	announce(counter, 2, "many");
	announce(counter, 3, "b");
	for (uint32_t type = 0; type < 4; type++)
		count(counter, type, 0, 1, 1);
	count(counter, 2, 0, 1, 1);

	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census.row_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(census.rows[i].name, expected[i]);
}

static void types_without_objects_and_objects_of_no_name_are_told_apart(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();

	announce(counter, 0, "never made");
	count(counter, 5, 0, 16, 1);

	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census.row_count, 1);
	assert_string_equal(census.rows[0].name, "(type without a name)");
}

static void a_census_of_nothing_is_empty(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();
	_cleanup_census_ struct census census = census_of(counter);

	assert_int_equal(census.row_count, 0);
	assert_int_equal(census.total.count, 0);
	assert_string_equal(census.total.name, "total");
	assert_int_equal(census.unreadable + census.truncated, 0);
}

static void a_census_does_not_change_with_its_counter(void **state)
{
	struct heap_sink *counter = new_counter();

	announce(counter, 0, "dict");
	count(counter, 0, 0, 64, 1);
	complain(counter, HEAP_PROBLEM_UNREADABLE, "a hole");
	_cleanup_census_ struct census census = census_of(counter);
	count(counter, 0, 0, 64, 1);
	heap_sink_destroy(counter);

	assert_int_equal(census_find(&census, "dict")->count, 1);
	assert_string_equal(census.problem_texts[0], "a hole");
}

static void what_a_fork_counted_is_added_when_it_joins(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();
	struct heap_sink *left, *right, *unused;

	assert_null(heap_sink_fork(counter, &left));
	assert_null(heap_sink_fork(counter, &right));
	assert_null(heap_sink_fork(counter, &unused));
	count(left, 0, HEAP_TRACKED, 10, 1);
	count(right, 9, 0, 20, 2);
	count(right, 0, 0, 30, 3);
	complain(right, HEAP_PROBLEM_TRUNCATED, "a chain broke");
	assert_null(heap_sink_join(counter, left));
	assert_null(heap_sink_join(counter, right));
	heap_sink_destroy(unused);
	announce(counter, 0, "dict");
	announce(counter, 9, "str");

	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census_find(&census, "dict")->count, 2);
	assert_int_equal(census_find(&census, "dict")->tracked, 1);
	assert_int_equal(census_find(&census, "dict")->size_bytes, 40);
	assert_int_equal(census_find(&census, "str")->refs, 2);
	assert_int_equal(census.truncated, 1);
	assert_string_equal(census.problem_texts[0], "a chain broke");
}

static void reset_forgets_everything(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();

	announce(counter, 0, "dict");
	count(counter, 0, HEAP_TRACKED, 64, 1);
	complain(counter, HEAP_PROBLEM_UNREADABLE, "a hole");
	complain(counter, HEAP_PROBLEM_TRUNCATED, "a loop");
	heap_sink_reset(counter);
	{
		_cleanup_census_ struct census empty = census_of(counter);
		assert_int_equal(empty.row_count, 0);
		assert_int_equal(empty.unreadable + empty.truncated, 0);
		assert_int_equal(empty.problem_text_count, 0);
	}
	// The next walk may give the same id to another type.
	count(counter, 0, 0, 1, 1);
	announce(counter, 0, "str");
	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census.row_count, 1);
	assert_int_equal(census_find(&census, "str")->count, 1);
}

static void problems_are_tallied_by_kind_and_the_first_ones_kept_in_words(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();
	char text[32];

	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "problem %d", i);
		complain(counter, i < 15 ? HEAP_PROBLEM_UNREADABLE : HEAP_PROBLEM_TRUNCATED, text);
	}

	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census.unreadable, 15);
	assert_int_equal(census.truncated, 5);
	assert_int_equal(census.problem_text_count, CENSUS_PROBLEM_TEXTS_MAX);
	assert_string_equal(census.problem_texts[0], "problem 0");
	assert_string_equal(census.problem_texts[CENSUS_PROBLEM_TEXTS_MAX - 1], "problem 7");
}

static void a_wild_type_id_is_refused_and_does_not_take_all_memory(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();
	struct error *object =
		heap_sink_objects(counter, &(struct heap_object){.type = 1U << 31}, 1);
	struct error *type =
		heap_sink_types(counter, &(struct heap_type){.id = UINT32_MAX, .name = "x"}, 1);

	assert_int_equal(object->code, ERROR_FAILED);
	assert_int_equal(type->code, ERROR_FAILED);
	error_destroy(object);
	error_destroy(type);
}

static struct heap_sink *new_counter_without_cached(void)
{
	struct heap_sink *counter;

	assert_null(counter_create_without_cached(&counter));
	return counter;
}

// Two types and what is held by a cache: of "str" four objects, 200 bytes, 10 references.
static void given_strings(struct heap_sink *counter, const struct heap_cached *cached)
{
	announce(counter, 0, "dict");
	announce(counter, 1, "str");
	count(counter, 0, HEAP_TRACKED, 64, 1);
	for (uint64_t i = 1; i <= 4; i++)
		count(counter, 1, 0, 50, i);
	assert_true(heap_sink_wants_cached(counter));
	assert_null(heap_sink_cached(counter, cached));
}

static void what_only_a_cache_keeps_is_left_out(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter_without_cached();

	given_strings(counter, &(struct heap_cached){
				       .name = "str", .count = 1, .size_bytes = 50, .refs = 3});
	_cleanup_census_ struct census census = census_of(counter);
	const struct census_row *str = census_find(&census, "str");
	assert_int_equal(str->count, 3);
	assert_int_equal(str->size_bytes, 150);
	assert_int_equal(str->refs, 7);
	assert_int_equal(census.cached_count, 1);
	assert_int_equal(census.total.count, 4);
	assert_int_equal(census.total.size_bytes, 64 + 150);
	assert_int_equal(census.total.refs, 8);
	assert_int_equal(census.total.tracked, 1);
}

static void caches_are_left_out_after_names_are_one_row(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter_without_cached();

	announce(counter, 2, "str");
	count(counter, 2, 0, 50, 1);
	given_strings(counter, &(struct heap_cached){
				       .name = "str", .count = 5, .size_bytes = 250, .refs = 11});
	_cleanup_census_ struct census census = census_of(counter);
	// Nothing is left of them, and a type without objects is none.
	assert_null(census_find(&census, "str"));
	assert_int_equal(census.row_count, 1);
	assert_int_equal(census.cached_count, 5);
	assert_int_equal(census.total.count, 1);
}

static void the_order_is_that_of_what_is_left(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter_without_cached();

	announce(counter, 2, "list");
	count(counter, 2, 0, 56, 1);
	count(counter, 2, 0, 56, 1);
	given_strings(counter, &(struct heap_cached){
				       .name = "str", .count = 3, .size_bytes = 150, .refs = 6});
	_cleanup_census_ struct census census = census_of(counter);
	assert_string_equal(census.rows[0].name, "list");
	assert_string_equal(census.rows[1].name, "dict");
	assert_string_equal(census.rows[2].name, "str");
}

static void numbers_of_a_cache_that_make_no_sense_change_nothing(void **state)
{
	static const struct heap_cached wild[] = {
		{.name = "str", .count = 5, .size_bytes = 50, .refs = 1},
		{.name = "str", .count = 1, .size_bytes = 201, .refs = 1},
		{.name = "str", .count = 1, .size_bytes = 50, .refs = 11},
		{.name = "str", .count = UINT64_MAX, .size_bytes = UINT64_MAX, .refs = UINT64_MAX},
		{.name = "bytes", .count = 1, .size_bytes = 50, .refs = 1},
		{.name = "", .count = 1, .size_bytes = 50, .refs = 1},
	};

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		_cleanup_sink_ struct heap_sink *counter = new_counter_without_cached();
		given_strings(counter, &wild[i]);
		_cleanup_census_ struct census census = census_of(counter);
		assert_int_equal(census.cached_count, 0);
		assert_int_equal(census_find(&census, "str")->count, 4);
		assert_int_equal(census_find(&census, "str")->size_bytes, 200);
		assert_int_equal(census_find(&census, "str")->refs, 10);
		assert_int_equal(census.total.count, 5);
	}
}

static void a_counter_of_everything_does_not_ask_for_caches(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter();

	assert_false(heap_sink_wants_cached(counter));
}

static void reset_forgets_caches(void **state)
{
	const struct heap_cached cached = {.name = "str", .count = 1, .size_bytes = 50, .refs = 1};
	_cleanup_sink_ struct heap_sink *counter = new_counter_without_cached();

	given_strings(counter, &cached);
	heap_sink_reset(counter);
	announce(counter, 1, "str");
	count(counter, 1, 0, 50, 1);
	count(counter, 1, 0, 50, 1);
	{
		_cleanup_census_ struct census census = census_of(counter);
		assert_int_equal(census_find(&census, "str")->count, 2);
		assert_int_equal(census.cached_count, 0);
	}
	// The walk is made again, and tells the numbers of its own moment; the last ones count.
	assert_null(heap_sink_cached(counter, &(struct heap_cached){.name = "str", .count = 2}));
	assert_null(heap_sink_cached(counter, &cached));
	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census_find(&census, "str")->count, 1);
	assert_int_equal(census.cached_count, 1);
}

static void what_forks_counted_is_there_to_be_left_out(void **state)
{
	_cleanup_sink_ struct heap_sink *counter = new_counter_without_cached();
	struct heap_sink *left, *right;

	assert_null(heap_sink_fork(counter, &left));
	assert_null(heap_sink_fork(counter, &right));
	count(left, 1, 0, 50, 1);
	count(right, 1, 0, 50, 1);
	assert_null(heap_sink_join(counter, left));
	assert_null(heap_sink_join(counter, right));
	announce(counter, 1, "str");
	assert_null(heap_sink_cached(
		counter,
		&(struct heap_cached){.name = "str", .count = 1, .size_bytes = 50, .refs = 1}));
	_cleanup_census_ struct census census = census_of(counter);
	assert_int_equal(census_find(&census, "str")->count, 1);
	assert_int_equal(census_find(&census, "str")->refs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_summed_by_type),
		cmocka_unit_test(types_of_one_name_are_one_row),
		cmocka_unit_test(most_objects_come_first_then_the_names),
		cmocka_unit_test(types_without_objects_and_objects_of_no_name_are_told_apart),
		cmocka_unit_test(a_census_of_nothing_is_empty),
		cmocka_unit_test(a_census_does_not_change_with_its_counter),
		cmocka_unit_test(what_a_fork_counted_is_added_when_it_joins),
		cmocka_unit_test(reset_forgets_everything),
		cmocka_unit_test(problems_are_tallied_by_kind_and_the_first_ones_kept_in_words),
		cmocka_unit_test(a_wild_type_id_is_refused_and_does_not_take_all_memory),
		cmocka_unit_test(what_only_a_cache_keeps_is_left_out),
		cmocka_unit_test(caches_are_left_out_after_names_are_one_row),
		cmocka_unit_test(the_order_is_that_of_what_is_left),
		cmocka_unit_test(numbers_of_a_cache_that_make_no_sense_change_nothing),
		cmocka_unit_test(a_counter_of_everything_does_not_ask_for_caches),
		cmocka_unit_test(reset_forgets_caches),
		cmocka_unit_test(what_forks_counted_is_there_to_be_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
