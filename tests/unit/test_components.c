// SPDX-License-Identifier: GPL-3.0-or-later
// Strongly connected components, against the definition.
#include "analyze/components.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/graphs.h"

static const unsigned GC_ONLY = 1U << HEAP_EDGE_GC;

static void find(const struct heap *heap, unsigned kinds, const uint8_t *skip,
		 struct components *ret)
{
	assert_null(components_find(heap, kinds, skip, NULL, ret));
}

static void objects_that_reach_each_other_are_one_component(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a\n"
						       "object 0x1010 b\n"
						       "object 0x1020 c\n"
						       "object 0x1030 d\n"
						       "object 0x1040 e\n"
						       "edge 0x1040 0x1000\n"
						       "edge 0x1000 0x1040\n"
						       "edge 0x1010 0x1030\n"
						       "edge 0x1030 0x1020\n"
						       "edge 0x1020 0x1010\n"
						       "edge 0x1000 0x1010\n");
	_cleanup_components_ struct components found = {0};

	find(heap, GC_ONLY, NULL, &found);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.first[0], 0);
	assert_int_equal(found.first[1], 2);
	assert_int_equal(found.first[2], 5);
	assert_memory_equal(found.members, ((uint32_t[]){0, 4, 1, 2, 3}), 5 * sizeof(uint32_t));
	assert_memory_equal(found.of, ((uint32_t[]){0, 1, 1, 1, 0}), 5 * sizeof(uint32_t));
}

static void one_object_is_a_component_only_if_it_refers_to_itself(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a\n"
						       "object 0x1010 b\n"
						       "object 0x1020 c\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1010\n"
						       "edge 0x1010 0x1020\n");
	_cleanup_components_ struct components found = {0};

	find(heap, GC_ONLY, NULL, &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.of[0], UINT32_MAX);
	assert_int_equal(found.of[1], 0);
	assert_int_equal(found.of[2], UINT32_MAX);
}

static void references_of_other_kinds_do_not_count(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a\n"
						       "object 0x1010 b\n"
						       "edge 0x1000 0x1010 gc\n"
						       "edge 0x1010 0x1000 weak\n");
	_cleanup_components_ struct components gc = {0};
	_cleanup_components_ struct components both = {0};

	find(heap, GC_ONLY, NULL, &gc);
	find(heap, GC_ONLY | 1U << HEAP_EDGE_WEAK, NULL, &both);
	assert_int_equal(gc.count, 0);
	assert_int_equal(both.count, 1);
}

static void what_is_skipped_connects_nothing(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_list(3, false, true);
	_cleanup_components_ struct components found = {0};

	find(heap, GC_ONLY, (uint8_t[]){0, 1, 0}, &found);
	assert_int_equal(found.count, 0);
}

static void an_empty_heap_has_none(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("");
	_cleanup_components_ struct components found = {0};

	find(heap, GC_ONLY, NULL, &found);
	assert_int_equal(found.count, 0);
	assert_int_equal(found.first[0], 0);
}

/** Sets @a reached for all that one reference or more lead to from @a from: looks at all references
 *  until nothing changes. */
static void reach(const struct heap *heap, unsigned kinds, const uint8_t *skip, uint32_t from,
		  uint8_t *reached)
{
	bool changed = true;

	memset(reached, 0, heap->object_count);
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < heap->object_count; i++) {
			if (skip[i] || !(reached[i] || i == from))
				continue;
			for (uint32_t j = 0; j < heap_edge_count(heap, i); j++) {
				heap_edge edge = heap_edges(heap, i)[j];
				uint32_t to = heap_edge_target(edge);

				if (!(kinds >> heap_edge_kind(edge) & 1) || skip[to] || reached[to])
					continue;
				reached[to] = 1;
				changed = true;
			}
		}
	}
}

/** By the definition: i and j are together when each is reached from the other. */
static void assert_as_defined(const struct heap *heap, unsigned kinds, const uint8_t *skip,
			      const struct components *found)
{
	uint32_t count = heap->object_count;
	uint8_t *reached = malloc((size_t)count * count);

	assert_non_null(reached);
	for (uint32_t i = 0; i < count; i++) {
		memset(reached + (size_t)i * count, 0, count);
		if (!skip[i])
			reach(heap, kinds, skip, i, reached + (size_t)i * count);
	}
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(found->of[i] != UINT32_MAX, reached[(size_t)i * count + i]);
		for (uint32_t j = 0; j < i; j++) {
			bool together =
				reached[(size_t)i * count + j] && reached[(size_t)j * count + i];

			assert_int_equal(together, found->of[i] != UINT32_MAX &&
							   found->of[i] == found->of[j]);
		}
	}
	free(reached);
}

/** What the header says of the order. */
static void assert_in_order(const struct heap *heap, const struct components *found)
{
	uint32_t member_count = 0;

	for (uint32_t i = 0; i < heap->object_count; i++)
		member_count += found->of[i] != UINT32_MAX;
	assert_int_equal(found->first[0], 0);
	assert_int_equal(found->first[found->count], member_count);
	for (uint32_t i = 0; i < found->count; i++) {
		assert_true(found->first[i] < found->first[i + 1]);
		for (uint32_t j = found->first[i]; j < found->first[i + 1]; j++) {
			assert_int_equal(found->of[found->members[j]], i);
			if (j > found->first[i])
				assert_true(found->members[j - 1] < found->members[j]);
		}
		if (i)
			assert_true(found->members[found->first[i - 1]] <
				    found->members[found->first[i]]);
	}
}

