// SPDX-License-Identifier: GPL-3.0-or-later
// Where malloc's blocks may be, and the chunks that have a mapping of their own.
#include "mem/malloc_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "support/fake_heap.h"
#include "support/fake_source.h"

enum { PAGE = 4096, BLOCKS_MAX = 16, MEMORY_BYTES = 1 << 20 };
static const addr_t MEMORY_AT = 0x7f5500000000;

struct given {
	struct fake_source *fake;
	struct maps maps;
	struct malloc_regions regions;
	unsigned char *memory;
	struct malloc_block seen[BLOCKS_MAX];
	size_t seen_count;
	struct malloc_walk_result result;
};

static int given_memory(void **state)
{
	struct given *given = calloc(1, sizeof(*given));

	given->fake = fake_source_create();
	given->memory = calloc(1, MEMORY_BYTES);
	*state = given;
	return 0;
}

static int drop_memory(void **state)
{
	struct given *given = *state;

	malloc_regions_deinit(&given->regions);
	maps_deinit(&given->maps);
	fake_source_destroy(given->fake);
	free(given->memory);
	free(given);
	return 0;
}

static void find_regions(struct given *given, const char *maps,
			 const struct malloc_excluded *excluded, size_t excluded_count)
{
	malloc_regions_deinit(&given->regions);
	maps_deinit(&given->maps);
	assert_null(maps_parse(maps, strlen(maps), &given->maps));
	assert_null(malloc_regions_find(fake_source_source(given->fake), &given->maps, excluded,
					excluded_count, &given->regions));
}

static void assert_regions(const struct given *given, const struct malloc_region *expected,
			   size_t count)
{
	assert_int_equal(given->regions.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(given->regions.list[i].kind, expected[i].kind);
		assert_int_equal(given->regions.list[i].start, expected[i].start);
		assert_int_equal(given->regions.list[i].end, expected[i].end);
	}
}

static struct error *see(void *context, const struct malloc_block *block)
{
	struct given *given = context;

	assert_true(given->seen_count < BLOCKS_MAX);
	given->seen[given->seen_count++] = *block;
	return NULL;
}

static struct error *walk_pages(struct given *given, size_t bytes)
{
	struct malloc_region region = {MALLOC_REGION_MAPPED, MEMORY_AT, MEMORY_AT + bytes};
	unsigned char *buffer = malloc(MALLOC_WALK_BUFFER_BYTES);

	given->seen_count = 0;
	struct malloc_regions regions = {.list = &region, .count = 1};
	struct error *error = malloc_region_walk(fake_source_source(given->fake), &regions, &region,
						 buffer, see, given, &given->result);
	free(buffer);
	return error;
}

static void put_mapped_chunk(const struct given *given, size_t page, uint64_t before,
			     uint64_t size_word)
{
	memcpy(given->memory + page * PAGE, &before, 8);
	memcpy(given->memory + page * PAGE + 8, &size_word, 8);
}

static void blocks_may_be_in_the_heap_and_in_anonymous_memory_one_can_write(void **state)
{
	struct given *given = *state;

	find_regions(given,
		     "10000-20000 r-xp 00000000 08:01 5 /usr/bin/python3\n"
		     "20000-30000 rw-p 00010000 08:01 5 /usr/bin/python3\n"
		     "30000-40000 rw-p 00000000 00:00 0 [heap]\n"
		     "50000-60000 rw-p 00000000 00:00 0 \n"
		     "60000-70000 r--p 00000000 00:00 0 \n"
		     "70000-80000 ---p 00000000 00:00 0 \n"
		     "80000-90000 rw-s 00000000 00:00 0 \n"
		     "90000-a0000 rw-p 00000000 00:00 0 [stack]\n",
		     NULL, 0);

	assert_regions(given,
		       (struct malloc_region[]){{MALLOC_REGION_HEAP, 0x30000, 0x40000},
						{MALLOC_REGION_MAPPED, 0x50000, 0x60000},
						{MALLOC_REGION_MAPPED, 0x90000, 0xa0000}},
		       3);
}

static void what_is_known_to_be_something_else_is_left_out(void **state)
{
	struct given *given = *state;
	static const struct malloc_excluded excluded[] = {
		{0x10000, 0x14000}, // at the beginning
		{0x18000, 0x19000}, // within
		{0x1f000, 0x24000}, // over the end, into what is not mapped and the next one
		{0x30000, 0x40000}, // all of one
		{0x4f000, 0x61000}, // from before one to behind it
		{0x90000, 0x91000}, // nowhere
	};

	find_regions(given,
		     "10000-20000 rw-p 00000000 00:00 0 \n"
		     "22000-28000 rw-p 00000000 00:00 0 \n"
		     "30000-40000 rw-p 00000000 00:00 0 \n"
		     "50000-60000 rw-p 00000000 00:00 0 \n"
		     "60000-70000 rw-p 00000000 00:00 0 \n"
		     "80000-90000 rw-p 00000000 00:00 0 \n",
		     excluded, ARRAY_COUNT(excluded));

	assert_regions(given,
		       (struct malloc_region[]){{MALLOC_REGION_MAPPED, 0x14000, 0x18000},
						{MALLOC_REGION_MAPPED, 0x19000, 0x1f000},
						{MALLOC_REGION_MAPPED, 0x24000, 0x28000},
						{MALLOC_REGION_MAPPED, 0x61000, 0x70000},
						{MALLOC_REGION_MAPPED, 0x80000, 0x90000}},
		       5);
}

