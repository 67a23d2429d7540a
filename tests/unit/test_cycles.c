// SPDX-License-Identifier: GPL-3.0-or-later
// Cycles, their shapes and their states.
#include "analyze/cycles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/graphs.h"

static void find(struct heap *heap, bool all, struct cycles *ret)
{
	_cleanup_garbage_ struct garbage garbage = {0};

	assert_null(garbage_find(heap, &garbage));
	assert_null(cycles_find(heap, &garbage, all, ret));
}

/** The shape of the only row of a heap from @a text. */
static void assert_shape(const char *text, const char *shape)
{
	_cleanup_heap_ struct heap *heap = graph_parse(text);
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_int_equal(cycles.count, 1);
	assert_string_equal(cycles.rows[0].shape, shape);
}

static const char PARENT_AND_CHILD[] = "type __main__.Parent finalizer=del\n"
				       "object 0x1000 __main__.Parent size=48 tracked\n"
				       "object 0x1010 dict size=100 tracked part\n"
				       "object 0x1020 __main__.Child size=56 tracked\n"
				       "object 0x1030 dict size=100 tracked part\n"
				       "edge 0x1000 0x1010 gc .__dict__\n"
				       "edge 0x1010 0x1020 gc ['child']\n"
				       "edge 0x1020 0x1030 gc .__dict__\n"
				       "edge 0x1030 0x1000 gc ['parent']\n";

static void attribute_dicts_are_part_of_their_objects(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse(PARENT_AND_CHILD);
	_cleanup_cycles_ struct cycles cycles = {0};
	const struct cycle_row *row;

	find(heap, false, &cycles);
	assert_int_equal(cycles.count, 1);
	row = cycles.rows;
	assert_string_equal(row->shape, "Parent.child -> Child.parent");
	assert_int_equal(row->state, CYCLE_PENDING);
	assert_int_equal(row->count, 1);
	assert_int_equal(row->object_count, 2);
	assert_int_equal(row->size_bytes, 304);
	assert_int_equal(row->type_count, 2);
	assert_string_equal(heap->types[row->types[0]].name, "__main__.Child");
	assert_int_equal(row->finalizer_count, 1);
	assert_string_equal(heap->types[row->finalizers[0]].name, "__main__.Parent");
	assert_int_equal(row->example_count, 2);
	assert_int_equal(row->example[0], graph_find(heap, 0x1000));
	assert_int_equal(row->example[1], graph_find(heap, 0x1020));
	assert_int_equal(row->holder, HEAP_NO_OBJECT);
}

static void a_slot_an_item_and_a_reference_without_a_name_are_named_as_they_are(void **state)
{
	assert_shape("object 0x1000 a.A tracked\n"
		     "object 0x1010 list tracked\n"
		     "object 0x1020 function tracked\n"
		     "edge 0x1000 0x1010 gc .items\n"
		     "edge 0x1010 0x1020 gc [3]\n"
		     "edge 0x1020 0x1000 gc\n",
		     "A.items -> list[3] -> function");
}

static void a_key_that_is_no_attribute_name_stays_a_key(void **state)
{
	assert_shape("object 0x1000 A tracked\n"
		     "object 0x1010 dict tracked part\n"
		     "edge 0x1000 0x1010 gc .__dict__\n"
		     "edge 0x1010 0x1000 gc \"['two words']\"\n",
		     "A.__dict__['two words']");
}

static void a_dict_that_is_nobodys_attributes_is_an_object(void **state)
{
	assert_shape("object 0x1000 A tracked\n"
		     "object 0x1010 dict tracked\n"
		     "edge 0x1000 0x1010 gc .table\n"
		     "edge 0x1010 0x1000 gc ['me']\n",
		     "A.table -> dict['me']");
}

static void attributes_reached_not_through_their_owner_are_an_object(void **state)
{
	assert_shape("object 0x1000 list tracked\n"
		     "object 0x1010 dict tracked part\n"
		     "edge 0x1000 0x1010 gc [0]\n"
		     "edge 0x1010 0x1000 gc ['held']\n",
		     "dict['held'] -> list[0]");
}

