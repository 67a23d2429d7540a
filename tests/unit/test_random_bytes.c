// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that is damaged at random: whatever is read, every walk ends, and under sanitizers none reads
// or writes what it must not. The seed is fixed, so a finding comes again.
#include "targets/cpython/scan/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "heap/counter.h"
#include "mem/malloc_heap.h"
#include "support/py_objects.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/string.h"
#include "targets/cpython/runtime.h"
#include "targets/cpython/scan/pymalloc.h"
#include "targets/cpython/scan/scan.h"

/** For each test; it has done enough then. */
static const uint64_t TIME_MAX_NS = 2000000000U;
/** No walk over the little there is takes longer, even under sanitizers on a busy machine. */
static const uint64_t WALK_MAX_NS = 10000000000U;

static uint64_t seed;

// splitmix64 of Sebastiano Vigna, public domain.
static uint64_t any(void)
{
	uint64_t x = seed += 0x9e3779b97f4a7c15U;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

static uint64_t any_below(uint64_t limit)
{
	return any() % limit;
}

// An address of the image, most often where something is.
static addr_t any_place(const struct py_image *image)
{
	switch (any_below(4)) {
	case 0:
		return image->statics.start + any_below(image->statics.next - image->statics.start);
	case 1:
		return image->heap.start + any_below(image->heap.top - image->heap.start + 64);
	default:
		return image->arena.start + any_below(image->arena.next - image->arena.start);
	}
}

// What stands in memory when something goes wrong.
static uint64_t any_word(const struct py_image *image)
{
	switch (any_below(8)) {
	case 0:
		return 0;
	case 1:
		return any_below(1000);
	case 2:
		return 1ULL << any_below(64);
	case 3:
		return -any_below(1000);
	case 4:
		return any();
	case 5:
		return image->type[any_below(IMAGE_INT2)];
	default:
		return any_place(image) & ~7UL;
	}
}

static void damage(const struct py_image *image)
{
	addr_t at = any_place(image) & ~7UL;

	if (any_below(4))
		*py_image_word(image, at) = any_word(image);
	else
		*(unsigned char *)py_image_at(image, at + any_below(8)) = (unsigned char)any();
}

static struct py_image *given_shop(enum py_era era)
{
	struct py_image *image = py_image_create(era);

	for (int i = 0; i < 8; i++) {
		addr_t type = py_image_class(image, "shop", "Cart", 48, PY_TYPE_GC);
		for (int j = 0; j < 8; j++)
			py_image_track_in(image, py_image_object(image, type, 48),
					  image->generation[j % 3]);
		struct py_image_item item = {py_image_str(image, "key"), type};
		py_image_track(image, py_image_dict(image, PY_IMAGE_COMBINED, &item, 1));
		if (image->permanent)
			py_image_track_in(image,
					  py_image_object(image, image->type[IMAGE_LIST], 40),
					  image->permanent);
	}
	return image;
}

static void walk(const struct py_image *image, enum target_effort effort)
{
	struct py_walk_context context = {
		.layout = &image->layout,
		.source = py_image_source(image),
		.thread_count = 1,
	};
	_cleanup_census_ struct census census = {0};
	struct target_verdict verdict;
	struct heap_sink *counter;
	uint64_t seed_before = seed, began = clock_now_ns();

	assert_null(counter_create(&counter));
	_cleanup_error_ struct error *error = py_walk(&context, counter, effort, &verdict);
	if (!error)
		assert_null(counter_census(counter, &census));
	heap_sink_destroy(counter);
	if (clock_now_ns() - began > WALK_MAX_NS)
		fail_msg("a walk took %llu ms with seed 0x%llx",
			 (unsigned long long)(clock_now_ns() - began) / 1000000,
			 (unsigned long long)seed_before);
	assert_true(error || verdict.consistent || verdict.reason[0]);
}

static void damaged_interpreters_are_walked_to_an_end(void **state)
{
	uint64_t began = clock_now_ns();

	seed = 4711;
	for (unsigned round = 0; round < 400 && clock_now_ns() - began < 4 * TIME_MAX_NS; round++) {
		_cleanup_py_image_ struct py_image *image = given_shop(round % PY_ERA_COUNT);
		for (uint64_t count = 1 + any_below(1ULL << any_below(10)); count > 0; count--)
			damage(image);
		for (enum target_effort effort = 0; effort <= TARGET_EFFORT_LAST; effort++)
			walk(image, effort);
		struct target_facts facts;
		mem_window_clear(image->window);
		struct error *error = py_runtime_facts(&image->layout, image->window, &facts);
		if (!error)
			target_facts_deinit(&facts);
		error_destroy(error);
	}
}

static void pools_of_random_bytes_have_blocks_within_themselves(void **state)
{
	enum { POOL_BYTES = 4096 };
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	const struct py_arenas arenas = {
		.pool_bytes = POOL_BYTES, .alignment_bytes = 16, .pool_overhead_bytes = 48};
	_cleanup_free_ unsigned char *bytes = malloc(POOL_BYTES);
	uint64_t began = clock_now_ns();

	seed = 4712;
	for (unsigned round = 0; round < 20000 && clock_now_ns() - began < TIME_MAX_NS; round++) {
		addr_t pool_at = 0x7f0000000000;
		const struct py_layout *layout = &image->layout;
		uint32_t size_class = (uint32_t)any_below(34), block = (size_class + 1) * 16;
		uint32_t small[] = {(uint32_t)any_below(300), size_class,
				    48 + (uint32_t)any_below(POOL_BYTES / block + 1) * block,
				    POOL_BYTES - block};
		const struct py_field fields[] = {layout->f.pool_count, layout->f.pool_szidx,
						  layout->f.pool_nextoffset,
						  layout->f.pool_maxnextoffset};
		struct py_pool pool;

		for (size_t i = 0; i < POOL_BYTES; i += 8) {
			uint64_t word =
				any_below(3) ? pool_at + 48 + any_below(256) * block : any();
			memcpy(bytes + i, &word, 8);
		}
		// Mostly a header that is almost right.
		for (size_t i = 0; i < 4; i++)
			if (any_below(16))
				memcpy(bytes + fields[i].offset, &small[i], 4);
		py_pool_parse(layout, &arenas, pool_at, bytes, &pool);
		assert_true(pool.block_count <= PY_POOL_BLOCKS_MAX);
		if (pool.block_count)
			assert_true(pool.first_block + pool.block_count * pool.block_bytes <=
				    POOL_BYTES);
	}
}

static volatile unsigned char read_sum;

static struct error *see(void *context, const struct malloc_block *block)
{
	const struct malloc_region *region = context;
	unsigned char sum = 0;

	assert_true(block->at >= region->start && block->at < region->end);
	assert_true(block->bytes <= region->end - block->at + 8);
	for (size_t i = 0; i < block->data_bytes; i++)
		sum ^= block->data[i];
	// So that all bytes are read.
	read_sum = sum;
	return NULL;
}

static void damaged_chains_of_malloc_are_walked_to_an_end(void **state)
{
	enum { BYTES = 64 << 10 };
	static unsigned char bytes[BYTES], buffer[MALLOC_WALK_BUFFER_BYTES];
	struct fake_source *fake = fake_source_create();
	uint64_t began = clock_now_ns();

	seed = 4713;
	fake_source_add(fake, 0x555500000000, bytes, BYTES);
	for (unsigned round = 0; round < 3000 && clock_now_ns() - began < TIME_MAX_NS; round++) {
		struct fake_heap heap;
		struct malloc_walk_result result;
		struct malloc_region region = {round % 8 ? MALLOC_REGION_HEAP
							 : MALLOC_REGION_MAPPED,
					       0x555500000000, 0x555500000000 + BYTES};
		struct malloc_regions regions = {.list = &region, .count = 1};
		fake_heap_init(&heap, region.start, bytes, BYTES, 0);
		for (int i = 0; i < 80; i++)
			fake_heap_add(&heap, any_below(600));
		for (uint64_t count = any_below(20); count > 0; count--) {
			uint64_t word = any_below(2) ? any() : any_below(BYTES);
			*fake_heap_word(&heap, region.start + any_below(BYTES / 8) * 8) =
				any_below(2) ? word : (word & ~15UL) | any_below(4);
		}
		assert_null(malloc_region_walk(fake_source_source(fake), &regions, &region, buffer,
					       see, &region, &result));
		assert_true(!result.broken ||
			    (result.broken_at >= region.start && result.broken_at <= region.end));
	}
	fake_source_destroy(fake);
}

static void blocks_of_random_words_are_scanned_within_themselves(void **state)
{
	uint64_t began = clock_now_ns();

	seed = 4714;
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = given_shop(era);
		struct heap_sink *counter;
		struct py_types *types;
		struct py_scan *scan;
		assert_null(counter_create(&counter));
		assert_null(py_types_create(&image->layout, &types));
		assert_null(py_scan_create(&image->layout, types, py_image_source(image), &scan));
		scan->sink = counter;
		for (unsigned round = 0;
		     round < 3000 && clock_now_ns() - began < (era + 1) * TIME_MAX_NS / 4;
		     round++) {
			// Of its own size, so that a sanitizer sees what lies behind it.
			size_t length = any_below(8) ? any_below(600) : any_below(3000);
			unsigned char *block = malloc(length ? length : 1);
			for (size_t i = 0; i + 8 <= length; i += 8) {
				uint64_t word = any_below(3) ? any_word(image) : any_below(4);
				memcpy(block + i, &word, 8);
			}
			py_scan_block(scan, block, length, 0x7e0000000000,
				      any_below(2) ? length : length + any_below(1 << 20),
				      any_below(4) == 0);
			free(block);
		}
		assert_null(py_scan_finish(scan));
		py_scan_destroy(scan);
		py_types_destroy(types);
		heap_sink_destroy(counter);
	}
}

