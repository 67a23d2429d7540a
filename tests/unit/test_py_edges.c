// SPDX-License-Identifier: GPL-3.0-or-later
// The references of objects whose layout is read directly: containers, and instances of classes with
// their slots and attributes in every form. What is run instead is in test_py_traverse.c.
#include "targets/cpython/references/edges.h"

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
	PART = HEAP_EDGE_GC | HEAP_REFERENCE_PART,
	/** T_OBJECT_EX and T_INT of structmember.h. */
	OBJECT_SLOT = 16,
	INT_SLOT = 1,
	ITEMS_MAX = 10000,
};

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)
#define FOR_EACH_MANAGED_ERA(era) for (enum py_era era = PY_ERA_311; era < PY_ERA_COUNT; era++)

// given: a list and a tuple, one item of each missing, read at once and piece by piece.
static void lists_and_tuples_refer_to_their_items(void **state)
{
	FOR_EACH_ERA(era)
	{
		for (int views = 0; views < 2; views++) {
			_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
			if (views)
				fake_source_give_views(graph->image->fake);
			addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
			const addr_t items[] = {a, 0, b, a};
			addr_t list = py_image_list(graph->image, items, ARRAY_COUNT(items));
			addr_t tuple = py_image_tuple(graph->image, items, ARRAY_COUNT(items));
			addr_t empty = py_image_list(graph->image, NULL, 0);

			PY_GRAPH_EXPECT(graph, list, {a, GC}, {b, GC}, {a, GC});
			PY_GRAPH_EXPECT(graph, tuple, {a, GC}, {b, GC}, {a, GC});
			PY_GRAPH_EXPECT_NONE(graph, empty);
		}
	}
}

static void a_list_longer_than_a_piece_is_read_to_its_end(void **state)
{
	static addr_t items[ITEMS_MAX];
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_38);
	addr_t first = py_graph_str(graph, "first"), last = py_graph_str(graph, "last");
	size_t count = 0;

	for (size_t i = 0; i < ITEMS_MAX; i++)
		items[i] = i == ITEMS_MAX - 1 ? last : first;
	addr_t list = py_image_list(graph->image, items, ITEMS_MAX);
	const struct heap_reference *found = py_graph_collect(graph, list, &count);

	assert_int_equal(count, ITEMS_MAX);
	assert_int_equal(found[0].to, first);
	assert_int_equal(found[ITEMS_MAX - 1].to, last);
	assert_int_equal(py_edges_origins(graph->edges)[ITEMS_MAX - 1].origin, PY_ORIGIN_ITEM);
	assert_int_equal(py_edges_origins(graph->edges)[ITEMS_MAX - 1].detail, ITEMS_MAX - 1);
}

// Only a run of the dict's own traversal tells that keys are visited.
static uint32_t key_kind(const struct py_graph *graph, enum py_image_dict kind)
{
	bool visited = graph->image->layout.is_python2 || kind == PY_IMAGE_GENERAL;

	return visited && cpu_is_supported() ? GC : OWNED;
}

static void dicts_refer_to_values_and_to_keys_of_their_own(void **state)
{
	FOR_EACH_ERA(era)
	{
		for (int round = 0; round < 4; round++) {
			enum py_image_dict kind = round / 2 ? PY_IMAGE_GENERAL : PY_IMAGE_COMBINED;
			_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
			if (round % 2)
				fake_source_give_views(graph->image->fake);
			addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
			addr_t gone = py_graph_str(graph, "gone");
			const struct py_image_item items[] = {{a, b}, {gone, 0}, {b, a}};
			addr_t dict = py_image_dict(graph->image, kind, items, ARRAY_COUNT(items));
			uint32_t keys = key_kind(graph, kind);

			// The second time it is known of this kind of table.
			for (int again = 0; again < 2; again++)
				PY_GRAPH_EXPECT(graph, dict, {a, keys}, {b, GC}, {b, keys},
						{a, GC});
		}
	}
}

static void each_kind_of_table_is_learned_by_itself(void **state)
{
	if (!cpu_is_supported())
		skip();
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		const struct py_image_item item = {a, b};
		addr_t strings = py_image_dict(graph->image, PY_IMAGE_COMBINED, &item, 1);
		addr_t any = py_image_dict(graph->image, PY_IMAGE_GENERAL, &item, 1);
		addr_t empty = py_image_dict(graph->image, PY_IMAGE_GENERAL, NULL, 0);

		// Nothing can be learned from an empty one.
		PY_GRAPH_EXPECT_NONE(graph, empty);
		for (int again = 0; again < 2; again++) {
			PY_GRAPH_EXPECT(graph, strings, {a, key_kind(graph, PY_IMAGE_COMBINED)},
					{b, GC});
			PY_GRAPH_EXPECT(graph, any, {a, GC}, {b, GC});
		}
	}
}

