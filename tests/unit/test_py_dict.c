// SPDX-License-Identifier: GPL-3.0-or-later
// Dicts of every era: their entries, their size, and sizes that nobody would believe.
#include "targets/cpython/objects/dict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/py_objects.h"

enum { ITEMS_MAX = 300 };

static struct py_image_item items[ITEMS_MAX];

static addr_t given_dict(struct py_image *image, enum py_image_dict kind, size_t count)
{
	char key[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key%zu", i);
		items[i].key = py_image_str(image, key);
		items[i].value = 0x1000 + i * 16;
	}
	addr_t dict = py_image_dict(image, kind, items, count);
	mem_window_clear(image->window);
	return dict;
}

static size_t count_entries(const struct py_image *image, addr_t dict)
{
	struct py_dict_cursor cursor;
	addr_t key, value;
	size_t count = 0;

	mem_window_clear(image->window);
	py_dict_begin(&image->layout, image->window, dict, &cursor);
	while (py_dict_next(&cursor, &key, &value)) {
		assert_true(key && value);
		count++;
	}
	return count;
}

static bool exists(enum py_era era, enum py_image_dict kind)
{
	return era != PY_ERA_27 || kind == PY_IMAGE_COMBINED;
}

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void every_entry_is_met_once_with_its_value(void **state)
{
	static const size_t counts[] = {0, 1, 5, 6, 40, ITEMS_MAX};

	FOR_EACH_ERA(era)
	{
		for (enum py_image_dict kind = 0; kind <= PY_IMAGE_SPLIT; kind++) {
			if (!exists(era, kind))
				continue;
			_cleanup_py_image_ struct py_image *image = py_image_create(era);
			for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
				addr_t dict = given_dict(image, kind, counts[i]);
				assert_int_equal(count_entries(image, dict), counts[i]);
				if (!counts[i])
					continue;
				assert_int_equal(
					py_dict_find(&image->layout, image->window, dict, "key0"),
					0x1000);
				char last[32];
				snprintf(last, sizeof(last), "key%zu", counts[i] - 1);
				assert_int_equal(
					py_dict_find(&image->layout, image->window, dict, last),
					items[counts[i] - 1].value);
				assert_int_equal(py_dict_find(&image->layout, image->window, dict,
							      "no such key"),
						 0);
			}
		}
	}
}

static void holes_are_passed_over(void **state)
{
	FOR_EACH_ERA(era)
	{
		for (enum py_image_dict kind = 0; kind <= PY_IMAGE_SPLIT; kind++) {
			if (!exists(era, kind))
				continue;
			_cleanup_py_image_ struct py_image *image = py_image_create(era);
			given_dict(image, kind, 5);
			// Deleted: no value, and in a table of its own no key either.
			items[1].value = 0;
			items[3].value = 0;
			if (kind != PY_IMAGE_SPLIT)
				items[3].key = 0;
			addr_t dict = py_image_dict(image, kind, items, 5);
			assert_int_equal(count_entries(image, dict), 3);
			assert_int_equal(py_dict_find(&image->layout, image->window, dict, "key1"),
					 0);
			assert_int_equal(py_dict_find(&image->layout, image->window, dict, "key4"),
					 0x1040);
		}
	}
}

static void what_cannot_be_read_has_no_entries(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t dict = given_dict(image, PY_IMAGE_COMBINED, 3);
		static const addr_t nonsense[] = {0, 8, 0x1234567890, UINT64_MAX, UINT64_MAX - 40};

		for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
			assert_int_equal(count_entries(image, nonsense[i]), 0);
			assert_int_equal(py_dict_find(layout, image->window, nonsense[i], "key0"),
					 0);
			py_image_set(image, dict,
				     layout->is_python2 ? layout->f.dict_table
							: layout->f.dict_keys,
				     nonsense[i]);
			assert_int_equal(count_entries(image, dict), 0);
		}
	}
}

static void a_hostile_size_ends_without_entries_that_are_not_there(void **state)
{
	static const uint64_t hostile[] = {1ULL << 32, 1ULL << 40, 1ULL << 63, UINT64_MAX,
					   UINT64_MAX - 1};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t dict = given_dict(image, PY_IMAGE_COMBINED, 3);
		addr_t keys = py_image_dict_keys(image, dict);
		for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
			if (layout->is_python2)
				py_image_set(image, dict, layout->f.dict_mask, hostile[i]);
			else
				py_image_set(image, keys, layout->f.keys_nentries, hostile[i]);
			assert_int_equal(count_entries(image, dict), 0);
		}
	}
}

static void a_walk_over_many_entries_ends_where_memory_does(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t dict = given_dict(image, PY_IMAGE_COMBINED, 3);
		addr_t keys = py_image_dict_keys(image, dict);
		size_t before = fake_source_read_count(image->fake);

		// As many as one may believe, of which the first few pages can be read.
		if (layout->is_python2)
			py_image_set(image, dict, layout->f.dict_mask, (1ULL << 32) - 2);
		else
			py_image_set(image, keys, layout->f.keys_nentries, (1ULL << 32) - 1);
		count_entries(image, dict);
		assert_true(fake_source_read_count(image->fake) - before < 2000);
	}
}