static void check_random(uint64_t seed, uint32_t object_count, uint32_t edge_count)
{
	_cleanup_heap_ struct heap *heap = graph_at_random(seed, object_count, edge_count);
	_cleanup_free_ uint8_t *skip = calloc(object_count, 1);
	_cleanup_components_ struct components found = {0};
	unsigned kinds = seed % 3 ? GC_ONLY : (unsigned)(seed % 16);

	assert_non_null(skip);
	for (uint32_t i = 0; seed % 2 && i < object_count; i++)
		skip[i] = graph_random(&seed) % 8 == 0;
	find(heap, kinds, skip, &found);
	assert_as_defined(heap, kinds, skip, &found);
	assert_in_order(heap, &found);
}

static void any_small_graph_has_the_components_of_the_definition(void **state)
{
	for (uint64_t seed = 1; seed <= 600; seed++) {
		uint64_t dice = seed * 0x9e3779b97f4a7c15U;
		uint32_t objects = 1 + (uint32_t)(graph_random(&dice) % 60);

		check_random(seed, objects, (uint32_t)(graph_random(&dice) % (objects * 3 + 1)));
	}
}

/** Large enough for the sweeps that look for a giant. */
static void any_larger_graph_has_the_components_of_the_definition(void **state)
{
	for (uint32_t tenths = 10; tenths <= 30; tenths += 4)
		check_random(tenths, 1500, 150 * tenths);
}

static void a_ring_in_no_order_is_one_component(void **state)
{
	enum { COUNT = 20000 };
	_cleanup_heap_ struct heap *heap = graph_list(COUNT, false, true);
	_cleanup_free_ uint32_t *order = malloc(COUNT * sizeof(*order));
	_cleanup_components_ struct components found = {0};
	uint64_t seed = 7;

	// given a list that jumps about, too long for sweeps
	assert_non_null(order);
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t other = (uint32_t)(graph_random(&seed) % (i + 1));

		order[i] = order[other];
		order[other] = i;
	}
	for (uint32_t i = 0; i < COUNT; i++)
		heap->edges[order[i]] = heap_edge_make(order[(i + 1) % COUNT], HEAP_EDGE_GC);
	// when
	find(heap, GC_ONLY, NULL, &found);
	// then
	assert_int_equal(found.count, 1);
	assert_int_equal(found.first[1], COUNT);
}

/** Sweeps reach both from the first and must not take them for one. */
static void of_two_large_rings_one_leads_to_the_other(void **state)
{
	enum { COUNT = 2000 };
	_cleanup_text_ struct text text = {0};
	_cleanup_heap_ struct heap *heap = NULL;
	_cleanup_components_ struct components found = {0};

	for (unsigned i = 0; i < 2 * COUNT; i++) {
		unsigned next = i % COUNT + 1 < COUNT ? i + 1 : i + 1 - COUNT;

		assert_null(text_appendf(&text, "object %#x a\nedge %#x %#x\n", 0x10000 + 16 * i,
					 0x10000 + 16 * i, 0x10000 + 16 * next));
	}
	assert_null(text_appendf(&text, "edge %#x %#x\n", 0x10000, 0x10000 + 16 * (COUNT + 7)));
	heap = graph_parse(text.chars);
	find(heap, GC_ONLY, NULL, &found);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.first[1], COUNT);
	assert_int_equal(found.first[2], 2 * COUNT);
	assert_in_order(heap, &found);
}

static void *find_in_lists(void *result)
{
	enum { COUNT = 10000000 };
	bool *ok = result;

	*ok = true;
	for (unsigned i = 0; i < 3; i++) {
		struct heap *heap = graph_list(COUNT, i % 2, i == 2);
		struct components found = {0};
		struct error *error = components_find(heap, GC_ONLY, NULL, NULL, &found);

		*ok &= !error && found.count == (i == 2);
		*ok &= !error && found.first[found.count] == (i == 2 ? COUNT : 0);
		error_destroy(error);
		components_deinit(&found);
		heap_destroy(heap);
	}
	return NULL;
}

static void a_list_of_ten_million_needs_no_stack(void **state)
{
	bool ok;

	graph_on_small_stack(find_in_lists, &ok);
	assert_true(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_that_reach_each_other_are_one_component),
		cmocka_unit_test(one_object_is_a_component_only_if_it_refers_to_itself),
		cmocka_unit_test(references_of_other_kinds_do_not_count),
		cmocka_unit_test(what_is_skipped_connects_nothing),
		cmocka_unit_test(an_empty_heap_has_none),
		cmocka_unit_test(any_small_graph_has_the_components_of_the_definition),
		cmocka_unit_test(any_larger_graph_has_the_components_of_the_definition),
		cmocka_unit_test(a_ring_in_no_order_is_one_component),
		cmocka_unit_test(of_two_large_rings_one_leads_to_the_other),
		cmocka_unit_test(a_list_of_ten_million_needs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
