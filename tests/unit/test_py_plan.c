// SPDX-License-Identifier: GPL-3.0-or-later
// What is worked out once per type: which members its objects own, which they only point to, what is
// guessed where nothing is known. The structs are those of the test program itself (py_graph.c).
#include "targets/cpython/references/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "cpu/cpu.h"
#include "support/py_code.h"
#include "support/py_graph.h"

enum {
	GC = HEAP_EDGE_GC,
	OWNED = HEAP_EDGE_OWNED,
	GUESS = HEAP_EDGE_GUESS,
	WEAK = HEAP_EDGE_WEAK,
	OBJECT_SLOT = 16,
};

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

// What its traversal visits is owned without a run of it.
static uint32_t visited_kind(void)
{
	return cpu_is_supported() ? GC : OWNED;
}

static struct py_plan *plan_of(struct py_graph *graph, addr_t type_at)
{
	size_t count = 0;

	// An object of it makes the plans.
	py_graph_collect(graph, py_image_list(graph->image, NULL, 0), &count);
	const struct py_type *type = py_types_look_up(graph->types, graph->image->window, type_at);
	assert_non_null(type);
	struct py_plan *plan = py_plans_get(graph->context.plans, type, graph->image->window);
	assert_non_null(plan);
	return plan;
}

/** A basket whose members are all filled: word i of it is what[i]. */
static addr_t given_basket(struct py_graph *graph, addr_t type, addr_t *what)
{
	addr_t basket = py_graph_object(graph, type);

	for (uint32_t i = 2; i < PY_GRAPH_BASKET_BYTES / 8; i++) {
		what[i] = py_graph_str(graph, "thing");
		*py_image_word(graph->image, basket + i * 8) = what[i];
	}
	return basket;
}

static void members_of_a_known_struct_are_owned(void **state)
{
	static const int32_t visited[] = {16, 24};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = py_graph_static_type(graph, "shop.Basket", PY_GRAPH_BASKET_BYTES,
						   py_code_visit_members(graph->image, visited, 2),
						   py_graph_basket_dealloc);
		addr_t what[PY_GRAPH_BASKET_BYTES / 8];
		addr_t basket = given_basket(graph, type, what);

		// Not the list of weak references, nor what is no object, nor its neighbours.
		PY_GRAPH_EXPECT(graph, basket, {what[2], visited_kind()}, {what[3], visited_kind()},
				{what[4], OWNED}, {what[5], OWNED});
		assert_string_equal(plan_of(graph, type)->struct_name, "basket");
	}
}

static void members_have_their_names(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_311);
	addr_t type = py_graph_static_type(graph, "shop.Basket", PY_GRAPH_BASKET_BYTES, 0,
					   py_graph_basket_dealloc);
	addr_t what[PY_GRAPH_BASKET_BYTES / 8];
	addr_t basket = given_basket(graph, type, what);
	static const char *const names[] = {"owner", "items", "items", "inner.label"};
	size_t count = 0;

	py_graph_collect(graph, basket, &count);
	assert_int_equal(count, ARRAY_COUNT(names));
	for (size_t i = 0; i < count; i++) {
		const struct py_edge_origin *origin = &py_edges_origins(graph->edges)[i];
		assert_int_equal(origin->origin, PY_ORIGIN_MEMBER);
		assert_string_equal(origin->name, names[i]);
		assert_int_equal(origin->detail, 16 + 8 * i);
	}
}

// given: the same object in two members, of which one is visited.
static void an_object_in_two_members_is_owned_twice(void **state)
{
	static const int32_t visited[] = {16};

	if (!cpu_is_supported())
		skip();
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = py_graph_static_type(graph, "shop.Basket", PY_GRAPH_BASKET_BYTES,
						   py_code_visit_members(graph->image, visited, 1),
						   py_graph_basket_dealloc);
		addr_t basket = py_graph_object(graph, type), a = py_graph_str(graph, "a");
		*py_image_word(graph->image, basket + 16) = a;
		*py_image_word(graph->image, basket + 32) = a;
		*py_image_word(graph->image, basket + 40) = a;

		PY_GRAPH_EXPECT(graph, basket, {a, GC}, {a, OWNED}, {a, OWNED});
	}
}

static void a_class_has_the_members_of_its_base_in_c(void **state)
{
	static const int32_t visited[] = {16, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t base = py_graph_static_type(graph, "shop.Basket", PY_GRAPH_BASKET_BYTES, 0,
						   py_graph_basket_dealloc);
		addr_t middle =
			py_graph_class(graph, "Middle", PY_GRAPH_BASKET_BYTES, 0, NULL, 0, 0);
		addr_t class = py_graph_class(graph, "Mine", PY_GRAPH_BASKET_BYTES + 8, 0, NULL, 0,
					      py_code_visit_members(graph->image, visited, 2));
		py_image_set(graph->image, middle, graph->image->layout.f.type_base, base);
		py_image_set(graph->image, class, graph->image->layout.f.type_base, middle);
		addr_t mine = py_graph_object(graph, class);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		*py_image_word(graph->image, mine + 16) = a;
		*py_image_word(graph->image, mine + 24) = b;

		PY_GRAPH_EXPECT(graph, mine, {a, visited_kind()}, {b, OWNED}, {class, GC});
	}
}

