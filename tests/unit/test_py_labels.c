// SPDX-License-Identifier: GPL-3.0-or-later
// Answers about single objects: what a person calls their references.
#include "targets/cpython/references/labels.h"

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
#include "targets/cpython/references/reader.h"

enum { OBJECT_SLOT = 16, MANAGED_BYTES = 24 };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void reader_cleanup(struct py_reader **reader)
{
	py_reader_destroy(*reader);
}
#define _cleanup_reader_ CLEANUP(reader_cleanup)

static struct py_reader *given_reader(struct py_graph *graph)
{
	const struct target_moment moment = {.source = py_image_source(graph->image)};
	struct py_reader *reader;

	assert_null(py_reader_create(&graph->image->layout, graph->modules, &moment, &reader));
	return reader;
}

// The labels of all references of @a at, each in parentheses: "([0])([1])".
static void assert_labels_told(struct py_graph *graph, addr_t at, enum target_telling telling,
			       const char *expected)
{
	_cleanup_reader_ struct py_reader *reader = given_reader(graph);
	_cleanup_target_references_ struct target_references references = {0};
	_cleanup_text_ struct text labels = {0};

	assert_null(py_reader_references(reader, at, telling, &references));
	for (size_t i = 0; i < references.count; i++)
		assert_null(text_appendf(&labels, "(%s)", references.list[i].label));
	if (strcmp(text_chars(&labels), expected) != 0)
		fail_msg("%s: %s instead of %s", py_era_name(graph->image->era),
			 text_chars(&labels), expected);
}

static void assert_labels(struct py_graph *graph, addr_t at, const char *expected)
{
	assert_labels_told(graph, at, TARGET_TELL_ALL, expected);
}

static void items_have_their_numbers(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t a = py_graph_str(graph, "a");
		const addr_t items[] = {a, 0, a};
		assert_labels(graph, py_image_list(graph->image, items, 3), "([0])([2])");
		assert_labels(graph, py_image_tuple(graph->image, items, 3), "([0])([2])");
	}
}

static void values_have_their_keys(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t key = py_graph_str(graph, "colour"), a = py_graph_str(graph, "a");
		const struct py_image_item item = {key, a};
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, &item, 1);
		assert_labels(graph, dict, "( key)(['colour'])");
	}
}

// given: slots of a class and its base, a dict.
static void slots_have_the_name_that_any_of_the_classes_gives_them(void **state)
{
	static const struct py_image_slot first = {"owner", OBJECT_SLOT, 16};
	static const struct py_image_slot second = {"item", OBJECT_SLOT, 24};
	static const int32_t visited[] = {16, 24, 32, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t code = py_code_visit_members(image, visited, 4);
		addr_t base = py_graph_class(graph, "Base", 24, 0, &first, 1, code);
		addr_t class = py_graph_class(graph, "Cart", 40, 0, &second, 1, code);
		py_image_set(image, class, image->layout.f.type_base, base);
		py_image_set(image, class, image->layout.f.type_dictoffset, 32);
		addr_t cart = py_graph_object(graph, class);
		*py_image_word(image, cart + 16) = py_graph_str(graph, "a");
		*py_image_word(image, cart + 24) = py_graph_str(graph, "b");
		*py_image_word(image, cart + 32) = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);

		assert_labels(graph, cart, "(.item)(.owner)(.__dict__)(.__class__)");
		// A name that cannot be read.
		py_image_set(image, class + image->layout.size.heaptype,
			     image->layout.f.memberdef_name, 0x1234567890);
		assert_labels(graph, cart, "(+0x18)(.owner)(.__dict__)(.__class__)");
	}
}

static void values_without_a_dict_are_attributes(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_312);
	struct py_image *image = graph->image;
	const struct py_layout *layout = &image->layout;
	addr_t a = py_graph_str(graph, "a");
	const struct py_image_item items[] = {{py_graph_str(graph, "colour"), a},
					      {py_image_list(image, NULL, 0), a}};
	addr_t class =
		py_graph_class(graph, "Cart", MANAGED_BYTES, layout->managed_dict_flag, NULL, 0, 0);
	addr_t shared = py_image_dict(image, PY_IMAGE_SPLIT, items, 2);
	addr_t cart = py_graph_object(graph, class);

	py_image_set(image, class, layout->f.heaptype_cached_keys,
		     py_image_dict_keys(image, shared));
	*py_image_word(image, cart - 24) = py_image_get(image, shared, layout->f.dict_values) - 1;
	// A key that is no string names nothing.
	assert_labels(graph, cart, "(.colour)()(.__class__)");
}