static void attributes_that_refer_to_themselves_are_an_object_of_their_own(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 A tracked refs=1\n"
						       "object 0x1010 dict size=64 tracked part\n"
						       "edge 0x1000 0x1010 gc .__dict__\n"
						       "edge 0x1010 0x1010 gc ['me']\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_int_equal(cycles.count, 1);
	assert_string_equal(cycles.rows[0].shape, "dict['me']");
	assert_int_equal(cycles.rows[0].object_count, 1);
	assert_int_equal(cycles.rows[0].type_count, 1);
	assert_int_equal(cycles.rows[0].holder, graph_find(heap, 0x1000));
}

static void an_attribute_dict_beside_the_cycle_adds_its_size(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 m.List size=80 tracked\n"
						       "object 0x1010 dict size=64 tracked part\n"
						       "edge 0x1000 0x1010 gc .__dict__\n"
						       "edge 0x1000 0x1000 gc [0]\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_string_equal(cycles.rows[0].shape, "List[0]");
	assert_int_equal(cycles.rows[0].object_count, 1);
	assert_int_equal(cycles.rows[0].size_bytes, 144);
}

static void types_are_named_without_module_and_function(void **state)
{
	assert_shape("object 0x1000 shop.cart.Cart.Item tracked\n"
		     "object 0x1010 a.f.<locals>.g.<locals>.Outer.Inner tracked\n"
		     "edge 0x1000 0x1010 gc .a\n"
		     "edge 0x1010 0x1000 gc .b\n",
		     "Item.a -> Outer.Inner.b");
}

static void the_shape_begins_at_a_finalizer(void **state)
{
	assert_shape("type Z finalizer=del\n"
		     "object 0x1000 A tracked\n"
		     "object 0x1010 Z tracked\n"
		     "edge 0x1000 0x1010 gc .z\n"
		     "edge 0x1010 0x1000 gc .a\n",
		     "Z.a -> A.z");
}

static void the_shape_is_of_a_shortest_cycle_through_a_finalizer(void **state)
{
	// A and B are the shorter cycle, but no code runs when they die.
	assert_shape("type F finalizer=del\n"
		     "object 0x1000 A tracked\n"
		     "object 0x1010 B tracked\n"
		     "object 0x1020 C tracked\n"
		     "object 0x1030 F tracked\n"
		     "object 0x1040 G tracked\n"
		     "edge 0x1000 0x1010 gc .b\n"
		     "edge 0x1010 0x1000 gc .a\n"
		     "edge 0x1000 0x1020 gc .c\n"
		     "edge 0x1020 0x1030 gc .f\n"
		     "edge 0x1030 0x1000 gc .a\n"
		     "edge 0x1030 0x1040 gc .g\n"
		     "edge 0x1040 0x1010 gc .b\n",
		     "F.a -> A.c -> C.f");
}

static void a_step_into_an_attribute_dict_is_none(void **state)
{
	// Through dicts there are two hops, but four references; by slots three.
	assert_shape("type F finalizer=del\n"
		     "object 0x1000 F tracked\n"
		     "object 0x1010 A tracked\n"
		     "object 0x1020 B tracked\n"
		     "object 0x1030 dict tracked part\n"
		     "object 0x1040 D tracked\n"
		     "object 0x1050 dict tracked part\n"
		     "edge 0x1000 0x1010 gc .a\n"
		     "edge 0x1010 0x1020 gc .b\n"
		     "edge 0x1020 0x1000 gc .f\n"
		     "edge 0x1000 0x1030 gc .__dict__\n"
		     "edge 0x1030 0x1040 gc ['d']\n"
		     "edge 0x1040 0x1050 gc .__dict__\n"
		     "edge 0x1050 0x1000 gc ['f']\n",
		     "F.d -> D.f");
}

