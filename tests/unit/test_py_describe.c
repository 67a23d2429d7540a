// SPDX-License-Identifier: GPL-3.0-or-later
// What repr() might say of objects of every era, and of objects that nobody should believe.
#include "targets/cpython/describe/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/py_objects.h"

enum { CHARS = 2000 };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void cleanup_types(struct py_types **types)
{
	py_types_destroy(*types);
}

static void describe_as(struct py_image *image, addr_t at, enum py_describe_form form,
			size_t chars_max, struct text *into)
{
	CLEANUP(cleanup_types) struct py_types *types = NULL;

	mem_window_clear(image->window);
	assert_null(py_types_create(&image->layout, &types));
	assert_null(py_describe(&image->layout, types, image->window, at, form, chars_max, into));
}

static void describe(struct py_image *image, addr_t at, size_t chars_max, struct text *into)
{
	describe_as(image, at, PY_DESCRIBE_REPR, chars_max, into);
}

static void assert_shape(struct py_image *image, addr_t at, const char *expected)
{
	_cleanup_text_ struct text text = {0};

	describe_as(image, at, PY_DESCRIBE_SHAPE, CHARS, &text);
	assert_string_equal(text_chars(&text), expected);
}

static void assert_described(struct py_image *image, addr_t at, const char *expected)
{
	_cleanup_text_ struct text text = {0};

	describe(image, at, CHARS, &text);
	assert_string_equal(text_chars(&text), expected);
}

static void assert_cut(struct py_image *image, addr_t at, size_t chars_max, const char *expected)
{
	_cleanup_text_ struct text text = {0};

	describe(image, at, chars_max, &text);
	assert_string_equal(text_chars(&text), expected);
}

static addr_t given_list(struct py_image *image, const addr_t *items, size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_LIST], 40);
	addr_t items_at = py_image_alloc(image, (count + 1) * sizeof(addr_t));

	py_image_set(image, at, layout->f.var_size, count);
	py_image_set(image, at, layout->f.list_items, items_at);
	for (size_t i = 0; i < count; i++)
		*py_image_word(image, items_at + i * sizeof(addr_t)) = items[i];
	return at;
}

static addr_t given_tuple(struct py_image *image, const addr_t *items, size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_TUPLE], 24 + count * sizeof(addr_t));

	py_image_set(image, at, layout->f.var_size, count);
	for (size_t i = 0; i < count; i++)
		*py_image_word(image, at + layout->f.tuple_items.offset + i * sizeof(addr_t)) =
			items[i];
	return at;
}

static addr_t given_long(struct py_image *image, bool negative, const uint32_t *digits,
			 size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_LONG],
				    layout->f.long_digits.offset + count * 4);

	if (layout->f.long_tag.present)
		py_image_set(image, at, layout->f.long_tag,
			     count << 3 | (negative ? 2 : count == 0));
	else
		py_image_set(image, at, layout->f.var_size,
			     negative ? -(uint64_t)count : (uint64_t)count);
	memcpy(py_image_at(image, at + layout->f.long_digits.offset), digits, count * 4);
	return at;
}

static addr_t given_float(struct py_image *image, double value)
{
	addr_t at = py_image_object(image, image->type[IMAGE_FLOAT], 24);

	memcpy(py_image_word(image, at + image->layout.f.float_value.offset), &value,
	       sizeof(value));
	return at;
}

// A set with the keys in slots 1, 2, ... of its own table.
static addr_t given_set(struct py_image *image, enum py_image_type type, const addr_t *keys,
			size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[type], 200);

	py_image_set(image, at, layout->f.set_used, count);
	py_image_set(image, at, layout->f.set_mask, 7);
	py_image_set(image, at, layout->f.set_table, at + layout->f.set_smalltable.offset);
	for (size_t i = 0; i < count; i++)
		py_image_set(image,
			     at + layout->f.set_smalltable.offset +
				     (i + 1) * layout->size.set_entry,
			     layout->f.set_entry_key, keys[i]);
	return at;
}

static void strings_stand_in_quotes_with_escapes(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		assert_described(image, py_image_str(image, ""), "''");
		assert_described(image, py_image_str(image, "plain"), "'plain'");
		assert_described(image, py_image_str(image, "it's"), "\"it's\"");
		assert_described(image, py_image_str(image, "'\""), "'\\'\"'");
		assert_described(image, py_image_str(image, "\t\n\r\\\x01\x7f"),
				 "'\\t\\n\\r\\\\\\x01\\x7f'");
	}
}

static void characters_beyond_ascii_are_escaped_where_the_version_does(void **state)
{
	static const uint32_t wide[] = {0xe9, 0x20ac, 0x2028, 0x1f600, 0xdc80};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t at = py_image_loose_str(image, 4, wide, ARRAY_COUNT(wide));

		assert_described(image, at,
				 era == PY_ERA_27 ? "u'\\xe9\\u20ac\\u2028\\U0001f600\\udc80'"
						  : "'\u00e9\u20ac\\u2028\U0001f600\\udc80'");
	}
}

