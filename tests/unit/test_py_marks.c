// SPDX-License-Identifier: GPL-3.0-or-later
// Who is in the collector's lists, told by bitmaps of heads and links.
#include "targets/cpython/scan/marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"

enum { STEP = 32, MEMBERS = 6 };
static const addr_t RANGE_AT = 0x7f0000000040, RANGE_END = 0x7f0000010000;
static const addr_t SECOND_AT = 0x7f0000200000, SECOND_END = 0x7f0000201000;
static const addr_t LIST_HEAD = 0x555500000100;
static const addr_t OUTSIDE = 0x666600000000;

static void cleanup_marks(struct py_marks **marks)
{
	py_marks_destroy(*marks);
}
#define _cleanup_marks_ CLEANUP(cleanup_marks)

static struct py_marks *new_marks(void)
{
	const struct py_marks_range ranges[] = {{RANGE_AT, RANGE_END}, {SECOND_AT, SECOND_END}};
	struct py_marks *marks;

	assert_null(py_marks_create(ranges, ARRAY_COUNT(ranges), 1 << 20, &marks));
	return marks;
}

/** A list through these heads, in this order; a test breaks it before it is added. */
struct list {
	addr_t at[MEMBERS];
	addr_t next[MEMBERS];
	addr_t prev[MEMBERS];
	addr_t head_next;
	addr_t head_prev;
};

static struct list given_list(void)
{
	struct list list;

	for (size_t i = 0; i < MEMBERS; i++)
		list.at[i] = (i % 2 ? SECOND_AT : RANGE_AT) + 640 + i * STEP;
	for (size_t i = 0; i < MEMBERS; i++) {
		list.next[i] = i + 1 < MEMBERS ? list.at[i + 1] : LIST_HEAD;
		list.prev[i] = i ? list.at[i - 1] : LIST_HEAD;
	}
	list.head_next = list.at[0];
	list.head_prev = list.at[MEMBERS - 1];
	return list;
}

static void add_all_but(struct py_marks *marks, const struct list *list, size_t missing)
{
	py_marks_add_list(marks, LIST_HEAD, list->head_next, list->head_prev);
	for (size_t i = 0; i < MEMBERS; i++)
		if (i != missing)
			py_marks_add(marks, list->at[i], list->next[i], list->prev[i]);
}

static void add_all(struct py_marks *marks, const struct list *list)
{
	add_all_but(marks, list, MEMBERS);
}

static void assert_whole(struct py_marks *marks, uint64_t strays)
{
	uint64_t stray;
	addr_t at;

	assert_true(py_marks_settle(marks, &stray, &at));
	assert_int_equal(stray, strays);
	assert_int_equal(at, 0);
}

static void assert_torn_at(struct py_marks *marks, addr_t expected)
{
	uint64_t stray;
	addr_t at;

	assert_false(py_marks_settle(marks, &stray, &at));
	assert_int_equal(at, expected);
}

static void a_closed_list_is_whole_and_its_members_are_known(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();

	add_all(marks, &list);
	assert_whole(marks, 0);
	for (size_t i = 0; i < MEMBERS; i++)
		assert_true(py_marks_is_member(marks, list.at[i]));
	assert_false(py_marks_is_member(marks, list.at[0] + 8));
	assert_false(py_marks_is_member(marks, RANGE_AT));
}

static void an_empty_list_is_whole(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();

	py_marks_add_list(marks, LIST_HEAD, LIST_HEAD, LIST_HEAD);
	assert_whole(marks, 0);
}

static void a_head_that_nobody_points_to_is_a_stray(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();

	add_all(marks, &list);
	py_marks_add(marks, RANGE_AT, list.at[2], list.at[1]);
	assert_whole(marks, 1);
	assert_false(py_marks_is_member(marks, RANGE_AT));
	assert_true(py_marks_is_member(marks, list.at[2]));
}

static void a_missing_member_tears_the_list_at_its_place(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();

	add_all_but(marks, &list, 2);
	assert_torn_at(marks, list.at[2]);
}

