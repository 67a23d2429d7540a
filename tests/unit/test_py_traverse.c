// SPDX-License-Identifier: GPL-3.0-or-later
// What a type's own tp_traverse visits: machine code in the image is run over it. When it cannot be,
// and when it says something else than the layout that is read directly.
#include "targets/cpython/machine/traverse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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
	PART = HEAP_EDGE_GC | HEAP_REFERENCE_PART,
	OBJECT_SLOT = 16,
	PAIR_BYTES = 32,
};

static const int32_t both[] = {16, 24};
static const int32_t both_and_type[] = {16, 24, 8};

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

/** An image with an object of two members, and what runs code over it. */
struct given {
	struct py_image *image;
	struct py_traverse *traverse;
	addr_t object;
};

static void cleanup_given(struct given *given)
{
	py_traverse_destroy(given->traverse);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_object(void)
{
	struct given given = {.image = py_image_create(PY_ERA_311)};

	assert_null(py_traverse_create(py_image_source(given.image), 0, NULL, &given.traverse));
	given.object = py_image_object(given.image, given.image->type[IMAGE_OBJECT], PAIR_BYTES);
	*py_image_word(given.image, given.object + 16) = 0x1000;
	*py_image_word(given.image, given.object + 24) = 0x2000;
	return given;
}

static void visits_come_in_their_order(void **state)
{
	_cleanup_given_ struct given given = given_object();
	static const int32_t offsets[] = {24, 16, 24};
	addr_t code = py_code_visit_members(given.image, offsets, ARRAY_COUNT(offsets));
	const addr_t *visited = NULL;
	size_t count = 0;

	for (int again = 0; again < 2; again++) {
		assert_true(py_traverse_run(given.traverse, code, given.object, &visited, &count));
		assert_int_equal(count, 3);
		assert_int_equal(visited[0], 0x2000);
		assert_int_equal(visited[1], 0x1000);
		assert_int_equal(visited[2], 0x2000);
	}
	assert_null(py_traverse_take_error(given.traverse));
}

static void what_is_null_is_not_visited(void **state)
{
	_cleanup_given_ struct given given = given_object();
	const addr_t *visited = NULL;
	size_t count = 1;

	*py_image_word(given.image, given.object + 16) = 0;
	*py_image_word(given.image, given.object + 24) = 0;
	addr_t code = py_code_visit_members(given.image, both, 2);
	assert_true(py_traverse_run(given.traverse, code, given.object, &visited, &count));
	assert_int_equal(count, 0);
}

static void a_function_may_be_called_for_its_value(void **state)
{
	_cleanup_given_ struct given given = given_object();
	uint64_t value = 0;

	assert_true(py_traverse_call(given.traverse, py_code_return(given.image, 7), given.object,
				     &value));
	assert_int_equal(value, 7);
	assert_false(py_traverse_call(given.traverse, py_code_unknown(given.image), given.object,
				      &value));
}

static void what_cannot_be_run_is_told_with_its_reason(void **state)
{
	_cleanup_given_ struct given given = given_object();
	addr_t good = py_code_visit_members(given.image, both, 2);
	const struct {
		addr_t code;
		const char *reason;
	} cases[] = {
		{py_code_unknown(given.image), "0f 0b"},
		{py_code_system_call(given.image), "system call"},
		{py_code_wild_read(given.image), ""},
		{0, ""},
		{0x1234567890, ""},
		{UINT64_MAX, ""},
	};
	const addr_t *visited = NULL;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_false(py_traverse_run(given.traverse, cases[i].code, given.object, &visited,
					     &count));
		const char *reason = py_traverse_reason(given.traverse);
		assert_true(reason[0]);
		if (!strstr(reason, cases[i].reason))
			fail_msg("no \"%s\" in \"%s\"", cases[i].reason, reason);
	}
	// None of it harms the next.
	assert_true(py_traverse_run(given.traverse, good, given.object, &visited, &count));
	assert_int_equal(count, 2);
	assert_null(py_traverse_take_error(given.traverse));
}

// In 3.10 a struct sequence asks the current thread's state for the name of an attribute.
static void what_wants_a_current_thread_is_run_again_with_one(void **state)
{
	_cleanup_given_ struct given given = given_object();
	// Not in a page with code: that is not written.
	addr_t current_at = py_image_alloc_outside(given.image, sizeof(addr_t));
	addr_t code = py_code_visit_through(given.image, current_at);
	addr_t attach = py_code_write_word(given.image, current_at, given.object);
	addr_t unknown = py_code_unknown(given.image);
	const addr_t *visited = NULL;
	size_t count = 0;

	assert_false(py_traverse_run(given.traverse, code, given.object, &visited, &count));
	py_traverse_set_attach(given.traverse, attach);
	assert_true(py_traverse_run(given.traverse, code, given.object, &visited, &count));
	assert_int_equal(count, 2);
	assert_int_equal(visited[0], given.object);
	assert_int_equal(visited[1], 0x1000);
	// Nothing of it stays, and one that cannot be run changes nothing.
	py_traverse_set_attach(given.traverse, unknown);
	assert_false(py_traverse_run(given.traverse, code, given.object, &visited, &count));
	assert_non_null(strstr(py_traverse_reason(given.traverse), "fault"));
}

