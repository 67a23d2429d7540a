// SPDX-License-Identifier: GPL-3.0-or-later
// How large objects are: what sys.getsizeof() says in the interpreter of each era.
#include "targets/cpython/objects/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/py_objects.h"

struct given {
	struct py_image *image;
	struct py_types *types;
};

static void cleanup_given(struct given *given)
{
	py_types_destroy(given->types);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_image(enum py_era era)
{
	struct given given = {.image = py_image_create(era)};

	assert_null(py_types_create(&given.image->layout, &given.types));
	return given;
}

static const struct py_type *type_of(struct given *given, addr_t object)
{
	mem_window_clear(given->image->window);
	return py_types_look_up(
		given->types, given->image->window,
		py_image_get(given->image, object, given->image->layout.f.object_type));
}

static uint64_t own_size(struct given *given, addr_t object)
{
	return py_size_own(&given->image->layout, type_of(given, object),
			   py_image_at(given->image, object));
}

// What sys.getsizeof() says.
static uint64_t size_of(struct given *given, addr_t object)
{
	return py_size_of(&given->image->layout, given->image->window, type_of(given, object),
			  object, py_image_at(given->image, object), own_size(given, object));
}

static addr_t make(struct given *given, enum py_image_type type, struct py_field field,
		   uint64_t value)
{
	addr_t at = py_image_object(given->image, given->image->type[type], 400);

	py_image_set(given->image, at, field, value);
	return at;
}

static void the_size_of_containers_is_that_of_their_room(void **state)
{
	// sys.getsizeof() of: a list with room for 4; (1, 2, 3); set(); a bytearray with room for 9.
	static const uint64_t expected[PY_ERA_COUNT][4] = {
		[PY_ERA_27] = {72 + 32, 56 + 24, 232, 48 + 9},
		[PY_ERA_36] = {72 + 32, 56 + 24, 232, 56 + 9},
		[PY_ERA_38] = {56 + 32, 40 + 24, 216, 56 + 9},
		[PY_ERA_311] = {56 + 32, 40 + 24, 216, 56 + 9},
		[PY_ERA_312] = {56 + 32, 40 + 24, 216, 56 + 9},
		[PY_ERA_313] = {56 + 32, 40 + 24, 216, 56 + 9},
	};

	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t set = make(&given, IMAGE_SET, layout->f.set_mask, 7);

		py_image_set(given.image, set, layout->f.set_table,
			     set + layout->f.set_smalltable.offset);
		assert_int_equal(
			size_of(&given, make(&given, IMAGE_LIST, layout->f.list_allocated, 4)),
			expected[era][0]);
		assert_int_equal(size_of(&given, make(&given, IMAGE_TUPLE, layout->f.var_size, 3)),
				 expected[era][1]);
		assert_int_equal(size_of(&given, set), expected[era][2]);
		assert_int_equal(size_of(&given, make(&given, IMAGE_BYTEARRAY,
						      layout->f.bytearray_alloc, 9)),
				 expected[era][3]);
		// A set that has grown out of its own struct.
		py_image_set(given.image, set, layout->f.set_mask, 31);
		py_image_set(given.image, set, layout->f.set_table, 0x1000);
		assert_int_equal(size_of(&given, set), expected[era][2] + 32 * 16);
	}
}

static void the_size_of_strings_follows_from_their_characters(void **state)
{
	static const uint8_t latin[] = {0xe9, 'a', 'b'};
	static const uint16_t two[] = {0x20ac, 'b', 'c'};
	static const uint32_t four[] = {0x1f600, 'b', 'c'};
	// 'abc', then three characters of 1, 2, 4 bytes that are not ASCII.
	static const uint64_t expected[PY_ERA_COUNT][4] = {
		[PY_ERA_36] = {52, 76, 80, 88},  [PY_ERA_38] = {52, 76, 80, 88},
		[PY_ERA_311] = {52, 76, 80, 88}, [PY_ERA_312] = {44, 60, 64, 72},
		[PY_ERA_313] = {44, 60, 64, 72},
	};

	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		_cleanup_given_ struct given given = given_image(era);
		struct py_image *image = given.image;
		const addr_t strings[] = {
			py_image_str(image, "abc"), py_image_wide_str(image, 1, latin, 3),
			py_image_wide_str(image, 2, two, 3), py_image_wide_str(image, 4, four, 3)};

		for (size_t i = 0; i < ARRAY_COUNT(strings); i++) {
			assert_int_equal(size_of(&given, strings[i]), expected[era][i]);
			assert_int_equal(own_size(&given, strings[i]), expected[era][i]);
		}
	}
}