static void a_member_pointed_to_from_one_side_only_tears_the_list(void **state)
{
	_cleanup_marks_ struct py_marks *next = new_marks(), *prev = new_marks();
	struct list list = given_list();

	// Its neighbour before it skips it: half of an unlinking.
	list.next[1] = list.at[3];
	add_all(next, &list);
	assert_torn_at(next, list.at[2]);

	list = given_list();
	list.prev[3] = list.at[1];
	add_all(prev, &list);
	assert_torn_at(prev, list.at[2]);
	// The best guess at a member is who anybody points to.
	assert_true(py_marks_is_member(prev, list.at[2]));
}

static void the_first_torn_place_is_told(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();

	list.next[3] = 0;
	list.next[1] = 0;
	add_all(marks, &list);
	// Members 2 and 4: both in the first range, the second has odd ones.
	assert_torn_at(marks, list.at[2]);
}

static void a_link_outside_that_was_not_followed_tears_the_list(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();

	_cleanup_marks_ struct py_marks *alone = new_marks();

	list.next[5] = OUTSIDE;
	list.head_prev = OUTSIDE;
	add_all(marks, &list);
	// Its neighbour is known better than itself.
	assert_torn_at(marks, list.at[5]);
	py_marks_add(alone, RANGE_AT, OUTSIDE, OUTSIDE);
	assert_torn_at(alone, OUTSIDE);
}

static void an_object_outside_that_was_added_closes_the_list(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();
	bool told = false;

	list.next[5] = OUTSIDE;
	list.head_prev = OUTSIDE;
	add_all(marks, &list);
	for (size_t i = 0; i < py_marks_outside_count(marks); i++) {
		// A generation's head is no object to be chased.
		assert_true(py_marks_outside(marks, i) == 0 ||
			    py_marks_outside(marks, i) == OUTSIDE);
		told |= py_marks_outside(marks, i) == OUTSIDE;
	}
	assert_true(told);
	assert_false(py_marks_was_found(marks, OUTSIDE));
	py_marks_add(marks, OUTSIDE, LIST_HEAD, list.at[5]);
	assert_true(py_marks_was_found(marks, OUTSIDE));

	assert_whole(marks, 0);
	assert_true(py_marks_is_member(marks, OUTSIDE));
	assert_false(py_marks_is_member(marks, OUTSIDE + 64));
}

static void a_head_outside_that_nobody_points_to_is_no_member(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();
	uint64_t stray;
	addr_t at;

	add_all(marks, &list);
	py_marks_add(marks, OUTSIDE, list.at[2], list.at[1]);
	py_marks_settle(marks, &stray, &at);
	assert_false(py_marks_is_member(marks, OUTSIDE));
}

static void a_link_that_is_no_multiple_of_eight_is_outside(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();

	list.next[1] = list.at[2] + 4;
	add_all(marks, &list);
	assert_torn_at(marks, list.at[2]);
}

static void the_ends_of_ranges_belong_to_nobody_else(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	const addr_t edges[] = {RANGE_AT, RANGE_END - 8, SECOND_AT, SECOND_END - 8};

	for (size_t i = 0; i < ARRAY_COUNT(edges); i++)
		py_marks_add(marks, edges[i], edges[(i + 1) % 4], edges[(i + 3) % 4]);
	assert_int_equal(py_marks_outside_count(marks), 0);
	assert_whole(marks, 0);
	// One word behind the end is outside.
	py_marks_add(marks, RANGE_END, SECOND_END, RANGE_END);
	assert_int_equal(py_marks_outside_count(marks), 2);
}