static void destroying_none_is_nothing(void **state)
{
	py_traverse_destroy(NULL);
	assert_null(py_traverse_take_error(NULL));
}

/** A class in Python whose layout says: the slots 16 and 24, and the class. */
static addr_t given_pair_class(struct py_graph *graph, addr_t visits)
{
	static const struct py_image_slot slots[] = {{"first", OBJECT_SLOT, 16},
						     {"second", OBJECT_SLOT, 24}};

	return py_graph_class(graph, "Pair", PAIR_BYTES, 0, slots, 2, visits);
}

static addr_t given_pair(struct py_graph *graph, addr_t class, addr_t first, addr_t second)
{
	addr_t pair = py_graph_object(graph, class);

	*py_image_word(graph->image, pair + 16) = first;
	*py_image_word(graph->image, pair + 24) = second;
	return pair;
}

static void assert_no_failure(struct py_graph *graph)
{
	const char *reason = "";

	if (py_edges_next_failure(graph->edges, &reason))
		fail_msg("%s: %s", py_era_name(graph->image->era), reason);
}

static void a_type_in_c_is_run(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t code = py_code_visit_members(graph->image, both, 2);
		addr_t type = py_graph_static_type(graph, "shop.Pair", PAIR_BYTES, code, NULL);
		addr_t a = py_graph_str(graph, "a");
		addr_t pair = given_pair(graph, type, a, a);

		// Its words are guesses, but for those that were visited.
		PY_GRAPH_EXPECT(graph, pair, {a, GC}, {a, GC});
		assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_VISITED);
		assert_no_failure(graph);
	}
}

static void a_class_that_is_not_visited_is_owned_all_the_same(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t without = py_code_visit_members(graph->image, both, 2);
		addr_t with = py_code_visit_members(graph->image, both_and_type, 3);
		addr_t old = given_pair_class(graph, without), new = given_pair_class(graph, with);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		addr_t old_pair = given_pair(graph, old, a, b);
		addr_t new_pair = given_pair(graph, new, a, b);

		for (int i = 0; i < 2 * PY_PLAN_TRIALS; i++) {
			PY_GRAPH_EXPECT(graph, old_pair, {a, GC}, {b, GC}, {old, OWNED});
			PY_GRAPH_EXPECT(graph, new_pair, {a, GC}, {b, GC}, {new, GC});
		}
		// Read directly still.
		assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_SLOT);
	}
}

static void a_reference_to_its_own_class_is_told_from_the_one_that_all_have(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_38);
	addr_t without = py_code_visit_members(graph->image, both, 2);
	addr_t class = given_pair_class(graph, without);
	addr_t pair = given_pair(graph, class, class, class);
	addr_t with =
		given_pair_class(graph, py_code_visit_members(graph->image, both_and_type, 3));
	addr_t other = given_pair(graph, with, with, 0);

	PY_GRAPH_EXPECT(graph, pair, {class, GC}, {class, GC}, {class, OWNED});
	PY_GRAPH_EXPECT(graph, other, {with, GC}, {with, GC});
}

static void a_layout_that_its_traversal_contradicts_is_run_always(void **state)
{
	static const int32_t first[] = {16, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t class =
			given_pair_class(graph, py_code_visit_members(graph->image, first, 2));
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		addr_t half = given_pair(graph, class, a, 0);
		addr_t pair = given_pair(graph, class, a, b);

		// This one does not show it yet.
		PY_GRAPH_EXPECT(graph, half, {a, GC}, {class, GC});
		assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_SLOT);
		PY_GRAPH_EXPECT(graph, pair, {a, GC}, {class, GC});
		PY_GRAPH_EXPECT(graph, pair, {a, GC}, {class, GC});
		assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_VISITED);
		PY_GRAPH_EXPECT(graph, half, {a, GC}, {class, GC});
		assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_VISITED);
	}
}

// given: a traversal that visits another object instead, or one more.
static void any_difference_counts(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_312);
	addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
	const addr_t visits[] = {a, a, 0, b};
	addr_t other = given_pair_class(graph, py_code_visit_objects(graph->image, visits, 3));
	addr_t more = given_pair_class(graph, py_code_visit_objects(graph->image, visits, 4));

	PY_GRAPH_EXPECT(graph, given_pair(graph, other, a, b), {a, GC}, {a, GC}, {other, OWNED});
	PY_GRAPH_EXPECT(graph, given_pair(graph, more, a, 0), {a, GC}, {a, GC}, {b, GC},
			{more, OWNED});
}