static void members_have_the_name_of_the_struct_or_none(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t basket_type = py_graph_static_type(
			graph, "shop.Basket", PY_GRAPH_BASKET_BYTES, 0, py_graph_basket_dealloc);
		addr_t thing_type = py_graph_static_type(graph, "shop.Thing", 40, 0, NULL);
		addr_t basket = py_graph_object(graph, basket_type);
		addr_t thing = py_graph_object(graph, thing_type);
		addr_t weakref = py_graph_object(graph, graph->weakref_type);
		for (uint32_t offset = 16; offset < PY_GRAPH_BASKET_BYTES; offset += 8)
			*py_image_word(image, basket + offset) = thing;
		*py_image_word(image, thing + 32) = basket;
		py_image_set(image, weakref, image->layout.f.weakref_object, thing);
		assert_labels(graph, basket, "(.owner)(.items)(.items)(.inner.label)");
		assert_labels(graph, thing, "(+0x20)");
		assert_labels(graph, weakref, "(())");
	}
}

static void what_was_visited_is_called_by_the_member_that_has_it(void **state)
{
	static const int32_t visited[] = {40, 56, 16};

	if (!cpu_is_supported())
		skip();
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t type = py_graph_static_type(graph, "shop.Basket", PY_GRAPH_BASKET_BYTES,
						   py_code_visit_members(image, visited, 3),
						   py_graph_basket_dealloc);
		addr_t basket = py_graph_object(graph, type);
		*py_image_word(image, basket + 16) = py_graph_str(graph, "a");
		*py_image_word(image, basket + 40) = py_graph_str(graph, "b");
		// In no member that is known to be an object.
		*py_image_word(image, basket + 56) = py_graph_str(graph, "c");

		assert_labels(graph, basket, "(.inner.label)()(.owner)");
	}
}

static void items_of_a_deque_have_their_numbers(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_311);
	struct py_image *image = graph->image;
	addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
	const addr_t visits[] = {a, b, a};
	addr_t type = image->type[IMAGE_DEQUE];

	if (!cpu_is_supported())
		skip();
	py_image_set(image, type, image->layout.f.type_traverse,
		     py_code_visit_objects(image, visits, 3));
	assert_labels(graph, py_graph_object(graph, type), "([0])([1])([2])");
}

static void slots_that_were_visited_have_their_names(void **state)
{
	static const struct py_image_slot slot = {"owner", OBJECT_SLOT, 16};
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_38);
	struct py_image *image = graph->image;
	addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
	addr_t class = py_graph_class(graph, "Cart", 24, 0, &slot, 1, 0);
	const addr_t visits[] = {a, b, class};
	addr_t cart = py_graph_object(graph, class);

	if (!cpu_is_supported())
		skip();
	// It visits more than the layout tells, so it is run.
	py_graph_set_visits(graph, class, py_code_visit_objects(image, visits, 3));
	*py_image_word(image, cart + 16) = a;
	assert_labels(graph, cart, "(.owner)()(.__class__)");
}

static void references_are_those_of_a_walk_in_its_order(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		const struct py_image_item items[] = {{a, b}, {b, a}};
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_GENERAL, items, 2);
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
		_cleanup_reader_ struct py_reader *reader = given_reader(graph);
		_cleanup_target_references_ struct target_references references = {0};
		uint32_t object = heap_find(heap, dict);

		// However often it is asked.
		for (int again = 0; again < 3; again++) {
			target_references_deinit(&references);
			assert_null(
				py_reader_references(reader, dict, TARGET_TELL_ALL, &references));
			assert_int_equal(references.count, heap_edge_count(heap, object));
			for (uint32_t i = 0; i < references.count; i++) {
				heap_edge edge = heap_edges(heap, object)[i];
				assert_int_equal(heap->at[heap_edge_target(edge)],
						 references.list[i].to);
				assert_int_equal(heap_edge_kind(edge), references.list[i].kind & 3);
			}
		}
	}
}

static void what_is_no_object_has_no_references(void **state)
{
	static const addr_t nonsense[] = {0, 8, 0x1234567890, UINT64_MAX, UINT64_MAX - 7};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++)
			assert_labels(graph, nonsense[i], "");
		assert_labels(graph, py_image_alloc(graph->image, 64), "");
	}
}