static void a_long_cycle_is_cut(void **state)
{
	_cleanup_text_ struct text text = {0};

	for (unsigned i = 0; i < 11; i++) {
		assert_null(text_appendf(&text, "object %#x Node tracked\n", 0x1000 + 16 * i));
		assert_null(text_appendf(&text, "edge %#x %#x gc .next\n", 0x1000 + 16 * i,
					 0x1000 + 16 * ((i + 1) % 11)));
	}
	assert_shape(text.chars, "Node.next -> Node.next -> Node.next -> Node.next -> Node.next -> "
				 "Node.next -> Node.next -> Node.next -> ... (3 more)");
}

static void a_very_long_cycle_is_cut_and_its_example_too(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_list(100000, false, true);
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_int_equal(cycles.count, 1);
	assert_non_null(strstr(cycles.rows[0].shape, " -> ... (99992 more)"));
	assert_int_equal(cycles.rows[0].example_count, CYCLE_EXAMPLE_MAX);
	assert_int_equal(cycles.rows[0].object_count, 100000);
}

static void cycles_of_one_shape_are_one_row(void **state)
{
	// given pairs, the second of them with its objects the other way round in memory
	_cleanup_heap_ struct heap *heap = graph_parse("type P finalizer=del\n"
						       "type C finalizer=del\n"
						       "object 0x1000 P tracked\n"
						       "object 0x1010 C tracked\n"
						       "object 0x1020 C tracked\n"
						       "object 0x1030 P tracked\n"
						       "object 0x1040 P refs=2 tracked\n"
						       "object 0x1050 C tracked\n"
						       "edge 0x1000 0x1010 gc .c\n"
						       "edge 0x1010 0x1000 gc .p\n"
						       "edge 0x1020 0x1030 gc .p\n"
						       "edge 0x1030 0x1020 gc .c\n"
						       "edge 0x1040 0x1050 gc .c\n"
						       "edge 0x1050 0x1040 gc .p\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	// when
	find(heap, false, &cycles);
	// then: a row for each state
	assert_int_equal(cycles.count, 2);
	assert_int_equal(cycles.cycle_count, 3);
	assert_int_equal(cycles.rows[0].state, CYCLE_PENDING);
	assert_int_equal(cycles.rows[0].count, 2);
	assert_int_equal(cycles.rows[0].object_count, 4);
	assert_string_equal(cycles.rows[0].shape, "P.c -> C.p");
	assert_int_equal(cycles.rows[1].state, CYCLE_REACHABLE);
	assert_string_equal(cycles.rows[1].shape, "P.c -> C.p");
}

static void of_equally_short_cycles_the_shape_that_sorts_first_counts(void **state)
{
	// given in both X is in a cycle with M and in one with N, with memory in another order
	_cleanup_heap_ struct heap *heap = graph_parse("type M finalizer=del\n"
						       "type N finalizer=del\n"
						       "object 0x1000 M tracked\n"
						       "object 0x1010 X tracked\n"
						       "object 0x1020 N tracked\n"
						       "edge 0x1000 0x1010 gc .x\n"
						       "edge 0x1010 0x1000 gc .m\n"
						       "edge 0x1010 0x1020 gc .n\n"
						       "edge 0x1020 0x1010 gc .x\n"
						       "object 0x2000 N tracked\n"
						       "object 0x2010 X tracked\n"
						       "object 0x2020 M tracked\n"
						       "edge 0x2000 0x2010 gc .x\n"
						       "edge 0x2010 0x2020 gc .m\n"
						       "edge 0x2010 0x2000 gc .n\n"
						       "edge 0x2020 0x2010 gc .x\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, false, &cycles);
	assert_int_equal(cycles.count, 1);
	assert_int_equal(cycles.rows[0].count, 2);
	assert_string_equal(cycles.rows[0].shape, "M.x -> X.m");
	assert_int_equal(cycles.rows[0].type_count, 3);
	assert_int_equal(cycles.rows[0].finalizer_count, 2);
}

static void cycles_without_a_finalizer_are_counted_and_left_out(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 A tracked\n"
						       "edge 0x1000 0x1000 gc .me\n");
	_cleanup_cycles_ struct cycles some = {0};
	_cleanup_cycles_ struct cycles all = {0};

	find(heap, false, &some);
	assert_int_equal(some.count, 0);
	assert_int_equal(some.cycle_count, 1);
	assert_int_equal(some.without_finalizer_count, 1);
	find(heap, true, &all);
	assert_int_equal(all.count, 1);
	assert_int_equal(all.without_finalizer_count, 0);
}

static void all_that_calls_code_is_a_finalizer(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("type d finalizer=del\n"
						       "type l finalizer=legacy\n"
						       "type b finalizer=builtin\n"
						       "object 0x1000 d tracked\n"
						       "object 0x1010 l tracked\n"
						       "object 0x1020 b tracked\n"
						       "object 0x1030 instance tracked legacy\n"
						       "object 0x1040 none tracked\n"
						       "edge 0x1000 0x1000\n"
						       "edge 0x1010 0x1010\n"
						       "edge 0x1020 0x1020\n"
						       "edge 0x1030 0x1030\n"
						       "edge 0x1040 0x1040\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, false, &cycles);
	assert_int_equal(cycles.count, 4);
	assert_int_equal(cycles.without_finalizer_count, 1);
	for (size_t i = 0; i < cycles.count; i++)
		assert_int_equal(cycles.rows[i].finalizer_count, 1);
}

static void states_are_told_and_sorted(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 frozen tracked frozen\n"
						       "object 0x1010 live refs=2 tracked\n"
						       "object 0x1020 more_live refs=2 tracked\n"
						       "object 0x1030 pending tracked\n"
						       "object 0x1040 legacy tracked legacy\n"
						       "object 0x1050 list refs=1 tracked\n"
						       "object 0x1060 in_garbage tracked\n"
						       "object 0x1070 more_live refs=2 tracked\n"
						       "edge 0x1000 0x1000\n"
						       "edge 0x1010 0x1010\n"
						       "edge 0x1020 0x1020\n"
						       "edge 0x1030 0x1030\n"
						       "edge 0x1040 0x1040\n"
						       "edge 0x1060 0x1060\n"
						       "edge 0x1070 0x1070\n"
						       "edge 0x1050 0x1060 gc [0]\n"
						       "collector garbage=0x1050\n");
	static const char *const shapes[] = {"in_garbage", "legacy", "pending",
					     "more_live",  "live",   "frozen"};
	static const char *const states[] = {"uncollectable", "uncollectable", "pending",
					     "reachable",     "reachable",     "frozen"};
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_int_equal(cycles.count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_string_equal(cycles.rows[i].shape, shapes[i]);
		assert_string_equal(cycle_state_name(cycles.rows[i].state), states[i]);
	}
}

static void a_reachable_cycle_tells_who_holds_it(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x0100 weakref refs=1 tracked\n"
						       "object 0x0110 trash tracked\n"
						       "object 0x1000 P tracked\n"
						       "object 0x1010 C tracked\n"
						       "object 0x1020 registry refs=1\n"
						       "edge 0x1000 0x1010 gc .c\n"
						       "edge 0x1010 0x1000 gc .p\n"
						       "edge 0x0100 0x1000 weak\n"
						       "edge 0x0110 0x0110 gc\n"
						       "edge 0x0110 0x1000 gc\n"
						       "edge 0x1020 0x1000 owned\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_int_equal(cycles.count, 2);
	assert_int_equal(cycles.rows[1].state, CYCLE_REACHABLE);
	assert_int_equal(cycles.rows[1].holder, graph_find(heap, 0x1020));
	assert_int_equal(cycles.rows[1].held, graph_find(heap, 0x1000));
}

static void what_only_c_code_holds_has_no_holder(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 A refs=2 tracked\n"
						       "edge 0x1000 0x1000\n");
	_cleanup_cycles_ struct cycles cycles = {0};

	find(heap, true, &cycles);
	assert_int_equal(cycles.rows[0].state, CYCLE_REACHABLE);
	assert_int_equal(cycles.rows[0].holder, HEAP_NO_OBJECT);
	assert_int_equal(cycles.rows[0].held, HEAP_NO_OBJECT);
}