static void a_weak_reference_owns_its_callback_alone(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		const struct py_layout *layout = &graph->image->layout;
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		addr_t weakref = py_graph_object(graph, graph->weakref_type);
		addr_t other = py_graph_object(graph, graph->weakref_type);
		py_image_set(graph->image, weakref, layout->f.weakref_object, a);
		py_image_set(graph->image, weakref, layout->f.weakref_callback, b);
		// Its neighbours in the object's list.
		*py_image_word(graph->image, weakref + 40) = other;
		*py_image_word(graph->image, weakref + 48) = other;
		PY_GRAPH_EXPECT(graph, weakref, {a, WEAK}, {b, visited_kind()});
		// An object that has itself called back is referred to in both ways.
		py_image_set(graph->image, weakref, layout->f.weakref_callback, a);
		PY_GRAPH_EXPECT(graph, weakref, {a, WEAK}, {a, visited_kind()});
	}
}

// A naive datetime has no such member at all.
static void a_member_that_another_one_vouches_for_is_read_only_then(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = py_graph_static_type(graph, "shop.Moment", PY_GRAPH_MOMENT_BYTES, 0,
						   py_graph_moment_dealloc);
		addr_t moment = py_graph_object(graph, type), zone = py_graph_str(graph, "zone");
		*py_image_word(graph->image, moment + 32) = zone;
		PY_GRAPH_EXPECT_NONE(graph, moment);
		*(unsigned char *)py_image_at(graph->image, moment + 24) = 1;
		PY_GRAPH_EXPECT(graph, moment, {zone, OWNED});
	}
}

static void words_of_an_unknown_struct_are_guesses(void **state)
{
	FOR_EACH_ERA(era)
	{
		for (int without = 0; without < 2; without++) {
			_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
			struct py_image *image = graph->image;
			if (without)
				graph->modules = NULL;
			addr_t type =
				py_graph_static_type(graph, "shop.Thing", 48, 0,
						     without ? py_graph_basket_dealloc : NULL);
			addr_t thing = py_graph_object(graph, type), a = py_graph_str(graph, "a");
			py_image_set(image, type, image->layout.f.type_weaklistoffset, 24);
			*py_image_word(image, thing + 16) = a;
			*py_image_word(image, thing + 24) = a;
			*py_image_word(image, thing + 32) = a + 1;
			*py_image_word(image, thing + 40) = 16;

			PY_GRAPH_EXPECT(graph, thing, {a, GUESS}, {16, GUESS});
			assert_null(plan_of(graph, type)->struct_name);
		}
	}
}

// given: a tp_dealloc that knows the beginning of its objects alone.
static void words_behind_the_known_struct_are_guesses(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = py_graph_static_type(graph, "shop.Longer", PY_GRAPH_BASKET_BYTES + 16,
						   0, py_graph_basket_dealloc);
		addr_t longer = py_graph_object(graph, type), a = py_graph_str(graph, "a");
		*py_image_word(graph->image, longer + 16) = a;
		*py_image_word(graph->image, longer + 56) = a;
		*py_image_word(graph->image, longer + PY_GRAPH_BASKET_BYTES + 8) = a;

		PY_GRAPH_EXPECT(graph, longer, {a, OWNED}, {a, GUESS});
	}
}

static void a_huge_struct_is_guessed_at_its_beginning(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_38);
	addr_t type = py_graph_static_type(graph, "shop.Huge", 1 << 19, 0, NULL);

	assert_in_range(plan_of(graph, type)->owned_count, 1, 64);
}

// Without its symbols a class is no other type than those in C.
static void without_modules_a_class_is_run_and_guessed(void **state)
{
	static const struct py_image_slot slot = {"owner", OBJECT_SLOT, 16};
	static const int32_t visited[] = {16, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		graph->modules = NULL;
		addr_t class = py_graph_class(graph, "Cart", 24, 0, &slot, 1,
					      py_code_visit_members(graph->image, visited, 2));
		addr_t cart = py_graph_object(graph, class), a = py_graph_str(graph, "a");
		*py_image_word(graph->image, cart + 16) = a;

		PY_GRAPH_EXPECT(graph, cart, {a, cpu_is_supported() ? GC : GUESS},
				{class, visited_kind()});
		assert_false(plan_of(graph, class)->is_instance);
	}
}

