// SPDX-License-Identifier: GPL-3.0-or-later
// Dominators and retained sizes, against their definition: what is out of reach without an object.
#include "analyze/retention/dominators.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/retention/retained.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "support/graphs.h"

enum { OBJECTS_MAX = 40 };

/** Who is held from outside, and what can be reached; the slow way. */
struct oracle {
	const struct heap *heap;
	uint32_t count;
	bool held[OBJECTS_MAX];
};

// What is reached from the held ones when @a without (or nobody) is taken away.
static void reach(const struct oracle *oracle, uint32_t without, bool *reached)
{
	bool changed = true;

	for (uint32_t i = 0; i < oracle->count; i++)
		reached[i] = oracle->held[i] && i != without;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < oracle->count; i++) {
			for (uint32_t j = 0; reached[i] && j < heap_edge_count(oracle->heap, i);
			     j++) {
				heap_edge edge = heap_edges(oracle->heap, i)[j];
				uint32_t to = heap_edge_target(edge);
				if (heap_edge_kind(edge) == HEAP_EDGE_WEAK || reached[to] ||
				    to == without)
					continue;
				reached[to] = changed = true;
			}
		}
	}
}

static void reach_from(const struct oracle *oracle, uint32_t start, bool *reached)
{
	struct oracle one = {.heap = oracle->heap, .count = oracle->count};

	one.held[start] = true;
	reach(&one, UINT32_MAX, reached);
}

// Of those that nothing outside reaches, the lowest one of each group that no other of them leads to.
static void hold_unreached(struct oracle *oracle)
{
	bool from_outside[OBJECTS_MAX], from[OBJECTS_MAX][OBJECTS_MAX];

	reach(oracle, UINT32_MAX, from_outside);
	for (uint32_t i = 0; i < oracle->count; i++)
		reach_from(oracle, i, from[i]);
	for (uint32_t i = 0; i < oracle->count; i++) {
		bool is_first = !from_outside[i];
		for (uint32_t j = 0; j < oracle->count; j++) {
			if (from_outside[j] || !from[j][i] || i == j)
				continue;
			// Who leads here must be led to from here, and come later.
			is_first = is_first && from[i][j] && j > i;
		}
		oracle->held[i] |= is_first;
	}
}

static void oracle_make(const struct heap *heap, struct oracle *oracle)
{
	*oracle = (struct oracle){.heap = heap, .count = heap->object_count};
	assert_true(heap->object_count <= OBJECTS_MAX);
	for (size_t i = 0; i < heap->root_count; i++)
		oracle->held[heap->roots[i].object] = true;
	for (size_t i = 0; i < heap->leak_count; i++)
		oracle->held[heap->leaks[i].object] = true;
	hold_unreached(oracle);
}

static void assert_as_defined(const struct heap *heap)
{
	_cleanup_dominators_ struct dominators found = {0};
	_cleanup_retained_ struct retained retained = {0};
	bool without[OBJECTS_MAX][OBJECTS_MAX];
	struct oracle oracle;

	oracle_make(heap, &oracle);
	assert_null(dominators_find(heap, &found));
	assert_null(retained_find(heap, &found, &retained));
	for (uint32_t i = 0; i < oracle.count; i++)
		reach(&oracle, i, without[i]);
	for (uint32_t i = 0; i < oracle.count; i++) {
		uint32_t number = found.number[i], above = found.above[number];
		uint64_t bytes = 0;
		uint32_t nearest = UINT32_MAX;

		assert_in_range(number, 1, oracle.count);
		assert_int_equal(found.order[number], i);
		assert_true(above < number);
		for (uint32_t j = 0; j < oracle.count; j++) {
			bool dominates = j != i && !without[j][i];
			// The nearest one is dominated by all others.
			if (dominates && (nearest == UINT32_MAX || !without[nearest][j]))
				nearest = j;
			if (!without[i][j])
				bytes += heap->size_bytes[j];
		}
		if (nearest == UINT32_MAX)
			assert_int_equal(above, 0);
		else
			assert_int_equal(found.order[above], nearest);
		assert_int_equal(retained.bytes[number], bytes);
	}
}

static struct heap *random_heap(uint64_t seed)
{
	uint32_t count = (uint32_t)(1 + seed % OBJECTS_MAX);
	struct heap *heap =
		graph_at_random(seed * 7919 + 1, count, count * (uint32_t)(1 + seed % 3));
	struct heap_root_row roots[4];
	struct heap_leak leaks[2];
	size_t root_count = seed / 3 % (ARRAY_COUNT(roots) + 1), leak_count = seed / 5 % 3;

	for (size_t i = 0; i < root_count; i++) {
		roots[i] = (struct heap_root_row){
			.object = (uint32_t)((seed * 31 + i * 17) % count),
			.kind = (enum heap_root_kind)((seed + i) % HEAP_ROOT_KIND_COUNT)};
	}
	for (size_t i = 0; i < leak_count; i++)
		leaks[i] = (struct heap_leak){(uint32_t)((seed * 13 + i) % count), 1};
	graph_hold(heap, roots, root_count, leaks, leak_count);
	return heap;
}