static void a_table_of_impossible_size_has_no_entries_and_no_bytes(void **state)
{
	_cleanup_py_image_ struct py_image *old = py_image_create(PY_ERA_38);
	_cleanup_py_image_ struct py_image *new = py_image_create(PY_ERA_311);
	addr_t old_dict = given_dict(old, PY_IMAGE_COMBINED, 3);
	addr_t new_dict = given_dict(new, PY_IMAGE_COMBINED, 3);
	addr_t old_keys = py_image_dict_keys(old, old_dict);
	addr_t new_keys = py_image_dict_keys(new, new_dict);
	uint64_t owned;

	py_image_set(old, old_keys, old->layout.f.keys_size, UINT64_MAX);
	py_image_set(new, new_keys, new->layout.f.keys_log2_size, 41);
	assert_int_equal(count_entries(old, old_dict), 0);
	assert_int_equal(count_entries(new, new_dict), 0);
	assert_int_equal(py_dict_keys_bytes(&old->layout, old->window, old_keys), 0);
	assert_int_equal(py_dict_keys_bytes(&new->layout, new->window, new_keys), 0);
	assert_false(py_dict_owned_bytes(&new->layout, new->window, new_dict,
					 py_image_at(new, new_dict), &owned));
	py_image_set(new, new_keys, new->layout.f.keys_log2_size, 3);
	py_image_set(new, new_keys, new->layout.f.keys_log2_index_bytes, 255);
	assert_int_equal(count_entries(new, new_dict), 0);
}

// Where a test wants sys.getsizeof(): that of the dict without its struct and head.
static uint64_t owned_bytes(const struct py_image *image, addr_t dict)
{
	uint64_t owned = 0;

	assert_true(py_dict_owned_bytes(&image->layout, image->window, dict,
					py_image_at(image, dict), &owned));
	return owned;
}

static void a_dict_owns_its_table_and_its_values(void **state)
{
	static const struct {
		enum py_era era;
		enum py_image_dict kind;
		size_t count;
		uint64_t bytes;
	} expected[] = {
		// sys.getsizeof({'a': 1}) is 232 in 3.8 and 184 in 3.11, of which 64 are the dict.
		{PY_ERA_38, PY_IMAGE_COMBINED, 1, 232 - 64},
		{PY_ERA_311, PY_IMAGE_COMBINED, 1, 184 - 64},
		{PY_ERA_311, PY_IMAGE_GENERAL, 1, 224 - 64},
		{PY_ERA_312, PY_IMAGE_COMBINED, 6, 272 - 64},
		// An instance's dict shares its keys: 104 in 3.8.
		{PY_ERA_38, PY_IMAGE_SPLIT, 3, 104 - 64},
		{PY_ERA_27, PY_IMAGE_COMBINED, 5, 0},
		{PY_ERA_27, PY_IMAGE_COMBINED, 6, 16 * 24},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(expected[i].era);
		addr_t dict = given_dict(image, expected[i].kind, expected[i].count);

		assert_int_equal(owned_bytes(image, dict), expected[i].bytes);
	}
}

static void a_dict_whose_table_cannot_be_read_owns_nobody_knows_what(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	addr_t dict = given_dict(image, PY_IMAGE_COMBINED, 1);
	uint64_t owned;

	py_image_set(image, dict, image->layout.f.dict_keys, 0x1234567890);
	assert_false(py_dict_owned_bytes(&image->layout, image->window, dict,
					 py_image_at(image, dict), &owned));
	assert_int_equal(owned, 0);
}

static void a_search_ends_in_a_table_as_large_as_memory(void **state)
{
	// Zeros without end, as in a large mapping nobody has touched.
	enum { MEGABYTES = 64 };
	static unsigned char zeros[1 << 20];
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_311);
	addr_t dict = given_dict(image, PY_IMAGE_COMBINED, 3);
	addr_t keys = 0x100000000;

	py_image_set(image, dict, image->layout.f.dict_keys, keys);
	for (addr_t i = 0; i < MEGABYTES; i++)
		fake_source_add(image->fake, keys + (i << 20), zeros, sizeof(zeros));
	uint64_t *entries = (uint64_t *)(void *)(zeros + image->layout.f.keys_nentries.offset);
	*entries = (1ULL << 32) - 1;
	assert_int_equal(py_dict_find(&image->layout, image->window, dict, "key0"), 0);
	assert_true(fake_source_read_count(image->fake) < MEGABYTES * 256);
}

