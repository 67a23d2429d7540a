// SPDX-License-Identifier: GPL-3.0-or-later
// Words that are the address of an object: how many there are, and which of them count.
#include "targets/cpython/holders/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/py_graph.h"
#include "targets/cpython/scan/scan.h"

enum { FOUND_MAX = 16, MANY = 5000, ROUNDING_BYTES = 16, RAW_BYTES = 96 };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)
#define FOR_EACH_NEW_ERA(era) for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++)

struct found {
	addr_t at[FOUND_MAX];
	uint32_t object[FOUND_MAX];
	size_t count;
};

static void remember(void *context, addr_t word_at, uint32_t object)
{
	struct found *found = context;

	assert_true(found->count < FOUND_MAX);
	found->at[found->count] = word_at;
	found->object[found->count++] = object;
}

static void words_are_counted_and_told(void **state)
{
	static const addr_t objects[] = {0x5000, 0x1000, 0x9000};
	// The last one is cut off.
	static const addr_t data[] = {0x1000, 0, 0x9000, 0x1000, 0x1008, UINT64_MAX, 0x5000};
	struct py_words *words;
	struct found found = {0};

	assert_null(py_words_create(objects, ARRAY_COUNT(objects), &words));
	py_words_count(words, data, sizeof(data) - 1, 0x7000, remember, &found);
	assert_int_equal(py_words_total(words, 0), 0);
	assert_int_equal(py_words_total(words, 1), 2);
	assert_int_equal(py_words_total(words, 2), 1);
	assert_int_equal(found.count, 3);
	assert_int_equal(found.at[1], 0x7010);
	assert_int_equal(found.object[1], 2);
	assert_int_equal(found.at[2], 0x7018);
	assert_int_equal(found.object[2], 1);
	py_words_destroy(words);
	py_words_destroy(NULL);
}

static void what_is_taken_back_may_come_first_and_is_never_below_nothing(void **state)
{
	static const addr_t object = 0x5000;
	struct py_words *words;

	assert_null(py_words_create(&object, 1, &words));
	py_words_discount(words, &object, sizeof(object));
	assert_int_equal(py_words_total(words, 0), 0);
	for (int i = 0; i < 3; i++)
		py_words_count(words, &object, sizeof(object), 0, NULL, NULL);
	assert_int_equal(py_words_total(words, 0), 2);
	py_words_destroy(words);
}

static void any_number_of_objects_is_looked_for(void **state)
{
	static addr_t objects[MANY], data[2 * MANY];
	struct py_words *words;

	for (size_t i = 0; i < MANY; i++)
		objects[i] = 0x7f0000000000 + i * 48;
	for (size_t i = 0; i < 2 * MANY; i++)
		data[i] = 0x7f0000000000 + i * 24;
	assert_null(py_words_create(objects, MANY, &words));
	py_words_count(words, data, sizeof(data), 0, NULL, NULL);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(py_words_total(words, i), 1);
	py_words_destroy(words);
	assert_null(py_words_create(NULL, 0, &words));
	py_words_count(words, data, sizeof(data), 0, NULL, NULL);
	py_words_destroy(words);
}

/** A scan over an image that counts the words that are `object`. */
struct given {
	struct py_graph *graph;
	struct py_image *image;
	/** Made when first scanned. */
	struct heap *heap;
	struct py_types *types;
	struct py_scan *scan;
	struct py_words *words;
	addr_t object;
};