static void a_string_pays_for_what_it_caches(void **state)
{
	static const uint16_t two[] = {0x20ac, 'b', 'c'};
	_cleanup_given_ struct given given = given_image(PY_ERA_38);
	struct py_image *image = given.image;
	const struct py_layout *layout = &image->layout;
	addr_t wide = py_image_wide_str(image, 2, two, 3), ascii = py_image_str(image, "abc");

	// str.encode() keeps its five bytes of UTF-8.
	py_image_set(image, wide, layout->f.compact_utf8, 0x1000);
	py_image_set(image, wide, layout->f.compact_utf8_length, 5);
	assert_int_equal(size_of(&given, wide), 80 + 6);
	py_image_set(image, ascii, layout->f.ascii_wstr, 0x1000);
	assert_int_equal(size_of(&given, ascii), 52 + 4 * 4);
	// The memory of an object's block does not grow with that.
	assert_int_equal(own_size(&given, wide), 80);
	assert_int_equal(own_size(&given, ascii), 52);
}

static void a_string_whose_data_stand_apart_counts_them(void **state)
{
	static const uint16_t two[] = {0x20ac, 'b', 'c'};
	_cleanup_given_ struct given given = given_image(PY_ERA_38);
	addr_t loose = py_image_loose_str(given.image, 2, two, 3);

	assert_int_equal(own_size(&given, loose), 80);
	assert_int_equal(size_of(&given, loose), 80 + 4 * 2);
}

static void strings_of_python2_are_bytes_or_an_array_apart(void **state)
{
	static const uint32_t four[] = {'a', 'b', 'c'};
	_cleanup_given_ struct given given = given_image(PY_ERA_27);

	assert_int_equal(size_of(&given, py_image_str(given.image, "")), 37);
	assert_int_equal(size_of(&given, py_image_str(given.image, "abc")), 40);
	assert_int_equal(size_of(&given, py_image_loose_str(given.image, 4, four, 3)), 64);
}

static void numbers_have_their_digits(void **state)
{
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		bool tagged = layout->f.long_tag.present;
		struct py_field field = tagged ? layout->f.long_tag : layout->f.var_size;
		// 0, 2 ** 40 and its negative: two digits of 30 bits.
		addr_t zero = make(&given, IMAGE_LONG, field, tagged ? 1 : 0);
		addr_t large = make(&given, IMAGE_LONG, field, tagged ? 2 << 3 : 2);
		addr_t negative = make(&given, IMAGE_LONG, field, tagged ? 2 << 3 | 2 : -2ULL);

		// sys.getsizeof(0): 24 up to 3.10, 28 since.
		assert_int_equal(size_of(&given, zero), era >= PY_ERA_311 ? 28 : 24);
		assert_int_equal(size_of(&given, large), 32);
		assert_int_equal(size_of(&given, negative), 32);
		// There is always room for one digit.
		assert_int_equal(own_size(&given, zero), 28);
		assert_int_equal(
			size_of(&given, make(&given, IMAGE_FLOAT, layout->f.object_refcnt, 1)), 24);
	}
}

static void a_deque_has_its_blocks(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_311);
	const struct py_layout *layout = &given.image->layout;
	addr_t deque = make(&given, IMAGE_DEQUE, layout->f.deque_leftindex, 32);

	// deque(), deque(range(32)), and one item more: sys.getsizeof() is 760 and 1288.
	assert_int_equal(size_of(&given, deque), 216 + 16 + 528);
	py_image_set(given.image, deque, layout->f.var_size, 32);
	assert_int_equal(size_of(&given, deque), 216 + 16 + 528);
	py_image_set(given.image, deque, layout->f.var_size, 33);
	assert_int_equal(size_of(&given, deque), 216 + 16 + 2 * 528);
}

static void a_dict_counts_what_it_owns(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_311);
	struct py_image_item item = {py_image_str(given.image, "a"), 0x1000};
	addr_t dict = py_image_dict(given.image, PY_IMAGE_COMBINED, &item, 1);

	assert_int_equal(size_of(&given, dict), 184);
	// Its table unreadable, it is at least itself.
	py_image_set(given.image, dict, given.image->layout.f.dict_keys, 0x1234567890);
	assert_int_equal(size_of(&given, dict), 64);
}