// Of the key table alone, however its entries look.
static void keys_are_met_without_their_dict(void **state)
{
	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		for (enum py_image_dict kind = 0; kind <= PY_IMAGE_SPLIT; kind++) {
			_cleanup_py_image_ struct py_image *image = py_image_create(era);
			addr_t keys = py_image_dict_keys(image, given_dict(image, kind, 40));
			struct py_dict_cursor cursor;
			py_dict_begin_keys(&image->layout, image->window, keys, &cursor);
			assert_int_equal(cursor.left, 40);
			assert_int_equal(cursor.value_at, 0);
			for (size_t i = 0; i < 40; i++)
				assert_int_equal(*py_image_word(image, cursor.entry_at +
									       i * cursor.stride +
									       cursor.key_offset),
						 items[i].key);
		}
	}
}

static void keys_that_cannot_be_read_are_none(void **state)
{
	static const addr_t nonsense[] = {0, 8, 0x1234567890, UINT64_MAX, UINT64_MAX - 40};

	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
			struct py_dict_cursor cursor;
			addr_t start = 1, end = 2;
			py_dict_begin_keys(&image->layout, image->window, nonsense[i], &cursor);
			assert_int_equal(cursor.left, 0);
			py_dict_keys_rest(&image->layout, image->window, nonsense[i], &start, &end);
			assert_int_equal(start, end);
		}
	}
}

static void the_rest_of_a_key_table_is_behind_its_entries(void **state)
{
	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		for (enum py_image_dict kind = 0; kind <= PY_IMAGE_SPLIT; kind++) {
			_cleanup_py_image_ struct py_image *image = py_image_create(era);
			addr_t keys = py_image_dict_keys(image, given_dict(image, kind, 3)), start,
			       end;
			struct py_dict_cursor cursor;
			py_dict_begin_keys(&image->layout, image->window, keys, &cursor);
			py_dict_keys_rest(&image->layout, image->window, keys, &start, &end);
			// Of eight slots, five can be used.
			assert_int_equal(start, cursor.entry_at + 3 * cursor.stride);
			assert_int_equal(end, cursor.entry_at + 5 * cursor.stride);

			// More entries than there is room for.
			py_image_set(image, keys, image->layout.f.keys_nentries, 100);
			mem_window_clear(image->window);
			py_dict_keys_rest(&image->layout, image->window, keys, &start, &end);
			assert_int_equal(start, end);
		}
	}
}

static struct py_dict_cursor begin(const struct py_image *image, addr_t dict)
{
	struct py_dict_cursor cursor;

	mem_window_clear(image->window);
	py_dict_begin(&image->layout, image->window, dict, &cursor);
	return cursor;
}

static void kinds_of_tables_are_told_apart(void **state)
{
	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		uint64_t kinds[PY_IMAGE_SPLIT + 1];
		for (enum py_image_dict kind = 0; kind <= PY_IMAGE_SPLIT; kind++) {
			addr_t dict = given_dict(image, kind, 3);
			struct py_dict_cursor keys;
			kinds[kind] = begin(image, dict).kind;
			py_dict_begin_keys(&image->layout, image->window,
					   py_image_dict_keys(image, dict), &keys);
			assert_int_equal(keys.kind, kinds[kind]);
		}
		assert_int_not_equal(kinds[0], kinds[1]);
		assert_int_not_equal(kinds[0], kinds[2]);
		assert_int_not_equal(kinds[1], kinds[2]);
	}
}

static void values_are_embedded_where_they_say_so(void **state)
{
	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t dict = given_dict(image, PY_IMAGE_SPLIT, 3);
		assert_false(begin(image, dict).embedded);
		assert_false(begin(image, given_dict(image, PY_IMAGE_COMBINED, 3)).embedded);
		if (!layout->f.values_embedded.present)
			continue;
		addr_t values = py_image_get(image, dict, layout->f.dict_values);
		py_image_set(image, values, layout->f.values_embedded, 1);
		assert_true(begin(image, dict).embedded);
		assert_int_equal(count_entries(image, dict), 3);
		// Values nobody can read are none of an instance.
		py_image_set(image, dict, layout->f.dict_values, 0x1234567890);
		assert_false(begin(image, dict).embedded);
		assert_int_equal(count_entries(image, dict), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_is_met_once_with_its_value),
		cmocka_unit_test(holes_are_passed_over),
		cmocka_unit_test(what_cannot_be_read_has_no_entries),
		cmocka_unit_test(a_hostile_size_ends_without_entries_that_are_not_there),
		cmocka_unit_test(a_walk_over_many_entries_ends_where_memory_does),
		cmocka_unit_test(a_search_ends_in_a_table_as_large_as_memory),
		cmocka_unit_test(a_table_of_impossible_size_has_no_entries_and_no_bytes),
		cmocka_unit_test(a_dict_owns_its_table_and_its_values),
		cmocka_unit_test(a_dict_whose_table_cannot_be_read_owns_nobody_knows_what),
		cmocka_unit_test(keys_are_met_without_their_dict),
		cmocka_unit_test(keys_that_cannot_be_read_are_none),
		cmocka_unit_test(the_rest_of_a_key_table_is_behind_its_entries),
		cmocka_unit_test(kinds_of_tables_are_told_apart),
		cmocka_unit_test(values_are_embedded_where_they_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