/** Whatever the graph: what rows say of counts adds up, and every example is a cycle's. */
static void any_graph_has_rows_that_add_up(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint64_t dice = seed * 0x9e3779b97f4a7c15U;
		uint32_t objects = 1 + (uint32_t)(graph_random(&dice) % (seed % 50 ? 60 : 4000));
		_cleanup_heap_ struct heap *heap = graph_at_random(
			seed, objects, (uint32_t)(graph_random(&dice) % (objects * 2 + 1)));
		_cleanup_cycles_ struct cycles cycles = {0};
		uint64_t count = 0;

		find(heap, seed % 2, &cycles);
		for (size_t i = 0; i < cycles.count; i++) {
			const struct cycle_row *row = &cycles.rows[i];

			count += row->count;
			assert_true(*row->shape);
			assert_true(row->example_count > 0);
			assert_true(row->type_count > 0);
			assert_true(row->object_count >= row->count);
			for (size_t j = 0; j < row->example_count; j++)
				assert_true(row->example[j] < heap->object_count);
		}
		assert_int_equal(cycles.cycle_count, count + cycles.without_finalizer_count);
	}
}

static void *find_in_ring(void *result)
{
	enum { COUNT = 1000000 };
	struct heap *heap = graph_list(COUNT, true, true);
	struct garbage garbage = {0};
	struct cycles cycles = {0};
	struct error *error = garbage_find(heap, &garbage);

	if (!error)
		error = cycles_find(heap, &garbage, true, &cycles);
	*(bool *)result = !error && cycles.count == 1 && cycles.rows[0].object_count == COUNT;
	error_destroy(error);
	cycles_deinit(&cycles);
	garbage_deinit(&garbage);
	heap_destroy(heap);
	return NULL;
}

