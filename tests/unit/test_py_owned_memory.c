// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that objects have beside themselves: which of its words count.
#include "targets/cpython/holders/owned_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/py_graph.h"
#include "targets/cpython/memory.h"
#include "targets/cpython/scan/blocks.h"

enum { WORD = sizeof(addr_t), PER_BLOCK = 4, DEQUE_BLOCK_WORDS = PER_BLOCK + 2, DEQUE_BYTES = 240 };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

/** A scan over an image that counts the words that are `object`. */
struct given {
	struct py_graph *graph;
	struct py_image *image;
	struct py_memory memory;
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
	py_memory_deinit(&given->memory);
	py_graph_destroy(given->graph);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_image(enum py_era era)
{
	struct given given = {.graph = py_graph_create(era)};

	given.image = given.graph->image;
	given.object = py_image_str(given.image, "object");
	return given;
}

// What was made until now is what the scan knows.
static void begin(struct given *given)
{
	struct py_image *image = given->image;
	struct target_verdict verdict;

	assert_null(py_graph_try_walk(given->graph, TARGET_EFFORT_FIRST, &verdict, &given->heap));
	assert_null(py_memory_read_state(&image->layout, image->window, &given->memory));
	assert_null(py_memory_find(&image->layout, image->window, py_image_source(image),
				   &given->memory));
	assert_null(py_types_create(&image->layout, &given->types));
	assert_null(
		py_scan_create(&image->layout, given->types, py_image_source(image), &given->scan));
	assert_null(py_words_create(&given->object, 1, &given->words));
	given->scan->mode = PY_SCAN_COUNT_WORDS;
	given->scan->words = given->words;
	given->scan->words_heap = given->heap;
	given->scan->arenas = &given->memory.arenas;
	given->scan->regions = &given->memory.regions;
	given->scan->lowest_address = given->memory.lowest_address;
}

static addr_t block_end(const struct given *given, addr_t at)
{
	const struct py_blocks blocks = {&given->image->layout, given->image->window,
					 &given->memory.arenas, &given->memory.regions};

	return py_block_end(&blocks, at);
}

static void scan_block(struct given *given, addr_t at)
{
	size_t bytes = (size_t)(block_end(given, at) - at);

	assert_true(bytes > 0 && bytes < 4096);
	py_scan_block(given->scan, py_image_at(given->image, at), bytes, at, bytes, false);
}

static void scan_object(struct given *given, addr_t object)
{
	addr_t type = py_image_get(given->image, object, given->image->layout.f.object_type);

	scan_block(given, object - py_image_presize(given->image, type));
}

static void assert_total(const struct given *given, uint64_t total)
{
	uint64_t counted = py_words_total(given->words, 0);

	if (counted != total)
		fail_msg("%s: %zu words instead of %zu", py_era_name(given->image->era),
			 (size_t)counted, (size_t)total);
}

static void fill(const struct given *given, addr_t at, size_t words)
{
	for (size_t i = 0; i < words; i++)
		*py_image_word(given->image, at + i * WORD) = given->object;
}

static void a_block_ends_where_its_allocator_says(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		addr_t small = py_image_alloc(given.image, 40), large;
		uint32_t align = given.image->alignment_bytes;
		large = py_image_alloc(given.image, 1000);
		begin(&given);

		assert_int_equal(block_end(&given, small),
				 small + (40 + align - 1) / align * align);
		assert_int_equal(block_end(&given, large), large + 1000);
		assert_int_equal(block_end(&given, small + WORD), 0);
		assert_int_equal(block_end(&given, given.image->interpreter), 0);
		assert_int_equal(block_end(&given, 0), 0);
		// What was asked for is told by debug hooks.
		*py_image_word(given.image, large) = __builtin_bswap64(33);
		*py_image_word(given.image, large + WORD) = 0xfdfdfdfdfdfdfd00U | 'r';
		mem_window_clear(given.image->window);
		assert_int_equal(block_end(&given, large + 2 * WORD), large + 2 * WORD + 33);
	}
}

static void the_rounding_behind_items_is_taken_back(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		const addr_t items[3] = {given.object, given.object, given.object};
		addr_t list = py_image_list(given.image, items, 3);
		addr_t items_at = py_image_alloc(given.image, 1000);
		// All that there was room for is in use; the block has more.
		fill(&given, items_at, 125);
		py_image_set(given.image, list, layout->f.list_items, items_at);
		py_image_set(given.image, list, layout->f.list_allocated, 3);
		begin(&given);
		scan_block(&given, items_at);
		scan_object(&given, list);
		assert_total(&given, 3);
	}
}