static void keys_are_told_by_their_size_where_values_are_left_out(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t name = py_graph_str(graph, "password"), odd = py_graph_str(graph, "of bob");
		const struct py_image_item items[] = {{name, odd}, {odd, name}};
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_GENERAL, items, 2);
		_cleanup_reader_ struct py_reader *reader = given_reader(graph);
		_cleanup_target_references_ struct target_references references = {0};
		_cleanup_text_ struct text text = {0};

		assert_null(py_reader_references(reader, dict, TARGET_TELL_SHAPES, &references));
		for (size_t i = 0; i < references.count; i++) {
			assert_null(strstr(references.list[i].label, "bob"));
			assert_null(strstr(references.list[i].label, "password"));
			assert_null(text_append(&text, references.list[i].label,
						strlen(references.list[i].label)));
		}
		assert_non_null(strstr(text_chars(&text), "[<str of 8>]"));
		assert_non_null(strstr(text_chars(&text), "[<str of 6>]"));
		// Of an attribute dict the names are names of code, and what is no name is none.
		target_references_deinit(&references);
		text.length = 0;
		assert_null(py_reader_references(reader, dict, TARGET_TELL_NAMES, &references));
		for (size_t i = 0; i < references.count; i++)
			assert_null(text_append(&text, references.list[i].label,
						strlen(references.list[i].label)));
		assert_non_null(strstr(text_chars(&text), "['password']"));
		assert_non_null(strstr(text_chars(&text), "[<str of 6>]"));
		assert_null(strstr(text_chars(&text), "bob"));
		text.length = 0;
		assert_null(py_reader_describe(reader, name, TARGET_TELL_SHAPES, 100, &text));
		assert_string_equal(text_chars(&text), "<str of 8 characters>");
	}
}

static void an_object_is_described(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		_cleanup_reader_ struct py_reader *reader = given_reader(graph);
		_cleanup_text_ struct text text = {0};
		assert_null(py_reader_describe(reader, py_graph_str(graph, "blue"), TARGET_TELL_ALL,
					       100, &text));
		assert_string_equal(text_chars(&text), "'blue'");
	}
}

// Whichever read fails, there is an answer or an error; and nothing is left.
static void a_reader_survives_any_failure(void **state)
{
	static const enum error_code codes[] = {ERROR_FAULT, ERROR_GONE};
	static const struct py_image_slot slot = {"owner", OBJECT_SLOT, 16};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t class = py_graph_class(graph, "Cart", 32, 0, &slot, 1, 0);
		py_image_set(image, class, image->layout.f.type_dictoffset, 24);
		addr_t cart = py_graph_object(graph, class), a = py_graph_str(graph, "a");
		*py_image_word(image, cart + 16) = py_image_list(image, &a, 1);
		*py_image_word(image, cart + 24) = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);
		for (size_t nth = 1; nth <= 2 * 12; nth++) {
			_cleanup_reader_ struct py_reader *reader = given_reader(graph);
			_cleanup_target_references_ struct target_references references = {0};
			fake_source_fail_nth(image->fake, (nth + 1) / 2, codes[nth % 2]);
			_cleanup_error_ struct error *error =
				py_reader_references(reader, cart, TARGET_TELL_ALL, &references);
			fake_source_fail_nth(image->fake, 0, ERROR_FAULT);
			if (error)
				assert_int_equal(references.count, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_have_their_numbers),
		cmocka_unit_test(values_have_their_keys),
		cmocka_unit_test(slots_have_the_name_that_any_of_the_classes_gives_them),
		cmocka_unit_test(values_without_a_dict_are_attributes),
		cmocka_unit_test(members_have_the_name_of_the_struct_or_none),
		cmocka_unit_test(what_was_visited_is_called_by_the_member_that_has_it),
		cmocka_unit_test(items_of_a_deque_have_their_numbers),
		cmocka_unit_test(slots_that_were_visited_have_their_names),
		cmocka_unit_test(references_are_those_of_a_walk_in_its_order),
		cmocka_unit_test(what_is_no_object_has_no_references),
		cmocka_unit_test(keys_are_told_by_their_size_where_values_are_left_out),
		cmocka_unit_test(an_object_is_described),
		cmocka_unit_test(a_reader_survives_any_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