static void a_dict_that_shares_its_keys_refers_to_values_alone(void **state)
{
	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		for (int views = 0; views < 2; views++) {
			_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
			if (views)
				fake_source_give_views(graph->image->fake);
			addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
			const struct py_image_item items[] = {{a, b}, {b, 0}};
			addr_t dict = py_image_dict(graph->image, PY_IMAGE_SPLIT, items, 2);

			PY_GRAPH_EXPECT(graph, dict, {b, GC});
		}
	}
}

// The values of 3.13's instances are visited by the instance, not by a dict made for them.
static void a_dict_of_embedded_values_refers_to_nothing(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_313);
	const struct py_layout *layout = &graph->image->layout;
	addr_t a = py_graph_str(graph, "a");
	const struct py_image_item item = {a, a};
	addr_t dict = py_image_dict(graph->image, PY_IMAGE_SPLIT, &item, 1);
	addr_t values = py_image_get(graph->image, dict, layout->f.dict_values);

	py_image_set(graph->image, values, layout->f.values_embedded, 1);
	PY_GRAPH_EXPECT_NONE(graph, dict);
	py_image_set(graph->image, values, layout->f.values_embedded, 0);
	PY_GRAPH_EXPECT(graph, dict, {a, GC});
}

// given: a class with two slots, one of an int, one outside; its base has a slot, too.
static void an_instance_refers_to_its_slots_and_its_class(void **state)
{
	static const struct py_image_slot slots[] = {
		{"owner", OBJECT_SLOT, 16},
		{"count", INT_SLOT, 24},
		{"far", OBJECT_SLOT, 4096},
	};
	static const struct py_image_slot more[] = {{"item", OBJECT_SLOT, 32}};
	static const int32_t visited[] = {16, 32, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t code = py_code_visit_members(image, visited, 3);
		addr_t base = py_graph_class(graph, "Base", 32, 0, slots, 3, code);
		addr_t class = py_graph_class(graph, "Cart", 40, 0, more, 1, code);
		py_image_set(image, class, image->layout.f.type_base, base);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		addr_t cart = py_graph_object(graph, class);
		*py_image_word(image, cart + 16) = a;
		*py_image_word(image, cart + 24) = a;
		*py_image_word(image, cart + 32) = b;

		PY_GRAPH_EXPECT(graph, cart, {a, GC}, {b, GC}, {class, GC});
		assert_null(py_edges_next_failure(graph->edges, &(const char *){NULL}));
	}
}

static void an_instance_has_its_dict_as_a_part(void **state)
{
	static const int32_t visited[] = {16, 8};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t class = py_graph_class(graph, "Cart", 32, 0, NULL, 0,
					      py_code_visit_members(image, visited, 2));
		py_image_set(image, class, image->layout.f.type_dictoffset, 16);
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);
		addr_t cart = py_graph_object(graph, class), bare = py_graph_object(graph, class);
		*py_image_word(image, cart + 16) = dict;

		PY_GRAPH_EXPECT(graph, cart, {dict, PART}, {class, GC});
		PY_GRAPH_EXPECT(graph, bare, {class, GC});
	}
}

// _PyObject_GetDictPtr(): behind the items of a subclass of tuple.
static void a_dict_may_be_found_from_the_end_of_its_object(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		const struct py_layout *layout = &image->layout;
		uint32_t head = layout->f.tuple_items.offset;
		addr_t item = py_graph_str(graph, "item");
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);
		const addr_t visits[] = {item, item, dict, 0};
		addr_t class = py_graph_class(graph, "Pair", head + 8, PY_TYPE_TUPLE, NULL, 0, 0);
		addr_t objects[4];
		memcpy(objects, visits, sizeof(objects));
		objects[3] = class;
		py_graph_set_visits(graph, class, py_code_visit_objects(image, objects, 4));
		py_image_set(image, class, layout->f.type_itemsize, 8);
		py_image_set(image, class, layout->f.type_base, image->type[IMAGE_TUPLE]);
		py_image_set(image, class, layout->f.type_dictoffset, (uint64_t)-8);
		addr_t pair = py_image_object(image, class, head + 8 + 2 * 8);
		py_image_set(image, pair, layout->f.var_size, 2);
		*py_image_word(image, pair + head) = item;
		*py_image_word(image, pair + head + 8) = item;
		*py_image_word(image, pair + head + 16) = dict;

		PY_GRAPH_EXPECT(graph, pair, {item, GC}, {item, GC}, {dict, PART}, {class, GC});
		// Of an impossible length there is no end.
		py_image_set(image, pair, layout->f.var_size, 1ULL << 60);
		py_graph_set_visits(graph, class, py_code_unknown(image));
		PY_GRAPH_EXPECT(graph, pair, {class, GC});
	}
}