static void an_ordered_dict_has_nodes_too(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_311);
	const struct py_layout *layout = &given.image->layout;
	struct py_image_item item = {py_image_str(given.image, "a"), 0x1000};
	addr_t dict = py_image_dict(given.image, PY_IMAGE_COMBINED, &item, 1);
	addr_t ordered = make(&given, IMAGE_ORDERED_DICT, layout->f.dict_used, 1);

	py_image_set(given.image, ordered, layout->f.dict_keys,
		     py_image_dict_keys(given.image, dict));
	py_image_set(given.image, ordered, layout->f.odict_fast_nodes_size, 8);
	assert_int_equal(size_of(&given, ordered), 112 + 16 + 120 + 8 * 8 + 32);
}

static void a_class_has_its_struct_and_its_cached_keys(void **state)
{
	_cleanup_given_ struct given old = given_image(PY_ERA_27);
	_cleanup_given_ struct given new = given_image(PY_ERA_38);
	addr_t old_class = py_image_class(old.image, "shop", "Cart", 48, PY_TYPE_GC);
	addr_t new_class = py_image_class(new.image, "shop", "Cart", 48, PY_TYPE_GC);
	struct py_image_item item = {py_image_str(new.image, "a"), 0x1000};
	addr_t dict = py_image_dict(new.image, PY_IMAGE_COMBINED, &item, 1);

	assert_int_equal(size_of(&old, old_class), 872 + 32);
	assert_int_equal(size_of(&new, new_class), 880 + 16);
	py_image_set(new.image, new_class, new.image->layout.f.heaptype_cached_keys,
		     py_image_dict_keys(new.image, dict));
	assert_int_equal(size_of(&new, new_class), 880 + 16 + 168);
}

static void nonsense_gives_a_large_number_and_no_overflow(void **state)
{
	static const uint64_t hostile[] = {1ULL << 40, 1ULL << 62, INT64_MAX, 1ULL << 63,
					   UINT64_MAX >> 3};

	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		bool is_python2 = layout->is_python2;
		const struct {
			enum py_image_type type;
			struct py_field field;
		} places[] = {
			{IMAGE_TUPLE, layout->f.var_size},
			{IMAGE_BYTES, layout->f.var_size},
			{IMAGE_LONG,
			 layout->f.long_tag.present ? layout->f.long_tag : layout->f.var_size},
			{IMAGE_LIST, layout->f.list_allocated},
			{IMAGE_SET, layout->f.set_mask},
			{IMAGE_BYTEARRAY, layout->f.bytearray_alloc},
			{IMAGE_STR, is_python2 ? layout->f.unicode_length : layout->f.ascii_length},
		};
		for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
			for (size_t j = 0; j < ARRAY_COUNT(hostile); j++) {
				addr_t at =
					make(&given, places[i].type, places[i].field, hostile[j]);
				if (places[i].type == IMAGE_STR && !is_python2) {
					py_image_set(given.image, at, layout->f.ascii_kind, 4);
					py_image_set(given.image, at, layout->f.ascii_compact, 1);
				}
				uint64_t size = size_of(&given, at);
				assert_true(size > 1ULL << 36);
				assert_true(size < 1ULL << 48);
				py_image_free(
					given.image,
					at - py_image_presize(given.image,
							      given.image->type[places[i].type]));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_size_of_containers_is_that_of_their_room),
		cmocka_unit_test(the_size_of_strings_follows_from_their_characters),
		cmocka_unit_test(a_string_pays_for_what_it_caches),
		cmocka_unit_test(a_string_whose_data_stand_apart_counts_them),
		cmocka_unit_test(strings_of_python2_are_bytes_or_an_array_apart),
		cmocka_unit_test(numbers_have_their_digits),
		cmocka_unit_test(a_deque_has_its_blocks),
		cmocka_unit_test(a_dict_counts_what_it_owns),
		cmocka_unit_test(an_ordered_dict_has_nodes_too),
		cmocka_unit_test(a_class_has_its_struct_and_its_cached_keys),
		cmocka_unit_test(nonsense_gives_a_large_number_and_no_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
