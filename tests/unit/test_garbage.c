// SPDX-License-Identifier: GPL-3.0-or-later
// The collector run dry.
#include "analyze/garbage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/graphs.h"

static void find(const struct heap *heap, struct garbage *ret)
{
	assert_null(garbage_find(heap, ret));
}

static int state_at(const struct heap *heap, const struct garbage *garbage, addr_t at)
{
	return garbage->state[graph_find(heap, at)];
}

static void a_cycle_that_nothing_holds_is_unreachable(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 Parent size=48 tracked\n"
						       "object 0x1010 Child size=56 tracked\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1000\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 2);
	assert_int_equal(garbage.uncollectable_count, 0);
	assert_int_equal(garbage.to_garbage_count, 0);
	assert_int_equal(garbage.unreachable_types.count, 2);
	// As many of each: by name.
	assert_string_equal(heap->types[garbage.unreachable_types.list[0].type].name, "Child");
	assert_int_equal(garbage.unreachable_types.list[0].count, 1);
	assert_int_equal(garbage.unreachable_types.list[0].size_bytes, 56);
}

static void a_count_beyond_the_references_makes_reachable_what_it_leads_to(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a refs=2 tracked\n"
						       "object 0x1010 b tracked\n"
						       "object 0x1020 c tracked\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1000\n"
						       "edge 0x1010 0x1020\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 0);
	assert_int_equal(state_at(heap, &garbage, 0x1020), GARBAGE_REACHABLE);
}

static void what_the_collector_does_not_see_holds_what_it_refers_to(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 untracked\n"
						       "object 0x1010 held_by_untracked tracked\n"
						       "object 0x1020 frozen tracked frozen\n"
						       "object 0x1030 held_by_frozen tracked\n"
						       "object 0x1040 held_unseen tracked\n"
						       "object 0x1050 free tracked\n"
						       "edge 0x1000 0x1010 gc\n"
						       "edge 0x1020 0x1030 gc\n"
						       "edge 0x1050 0x1040 owned\n"
						       "edge 0x1050 0x1050 gc\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(state_at(heap, &garbage, 0x1000), GARBAGE_NOT_TRACKED);
	assert_int_equal(state_at(heap, &garbage, 0x1010), GARBAGE_REACHABLE);
	assert_int_equal(state_at(heap, &garbage, 0x1020), GARBAGE_FROZEN);
	assert_int_equal(state_at(heap, &garbage, 0x1030), GARBAGE_REACHABLE);
	assert_int_equal(state_at(heap, &garbage, 0x1040), GARBAGE_REACHABLE);
	assert_int_equal(state_at(heap, &garbage, 0x1050), GARBAGE_UNREACHABLE);
}

static void a_reference_that_occurs_twice_counts_twice(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a refs=2 tracked\n"
						       "edge 0x1000 0x1000\n"
						       "edge 0x1000 0x1000\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 1);
}

static void an_immortal_object_is_reachable_with_all_it_refers_to(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a tracked immortal\n"
						       "object 0x1010 b tracked\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1000\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 0);
	assert_int_equal(state_at(heap, &garbage, 0x1000), GARBAGE_REACHABLE);
}

static void a_count_smaller_than_the_references_is_none(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a refs=1 tracked\n"
						       "edge 0x1000 0x1000\n"
						       "edge 0x1000 0x1000\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 1);
}

static const char LEGACY[] = "object 0x1000 Legacy tracked legacy\n"
			     "object 0x1010 dict tracked\n"
			     "object 0x1020 held tracked\n"
			     "object 0x1030 beside tracked\n"
			     "edge 0x1000 0x1010\n"
			     "edge 0x1010 0x1000\n"
			     "edge 0x1010 0x1020\n"
			     "edge 0x1030 0x1030\n"
			     "edge 0x1030 0x1000\n";

static void a_legacy_finalizer_keeps_what_it_reaches(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse(LEGACY);
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.uncollectable_count, 3);
	assert_int_equal(garbage.unreachable_count, 1);
	assert_int_equal(state_at(heap, &garbage, 0x1020), GARBAGE_UNCOLLECTABLE);
	assert_int_equal(state_at(heap, &garbage, 0x1030), GARBAGE_UNREACHABLE);
	assert_int_equal(garbage.uncollectable_types.count, 3);
	// Only who has the finalizer is put into gc.garbage.
	assert_int_equal(garbage.to_garbage_count, 1);
	assert_int_equal(garbage.to_garbage_types.count, 1);
	assert_string_equal(heap->types[garbage.to_garbage_types.list[0].type].name, "Legacy");
}

