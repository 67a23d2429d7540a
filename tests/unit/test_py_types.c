// SPDX-License-Identifier: GPL-3.0-or-later
// What is a type and what it is called.
#include "targets/cpython/objects/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "heap/builder.h"
#include "heap/counter.h"
#include "heap/heap.h"
#include "support/py_objects.h"

struct given {
	struct py_image *image;
	struct py_types *types;
	struct py_type_cache cache;
};

static void cleanup_given(struct given *given)
{
	py_types_destroy(given->types);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_types(enum py_era era)
{
	struct given given = {.image = py_image_create(era)};

	assert_null(py_types_create(&given.image->layout, &given.types));
	return given;
}

static const struct py_type *find(struct given *given, addr_t at)
{
	mem_window_clear(given->image->window);
	return py_types_find(given->types, &given->cache, given->image->window, at);
}

static void assert_name(struct given *given, addr_t at, const char *name)
{
	const struct py_type *type = find(given, at);

	assert_non_null(type);
	assert_string_equal(type->name, name);
}

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void types_are_found_with_what_their_objects_look_like(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_types(era);
		const addr_t *at = given.image->type;
		const struct {
			addr_t at;
			enum py_shape shape;
			bool is_gc;
		} expected[] = {
			{at[IMAGE_TYPE], PY_SHAPE_TYPE, true},
			{at[IMAGE_OBJECT], PY_SHAPE_PLAIN, false},
			{at[IMAGE_STR], era == PY_ERA_27 ? PY_SHAPE_UNICODE2 : PY_SHAPE_STR, false},
			{at[IMAGE_BYTES], era == PY_ERA_27 ? PY_SHAPE_BYTES2 : PY_SHAPE_PLAIN,
			 false},
			{at[IMAGE_DICT], PY_SHAPE_DICT, true},
			{at[IMAGE_LIST], PY_SHAPE_LIST, true},
			{at[IMAGE_TUPLE], PY_SHAPE_PLAIN, true},
			{at[IMAGE_LONG], PY_SHAPE_LONG, false},
			{at[IMAGE_SET], PY_SHAPE_SET, true},
			{at[IMAGE_FROZENSET], PY_SHAPE_SET, true},
			{at[IMAGE_BYTEARRAY], PY_SHAPE_BYTEARRAY, false},
			{at[IMAGE_DEQUE], PY_SHAPE_DEQUE, true},
		};
		for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
			const struct py_type *type = find(&given, expected[i].at);
			assert_non_null(type);
			assert_int_equal(type->shape, expected[i].shape);
			assert_int_equal(type->is_gc, expected[i].is_gc);
			assert_int_equal(type->presize,
					 py_image_presize(given.image, expected[i].at));
			assert_true(type->header_bytes >= 16);
			assert_int_equal(type->at, expected[i].at);
			assert_int_equal(type->id, i);
			// The second time from the cache.
			assert_ptr_equal(find(&given, expected[i].at), type);
		}
	}
}

static void a_derived_type_has_the_shape_of_its_base(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_311);
	struct py_image *image = given.image;
	const addr_t *type = image->type;
	const struct {
		addr_t base;
		enum py_shape shape;
	} expected[] = {
		{type[IMAGE_SET], PY_SHAPE_SET},
		{type[IMAGE_FROZENSET], PY_SHAPE_SET},
		{type[IMAGE_BYTEARRAY], PY_SHAPE_BYTEARRAY},
		{type[IMAGE_DEQUE], PY_SHAPE_DEQUE},
		{type[IMAGE_OBJECT], PY_SHAPE_PLAIN},
	};

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
		addr_t parent = py_image_class(image, "shop", "Parent", 300, PY_TYPE_GC);
		addr_t child = py_image_class(image, "shop", "Child", 300, PY_TYPE_GC);
		py_image_set(image, parent, image->layout.f.type_base, expected[i].base);
		py_image_set(image, child, image->layout.f.type_base, parent);
		assert_int_equal(find(&given, child)->shape, expected[i].shape);
	}
	addr_t ordered = py_image_class(image, "shop", "Ordered", 112, PY_TYPE_GC | PY_TYPE_DICT);
	py_image_set(image, ordered, image->layout.f.type_base, type[IMAGE_ORDERED_DICT]);
	assert_int_equal(find(&given, ordered)->shape, PY_SHAPE_ORDERED_DICT);
}

static void a_chain_of_bases_without_end_is_followed_a_while(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_38);
	struct py_image *image = given.image;
	addr_t first = py_image_class(image, "shop", "A", 48, PY_TYPE_GC);
	addr_t second = py_image_class(image, "shop", "B", 48, PY_TYPE_GC);

	py_image_set(image, first, image->layout.f.type_base, second);
	py_image_set(image, second, image->layout.f.type_base, first);
	assert_int_equal(find(&given, first)->shape, PY_SHAPE_PLAIN);
}