static void objects_known_through_and_through_own_nothing_else(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		static const enum py_image_type types[] = {
			IMAGE_STR,  IMAGE_BYTES, IMAGE_LONG, IMAGE_LIST,
			IMAGE_DICT, IMAGE_TUPLE, IMAGE_SET,  IMAGE_BYTEARRAY,
		};
		for (size_t i = 0; i < ARRAY_COUNT(types); i++)
			assert_int_equal(plan_of(graph, graph->image->type[types[i]])->owned_count,
					 0);
	}
}

static void a_plan_is_made_once(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_312);
	addr_t list = graph->image->type[IMAGE_LIST];

	assert_ptr_equal(plan_of(graph, list), plan_of(graph, list));
	assert_int_equal(plan_of(graph, list)->visit, PY_VISIT_LIST);
	assert_int_equal(plan_of(graph, graph->image->type[IMAGE_TUPLE])->visit, PY_VISIT_TUPLE);
	assert_int_equal(plan_of(graph, graph->image->type[IMAGE_DICT])->visit, PY_VISIT_DICT);
	assert_int_equal(plan_of(graph, graph->image->type[IMAGE_TYPE])->visit, PY_VISIT_RUN);
	assert_int_equal(plan_of(graph, graph->image->type[IMAGE_FLOAT])->visit, PY_VISIT_NOTHING);
}

static void bases_that_do_not_end_are_followed_a_while(void **state)
{
	static const struct py_image_slot slot = {"owner", OBJECT_SLOT, 16};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		const struct py_layout *layout = &graph->image->layout;
		addr_t first = py_graph_class(graph, "First", 32, 0, &slot, 1, 0);
		addr_t second = py_graph_class(graph, "Second", 32, 0, &slot, 1, 0);
		py_image_set(graph->image, first, layout->f.type_base, second);
		py_image_set(graph->image, second, layout->f.type_base, first);
		assert_in_range(plan_of(graph, first)->slot_count, 1, 64);
	}
}

static void an_impossible_number_of_slots_is_none(void **state)
{
	static const struct py_image_slot slot = {"owner", OBJECT_SLOT, 16};
	static const uint64_t hostile[] = {PY_PLAN_SLOTS_MAX + 1, 1ULL << 60, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_COUNT(hostile); i++) {
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_311);
		addr_t class = py_graph_class(graph, "Cart", 32, 0, &slot, 1, 0);
		py_image_set(graph->image, class, graph->image->layout.f.var_size, hostile[i]);
		assert_int_equal(plan_of(graph, class)->slot_count, 0);
	}
	// So many can be: what stands there are mostly none.
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_311);
	addr_t class = py_graph_class(graph, "Cart", 32, 0, &slot, 1, 0);
	py_image_set(graph->image, class, graph->image->layout.f.var_size, PY_PLAN_SLOTS_MAX);
	assert_in_range(plan_of(graph, class)->slot_count, 1, PY_PLAN_SLOTS_MAX);
}

static void kinds_of_tables_are_learned_up_to_a_number(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_38);
	struct py_plans *plans;
	bool known = true;

	assert_null(py_plans_create(&graph->image->layout, NULL, &plans));
	assert_false(py_plans_visits_keys(plans, 7, &known));
	assert_false(known);
	py_plans_learn_keys(plans, 7, true);
	// What was learned first stays.
	py_plans_learn_keys(plans, 7, false);
	py_plans_learn_keys(plans, 8, false);
	assert_true(py_plans_visits_keys(plans, 7, &known));
	assert_true(known);
	assert_false(py_plans_visits_keys(plans, 8, &known));
	assert_true(known);
	for (uint64_t kind = 100; kind < 200; kind++)
		py_plans_learn_keys(plans, kind, true);
	assert_true(py_plans_visits_keys(plans, 7, &known));
	assert_false(py_plans_visits_keys(plans, 199, &known));
	assert_false(known);
	py_plans_destroy(plans);
	py_plans_destroy(NULL);
	assert_null(py_plans_take_error(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_a_known_struct_are_owned),
		cmocka_unit_test(members_have_their_names),
		cmocka_unit_test(an_object_in_two_members_is_owned_twice),
		cmocka_unit_test(a_class_has_the_members_of_its_base_in_c),
		cmocka_unit_test(a_weak_reference_owns_its_callback_alone),
		cmocka_unit_test(a_member_that_another_one_vouches_for_is_read_only_then),
		cmocka_unit_test(words_of_an_unknown_struct_are_guesses),
		cmocka_unit_test(words_behind_the_known_struct_are_guesses),
		cmocka_unit_test(a_huge_struct_is_guessed_at_its_beginning),
		cmocka_unit_test(without_modules_a_class_is_run_and_guessed),
		cmocka_unit_test(objects_known_through_and_through_own_nothing_else),
		cmocka_unit_test(a_plan_is_made_once),
		cmocka_unit_test(bases_that_do_not_end_are_followed_a_while),
		cmocka_unit_test(an_impossible_number_of_slots_is_none),
		cmocka_unit_test(kinds_of_tables_are_learned_up_to_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