static void bytes_have_their_own_form(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t at = py_image_object(image, image->type[IMAGE_BYTES], 64);

		py_image_set(image, at, layout->f.var_size, 2);
		memcpy(py_image_at(image, at + layout->f.bytes_data.offset), "a\xff", 2);
		assert_described(image, at, era == PY_ERA_27 ? "'a\\xff'" : "b'a\\xff'");
	}
}

static void ints_of_any_length_are_decimal_and_beyond_a_bound_their_bits_are_told(void **state)
{
	static const struct {
		bool negative;
		uint32_t digits[4];
		size_t count;
		const char *expected;
	} cases[] = {
		{false, {0}, 0, "0"},
		{false, {7}, 1, "7"},
		{true, {7}, 1, "-7"},
		{false, {0, 1}, 2, "1073741824"},
		{true, {0, 0, 1}, 3, "-1152921504606846976"},
		{false, {1, 0, 0, 1}, 4, "1237940039285380274899124225"},
	};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		static uint32_t many[600];
		char expected[64];

		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			snprintf(expected, sizeof(expected), "%s%s", cases[i].expected,
				 era == PY_ERA_27 ? "L" : "");
			assert_described(image,
					 given_long(image, cases[i].negative, cases[i].digits,
						    cases[i].count),
					 expected);
		}
		many[599] = 1;
		assert_described(image, given_long(image, false, many, 600), "<int of 17971 bits>");
	}
}

static void floats_are_as_short_as_they_can_be(void **state)
{
	static const struct {
		double value;
		const char *expected;
	} cases[] = {
		{0, "0.0"},
		{-0.0, "-0.0"},
		{0.1, "0.1"},
		{1e16, "1e+16"},
		{1e15, "1000000000000000.0"},
		{1e-4, "0.0001"},
		{1e-5, "1e-05"},
		{1.0 / 3, "0.3333333333333333"},
		{5e-324, "5e-324"},
		{100, "100.0"},
		{__builtin_inf(), "inf"},
		{-__builtin_inf(), "-inf"},
		{__builtin_nan(""), "nan"},
	};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
			assert_described(image, given_float(image, cases[i].value),
					 cases[i].expected);
	}
}

static void containers_show_what_they_hold(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t items[] = {py_image_str(image, "a"), given_float(image, 1.5)};
		struct py_image_item item = {items[0], items[1]};
		addr_t empty = given_list(image, NULL, 0);
		bool is_python2 = era == PY_ERA_27;

		assert_described(image, empty, "[]");
		assert_described(image, given_list(image, items, 2), "['a', 1.5]");
		assert_described(image, given_tuple(image, NULL, 0), "()");
		assert_described(image, given_tuple(image, &empty, 1), "([],)");
		assert_described(image, given_tuple(image, items, 2), "('a', 1.5)");
		assert_described(image, py_image_dict(image, PY_IMAGE_COMBINED, &item, 1),
				 "{'a': 1.5}");
		assert_described(image, py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0), "{}");
		assert_described(image, given_set(image, IMAGE_SET, items, 2),
				 is_python2 ? "set(['a', 1.5])" : "{'a', 1.5}");
		assert_described(image, given_set(image, IMAGE_FROZENSET, items, 1),
				 is_python2 ? "frozenset(['a'])" : "frozenset({'a'})");
		assert_described(image, given_set(image, IMAGE_FROZENSET, items, 0),
				 is_python2 ? "frozenset([])" : "frozenset()");
	}
}

static void of_a_value_the_shape_can_be_told_alone(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t items[] = {py_image_str(image, "secret"), given_float(image, 1.5)};
		struct py_image_item item = {items[0], items[1]};

		assert_shape(image, items[0], "<str of 6 characters>");
		assert_shape(image, py_image_str(image, "x"), "<str of 1 character>");
		assert_shape(image, items[1], "<float>");
		assert_shape(image, given_list(image, items, 2), "<list of 2>");
		assert_shape(image, given_tuple(image, items, 2), "<tuple of 2>");
		assert_shape(image, given_set(image, IMAGE_SET, items, 2), "<set of 2>");
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, &item, 1);
		py_image_set(image, dict, image->layout.f.dict_used, 1);
		assert_shape(image, dict, "<dict of 1>");
		assert_shape(image, 0x1234567890, "<unreadable>");
	}
}

static void a_container_inside_of_itself_is_shown_once(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t none = 0, list = given_list(image, &none, 1);
		struct py_image_item item = {py_image_str(image, "self"), list};
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, &item, 1);

		*py_image_word(image, py_image_get(image, list, image->layout.f.list_items)) = dict;
		assert_described(image, list, "[{'self': [...]}]");
		assert_described(image, dict, "{'self': [{...}]}");
	}
}