static void after_a_few_objects_of_a_type_no_more_are_tried(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_311);
	addr_t class =
		given_pair_class(graph, py_code_visit_members(graph->image, both_and_type, 3));
	addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
	addr_t pair = given_pair(graph, class, a, b);

	for (int i = 0; i < PY_PLAN_TRIALS; i++)
		PY_GRAPH_EXPECT(graph, pair, {a, GC}, {b, GC}, {class, GC});
	// Nobody asks any more.
	py_graph_set_visits(graph, class, py_code_unknown(graph->image));
	PY_GRAPH_EXPECT(graph, pair, {a, GC}, {b, GC}, {class, GC});
	assert_no_failure(graph);
}

static void what_fails_is_told_once_and_its_words_are_guesses(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = py_graph_static_type(graph, "shop.Pair", PAIR_BYTES,
						   py_code_unknown(graph->image), NULL);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		addr_t pair = given_pair(graph, type, a, b);
		const char *reason = NULL;
		size_t count = 0;

		PY_GRAPH_EXPECT(graph, pair, {a, GUESS}, {b, GUESS});
		py_edges_collect(graph->edges,
				 py_types_look_up(graph->types, graph->image->window, type), pair,
				 &count);
		assert_int_equal(count, 2);
		assert_string_equal(py_edges_next_failure(graph->edges, &reason), "shop.Pair");
		assert_non_null(strstr(reason, "0f 0b"));
		assert_null(py_edges_next_failure(graph->edges, &reason));
	}
}

static void an_instance_whose_traversal_fails_is_read_directly(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t class = given_pair_class(graph, 0);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		const char *reason = NULL;

		PY_GRAPH_EXPECT(graph, given_pair(graph, class, a, b), {a, GC}, {b, GC},
				{class, GC});
		assert_string_equal(py_edges_next_failure(graph->edges, &reason), "shop.Pair");
	}
}

static void code_without_end_is_given_up(void **state)
{
	_cleanup_given_ struct given given = given_object();
	uint64_t value;

	assert_false(py_traverse_call(given.traverse, py_code_endless(given.image), given.object,
				      &value));
	assert_true(py_traverse_reason(given.traverse)[0]);
}

static void an_old_style_instance_has_its_dict_as_a_part(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_27);
	struct py_image *image = graph->image;
	const struct py_layout *layout = &image->layout;
	const int32_t members[] = {(int32_t)layout->f.instance_class.offset,
				   (int32_t)layout->f.instance_dict.offset};
	addr_t type = image->type[IMAGE_INSTANCE2];
	addr_t class = py_image_object(image, image->type[IMAGE_CLASS2], 72);
	addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);
	addr_t instance = py_graph_object(graph, type);

	py_image_set(image, type, layout->f.type_traverse,
		     py_code_visit_members(image, members, 2));
	py_image_set(image, instance, layout->f.instance_class, class);
	py_image_set(image, instance, layout->f.instance_dict, dict);
	PY_GRAPH_EXPECT(graph, instance, {class, GC}, {dict, PART});
}

// given: a subclass in Python of a type in C that only running tells about.
static void a_class_around_a_type_in_c_is_run(void **state)
{
	static const int32_t visited[] = {16, 32, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t base = py_graph_static_type(graph, "shop.Pair", PAIR_BYTES,
						   py_code_visit_members(image, both, 2), NULL);
		addr_t class = py_graph_class(graph, "Mine", PAIR_BYTES + 8, 0, NULL, 0,
					      py_code_visit_members(image, visited, 3));
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);
		py_image_set(image, class, image->layout.f.type_base, base);
		py_image_set(image, class, image->layout.f.type_dictoffset, PAIR_BYTES);
		addr_t mine = given_pair(graph, class, a, b);
		*py_image_word(image, mine + PAIR_BYTES) = dict;

		// The base lays its two words out, of which one was not visited.
		PY_GRAPH_EXPECT(graph, mine, {a, GC}, {b, GUESS}, {dict, PART}, {class, GC});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destroying_none_is_nothing),
		cmocka_unit_test(visits_come_in_their_order),
		cmocka_unit_test(what_is_null_is_not_visited),
		cmocka_unit_test(a_function_may_be_called_for_its_value),
		cmocka_unit_test(what_cannot_be_run_is_told_with_its_reason),
		cmocka_unit_test(what_wants_a_current_thread_is_run_again_with_one),
		cmocka_unit_test(a_type_in_c_is_run),
		cmocka_unit_test(a_class_that_is_not_visited_is_owned_all_the_same),
		cmocka_unit_test(a_reference_to_its_own_class_is_told_from_the_one_that_all_have),
		cmocka_unit_test(a_layout_that_its_traversal_contradicts_is_run_always),
		cmocka_unit_test(any_difference_counts),
		cmocka_unit_test(after_a_few_objects_of_a_type_no_more_are_tried),
		cmocka_unit_test(what_fails_is_told_once_and_its_words_are_guesses),
		cmocka_unit_test(an_instance_whose_traversal_fails_is_read_directly),
		cmocka_unit_test(code_without_end_is_given_up),
		cmocka_unit_test(an_old_style_instance_has_its_dict_as_a_part),
		cmocka_unit_test(a_class_around_a_type_in_c_is_run),
	};

	if (!cpu_is_supported()) {
		puts("skipped, as this machine's code is not x86-64: test_py_traverse");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