static void cleanup_given(struct given *given)
{
	py_scan_destroy(given->scan);
	py_types_destroy(given->types);
	py_words_destroy(given->words);
	heap_destroy(given->heap);
	py_graph_destroy(given->graph);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_scan(enum py_era era)
{
	struct given given = {.graph = py_graph_create(era)};

	given.image = given.graph->image;
	given.object = py_image_str(given.image, "object");
	assert_null(py_types_create(&given.image->layout, &given.types));
	assert_null(py_scan_create(&given.image->layout, given.types, py_image_source(given.image),
				   &given.scan));
	assert_null(py_words_create(&given.object, 1, &given.words));
	given.scan->mode = PY_SCAN_COUNT_WORDS;
	given.scan->words = given.words;
	given.scan->lowest_address = 0x1000;
	return given;
}

// The block at @a at, of which the scan gets @a data_bytes.
static void scan_block(struct given *given, addr_t at, size_t data_bytes, size_t bytes)
{
	struct target_verdict verdict;

	if (!given->heap)
		assert_null(py_graph_try_walk(given->graph, TARGET_EFFORT_FIRST, &verdict,
					      &given->heap));
	given->scan->words_heap = given->heap;
	py_scan_block(given->scan, data_bytes ? py_image_at(given->image, at) : NULL, data_bytes,
		      at, bytes, false);
}

static void scan_object(struct given *given, addr_t object, size_t bytes)
{
	addr_t type = py_image_get(given->image, object, given->image->layout.f.object_type);
	uint32_t presize = py_image_presize(given->image, type);

	scan_block(given, object - presize, presize + bytes, presize + bytes);
}

static void assert_total(const struct given *given, uint64_t total)
{
	uint64_t counted = py_words_total(given->words, 0);

	if (counted != total)
		fail_msg("%s: %zu words instead of %zu", py_era_name(given->image->era),
			 (size_t)counted, (size_t)total);
}

static void all_words_of_what_is_no_object_count(void **state)
{
	static const size_t at_hand[] = {RAW_BYTES, 16, 0};

	FOR_EACH_ERA(era)
	{
		for (size_t i = 0; i < ARRAY_COUNT(at_hand); i++) {
			_cleanup_given_ struct given given = given_scan(era);
			addr_t raw = py_image_alloc(given.image, RAW_BYTES);
			*py_image_word(given.image, raw) = given.object;
			*py_image_word(given.image, raw + RAW_BYTES - 8) = given.object;
			// Beyond what is at hand it is read.
			scan_block(&given, raw, at_hand[i], RAW_BYTES);
			assert_total(&given, 2);
		}
	}
}

static void words_of_an_object_count_without_the_rounding_behind_it(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		addr_t tuple = py_image_tuple(given.image, &given.object, 1);
		uint32_t bytes = given.image->layout.f.tuple_items.offset + 8;
		addr_t list = py_image_object(given.image, given.image->type[IMAGE_LIST], 56);
		scan_object(&given, tuple, bytes);
		assert_total(&given, 1);
		// What is behind is a guest's.
		*py_image_word(given.image, list + 40) = given.object;
		*py_image_word(given.image, list + 48) = given.object;
		scan_object(&given, list, 40 + ROUNDING_BYTES);
		assert_total(&given, 1);
	}
}

// The interpreter keeps tuples for later with what they had in them.
static void an_object_that_nobody_has_any_more_has_no_words(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		addr_t tuple = py_image_tuple(given.image, &given.object, 1);
		py_image_set(given.image, tuple, given.image->layout.f.object_refcnt, 0);
		scan_object(&given, tuple, given.image->layout.f.tuple_items.offset + 8);
		assert_total(&given, 0);
	}
}

static void text_and_bytes_have_no_words(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		addr_t bytes = py_image_object(given.image, given.image->type[IMAGE_BYTES], 80);
		py_image_set(given.image, bytes, given.image->layout.f.var_size, 40);
		*py_image_word(given.image, bytes + 48) = given.object;
		scan_object(&given, bytes, 80);
		assert_total(&given, 0);
	}
}

// given: a tuple that is half made, or was longer: more words than references.
static void words_that_are_no_references_of_a_known_object_do_not_count(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		uint32_t head = given.image->layout.f.tuple_items.offset;
		const addr_t items[] = {given.object, given.object, given.object};
		addr_t tuple = py_image_tuple(given.image, items, 3);
		*py_image_word(given.image, tuple + head + 16) = 0;
		scan_object(&given, tuple, head);
		assert_total(&given, 0);
		// Seen again by whoever counts words, when it is written.
		*py_image_word(given.image, tuple + head + 16) = given.object;
		scan_object(&given, tuple, head + 24);
		assert_total(&given, 2);
	}
}