static void an_array_with_a_type_in_it_is_no_object(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		addr_t array = py_image_alloc(given.image, 6 * WORD);
		fill(&given, array, 6);
		*py_image_word(given.image, array + WORD) = given.image->type[IMAGE_STR];
		begin(&given);
		scan_block(&given, array);
		assert_total(&given, 5);
	}
}

static void the_links_of_the_collector_own_nothing(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		addr_t list = py_image_list(given.image, &given.object, 1);
		addr_t items = py_image_get(given.image, list, given.image->layout.f.list_items);
		// Before 3.8 a word of them is never written.
		if (given.image->layout.size.gc_head > 3 * WORD)
			*py_image_word(given.image, py_image_head(given.image, list) + 3 * WORD) =
				given.object;
		begin(&given);
		scan_object(&given, list);
		scan_block(&given, items);
		assert_total(&given, 1);
	}
}

static void give_deque_layout(struct py_layout *layout)
{
	uint32_t left = layout->f.var_size.offset + WORD;

	layout->f.deque_leftblock =
		(struct py_field){.offset = left, .size = WORD, .present = true};
	layout->f.deque_leftindex =
		(struct py_field){.offset = left + WORD, .size = WORD, .present = true};
	layout->f.deque_len = (struct py_field){
		.offset = layout->f.var_size.offset, .size = WORD, .present = true};
	layout->f.deque_block_data = (struct py_field){.offset = WORD,
						       .size = PER_BLOCK * WORD,
						       .element_count = PER_BLOCK,
						       .present = true};
	layout->f.deque_block_rightlink =
		(struct py_field){.offset = (PER_BLOCK + 1) * WORD, .size = WORD, .present = true};
	layout->f.deque_free_count =
		(struct py_field){.offset = left + 2 * WORD, .size = WORD, .present = true};
	layout->f.deque_free_blocks = (struct py_field){
		.offset = left + 3 * WORD, .size = 2 * WORD, .element_count = 2, .present = true};
}

static addr_t given_deque_block(struct given *given, addr_t next)
{
	addr_t block = py_image_alloc(given->image, DEQUE_BLOCK_WORDS * WORD);

	fill(given, block, DEQUE_BLOCK_WORDS);
	*py_image_word(given->image, block) = 0;
	*py_image_word(given->image, block + (PER_BLOCK + 1) * WORD) = next;
	return block;
}

// A deque with @a length items from number @a left of its first block on, and a block for later.
static void check_deque(enum py_era era, uint64_t left, uint64_t length, uint64_t total)
{
	_cleanup_given_ struct given given = given_image(era);
	struct py_layout *layout = &given.image->layout;

	give_deque_layout(layout);
	addr_t deque = py_image_object(given.image, given.image->type[IMAGE_DEQUE], DEQUE_BYTES);
	addr_t last = given_deque_block(&given, given.object), later = given_deque_block(&given, 0);
	addr_t first = left + length > PER_BLOCK ? given_deque_block(&given, last) : last;
	py_image_set(given.image, deque, layout->f.deque_leftblock, first);
	py_image_set(given.image, deque, layout->f.deque_leftindex, left);
	py_image_set(given.image, deque, layout->f.deque_len, length);
	py_image_set(given.image, deque, layout->f.deque_free_count, 1);
	*py_image_word(given.image, deque + layout->f.deque_free_blocks.offset) = later;
	begin(&given);
	scan_object(&given, deque);
	scan_block(&given, last);
	scan_block(&given, later);
	if (first != last)
		scan_block(&given, first);
	assert_total(&given, total);
}

static void a_deque_has_its_items_alone(void **state)
{
	FOR_EACH_ERA(era)
	{
		check_deque(era, 2, 0, 0);
		check_deque(era, 1, 2, 2);
		check_deque(era, 0, PER_BLOCK, PER_BLOCK);
		check_deque(era, 3, 3, 3);
	}
}

