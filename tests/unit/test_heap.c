// SPDX-License-Identifier: GPL-3.0-or-later
// Questions to a graph of references: who is where, who refers to whom, what is unexplained.
#include "heap/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/text.h"

static struct heap *parse(const char *text)
{
	struct heap *heap = NULL;
	struct error *error = heap_text_parse(text, &heap);

	if (error)
		fail_msg("%s", error->message);
	return heap;
}

static void objects_are_found_at_their_addresses_alone(void **state)
{
	static const addr_t nowhere[] = {
		0,
		8,
		0xff8,
		0x1001,
		0x1004,
		0x1010,
		0x100000,
		0x7ffffffffff0,
		1UL << 48,
		(1UL << 48) + 0x1000,
		~0UL,
		~7UL,
		0x1000 | 1UL << 57,
		0x1000 | 1UL << 62,
	};
	_cleanup_heap_ struct heap *heap = parse("object 0x1000 T\n"
						 "object 0x1008 T\n"
						 "object 0xfffff8 T\n"
						 "object 0xfffffffffff8 T\n");

	assert_int_equal(heap_find(heap, 0x1000), 0);
	assert_int_equal(heap_find(heap, 0x1008), 1);
	assert_int_equal(heap_find(heap, 0xfffff8), 2);
	assert_int_equal(heap_find(heap, 0xfffffffffff8), 3);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		assert_int_equal(heap_find(heap, nowhere[i]), HEAP_NO_OBJECT);
}

static void referrers_are_told_as_often_as_they_refer(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("object 0x1000 T\n"
						 "object 0x2000 T\n"
						 "object 0x3000 T\n"
						 "edge 0x3000 0x2000\n"
						 "edge 0x1000 0x2000 weak\n"
						 "edge 0x3000 0x2000 owned\n"
						 "edge 0x2000 0x2000 guess\n"
						 "edge 0x3000 0x1000\n");
	static const uint32_t of_second[] = {0, 1, 2, 2};

	for (unsigned threads = 0; threads < 5; threads++) {
		struct heap_referrers referrers;
		assert_null(heap_reverse(heap, threads, &referrers));
		assert_int_equal(referrers.first[0], 0);
		assert_int_equal(referrers.first[1], 1);
		assert_int_equal(referrers.ids[0], 2);
		assert_int_equal(referrers.first[2], 5);
		assert_memory_equal(referrers.ids + 1, of_second, sizeof(of_second));
		assert_int_equal(referrers.first[3], 5);
	}
}

static void excess_is_what_neither_references_nor_roots_explain(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("object 0x1000 T refs=5\n"
						 "object 0x2000 T refs=0\n"
						 "object 0x3000 T immortal\n"
						 "object 0x4000 T refs=4294967295\n"
						 "edge 0x2000 0x1000 gc\n"
						 "edge 0x2000 0x1000 owned\n"
						 "edge 0x2000 0x1000 guess\n"
						 "edge 0x2000 0x1000 weak\n"
						 "edge 0x1000 0x2000\n"
						 "edge 0x1000 0x2000\n"
						 "edge 0x1000 0x3000\n"
						 "root 0x1000 frame owns f\n"
						 "root 0x1000 module sys\n"
						 "root 0x3000 frame owns f\n");
	_cleanup_free_ int64_t *excess = NULL;

	assert_null(heap_excess(heap, &excess));
	assert_int_equal(excess[0], 1);
	assert_int_equal(excess[1], -2);
	assert_int_equal(excess[2], 0);
	assert_int_equal(excess[3], UINT32_MAX);
}

static void its_bytes_grow_with_its_objects_and_references(void **state)
{
	_cleanup_text_ struct text text = {0};
	struct heap_referrers referrers;
	enum { COUNT = 1000 };

	for (unsigned i = 1; i <= COUNT; i++)
		assert_null(text_appendf(&text, "object 0x%x T\n", i * 64));
	_cleanup_heap_ struct heap *apart = parse(text_chars(&text));
	for (unsigned i = 1; i <= COUNT; i++)
		assert_null(text_appendf(&text, "edge 0x%x 0x40\n", i * 64));
	_cleanup_heap_ struct heap *tied = parse(text_chars(&text));
	_cleanup_heap_ struct heap *nothing = parse("");

	uint64_t each = heap_bytes(apart) - heap_bytes(nothing);
	assert_true(each >= 34 * COUNT);
	assert_int_equal(heap_bytes(tied) - heap_bytes(apart), COUNT * sizeof(heap_edge));
	// Who refers to whom is counted from when it was asked for.
	uint64_t before = heap_bytes(tied);
	assert_null(heap_reverse(tied, 1, &referrers));
	assert_true(heap_bytes(tied) >= before + 2 * COUNT * sizeof(uint32_t));
}

static void a_heap_of_nothing_answers_all_questions(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("");
	_cleanup_free_ int64_t *excess = NULL;
	_cleanup_text_ struct text label = {0};
	struct heap_referrers referrers;

	assert_null(heap_reverse(heap, 4, &referrers));
	assert_int_equal(referrers.first[0], 0);
	assert_null(heap_excess(heap, &excess));
	assert_null(heap_label(heap, 0, 0, &label));
	assert_int_equal(label.length, 0);
	assert_int_equal(heap_find(heap, 0), HEAP_NO_OBJECT);
	heap_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_found_at_their_addresses_alone),
		cmocka_unit_test(referrers_are_told_as_often_as_they_refer),
		cmocka_unit_test(excess_is_what_neither_references_nor_roots_explain),
		cmocka_unit_test(its_bytes_grow_with_its_objects_and_references),
		cmocka_unit_test(a_heap_of_nothing_answers_all_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