static void a_ring_of_a_million_needs_no_stack(void **state)
{
	bool ok;

	graph_on_small_stack(find_in_ring, &ok);
	assert_true(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attribute_dicts_are_part_of_their_objects),
		cmocka_unit_test(
			a_slot_an_item_and_a_reference_without_a_name_are_named_as_they_are),
		cmocka_unit_test(a_key_that_is_no_attribute_name_stays_a_key),
		cmocka_unit_test(a_dict_that_is_nobodys_attributes_is_an_object),
		cmocka_unit_test(attributes_reached_not_through_their_owner_are_an_object),
		cmocka_unit_test(attributes_that_refer_to_themselves_are_an_object_of_their_own),
		cmocka_unit_test(an_attribute_dict_beside_the_cycle_adds_its_size),
		cmocka_unit_test(types_are_named_without_module_and_function),
		cmocka_unit_test(the_shape_begins_at_a_finalizer),
		cmocka_unit_test(the_shape_is_of_a_shortest_cycle_through_a_finalizer),
		cmocka_unit_test(a_step_into_an_attribute_dict_is_none),
		cmocka_unit_test(a_long_cycle_is_cut),
		cmocka_unit_test(a_very_long_cycle_is_cut_and_its_example_too),
		cmocka_unit_test(cycles_of_one_shape_are_one_row),
		cmocka_unit_test(of_equally_short_cycles_the_shape_that_sorts_first_counts),
		cmocka_unit_test(cycles_without_a_finalizer_are_counted_and_left_out),
		cmocka_unit_test(all_that_calls_code_is_a_finalizer),
		cmocka_unit_test(states_are_told_and_sorted),
		cmocka_unit_test(a_reachable_cycle_tells_who_holds_it),
		cmocka_unit_test(what_only_c_code_holds_has_no_holder),
		cmocka_unit_test(any_graph_has_rows_that_add_up),
		cmocka_unit_test(a_ring_of_a_million_needs_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