// given: a block of a deque whose beginning was not written since an object of its size died there.
static void what_looks_dead_and_has_an_owner_is_what_the_owner_says(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		struct py_layout *layout = &given.image->layout;
		addr_t type = py_image_static_type(given.image, "shop.Dead",
						   DEQUE_BLOCK_WORDS * WORD, 0, 0);
		give_deque_layout(layout);
		addr_t deque =
			py_image_object(given.image, given.image->type[IMAGE_DEQUE], DEQUE_BYTES);
		addr_t block = given_deque_block(&given, 0);
		*py_image_word(given.image, block + layout->f.object_refcnt.offset) = 0;
		*py_image_word(given.image, block + layout->f.object_type.offset) = type;
		py_image_set(given.image, deque, layout->f.deque_leftblock, block);
		py_image_set(given.image, deque, layout->f.deque_leftindex, 2);
		py_image_set(given.image, deque, layout->f.deque_len, 2);
		begin(&given);
		scan_block(&given, block);
		assert_total(&given, 0);
		scan_object(&given, deque);
		assert_total(&given, 2);
	}
}

static void what_is_kept_for_later_has_no_words(void **state)
{
	FOR_EACH_ERA(era)
	{
		for (uint64_t kept = 0; kept < 3; kept++) {
			_cleanup_given_ struct given given = given_image(era);
			struct py_layout *layout = &given.image->layout;
			addr_t array = py_image_alloc_static(given.image, 3 * WORD);
			addr_t count = py_image_alloc_static(given.image, WORD);
			addr_t block[2];
			for (int i = 0; i < 2; i++) {
				block[i] = py_image_alloc(given.image, 64);
				fill(&given, block[i], 8);
				*py_image_word(given.image, array + i * WORD) = block[i];
			}
			*py_image_word(given.image, count) = kept;
			layout->var.free_keys = array;
			layout->var_size.free_keys = 3 * WORD;
			layout->var.free_keys_count = count;
			layout->var_size.free_keys_count = sizeof(int);
			begin(&given);
			scan_block(&given, block[0]);
			scan_block(&given, block[1]);
			py_unused_kept(given.scan, &given.memory.interpreters);
			assert_total(&given, 16 - 8 * kept);
			// Below 0: all was given back.
			*py_image_word(given.image, count) = UINT32_MAX;
			mem_window_clear(given.scan->window);
			py_unused_kept(given.scan, &given.memory.interpreters);
			assert_total(&given, 16 - 8 * kept);
		}
	}
}

static void a_lock_of_the_library_owns_no_objects(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		struct py_layout *layout = &given.image->layout;
		layout->f.lock_handle =
			(struct py_field){.offset = 2 * WORD, .size = WORD, .present = true};
		addr_t type = py_image_static_type(given.image, "_thread.lock", 4 * WORD, 0, 0);
		addr_t lock = py_image_object(given.image, type, 4 * WORD);
		addr_t handle = py_image_alloc(given.image, 4 * WORD);
		fill(&given, handle + 2 * WORD, 2);
		*py_image_word(given.image, lock + 2 * WORD) = handle;
		begin(&given);
		scan_block(&given, handle);
		scan_object(&given, lock);
		assert_total(&given, 0);
	}
}

// given: an instance of 3.11 or 3.12 with one attribute of its class's two.
static void before_and_behind_the_values_of_an_instance_is_nothing(void **state)
{
	for (enum py_era era = PY_ERA_311; era <= PY_ERA_312; era++) {
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		const struct py_image_item items[] = {{given.object, given.object},
						      {given.object, given.object}};
		addr_t dict = py_image_dict(given.image, PY_IMAGE_SPLIT, items, 2);
		addr_t values = py_image_alloc(given.image, 8 * WORD);
		fill(&given, values, 8);
		// The order of up to six values takes a word.
		*(unsigned char *)py_image_at(given.image, values + WORD - 1) = WORD;
		py_image_set(given.image, dict, layout->f.dict_values, values + WORD);
		begin(&given);
		scan_block(&given, values);
		assert_total(&given, 7);
		scan_object(&given, dict);
		assert_total(&given, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_ends_where_its_allocator_says),
		cmocka_unit_test(the_rounding_behind_items_is_taken_back),
		cmocka_unit_test(an_array_with_a_type_in_it_is_no_object),
		cmocka_unit_test(the_links_of_the_collector_own_nothing),
		cmocka_unit_test(a_deque_has_its_items_alone),
		cmocka_unit_test(what_looks_dead_and_has_an_owner_is_what_the_owner_says),
		cmocka_unit_test(what_is_kept_for_later_has_no_words),
		cmocka_unit_test(a_lock_of_the_library_owns_no_objects),
		cmocka_unit_test(before_and_behind_the_values_of_an_instance_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