static void the_heap_of_a_thread_is_told_by_its_place_and_its_arena(void **state)
{
	struct given *given = *state;
	const addr_t aligned = 0x7f5400000000, other = aligned + (64 << 20);
	uint64_t heap[3] = {aligned + 0x30, 0, 0x21000}, no_heap[3] = {17, 0, 0x21000};
	char maps[200];

	fake_source_add(given->fake, aligned, heap, sizeof(heap));
	fake_source_add(given->fake, other, no_heap, sizeof(no_heap));
	snprintf(maps, sizeof(maps),
		 "%llx-%llx rw-p 00000000 00:00 0 \n%llx-%llx rw-p 00000000 00:00 0 \n",
		 (unsigned long long)aligned, (unsigned long long)aligned + 0x21000,
		 (unsigned long long)other, (unsigned long long)other + 0x21000);
	find_regions(given, maps, NULL, 0);

	assert_regions(given,
		       (struct malloc_region[]){{MALLOC_REGION_HEAP, aligned, aligned + 0x21000},
						{MALLOC_REGION_MAPPED, other, other + 0x21000}},
		       2);
}

static void a_number_is_no_arena(void **state)
{
	struct given *given = *state;
	const addr_t aligned = 0x7f5400000000, elsewhere = aligned + (64 << 20);
	// Small, or where nothing is mapped that begins with the arena's heap.
	const uint64_t arenas[] = {0x40, 0x7f1000000030, elsewhere + 0x30};
	char maps[200];

	snprintf(maps, sizeof(maps),
		 "%llx-%llx rw-p 00000000 00:00 0 \n%llx-%llx r--p 00000000 00:00 0 \n",
		 (unsigned long long)aligned, (unsigned long long)aligned + 0x2000,
		 (unsigned long long)elsewhere, (unsigned long long)elsewhere + 0x1000);
	for (size_t i = 0; i < ARRAY_COUNT(arenas); i++) {
		uint64_t words[3] = {arenas[i], 0, 0x2000};
		fake_source_add(given->fake, aligned, words, sizeof(words));
		find_regions(given, maps, NULL, 0);
		assert_regions(
			given,
			(struct malloc_region[]){{MALLOC_REGION_MAPPED, aligned, aligned + 0x2000}},
			1);
	}
}

static void the_heap_of_a_thread_ends_where_it_gave_memory_back(void **state)
{
	struct given *given = *state;
	const addr_t shrunk = 0x7f5400000000, damaged = shrunk + (64 << 20);
	uint64_t heap[3] = {shrunk + 0x30, 0, 0x1f000};
	uint64_t impossible[3] = {damaged + 0x30, 0, 0x22000};
	char maps[200];

	fake_source_add(given->fake, shrunk, heap, sizeof(heap));
	fake_source_add(given->fake, damaged, impossible, sizeof(impossible));
	snprintf(maps, sizeof(maps),
		 "%llx-%llx rw-p 00000000 00:00 0 \n%llx-%llx rw-p 00000000 00:00 0 \n",
		 (unsigned long long)shrunk, (unsigned long long)shrunk + 0x21000,
		 (unsigned long long)damaged, (unsigned long long)damaged + 0x21000);
	find_regions(given, maps, NULL, 0);

	assert_regions(given,
		       (struct malloc_region[]){{MALLOC_REGION_HEAP, shrunk, shrunk + 0x1f000},
						{MALLOC_REGION_HEAP, damaged, damaged + 0x21000}},
		       2);
}

static void an_aligned_mapping_that_cannot_be_read_is_no_heap(void **state)
{
	struct given *given = *state;

	find_regions(given, "7f5400000000-7f5400021000 rw-p 00000000 00:00 0 \n", NULL, 0);
	assert_int_equal(given->regions.count, 1);
	assert_int_equal(given->regions.list[0].kind, MALLOC_REGION_MAPPED);
}

static void a_chunk_with_a_mapping_of_its_own_is_found_among_pages(void **state)
{
	struct given *given = *state;
	uint64_t first_word = 4711;

	fake_source_add(given->fake, MEMORY_AT, given->memory, MEMORY_BYTES);
	put_mapped_chunk(given, 3, 0, 5 * PAGE | 2);
	put_mapped_chunk(given, 8, 0, 64 * PAGE | 2);
	memcpy(given->memory + 8 * PAGE + 16, &first_word, 8);
	assert_null(walk_pages(given, MEMORY_BYTES));

	assert_int_equal(given->seen_count, 2);
	assert_int_equal(given->seen[0].at, MEMORY_AT + 3 * PAGE + 16);
	assert_int_equal(given->seen[0].bytes, 5 * PAGE - 16);
	assert_int_equal(given->seen[1].at, MEMORY_AT + 8 * PAGE + 16);
	assert_int_equal(given->seen[1].bytes, 64 * PAGE - 16);
	assert_false(given->result.broken);
}