static void names_have_their_module_but_for_builtins(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_types(era);
		struct py_image *image = given.image;

		assert_name(&given, image->type[IMAGE_DICT], "dict");
		assert_name(&given, image->type[IMAGE_DEQUE], "collections.deque");
		assert_name(&given, py_image_static_type(image, "a.b.c.Type", 16, 0, 0),
			    "a.b.c.Type");
		assert_name(&given, py_image_static_type(image, "builtins.map", 16, 0, 0), "map");
		assert_name(&given, py_image_class(image, "shop", "Cart", 48, PY_TYPE_GC),
			    "shop.Cart");
		assert_name(&given, py_image_class(image, "shop.db", "Cart.Item", 48, PY_TYPE_GC),
			    "shop.db.Cart.Item");
		assert_name(&given, py_image_class(image, "builtins", "super", 48, PY_TYPE_GC),
			    "super");
		assert_name(&given, py_image_class(image, "__builtin__", "super", 48, PY_TYPE_GC),
			    "super");
		assert_name(&given, py_image_class(image, "", "Nameless", 48, PY_TYPE_GC),
			    "Nameless");
	}
}

static void a_class_without_a_readable_name_or_module_is_still_one(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_38);
	struct py_image *image = given.image;
	const struct py_layout *layout = &image->layout;
	addr_t no_dict = py_image_class(image, "shop", "NoDict", 48, PY_TYPE_GC);
	addr_t no_qualname = py_image_class(image, "shop", "NoQualname", 48, PY_TYPE_GC);

	py_image_set(image, no_dict, layout->f.type_dict, 0x1234567890);
	py_image_set(image, no_qualname, layout->f.heaptype_qualname, 0);
	assert_name(&given, no_dict, "NoDict");
	assert_name(&given, no_qualname, "NoQualname");
}

static void a_class_with_a_very_long_name_is_one_under_a_part_of_it(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_types(era);
		char name[2000];
		memset(name, 'x', sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		addr_t class = py_image_class(given.image, "shop", name, 48, PY_TYPE_GC);
		const struct py_type *type = find(&given, class);
		assert_non_null(type);
		assert_int_equal(strncmp(type->name, "shop.xxxxxxxxxxxxxxxxxxxxx", 26), 0);
	}
}

static void what_only_looks_like_a_type_is_rejected(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_types(era);
		struct py_image *image = given.image;
		const struct py_layout *layout = &image->layout;
		const struct {
			struct py_field field;
			uint64_t value;
		} wrong[] = {
			{layout->f.type_name, 0},
			{layout->f.type_name, 0x1234567890},
			{layout->f.object_refcnt, 0},
			{layout->f.type_basicsize, 0},
			{layout->f.type_basicsize, 15},
			{layout->f.type_basicsize, (1 << 20) + 1},
			{layout->f.type_basicsize, UINT64_MAX},
			{layout->f.type_itemsize, UINT64_MAX},
			{layout->f.object_type, 0},
			{layout->f.object_type, 8},
			{layout->f.object_type, image->type[IMAGE_DICT]},
			{layout->f.object_type, 0x1234567890},
			{layout->f.object_type, UINT64_MAX - 7},
		};
		for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
			addr_t at = py_image_static_type(image, "wrong", 16, 0, 0);
			py_image_set(image, at, wrong[i].field, wrong[i].value);
			assert_null(find(&given, at));
			assert_null(find(&given, at));
		}
		assert_null(find(&given, 0));
		assert_null(find(&given, image->type[IMAGE_DICT] + 4));
		assert_null(find(&given, image->type[IMAGE_DICT] + 8));
		assert_null(find(&given, image->statics.start + image->statics.bytes - 16));
		assert_null(find(&given, UINT64_MAX - 15));
		assert_null(py_types_take_error(given.types));
	}
}

static void metatypes_lead_to_type_or_are_none(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_311);
	struct py_image *image = given.image;
	struct py_field type_of = image->layout.f.object_type;
	addr_t meta = py_image_class(image, "abc", "ABCMeta", 904, PY_TYPE_GC | PY_TYPE_TYPE);
	addr_t made = py_image_class(image, "shop", "Made", 48, PY_TYPE_GC);
	addr_t self = py_image_class(image, "x", "Self", 904, PY_TYPE_GC | PY_TYPE_TYPE);
	addr_t a = py_image_class(image, "x", "A", 904, PY_TYPE_GC | PY_TYPE_TYPE);
	addr_t b = py_image_class(image, "x", "B", 904, PY_TYPE_GC | PY_TYPE_TYPE);

	py_image_set(image, made, type_of, meta);
	assert_name(&given, made, "shop.Made");
	// A type of itself, and two of each other: no chain that ends at `type`.
	py_image_set(image, self, type_of, self);
	py_image_set(image, a, type_of, b);
	py_image_set(image, b, type_of, a);
	assert_null(find(&given, self));
	assert_null(find(&given, a));
	assert_null(find(&given, b));
}