static void strings_and_dicts_anywhere_are_read_to_an_end(void **state)
{
	uint64_t began = clock_now_ns();

	seed = 4715;
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = given_shop(era);
		const struct py_layout *layout = &image->layout;
		for (unsigned round = 0;
		     round < 2000 && clock_now_ns() - began < (era + 1) * TIME_MAX_NS / 4;
		     round++) {
			char text[64];
			addr_t at = any_place(image) & ~7UL;
			uint64_t owned;
			damage(image);
			mem_window_clear(image->window);
			py_string_read(layout, image->window, at, text, sizeof(text));
			assert_true(strlen(text) < sizeof(text));
			py_string_equals(layout, image->window, at, "__module__");
			py_dict_find(layout, image->window, at, "__module__");
			const void *dict = mem_window_at(image->window, at, 256);
			unsigned char copy[256];
			if (dict) {
				memcpy(copy, dict, sizeof(copy));
				py_dict_owned_bytes(layout, image->window, at, copy, &owned);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_interpreters_are_walked_to_an_end),
		cmocka_unit_test(pools_of_random_bytes_have_blocks_within_themselves),
		cmocka_unit_test(damaged_chains_of_malloc_are_walked_to_an_end),
		cmocka_unit_test(blocks_of_random_words_are_scanned_within_themselves),
		cmocka_unit_test(strings_and_dicts_anywhere_are_read_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