static void what_is_behind_the_items_of_a_list_is_taken_back(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t items[10];
		for (size_t i = 0; i < 10; i++)
			items[i] = given.object;
		addr_t list = py_image_list(given.image, items, 10);
		addr_t items_at = py_image_get(given.image, list, layout->f.list_items);
		py_image_set(given.image, list, layout->f.var_size, 3);
		py_image_set(given.image, list, layout->f.list_allocated, 10);

		scan_object(&given, list, 40);
		assert_total(&given, 0);
		scan_block(&given, items_at, 80, 80);
		assert_total(&given, 3);
	}
}

static void an_impossible_rest_is_not_read(void **state)
{
	static const uint64_t hostile[] = {1ULL << 60, UINT64_MAX, 1ULL << 62};

	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t list = py_image_list(given.image, &given.object, 1);
		scan_object(&given, list, 40);
		size_t before = fake_source_read_count(given.image->fake);
		for (size_t i = 0; i < ARRAY_COUNT(hostile); i++) {
			py_image_set(given.image, list, layout->f.list_allocated, hostile[i]);
			scan_object(&given, list, 40);
			py_image_set(given.image, list, layout->f.var_size, hostile[i]);
			scan_object(&given, list, 40);
		}
		assert_true(fake_source_read_count(given.image->fake) - before < 100);
		// A rest that nothing is mapped at.
		py_image_set(given.image, list, layout->f.var_size, 0);
		py_image_set(given.image, list, layout->f.list_allocated, 1 << 20);
		py_image_set(given.image, list, layout->f.list_items, 0x1234567000);
		scan_object(&given, list, 40);
		assert_total(&given, 0);
	}
}

/** A dict with one entry in use and the object in the two that are not. */
static addr_t given_dict(struct given *given, enum py_image_dict kind)
{
	const struct py_layout *layout = &given->image->layout;
	const struct py_image_item items[] = {{given->object, given->object},
					      {given->object, given->object}};
	addr_t dict = py_image_dict(given->image, kind, items, 2);
	addr_t keys = py_image_dict_keys(given->image, dict);

	py_image_set(given->image, keys, layout->f.keys_nentries, 1);
	return dict;
}

static void scan_keys(struct given *given, addr_t dict)
{
	addr_t keys = py_image_dict_keys(given->image, dict);

	scan_block(given, keys, 160, 160);
}

static void what_is_behind_the_entries_of_a_dict_is_taken_back(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		for (enum py_image_dict kind = 0; kind < PY_IMAGE_SPLIT; kind++) {
			_cleanup_given_ struct given given = given_scan(era);
			addr_t dict = given_dict(&given, kind);
			scan_keys(&given, dict);
			assert_total(&given, 4);
			scan_object(&given, dict, 48);
			assert_total(&given, 2);
		}
	}
}

// Keys that instances share are their class's: no dict takes anything back of them.
static void shared_keys_are_taken_back_once(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t class = py_image_class(given.image, "shop", "Cart", 48, PY_TYPE_GC);
		addr_t dict = given_dict(&given, PY_IMAGE_SPLIT);
		py_image_set(given.image, class, layout->f.heaptype_cached_keys,
			     py_image_dict_keys(given.image, dict));

		scan_keys(&given, dict);
		scan_object(&given, dict, 48);
		assert_total(&given, 2);
		scan_object(&given, class, layout->size.heaptype);
		assert_total(&given, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_counted_and_told),
		cmocka_unit_test(what_is_taken_back_may_come_first_and_is_never_below_nothing),
		cmocka_unit_test(any_number_of_objects_is_looked_for),
		cmocka_unit_test(all_words_of_what_is_no_object_count),
		cmocka_unit_test(words_of_an_object_count_without_the_rounding_behind_it),
		cmocka_unit_test(an_object_that_nobody_has_any_more_has_no_words),
		cmocka_unit_test(text_and_bytes_have_no_words),
		cmocka_unit_test(words_that_are_no_references_of_a_known_object_do_not_count),
		cmocka_unit_test(what_is_behind_the_items_of_a_list_is_taken_back),
		cmocka_unit_test(an_impossible_rest_is_not_read),
		cmocka_unit_test(what_is_behind_the_entries_of_a_dict_is_taken_back),
		cmocka_unit_test(shared_keys_are_taken_back_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