static void what_is_nested_too_deeply_ends_in_dots(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_312);
	_cleanup_text_ struct text text = {0};
	addr_t inner = given_list(image, NULL, 0);

	for (int i = 0; i < 100; i++)
		inner = given_list(image, &inner, 1);
	describe(image, inner, CHARS, &text);
	assert_int_equal(text.length, 2 * PY_DESCRIBE_DEPTH_MAX + 3);
	assert_non_null(strstr(text_chars(&text), "[...]"));
}

static void what_is_too_long_is_cut_at_a_character(void **state)
{
	static const uint32_t euros[] = {0x20ac, 0x20ac, 0x20ac, 0x20ac, 0x20ac, 0x20ac};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t at = py_image_str(image, "characters");

		assert_cut(image, at, 12, "'characters'");
		assert_cut(image, at, 11, "'charact...");
		assert_cut(image, at, 3, "...");
		assert_cut(image, at, 2, "..");
		assert_cut(image, at, 0, "");
		if (era == PY_ERA_27)
			continue;
		at = py_image_loose_str(image, 4, euros, ARRAY_COUNT(euros));
		assert_cut(image, at, 8, "'\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac'");
		assert_cut(image, at, 7, "'\u20ac\u20ac\u20ac...");
	}
}

static void an_instance_has_the_default_form(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t class = py_image_class(image, "shop", "Cart", 16, 0);
		addr_t at = py_image_object(image, class, 16);
		char expected[64];

		snprintf(expected, sizeof(expected), "<shop.Cart object at 0x%llx>",
			 (unsigned long long)at);
		assert_described(image, at, expected);
		assert_described(image, class, "<class 'shop.Cart'>");
		assert_described(image, image->type[IMAGE_LIST],
				 era == PY_ERA_27 ? "<type 'list'>" : "<class 'list'>");
	}
}

static void what_is_no_object_is_unreadable(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t nonsense[] = {8, 0x1234567890, UINT64_MAX, UINT64_MAX - 15,
				     py_image_alloc(image, 64)};

		for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
			assert_described(image, nonsense[i], "<unreadable>");
			assert_described(image, given_list(image, &nonsense[i], 1),
					 "[<unreadable>]");
		}
	}
}

static void hostile_sizes_end_at_the_limit(void **state)
{
	static const uint64_t hostile[] = {1ULL << 20, 1ULL << 40, INT64_MAX, 1ULL << 63,
					   UINT64_MAX};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t item = py_image_str(image, "item");
		addr_t list = given_list(image, &item, 1), tuple = given_tuple(image, &item, 1);
		addr_t string = py_image_str(image, "string");
		addr_t set = given_set(image, IMAGE_SET, &item, 1);
		struct py_image_item pair = {item, item};
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, &pair, 1);
		addr_t number = given_long(image, false, (uint32_t[]){1}, 1);
		addr_t all[] = {list, tuple, string, set, dict, number};

		for (size_t i = 0; i < ARRAY_COUNT(hostile); i++) {
			py_image_set(image, list, layout->f.var_size, hostile[i]);
			py_image_set(image, tuple, layout->f.var_size, hostile[i]);
			py_image_set(image, string,
				     layout->is_python2 ? layout->f.var_size
							: layout->f.ascii_length,
				     hostile[i]);
			py_image_set(image, set, layout->f.set_mask, hostile[i]);
			py_image_set(image, number,
				     layout->f.long_tag.present ? layout->f.long_tag
								: layout->f.var_size,
				     hostile[i]);
			if (layout->is_python2)
				py_image_set(image, dict, layout->f.dict_mask, hostile[i]);
			else
				py_image_set(image, py_image_dict_keys(image, dict),
					     layout->f.keys_nentries, hostile[i]);
			for (size_t j = 0; j < ARRAY_COUNT(all); j++) {
				_cleanup_text_ struct text text = {0};
				describe(image, all[j], 100, &text);
				assert_true(text.length > 0 && text.length <= 100);
			}
		}
		assert_described(image, string, "<unreadable>");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_stand_in_quotes_with_escapes),
		cmocka_unit_test(characters_beyond_ascii_are_escaped_where_the_version_does),
		cmocka_unit_test(bytes_have_their_own_form),
		cmocka_unit_test(
			ints_of_any_length_are_decimal_and_beyond_a_bound_their_bits_are_told),
		cmocka_unit_test(floats_are_as_short_as_they_can_be),
		cmocka_unit_test(containers_show_what_they_hold),
		cmocka_unit_test(of_a_value_the_shape_can_be_told_alone),
		cmocka_unit_test(a_container_inside_of_itself_is_shown_once),
		cmocka_unit_test(what_is_nested_too_deeply_ends_in_dots),
		cmocka_unit_test(what_is_too_long_is_cut_at_a_character),
		cmocka_unit_test(an_instance_has_the_default_form),
		cmocka_unit_test(what_is_no_object_is_unreadable),
		cmocka_unit_test(hostile_sizes_end_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