static void what_was_rejected_stays_so_for_the_walk(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_38);
	addr_t at = py_image_static_type(given.image, "late", 16, 0, 0);
	struct py_field refcnt = given.image->layout.f.object_refcnt;

	py_image_set(given.image, at, refcnt, 0);
	assert_null(find(&given, at));
	py_image_set(given.image, at, refcnt, 1);
	assert_null(find(&given, at));
	memset(&given.cache, 0, sizeof(given.cache));
	assert_null(find(&given, at));
}

static void instances_of_old_style_classes_count_under_their_class(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_27);
	struct py_image *image = given.image;
	const struct py_layout *layout = &image->layout;
	addr_t class = py_image_object(image, image->type[IMAGE_CLASS2], 72);
	struct py_image_item item = {py_image_str(image, "__module__"),
				     py_image_str(image, "shop")};

	py_image_set(image, class, layout->f.class_name, py_image_str(image, "Old"));
	py_image_set(image, class, layout->f.class_dict,
		     py_image_dict(image, PY_IMAGE_COMBINED, &item, 1));
	mem_window_clear(image->window);
	const struct py_type *type =
		py_types_of_class(given.types, &given.cache, image->window, class);
	assert_non_null(type);
	assert_string_equal(type->name, "shop.Old");
	assert_int_equal(type->basicsize, 40);
	assert_int_equal(type->shape, PY_SHAPE_INSTANCE2);
	assert_ptr_equal(py_types_of_class(given.types, &given.cache, image->window, class), type);
	assert_null(py_types_of_class(given.types, &given.cache, image->window, 0));
	assert_null(py_types_of_class(given.types, &given.cache, image->window, 0x1234567890));
}

static void types_are_announced_with_their_ids(void **state)
{
	_cleanup_given_ struct given given = given_types(PY_ERA_311);
	_cleanup_census_ struct census census = {0};
	struct heap_sink *counter;

	assert_null(counter_create(&counter));
	uint32_t dict = find(&given, given.image->type[IMAGE_DICT])->id;
	uint32_t list = find(&given, given.image->type[IMAGE_LIST])->id;
	struct heap_object objects[] = {{.type = list}, {.type = dict}, {.type = list}};
	assert_null(heap_sink_objects(counter, objects, 3));
	assert_null(py_types_announce(given.types, counter, NULL));
	assert_null(counter_census(counter, &census));
	heap_sink_destroy(counter);
	assert_int_equal(census_find(&census, "list")->count, 2);
	assert_int_equal(census_find(&census, "dict")->count, 1);
}

static void types_are_announced_with_their_finalizers(void **state)
{
	FOR_EACH_ERA(era)
	{
		for (int with_window = 0; with_window < 2; with_window++) {
			_cleanup_given_ struct given given = given_types(era);
			struct py_image *image = given.image;
			addr_t plain = image->type[IMAGE_LIST], legacy = image->type[IMAGE_DICT];
			struct heap_sink *builder;
			py_image_set(image, legacy, image->layout.f.type_del, 0x1000);
			uint32_t plain_id = find(&given, plain)->id;
			uint32_t legacy_id = find(&given, legacy)->id;

			assert_null(heap_builder_create(1, &builder));
			assert_null(py_types_announce(given.types, builder,
						      with_window ? image->window : NULL));
			_cleanup_heap_ struct heap *heap = NULL;
			assert_null(heap_builder_finish(builder, &heap));
			heap_sink_destroy(builder);
			assert_int_equal(heap->types[plain_id].finalizer, HEAP_FINALIZER_NONE);
			// Without a window nobody has looked.
			assert_int_equal(heap->types[legacy_id].finalizer,
					 with_window ? HEAP_FINALIZER_LEGACY : HEAP_FINALIZER_NONE);
			assert_int_equal(heap->types[legacy_id].at, legacy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_found_with_what_their_objects_look_like),
		cmocka_unit_test(a_derived_type_has_the_shape_of_its_base),
		cmocka_unit_test(a_chain_of_bases_without_end_is_followed_a_while),
		cmocka_unit_test(names_have_their_module_but_for_builtins),
		cmocka_unit_test(a_class_without_a_readable_name_or_module_is_still_one),
		cmocka_unit_test(a_class_with_a_very_long_name_is_one_under_a_part_of_it),
		cmocka_unit_test(what_only_looks_like_a_type_is_rejected),
		cmocka_unit_test(metatypes_lead_to_type_or_are_none),
		cmocka_unit_test(what_was_rejected_stays_so_for_the_walk),
		cmocka_unit_test(instances_of_old_style_classes_count_under_their_class),
		cmocka_unit_test(types_are_announced_with_their_ids),
		cmocka_unit_test(types_are_announced_with_their_finalizers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