/** A class whose instances share keys, and an instance with values for them. */
struct managed {
	addr_t class;
	addr_t object;
	addr_t values;
};

enum { MANAGED_BYTES = 24 };

// Where the values are told is the era's business.
static struct managed given_managed(struct py_graph *graph, const struct py_image_item *items,
				    size_t count)
{
	struct py_image *image = graph->image;
	const struct py_layout *layout = &image->layout;
	struct managed managed;

	managed.class =
		py_graph_class(graph, "Cart", MANAGED_BYTES,
			       layout->managed_dict_flag | layout->inline_values_flag, NULL, 0, 0);
	addr_t shared = py_image_dict(image, PY_IMAGE_SPLIT, items, count);
	py_image_set(image, managed.class, layout->f.heaptype_cached_keys,
		     py_image_dict_keys(image, shared));
	managed.object = py_image_object(image, managed.class, MANAGED_BYTES + 128);
	py_image_track(image, managed.object);
	if (layout->managed == PY_MANAGED_INLINE) {
		managed.values = managed.object + MANAGED_BYTES;
		py_image_set(image, managed.values, layout->f.values_capacity, count);
		py_image_set(image, managed.values, layout->f.values_valid, 1);
	} else {
		managed.values = py_image_alloc(image, 128);
		bool apart = layout->managed == PY_MANAGED_APART;
		*py_image_word(image, managed.object - (apart ? 32 : 24)) =
			apart ? managed.values : managed.values - 1;
	}
	for (size_t i = 0; i < count; i++)
		*py_image_word(image, managed.values + layout->f.values_values.offset + 8 * i) =
			items[i].value;
	return managed;
}

static void an_instance_without_a_dict_refers_to_its_values(void **state)
{
	FOR_EACH_MANAGED_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t a = py_graph_str(graph, "a"), b = py_graph_str(graph, "b");
		const struct py_image_item items[] = {{a, b}, {b, 0}, {a, a}};
		struct managed cart = given_managed(graph, items, ARRAY_COUNT(items));
		addr_t visits[] = {b, a, cart.class};
		py_graph_set_visits(graph, cart.class,
				    py_code_visit_objects(graph->image, visits, 3));

		PY_GRAPH_EXPECT(graph, cart.object, {b, GC}, {a, GC}, {cart.class, GC});
		const struct py_edge_origin *origins = py_edges_origins(graph->edges);
		assert_int_equal(origins[0].origin, PY_ORIGIN_ATTRIBUTE);
		assert_int_equal(origins[0].detail, a);
	}
}

static void an_instance_whose_dict_was_asked_for_refers_to_it(void **state)
{
	FOR_EACH_MANAGED_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		const struct py_layout *layout = &graph->image->layout;
		addr_t a = py_graph_str(graph, "a");
		const struct py_image_item item = {a, a};
		struct managed cart = given_managed(graph, &item, 1);
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, NULL, 0);
		const addr_t visits[] = {dict, cart.class};
		py_graph_set_visits(graph, cart.class,
				    py_code_visit_objects(graph->image, visits, 2));
		*py_image_word(graph->image, cart.object - 24) = dict;
		if (layout->managed == PY_MANAGED_APART)
			*py_image_word(graph->image, cart.object - 32) = 0;
		if (layout->managed == PY_MANAGED_INLINE)
			py_image_set(graph->image, cart.values, layout->f.values_valid, 0);

		PY_GRAPH_EXPECT(graph, cart.object, {dict, PART}, {cart.class, GC});
	}
}