static void neighbouring_ranges_become_one(void **state)
{
	const struct py_marks_range ranges[] = {
		{0x10000, 0x10100}, {0x10100, 0x10200}, {0x10208, 0x10300}, {0x20000, 0x20000}};
	struct py_marks *made;
	uint64_t stray;
	addr_t torn_at;

	assert_null(py_marks_create(ranges, ARRAY_COUNT(ranges), 1 << 20, &made));
	_cleanup_marks_ struct py_marks *marks = made;
	for (addr_t at = 0x10000; at < 0x10300; at += 8)
		py_marks_add(marks, at, at, at);
	py_marks_add(marks, 0x102f8, 0x102f8, 0);
	assert_true(py_marks_settle(marks, &stray, &torn_at));
	for (addr_t at = 0x10000; at < 0x10300; at += 8)
		assert_true(py_marks_is_member(marks, at));
}

static void ranges_that_take_too_much_memory_are_refused_with_how_much(void **state)
{
	const struct py_marks_range range = {0x10000, 0x10000 + (1ULL << 40)};
	struct py_marks *marks;
	_cleanup_error_ struct error *error = py_marks_create(&range, 1, 96 << 20, &marks);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, "MiB"));
}

static void no_ranges_at_all_are_fine(void **state)
{
	struct py_marks *made;

	assert_null(py_marks_create(NULL, 0, 0, &made));
	_cleanup_marks_ struct py_marks *marks = made;
	py_marks_add_list(marks, LIST_HEAD, OUTSIDE, OUTSIDE);
	py_marks_add(marks, OUTSIDE, LIST_HEAD, LIST_HEAD);
	assert_whole(marks, 0);
}

static void a_generation_inside_a_range_closes_its_list(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	addr_t head_at = RANGE_AT + 1024, object_at = SECOND_AT + 64;

	py_marks_add_list(marks, head_at, object_at, object_at);
	py_marks_add(marks, object_at, head_at, head_at);
	assert_whole(marks, 0);
	assert_true(py_marks_is_member(marks, object_at));
}

static void another_round_leaves_out_who_was_a_stray(void **state)
{
	_cleanup_marks_ struct py_marks *marks = new_marks();
	struct list list = given_list();
	uint64_t stray;
	addr_t torn_at;

	// A stray whose links point to a free place make that look torn.
	add_all(marks, &list);
	py_marks_add(marks, RANGE_AT, RANGE_AT + 128, list.at[1]);
	assert_false(py_marks_settle(marks, &stray, &torn_at));
	assert_int_equal(stray, 1);
	assert_int_equal(torn_at, RANGE_AT + 128);

	py_marks_restart(marks);
	assert_true(py_marks_is_stray(marks, RANGE_AT));
	assert_false(py_marks_is_stray(marks, list.at[1]));
	assert_false(py_marks_is_stray(marks, OUTSIDE));
	add_all(marks, &list);
	assert_whole(marks, 0);
	assert_true(py_marks_is_member(marks, list.at[3]));
	assert_false(py_marks_is_member(marks, RANGE_AT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_list_is_whole_and_its_members_are_known),
		cmocka_unit_test(an_empty_list_is_whole),
		cmocka_unit_test(a_head_that_nobody_points_to_is_a_stray),
		cmocka_unit_test(a_missing_member_tears_the_list_at_its_place),
		cmocka_unit_test(a_member_pointed_to_from_one_side_only_tears_the_list),
		cmocka_unit_test(the_first_torn_place_is_told),
		cmocka_unit_test(a_link_outside_that_was_not_followed_tears_the_list),
		cmocka_unit_test(an_object_outside_that_was_added_closes_the_list),
		cmocka_unit_test(a_head_outside_that_nobody_points_to_is_no_member),
		cmocka_unit_test(a_link_that_is_no_multiple_of_eight_is_outside),
		cmocka_unit_test(the_ends_of_ranges_belong_to_nobody_else),
		cmocka_unit_test(neighbouring_ranges_become_one),
		cmocka_unit_test(ranges_that_take_too_much_memory_are_refused_with_how_much),
		cmocka_unit_test(no_ranges_at_all_are_fine),
		cmocka_unit_test(a_generation_inside_a_range_closes_its_list),
		cmocka_unit_test(another_round_leaves_out_who_was_a_stray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