static void all_that_is_unreachable_is_saved_when_the_collector_is_told_to(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse(LEGACY);
	_cleanup_garbage_ struct garbage garbage = {0};

	heap->collector.saves_all = true;
	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 1);
	assert_int_equal(garbage.to_garbage_count, 4);
}

static void what_stands_in_the_garbage_list_is_counted_as_often(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 list refs=1 tracked\n"
						       "object 0x1010 a tracked\n"
						       "object 0x1020 b tracked\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1000 0x1020\n"
						       "edge 0x1000 0x1010\n"
						       "collector garbage=0x1000\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.in_garbage_count, 3);
	assert_int_equal(garbage.in_garbage_types.count, 2);
	assert_int_equal(garbage.in_garbage_types.list[0].count, 2);
	assert_string_equal(heap->types[garbage.in_garbage_types.list[0].type].name, "a");
}

static void finalizers_that_have_run_already_will_not_run_again(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("type Del finalizer=del\n"
						       "type generator finalizer=builtin\n"
						       "object 0x1000 Del tracked\n"
						       "object 0x1010 Del tracked finalized\n"
						       "object 0x1020 generator tracked\n"
						       "object 0x1030 Del refs=1 tracked\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1020\n"
						       "edge 0x1020 0x1000\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 3);
	assert_int_equal(garbage.unfinalized_count, 2);
}

static void weak_references_that_outlive_their_object_call_back(void **state)
{
	_cleanup_heap_ struct heap *heap =
		graph_parse("object 0x1000 dying tracked\n"
			    "object 0x1010 weakref refs=1 tracked\n"
			    "object 0x1020 weakref_without_callback refs=1 tracked\n"
			    "object 0x1030 dying_weakref tracked\n"
			    "object 0x1040 function tracked\n"
			    "object 0x1050 living refs=1 tracked\n"
			    "object 0x1060 weakref_to_living refs=1 tracked\n"
			    "edge 0x1000 0x1000\n"
			    "edge 0x1000 0x1030\n"
			    "edge 0x1010 0x1000 weak\n"
			    "edge 0x1010 0x1040\n"
			    "edge 0x1020 0x1000 weak\n"
			    "edge 0x1030 0x1000 weak\n"
			    "edge 0x1030 0x1040\n"
			    "edge 0x1060 0x1050 weak\n"
			    "edge 0x1060 0x1040\n");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 2);
	assert_int_equal(garbage.callback_count, 1);
}

static void an_empty_heap_has_no_garbage(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("");
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_int_equal(garbage.unreachable_count, 0);
	assert_int_equal(garbage.in_garbage_count, 0);
}

/** Adds to @a set what its members refer to, among @a within, until nothing is added. */
static void close_over(const struct heap *heap, const bool *within, bool *set)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < heap->object_count; i++) {
			for (uint32_t j = 0; set[i] && j < heap_edge_count(heap, i); j++) {
				heap_edge edge = heap_edges(heap, i)[j];
				uint32_t to = heap_edge_target(edge);

				if (heap_edge_kind(edge) != HEAP_EDGE_GC || !within[to] || set[to])
					continue;
				set[to] = true;
				changed = true;
			}
		}
	}
}

static uint64_t references_among(const struct heap *heap, const bool *within, uint32_t to)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < heap->object_count; i++) {
		for (uint32_t j = 0; within[i] && j < heap_edge_count(heap, i); j++)
			count += heap_edges(heap, i)[j] == heap_edge_make(to, HEAP_EDGE_GC);
	}
	return count;
}

static uint64_t sum_counts(const struct garbage_types *types)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < types->count; i++) {
		sum += types->list[i].count;
		if (i)
			assert_true(types->list[i - 1].count >= types->list[i].count);
	}
	return sum;
}