static void any_small_graph_has_the_dominators_of_the_definition(void **state)
{
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		_cleanup_heap_ struct heap *heap = random_heap(seed);
		assert_as_defined(heap);
	}
}

static void an_object_retains_what_only_it_leads_to(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 module size=10\n"
						       "object 0x1010 list size=20\n"
						       "object 0x1020 Item size=30\n"
						       "object 0x1030 Item size=40\n"
						       "object 0x1040 str size=50\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1020\n"
						       "edge 0x1010 0x1030\n"
						       "edge 0x1020 0x1040\n"
						       "edge 0x1030 0x1040\n"
						       "root 0x1000 module shop\n");
	_cleanup_dominators_ struct dominators found = {0};
	_cleanup_retained_ struct retained retained = {0};
	_cleanup_free_ struct retained_type *types = NULL;
	size_t type_count;

	assert_null(dominators_find(heap, &found));
	assert_null(retained_find(heap, &found, &retained));
	assert_int_equal(found.reached_count, 5);
	assert_int_equal(retained.bytes[found.number[1]], 140);
	assert_int_equal(retained.objects[found.number[1]], 4);
	// The text is both items' and no one's.
	assert_int_equal(retained.bytes[found.number[2]], 30);
	assert_int_equal(retained_accumulation(heap, &found, &retained, found.number[0]),
			 found.number[1]);
	assert_null(retained_by_type(heap, &found, &retained, &types, &type_count));
	assert_int_equal(type_count, 4);
	assert_string_equal(heap->types[types[0].type].name, "module");
	assert_int_equal(types[0].bytes, 150);
	assert_string_equal(heap->types[types[2].type].name, "Item");
	assert_int_equal(types[2].count, 2);
	assert_int_equal(types[2].bytes, 70);
}

static void what_one_of_a_type_retains_within_another_counts_once(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 Node size=10\n"
						       "object 0x1010 Node size=10\n"
						       "object 0x1020 Node size=10\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1020\n"
						       "root 0x1000 module shop\n");
	_cleanup_dominators_ struct dominators found = {0};
	_cleanup_retained_ struct retained retained = {0};
	_cleanup_free_ struct retained_type *types = NULL;
	size_t type_count;

	assert_null(dominators_find(heap, &found));
	assert_null(retained_find(heap, &found, &retained));
	assert_null(retained_by_type(heap, &found, &retained, &types, &type_count));
	assert_int_equal(type_count, 1);
	assert_int_equal(types[0].count, 3);
	assert_int_equal(types[0].bytes, 30);
}

static void the_largest_come_first_and_attribute_dicts_are_looked_through(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 Shop size=1\n"
						       "object 0x1010 dict size=1 part\n"
						       "object 0x1020 a size=5\n"
						       "object 0x1030 b size=9\n"
						       "object 0x1040 c size=7\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1010 0x1020\n"
						       "edge 0x1010 0x1030\n"
						       "edge 0x1000 0x1040\n"
						       "root 0x1000 module shop\n");
	_cleanup_dominators_ struct dominators found = {0};
	_cleanup_retained_ struct retained retained = {0};
	_cleanup_free_ uint32_t *largest = NULL;
	size_t count, all;

	assert_null(dominators_find(heap, &found));
	assert_null(retained_find(heap, &found, &retained));
	assert_null(retained_largest(heap, &found, &retained, found.number[0], 2, &largest, &count,
				     &all));
	assert_int_equal(count, 2);
	assert_int_equal(all, 3);
	assert_int_equal(found.order[largest[0]], 3);
	assert_int_equal(found.order[largest[1]], 4);
}

static void an_empty_heap_has_none(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("");
	_cleanup_dominators_ struct dominators found = {0};
	_cleanup_retained_ struct retained retained = {0};

	assert_null(dominators_find(heap, &found));
	assert_null(retained_find(heap, &found, &retained));
	assert_int_equal(found.reached_count, 0);
	assert_int_equal(retained.bytes[0], 0);
}

static void *dominate_lists(void *argument)
{
	enum { MILLION = 1000000 };
	bool *ok = argument;

	*ok = true;
	for (int i = 0; i < 4; i++) {
		struct heap *heap = graph_list(MILLION, i & 1, i & 2);
		struct dominators found = {0};
		struct retained retained = {0};
		*ok = *ok && !dominators_find(heap, &found) &&
		      !retained_find(heap, &found, &retained) &&
		      retained.objects[found.number[i & 1 && !(i & 2) ? MILLION - 1 : 0]] ==
			      MILLION;
		retained_deinit(&retained);
		dominators_deinit(&found);
		heap_destroy(heap);
	}
	return NULL;
}

static void a_list_of_a_million_needs_no_stack(void **state)
{
	bool ok;

	graph_on_small_stack(dominate_lists, &ok);
	assert_true(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_small_graph_has_the_dominators_of_the_definition),
		cmocka_unit_test(an_object_retains_what_only_it_leads_to),
		cmocka_unit_test(what_one_of_a_type_retains_within_another_counts_once),
		cmocka_unit_test(the_largest_come_first_and_attribute_dicts_are_looked_through),
		cmocka_unit_test(an_empty_heap_has_none),
		cmocka_unit_test(a_list_of_a_million_needs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
