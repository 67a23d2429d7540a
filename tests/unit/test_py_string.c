// SPDX-License-Identifier: GPL-3.0-or-later
// The text of strings of every kind, and of what only looks like one.
#include "targets/cpython/objects/string.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/py_objects.h"

static char text[64];

static bool read_string(const struct py_image *image, addr_t at)
{
	mem_window_clear(image->window);
	return py_string_read(&image->layout, image->window, at, text, sizeof(text));
}

static void assert_text(const struct py_image *image, addr_t at, const char *expected)
{
	assert_true(read_string(image, at));
	assert_string_equal(text, expected);
}

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void names_are_read_in_every_era(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t name = py_image_str(image, "Cart"), empty = py_image_str(image, "");

		assert_text(image, name, "Cart");
		assert_text(image, empty, "");
		mem_window_clear(image->window);
		assert_true(py_string_equals(&image->layout, image->window, name, "Cart"));
		assert_false(py_string_equals(&image->layout, image->window, name, "Carts"));
		assert_false(py_string_equals(&image->layout, image->window, name, "Car"));
		assert_false(py_string_equals(&image->layout, image->window, name, "cart"));
		assert_true(py_string_equals(&image->layout, image->window, empty, ""));
	}
}

static void characters_of_any_width_come_as_utf8(void **state)
{
	static const uint8_t one[] = {'c', 'a', 'f', 0xe9};
	static const uint16_t two[] = {0x20ac, 'x', 0x7ff, 0x800};
	static const uint32_t four[] = {0x1f600, 'y', 0x10ffff};

	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		assert_text(image, py_image_wide_str(image, 1, one, 4), "caf\xc3\xa9");
		assert_text(image, py_image_wide_str(image, 2, two, 4),
			    "\xe2\x82\xacx\xdf\xbf\xe0\xa0\x80");
		assert_text(image, py_image_wide_str(image, 4, four, 3),
			    "\xf0\x9f\x98\x80y\xf4\x8f\xbf\xbf");
	}
}

static void characters_may_stand_apart(void **state)
{
	static const uint16_t two[] = {'o', 0x20ac};
	static const uint32_t four[] = {'o', 0x20ac};
	_cleanup_py_image_ struct py_image *old = py_image_create(PY_ERA_27);
	_cleanup_py_image_ struct py_image *new = py_image_create(PY_ERA_38);

	assert_text(old, py_image_loose_str(old, 4, four, 2), "o\xe2\x82\xac");
	assert_text(new, py_image_loose_str(new, 2, two, 2), "o\xe2\x82\xac");
}

static void bytes_of_python2_go_out_as_they_are(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_27);

	assert_text(image, py_image_str(image, "caf\xe9\xff"), "caf\xe9\xff");
}

static void a_long_string_is_cut_at_a_character(void **state)
{
	static uint16_t euros[40];
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	char little[8];

	for (size_t i = 0; i < 40; i++)
		euros[i] = 0x20ac;
	addr_t at = py_image_wide_str(image, 2, euros, 40);
	assert_true(py_string_read(&image->layout, image->window, at, little, sizeof(little)));
	assert_string_equal(little, "\xe2\x82\xac\xe2\x82\xac");
	assert_true(py_string_read(&image->layout, image->window, at, little, 1));
	assert_string_equal(little, "");
}

static void what_is_no_string_has_no_text(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const addr_t nonsense[] = {
			0,
			8,
			0x1234567890,
			UINT64_MAX,
			UINT64_MAX - 8,
			py_image_object(image, image->type[IMAGE_FLOAT], 24),
			image->type[IMAGE_DICT],
			image->statics.start + image->statics.bytes - 8,
		};
		for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
			memset(text, 'x', sizeof(text));
			assert_false(read_string(image, nonsense[i]));
			assert_string_equal(text, "");
			assert_false(
				py_string_equals(&image->layout, image->window, nonsense[i], ""));
		}
	}
}

static void a_string_that_was_not_made_ready_has_no_text(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_36);
	addr_t at = py_image_str(image, "Cart");

	for (uint64_t kind = 0; kind < 8; kind++) {
		py_image_set(image, at, image->layout.f.ascii_kind, kind);
		assert_int_equal(read_string(image, at), kind == 1 || kind == 2 || kind == 4);
	}
	py_image_set(image, at, image->layout.f.ascii_kind, 1);
	py_image_set(image, at, image->layout.f.ascii_compact, 0);
	py_image_set(image, at, image->layout.f.ascii_length, 1);
	// Its data are nowhere.
	*py_image_word(image, at + image->layout.f.unicode_data.offset) = 0;
	assert_false(read_string(image, at));
}

static void a_hostile_length_ends_with_the_room_there_is(void **state)
{
	static const uint64_t lengths[] = {1 << 20, 1ULL << 40, 1ULL << 62, UINT64_MAX,
					   UINT64_MAX - 1};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t at = py_image_str(image, "abc");
		// In the heap, where much can be read behind it.
		addr_t copy = py_image_alloc(image, 4096);
		memcpy(py_image_at(image, copy), py_image_at(image, at), 96);
		memset((char *)py_image_at(image, copy) + 96, 'z', 4000);
		for (size_t i = 0; i < 5; i++) {
			py_image_set(image, copy,
				     image->layout.is_python2 ? image->layout.f.var_size
							      : image->layout.f.ascii_length,
				     lengths[i]);
			assert_true(read_string(image, copy));
			assert_true(strlen(text) < sizeof(text));
			assert_false(py_string_equals(&image->layout, image->window, copy, "abc"));
		}
	}
}

static void a_string_that_ends_in_unreadable_memory_has_no_text(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	addr_t end = image->outside.start + image->outside.bytes;
	addr_t at = end - 64;

	memcpy(py_image_at(image, at), py_image_at(image, py_image_str(image, "abc")), 52);
	py_image_set(image, at, image->layout.f.ascii_length, 30);
	assert_false(read_string(image, at));
	assert_string_equal(text, "");
}

static void a_c_string_ends_within_its_room_or_is_none(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	addr_t at = py_image_alloc_outside(image, 16);
	addr_t end = image->outside.start + image->outside.bytes;
	char into[5];

	memcpy(py_image_at(image, at), "four", 5);
	assert_true(py_c_string_read(image->window, at, into, sizeof(into)));
	assert_string_equal(into, "four");
	memcpy(py_image_at(image, at), "five5", 6);
	mem_window_clear(image->window);
	assert_false(py_c_string_read(image->window, at, into, sizeof(into)));
	assert_string_equal(into, "");
	memset(py_image_at(image, end - 2), 'x', 2);
	mem_window_clear(image->window);
	assert_false(py_c_string_read(image->window, end - 2, into, sizeof(into)));
	assert_false(py_c_string_read(image->window, 0, into, sizeof(into)));
	assert_false(py_c_string_read(image->window, UINT64_MAX, into, sizeof(into)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_in_every_era),
		cmocka_unit_test(characters_of_any_width_come_as_utf8),
		cmocka_unit_test(characters_may_stand_apart),
		cmocka_unit_test(bytes_of_python2_go_out_as_they_are),
		cmocka_unit_test(a_long_string_is_cut_at_a_character),
		cmocka_unit_test(what_is_no_string_has_no_text),
		cmocka_unit_test(a_string_that_was_not_made_ready_has_no_text),
		cmocka_unit_test(a_hostile_length_ends_with_the_room_there_is),
		cmocka_unit_test(a_string_that_ends_in_unreadable_memory_has_no_text),
		cmocka_unit_test(a_c_string_ends_within_its_room_or_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