// PyObject_VisitManagedDict() of 3.13 goes no further than to valid values.
static void a_dict_beside_valid_values_is_owned_and_not_visited(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_313);
	addr_t a = py_graph_str(graph, "a");
	const struct py_image_item item = {a, a};
	struct managed cart = given_managed(graph, &item, 1);
	addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, NULL, 0);
	const addr_t visits[] = {a, cart.class};

	py_graph_set_visits(graph, cart.class, py_code_visit_objects(graph->image, visits, 2));
	*py_image_word(graph->image, cart.object - 24) = dict;
	for (int i = 0; i < 2 * PY_PLAN_TRIALS; i++)
		PY_GRAPH_EXPECT(graph, cart.object, {a, GC}, {dict, OWNED | HEAP_REFERENCE_PART},
				{cart.class, GC});
	assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_ATTRIBUTE);
}

// Each form of attributes is tried against the traversal, however many objects had another one.
static void every_form_of_attributes_is_tried(void **state)
{
	if (!cpu_is_supported())
		skip();
	FOR_EACH_MANAGED_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		const struct py_layout *layout = &graph->image->layout;
		addr_t a = py_graph_str(graph, "a");
		const struct py_image_item item = {a, a};
		struct managed cart = given_managed(graph, &item, 1);
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, NULL, 0);
		const addr_t visits[] = {a, cart.class};
		py_graph_set_visits(graph, cart.class,
				    py_code_visit_objects(graph->image, visits, 2));
		for (int i = 0; i < 2 * PY_PLAN_TRIALS; i++)
			PY_GRAPH_EXPECT(graph, cart.object, {a, GC}, {cart.class, GC});
		// Its traversal visits something else than the dict.
		*py_image_word(graph->image, cart.object - 24) = dict;
		if (layout->managed == PY_MANAGED_APART)
			*py_image_word(graph->image, cart.object - 32) = 0;
		if (layout->managed == PY_MANAGED_INLINE)
			py_image_set(graph->image, cart.values, layout->f.values_valid, 0);
		PY_GRAPH_EXPECT(graph, cart.object, {a, GC}, {cart.class, GC});
		assert_int_equal(py_edges_origins(graph->edges)[0].origin, PY_ORIGIN_VISITED);
	}
}

static void more_values_than_there_is_room_for_are_not_read(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_313);
	addr_t a = py_graph_str(graph, "a");
	const struct py_image_item items[] = {{a, a}, {a, a}, {a, a}};
	struct managed cart = given_managed(graph, items, ARRAY_COUNT(items));

	py_image_set(graph->image, cart.values, graph->image->layout.f.values_capacity, 1);
	PY_GRAPH_EXPECT(graph, cart.object, {a, GC}, {cart.class, GC});
}

static void shared_keys_without_end_are_followed_a_while(void **state)
{
	FOR_EACH_MANAGED_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		const struct py_layout *layout = &graph->image->layout;
		addr_t a = py_graph_str(graph, "a");
		const struct py_image_item item = {a, a};
		struct managed cart = given_managed(graph, &item, 1);
		addr_t keys =
			py_image_get(graph->image, cart.class, layout->f.heaptype_cached_keys);
		size_t count = 0, before = fake_source_read_count(graph->image->fake);

		py_image_set(graph->image, keys, layout->f.keys_nentries, (1ULL << 32) - 1);
		py_graph_collect(graph, cart.object, &count);
		assert_true(fake_source_read_count(graph->image->fake) - before < 1000);
	}
}

static size_t count_to(struct py_graph *graph, addr_t at, addr_t to, uint32_t kind)
{
	size_t count = 0, found = 0;
	const struct heap_reference *list = py_graph_collect(graph, at, &count);

	for (size_t i = 0; i < count; i++)
		found += list[i].to == to && list[i].kind == kind;
	return found;
}

static void a_class_refers_to_its_dict_and_to_the_keys_that_it_shares_out(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		const struct py_layout *layout = &graph->image->layout;
		addr_t class = py_graph_class(graph, "Cart", 32, 0, NULL, 0, 0);
		addr_t dict = py_image_get(graph->image, class, layout->f.type_dict);
		addr_t key = py_graph_str(graph, "key");
		if (layout->f.heaptype_cached_keys.present) {
			const struct py_image_item item = {key, key};
			addr_t shared = py_image_dict(graph->image, PY_IMAGE_SPLIT, &item, 1);
			py_image_set(graph->image, class, layout->f.heaptype_cached_keys,
				     py_image_dict_keys(graph->image, shared));
			assert_int_equal(count_to(graph, class, key, OWNED), 1);
		}
		if (!cpu_is_supported())
			continue;
		assert_int_equal(count_to(graph, class, dict, PART), 1);
		assert_int_equal(count_to(graph, class, graph->image->type[IMAGE_OBJECT], GC), 1);
	}
}

