// SPDX-License-Identifier: GPL-3.0-or-later
// What looks like a leak, and what does not.
#include "analyze/retention/suspects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "support/graphs.h"

/** A heap that grows line by line. */
struct given {
	struct text text;
	struct heap *heap;
	struct garbage garbage;
	struct cycles cycles;
	struct paths paths;
	struct dominators dominators;
	struct retained retained;
	struct growers growers;
	struct suspects suspects;
};

static void cleanup_given(struct given *given)
{
	suspects_deinit(&given->suspects);
	growers_deinit(&given->growers);
	retained_deinit(&given->retained);
	dominators_deinit(&given->dominators);
	paths_deinit(&given->paths);
	cycles_deinit(&given->cycles);
	garbage_deinit(&given->garbage);
	heap_destroy(given->heap);
	text_deinit(&given->text);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

#define given_lines(given, ...) assert_null(text_appendf(&(given)->text, __VA_ARGS__))

// A module of a program with a megabyte of other things.
static void given_program(struct given *given)
{
	given_lines(given,
		    "type list grows\ntype dict grows\ntype tuple\n"
		    "object 0x1000 module\nobject 0x1010 dict part\nobject 0x1020 Rest "
		    "size=1000000\nroot 0x1000 module shop\nedge 0x1000 0x1010 gc .__dict__\n"
		    "edge 0x1010 0x1020 gc \"['rest']\"\n");
}

// @a count items of a kind in the container at 0x2000, each with something of a cart.
static void given_items(struct given *given, const char *container, const char *kind, int count)
{
	given_lines(given, "object 0x2000 %s\nedge 0x1010 0x2000 gc \"['ITEMS']\"\n", container);
	for (int i = 0; i < count; i++)
		given_lines(
			given,
			"object %#x %s size=100 tracked\nobject %#x shop.Cart size=1000 tracked\n"
			"edge 0x2000 %#x gc [%d]\nedge %#x %#x gc [0]\n",
			0x100000 + 32 * i, kind, 0x100010 + 32 * i, 0x100000 + 32 * i, i,
			0x100000 + 32 * i, 0x100010 + 32 * i);
}

static void when_looked_at(struct given *given)
{
	given->heap = graph_parse(text_chars(&given->text));
	const struct suspects_evidence evidence = {
		given->heap,        &given->garbage,  &given->cycles,  &given->paths,
		&given->dominators, &given->retained, &given->growers,
	};
	assert_null(garbage_find(given->heap, &given->garbage));
	assert_null(cycles_find(given->heap, &given->garbage, false, &given->cycles));
	assert_null(paths_find(given->heap, NULL, &given->paths));
	assert_null(dominators_find(given->heap, &given->dominators));
	assert_null(retained_find(given->heap, &given->dominators, &given->retained));
	assert_null(growers_find(given->heap, &given->paths, &given->dominators, &given->retained,
				 &given->growers));
	assert_null(suspects_find(&evidence, &given->suspects));
}

static const char *type_name(const struct given *given, size_t number)
{
	return given->heap->types[given->suspects.list[number].type].name;
}

static void a_list_of_many_is_suspected_for_what_tells_most(void **state)
{
	_cleanup_given_ struct given given = {0};

	given_program(&given);
	given_items(&given, "list", "tuple", 200);
	when_looked_at(&given);
	assert_int_equal(given.suspects.count, 1);
	const struct suspect *suspect = &given.suspects.list[0];
	assert_int_equal(suspect->state, SUSPECT_REACHABLE);
	assert_string_equal(type_name(&given, 0), "shop.Cart");
	assert_int_equal(suspect->count, 200);
	assert_int_equal(suspect->holder, graph_find(given.heap, 0x2000));
	assert_string_equal(given.heap->types[suspect->element_type].name, "tuple");
	assert_int_equal(suspect->element_count, 200);
	assert_true(suspect->retained_bytes >= 200 * 1100);
	assert_true(suspect->score > 0.3 && suspect->score < 1);
}

static void few_of_a_kind_are_not_suspected(void **state)
{
	_cleanup_given_ struct given given = {0};

	given_program(&given);
	given_items(&given, "list", "tuple", GROWER_COUNT_MIN - 1);
	when_looked_at(&given);
	assert_int_equal(given.suspects.count, 0);
}

static void what_cannot_grow_is_not_suspected(void **state)
{
	_cleanup_given_ struct given given = {0};

	given_program(&given);
	given_items(&given, "tuple", "list", 200);
	when_looked_at(&given);
	assert_int_equal(given.suspects.count, 0);
}

// As what is kept of a module's namespace by the one that runs its code.
static void what_lives_nearer_elsewhere_is_not_suspected(void **state)
{
	for (int kept = GROWER_COUNT_MIN - 1; kept <= GROWER_COUNT_MIN; kept++) {
		_cleanup_given_ struct given given = {0};

		given_program(&given);
		given_items(&given, "dict", "function", 200);
		for (int i = kept; i < 200; i++)
			given_lines(&given, "edge 0x1010 %#x gc \"['f%d']\"\n", 0x100000 + 32 * i,
				    i);
		when_looked_at(&given);
		assert_int_equal(given.suspects.count, kept == GROWER_COUNT_MIN);
		// Whose they are decides; how many there are is told.
		if (given.suspects.count)
			assert_int_equal(given.suspects.list[0].element_count, 200);
	}
}

static void what_the_runtime_keeps_for_itself_is_not_suspected(void **state)
{
	static const char *const roots[] = {"interpreter", "interned", "static-type"};

	for (int i = 0; i < 3; i++) {
		_cleanup_given_ struct given given = {0};
		given_program(&given);
		given_items(&given, "dict", "tuple", 200);
		given_lines(&given, "root 0x2000 %s\n", roots[i]);
		when_looked_at(&given);
		assert_int_equal(given.suspects.count, 0);
	}
}

static void of_two_within_each_other_the_outer_is_meant(void **state)
{
	_cleanup_given_ struct given given = {0};

	given_program(&given);
	given_items(&given, "list", "list", 200);
	// One of the 200 holds many itself.
	for (int i = 0; i < 120; i++)
		given_lines(&given,
			    "object %#x shop.Line size=10 tracked\nedge 0x100000 %#x gc [%d]\n",
			    0x500000 + 16 * i, 0x500000 + 16 * i, i + 1);
	when_looked_at(&given);
	assert_int_equal(given.growers.count, 2);
	assert_int_equal(given.suspects.count, 1);
	assert_int_equal(given.suspects.list[0].holder, graph_find(given.heap, 0x2000));
}

static void much_plain_data_is_suspected_and_little_is_not(void **state)
{
	for (int bytes = 10; bytes <= 10000; bytes *= 1000) {
		_cleanup_given_ struct given given = {0};
		given_program(&given);
		given_lines(&given, "object 0x2000 list\nedge 0x1010 0x2000 gc \"['LINES']\"\n");
		for (int i = 0; i < 500; i++)
			given_lines(&given, "object %#x str size=%d\nedge 0x2000 %#x gc [%d]\n",
				    0x100000 + 16 * i, bytes, 0x100000 + 16 * i, i);
		when_looked_at(&given);
		assert_int_equal(given.suspects.count, bytes > 10 ? 1 : 0);
	}
}

static void leaked_references_are_suspected_by_type(void **state)
{
	_cleanup_given_ struct given given = {0};

	given_program(&given);
	for (int i = 0; i < 30; i++)
		given_lines(&given, "object %#x shop.%s size=10 refs=1\nleak %#x 1\n",
			    0x100000 + 16 * i, i < 25 ? "Many" : "Few", 0x100000 + 16 * i);
	when_looked_at(&given);
	assert_int_equal(given.suspects.count, 1);
	assert_int_equal(given.suspects.list[0].state, SUSPECT_LEAKED);
	assert_string_equal(type_name(&given, 0), "shop.Many");
	assert_int_equal(given.suspects.list[0].count, 25);
	assert_int_equal(given.suspects.list[0].retained_bytes, 250);
}

static void given_cycles(struct given *given, int count, const char *flags)
{
	given_lines(given, "type Parent finalizer=del\ntype Child\n");
	for (int i = 0; i < count; i++)
		given_lines(
			given,
			"object %#x Parent size=100 tracked %s\nobject %#x Child size=50 tracked\n"
			"edge %#x %#x gc .child\nedge %#x %#x gc .parent\n",
			0x700000 + 32 * i, flags, 0x700010 + 32 * i, 0x700000 + 32 * i,
			0x700010 + 32 * i, 0x700010 + 32 * i, 0x700000 + 32 * i);
}

static void cycles_that_nobody_frees_come_before_those_that_wait(void **state)
{
	_cleanup_given_ struct given stays = {0}, waits = {0}, few = {0};

	given_program(&stays);
	given_items(&stays, "list", "tuple", 200);
	given_cycles(&stays, 40, "legacy");
	when_looked_at(&stays);
	assert_int_equal(stays.suspects.count, 2);
	assert_int_equal(stays.suspects.list[0].state, SUSPECT_UNCOLLECTABLE);
	assert_string_equal(stays.suspects.list[0].shape, "Parent.child -> Child.parent");
	assert_int_equal(stays.suspects.list[0].count, 40);
	assert_int_equal(stays.suspects.list[0].retained_bytes, 40 * 150);
	assert_string_equal(type_name(&stays, 0), "Parent");

	given_program(&waits);
	given_cycles(&waits, 40, "");
	when_looked_at(&waits);
	assert_int_equal(waits.suspects.count, 1);
	assert_int_equal(waits.suspects.list[0].state, SUSPECT_PENDING);
	assert_true(waits.suspects.list[0].score < stays.suspects.list[0].score);

	given_program(&few);
	given_cycles(&few, SUSPECT_PENDING_MIN - 1, "");
	when_looked_at(&few);
	assert_int_equal(few.suspects.count, 0);
}

static void an_example_of_what_nobody_frees_is_one_that_gc_garbage_has(void **state)
{
	_cleanup_given_ struct given given = {0};
	const addr_t last = 0x700000 + 32 * 39;

	// No collection has come to the others yet, and what is of other cycles is no example.
	given_program(&given);
	given_cycles(&given, 40, "legacy");
	given_lines(&given,
		    "object 0x3000 list\nroot 0x3000 garbage\ncollector garbage=0x3000\n"
		    "object 0x3010 Parent tracked legacy\nedge 0x3010 0x3010 gc .me\n"
		    "edge 0x3000 0x3010 gc [0]\nedge 0x3000 %#x gc [1]\n",
		    (unsigned)last);
	when_looked_at(&given);
	assert_int_equal(given.suspects.count, 2);
	assert_int_equal(given.suspects.list[0].count, 40);
	assert_int_equal(given.suspects.list[0].example, graph_find(given.heap, last));
	assert_true(paths_reach(&given.paths, given.suspects.list[0].example));
	assert_int_equal(given.suspects.list[1].example, graph_find(given.heap, 0x3010));
}

static void no_more_than_a_few_are_told_and_the_others_are_counted(void **state)
{
	_cleanup_given_ struct given given = {0};

	given_program(&given);
	for (int i = 0; i < 7; i++) {
		given_lines(&given, "object %#x list\nedge 0x1010 %#x gc ['L%d']\n",
			    0x2000 + 16 * i, 0x2000 + 16 * i, i);
		for (int j = 0; j < 100 + i; j++)
			given_lines(&given,
				    "object %#x shop.K%d size=50 tracked\nedge %#x %#x gc [%d]\n",
				    0x100000 + 0x10000 * i + 16 * j, i, 0x2000 + 16 * i,
				    0x100000 + 0x10000 * i + 16 * j, j);
	}
	when_looked_at(&given);
	assert_int_equal(given.suspects.count, SUSPECTS_MAX);
	assert_int_equal(given.suspects.more, 2);
	for (size_t i = 1; i < given.suspects.count; i++)
		assert_true(given.suspects.list[i - 1].score >= given.suspects.list[i].score);
	assert_string_equal(type_name(&given, 0), "shop.K6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_many_is_suspected_for_what_tells_most),
		cmocka_unit_test(few_of_a_kind_are_not_suspected),
		cmocka_unit_test(what_cannot_grow_is_not_suspected),
		cmocka_unit_test(what_lives_nearer_elsewhere_is_not_suspected),
		cmocka_unit_test(what_the_runtime_keeps_for_itself_is_not_suspected),
		cmocka_unit_test(of_two_within_each_other_the_outer_is_meant),
		cmocka_unit_test(much_plain_data_is_suspected_and_little_is_not),
		cmocka_unit_test(leaked_references_are_suspected_by_type),
		cmocka_unit_test(cycles_that_nobody_frees_come_before_those_that_wait),
		cmocka_unit_test(an_example_of_what_nobody_frees_is_one_that_gc_garbage_has),
		cmocka_unit_test(no_more_than_a_few_are_told_and_the_others_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