static void what_stands_within_a_chunk_is_no_chunk(void **state)
{
	struct given *given = *state;

	fake_source_add(given->fake, MEMORY_AT, given->memory, MEMORY_BYTES);
	put_mapped_chunk(given, 0, 0, 5 * PAGE | 2);
	put_mapped_chunk(given, 2, 0, 2 * PAGE | 2);
	assert_null(walk_pages(given, MEMORY_BYTES));
	assert_int_equal(given->seen_count, 1);
}

static void pages_that_only_look_a_little_like_a_chunk_are_none(void **state)
{
	struct given *given = *state;

	fake_source_add(given->fake, MEMORY_AT, given->memory, MEMORY_BYTES);
	put_mapped_chunk(given, 1, 8, PAGE | 2);
	put_mapped_chunk(given, 2, 0, PAGE | 3);
	put_mapped_chunk(given, 3, 0, PAGE);
	put_mapped_chunk(given, 4, 0, 2);
	put_mapped_chunk(given, 5, 0, (PAGE + 16) | 2);
	put_mapped_chunk(given, 6, 0, ~(uint64_t)(PAGE - 1) | 2);
	put_mapped_chunk(given, 7, 0, (MEMORY_BYTES - 6 * PAGE) | 2);
	assert_null(walk_pages(given, MEMORY_BYTES));
	assert_int_equal(given->seen_count, 0);
	assert_false(given->result.broken);
}

static void pages_never_touched_are_not_read(void **state)
{
	struct given *given = *state;

	// 200 pages of which two pieces hold anything.
	fake_source_add(given->fake, MEMORY_AT, given->memory, 2 * PAGE);
	fake_source_add(given->fake, MEMORY_AT + 40 * PAGE, given->memory + 40 * PAGE, 2 * PAGE);
	put_mapped_chunk(given, 40, 0, 64 * PAGE | 2);
	assert_null(walk_pages(given, 200 * PAGE));

	assert_int_equal(given->seen_count, 1);
	assert_int_equal(given->seen[0].at, MEMORY_AT + 40 * PAGE + 16);
	assert_true(fake_source_read_count(given->fake) < 20);
}

static void any_read_that_ends_the_process_ends_the_search(void **state)
{
	struct given *given = *state;

	fake_source_add(given->fake, MEMORY_AT, given->memory, MEMORY_BYTES);
	put_mapped_chunk(given, 3, 0, 5 * PAGE | 2);
	put_mapped_chunk(given, 20, 0, 5 * PAGE | 2);
	assert_null(walk_pages(given, 32 * PAGE));
	size_t reads = fake_source_read_count(given->fake);
	for (size_t nth = 1; nth <= reads; nth++) {
		fake_source_fail_nth(given->fake, nth, ERROR_GONE);
		struct error *error = walk_pages(given, 32 * PAGE);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_GONE);
		error_destroy(error);
		fake_source_fail_nth(given->fake, 0, ERROR_GONE);
	}
}

static void a_header_that_cannot_be_read_is_no_chunk(void **state)
{
	struct given *given = *state;

	fake_source_add(given->fake, MEMORY_AT, given->memory, MEMORY_BYTES);
	put_mapped_chunk(given, 3, 0, 5 * PAGE | 2);
	put_mapped_chunk(given, 20, 0, 5 * PAGE | 2);
	// The first look finds what is resident, the fifth reads page 3.
	fake_source_fail_nth(given->fake, 5, ERROR_FAULT);
	assert_null(walk_pages(given, 32 * PAGE));
	assert_int_equal(given->seen_count, 1);
	assert_int_equal(given->seen[0].at, MEMORY_AT + 20 * PAGE + 16);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, given_memory, drop_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(blocks_may_be_in_the_heap_and_in_anonymous_memory_one_can_write),
		WITH_MEMORY(what_is_known_to_be_something_else_is_left_out),
		WITH_MEMORY(the_heap_of_a_thread_is_told_by_its_place_and_its_arena),
		WITH_MEMORY(a_number_is_no_arena),
		WITH_MEMORY(the_heap_of_a_thread_ends_where_it_gave_memory_back),
		WITH_MEMORY(an_aligned_mapping_that_cannot_be_read_is_no_heap),
		WITH_MEMORY(a_chunk_with_a_mapping_of_its_own_is_found_among_pages),
		WITH_MEMORY(what_stands_within_a_chunk_is_no_chunk),
		WITH_MEMORY(pages_that_only_look_a_little_like_a_chunk_are_none),
		WITH_MEMORY(pages_never_touched_are_not_read),
		WITH_MEMORY(any_read_that_ends_the_process_ends_the_search),
		WITH_MEMORY(a_header_that_cannot_be_read_is_no_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