// type_is_gc(): nobody visits a static type, whatever it owns.
static void a_static_type_is_visited_by_nobody(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = graph->image->type[IMAGE_LIST];
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, NULL, 0);
		py_image_set(graph->image, type, graph->image->layout.f.type_dict, dict);

		assert_int_equal(count_to(graph, type, dict, PART), 0);
		assert_int_equal(count_to(graph, type, dict, GC), 0);
		assert_int_equal(count_to(graph, type, dict, HEAP_EDGE_GUESS), 1);
	}
}

static void what_cannot_be_read_refers_to_nothing(void **state)
{
	static const addr_t nonsense[] = {8, 0x1234567890, UINT64_MAX, UINT64_MAX - 63};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		const struct py_layout *layout = &image->layout;
		addr_t a = py_graph_str(graph, "a");
		const struct py_image_item item = {a, a};
		addr_t list = py_image_list(image, &a, 1);
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, &item, 1);
		for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
			py_image_set(image, list, layout->f.list_items, nonsense[i]);
			PY_GRAPH_EXPECT_NONE(graph, list);
			py_image_set(image, dict,
				     layout->is_python2 ? layout->f.dict_table
							: layout->f.dict_keys,
				     nonsense[i]);
			PY_GRAPH_EXPECT_NONE(graph, dict);
		}
	}
}

static void an_impossible_length_ends(void **state)
{
	static const uint64_t hostile[] = {1ULL << 60, 1ULL << 63, UINT64_MAX, (1ULL << 32) + 1};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t a = py_graph_str(graph, "a");
		addr_t list = py_image_list(image, &a, 1), tuple = py_image_tuple(image, &a, 1);
		// What code makes of it is not asked here.
		py_image_set(image, image->type[IMAGE_LIST], image->layout.f.type_traverse, 8);
		py_image_set(image, image->type[IMAGE_TUPLE], image->layout.f.type_traverse, 16);
		for (size_t i = 0; i < ARRAY_COUNT(hostile); i++) {
			py_image_set(image, list, image->layout.f.var_size, hostile[i]);
			py_image_set(image, tuple, image->layout.f.var_size, hostile[i]);
			PY_GRAPH_EXPECT_NONE(graph, list);
			PY_GRAPH_EXPECT_NONE(graph, tuple);
		}
		// As many as one may believe: up to where memory ends.
		size_t count = 0, before = fake_source_read_count(image->fake);
		py_image_set(image, list, image->layout.f.var_size, 1ULL << 32);
		py_graph_collect(graph, list, &count);
		assert_true(count < 1 << 20);
		assert_true(fake_source_read_count(image->fake) - before < 2000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_tuples_refer_to_their_items),
		cmocka_unit_test(a_list_longer_than_a_piece_is_read_to_its_end),
		cmocka_unit_test(dicts_refer_to_values_and_to_keys_of_their_own),
		cmocka_unit_test(each_kind_of_table_is_learned_by_itself),
		cmocka_unit_test(a_dict_that_shares_its_keys_refers_to_values_alone),
		cmocka_unit_test(a_dict_of_embedded_values_refers_to_nothing),
		cmocka_unit_test(an_instance_refers_to_its_slots_and_its_class),
		cmocka_unit_test(an_instance_has_its_dict_as_a_part),
		cmocka_unit_test(a_dict_may_be_found_from_the_end_of_its_object),
		cmocka_unit_test(an_instance_without_a_dict_refers_to_its_values),
		cmocka_unit_test(an_instance_whose_dict_was_asked_for_refers_to_it),
		cmocka_unit_test(a_dict_beside_valid_values_is_owned_and_not_visited),
		cmocka_unit_test(every_form_of_attributes_is_tried),
		cmocka_unit_test(more_values_than_there_is_room_for_are_not_read),
		cmocka_unit_test(shared_keys_without_end_are_followed_a_while),
		cmocka_unit_test(a_class_refers_to_its_dict_and_to_the_keys_that_it_shares_out),
		cmocka_unit_test(a_static_type_is_visited_by_nobody),
		cmocka_unit_test(what_cannot_be_read_refers_to_nothing),
		cmocka_unit_test(an_impossible_length_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