/** With sets, as the collector's documentation tells it. */
static void assert_as_defined(const struct heap *heap, const struct garbage *garbage)
{
	enum { MAX = 3000 };
	static bool candidate[MAX], reachable[MAX], trash[MAX], kept[MAX];
	uint64_t unreachable = 0, uncollectable = 0, saved = 0, unfinalized = 0;

	assert_true(heap->object_count <= MAX);
	for (uint32_t i = 0; i < heap->object_count; i++)
		candidate[i] = heap->flags[i] & HEAP_TRACKED && !(heap->flags[i] & HEAP_FROZEN);
	for (uint32_t i = 0; i < heap->object_count; i++) {
		bool held = heap->flags[i] & HEAP_IMMORTAL || heap->refcount[i] == UINT32_MAX ||
			    heap->refcount[i] > references_among(heap, candidate, i);

		reachable[i] = candidate[i] && held;
	}
	close_over(heap, candidate, reachable);
	for (uint32_t i = 0; i < heap->object_count; i++) {
		trash[i] = candidate[i] && !reachable[i];
		kept[i] = trash[i] && heap->flags[i] & HEAP_LEGACY_FINALIZER;
	}
	close_over(heap, trash, kept);
	for (uint32_t i = 0; i < heap->object_count; i++) {
		bool legacy = heap->flags[i] & HEAP_LEGACY_FINALIZER;
		bool finalizes = heap_finalizer(heap, i) == HEAP_FINALIZER_DEL ||
				 heap_finalizer(heap, i) == HEAP_FINALIZER_BUILTIN;
		enum garbage_state expected = kept[i]        ? GARBAGE_UNCOLLECTABLE
					      : trash[i]     ? GARBAGE_UNREACHABLE
					      : reachable[i] ? GARBAGE_REACHABLE
					      : heap->flags[i] & HEAP_TRACKED ? GARBAGE_FROZEN
									      : GARBAGE_NOT_TRACKED;

		assert_int_equal(garbage->state[i], expected);
		unreachable += expected == GARBAGE_UNREACHABLE;
		uncollectable += expected == GARBAGE_UNCOLLECTABLE;
		saved += trash[i] && (legacy || heap->collector.saves_all);
		unfinalized += expected == GARBAGE_UNREACHABLE && finalizes &&
			       !(heap->flags[i] & HEAP_FINALIZED);
	}
	assert_int_equal(garbage->unreachable_count, unreachable);
	assert_int_equal(garbage->uncollectable_count, uncollectable);
	assert_int_equal(garbage->to_garbage_count, saved);
	assert_int_equal(garbage->unfinalized_count, unfinalized);
	assert_int_equal(sum_counts(&garbage->unreachable_types), unreachable);
	assert_int_equal(sum_counts(&garbage->uncollectable_types), uncollectable);
	assert_int_equal(sum_counts(&garbage->to_garbage_types), saved);
	assert_int_equal(sum_counts(&garbage->in_garbage_types), garbage->in_garbage_count);
}

static void check_random(uint64_t seed, uint32_t object_count, uint32_t edge_count)
{
	_cleanup_heap_ struct heap *heap = graph_at_random(seed, object_count, edge_count);
	_cleanup_garbage_ struct garbage garbage = {0};

	find(heap, &garbage);
	assert_as_defined(heap, &garbage);
}

static void any_graph_has_the_garbage_of_the_definition(void **state)
{
	for (uint64_t seed = 1; seed <= 800; seed++) {
		uint64_t dice = seed * 0x9e3779b97f4a7c15U;
		uint32_t objects = 1 + (uint32_t)(graph_random(&dice) % 60);

		check_random(seed, objects, (uint32_t)(graph_random(&dice) % (objects * 2 + 1)));
	}
	check_random(1001, 3000, 2500);
	check_random(1002, 3000, 4000);
}

static void *find_in_list(void *result)
{
	enum { COUNT = 10000000 };
	struct heap *heap = graph_list(COUNT, true, true);
	struct garbage garbage = {0};
	struct error *error = garbage_find(heap, &garbage);

	*(bool *)result = !error && garbage.unreachable_count == COUNT;
	error_destroy(error);
	garbage_deinit(&garbage);
	heap_destroy(heap);
	return NULL;
}

static void a_ring_of_ten_million_needs_no_stack(void **state)
{
	bool ok;

	graph_on_small_stack(find_in_list, &ok);
	assert_true(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cycle_that_nothing_holds_is_unreachable),
		cmocka_unit_test(a_count_beyond_the_references_makes_reachable_what_it_leads_to),
		cmocka_unit_test(what_the_collector_does_not_see_holds_what_it_refers_to),
		cmocka_unit_test(a_reference_that_occurs_twice_counts_twice),
		cmocka_unit_test(an_immortal_object_is_reachable_with_all_it_refers_to),
		cmocka_unit_test(a_count_smaller_than_the_references_is_none),
		cmocka_unit_test(a_legacy_finalizer_keeps_what_it_reaches),
		cmocka_unit_test(all_that_is_unreachable_is_saved_when_the_collector_is_told_to),
		cmocka_unit_test(what_stands_in_the_garbage_list_is_counted_as_often),
		cmocka_unit_test(finalizers_that_have_run_already_will_not_run_again),
		cmocka_unit_test(weak_references_that_outlive_their_object_call_back),
		cmocka_unit_test(an_empty_heap_has_no_garbage),
		cmocka_unit_test(any_graph_has_the_garbage_of_the_definition),
		cmocka_unit_test(a_ring_of_ten_million_needs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
