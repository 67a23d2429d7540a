// SPDX-License-Identifier: GPL-3.0-or-later
// The blocks of a chain of glibc's chunks, whole and damaged, in heaps that the test builds.
#include "mem/malloc_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "support/fake_heap.h"
#include "support/fake_source.h"

enum { HEAP_BYTES = 1 << 20, BLOCKS_MAX = 64, CHUNK_HEADER = 16 };
static const addr_t HEAP_AT = 0x555500000000;

/** A heap, its blocks as a walk tells them. */
struct given {
	struct fake_source *fake;
	struct fake_heap heap;
	struct malloc_region region;
	struct malloc_walk_result result;
	struct malloc_block seen[BLOCKS_MAX];
	uint64_t first_word[BLOCKS_MAX];
	size_t seen_count;
	/** Which visit fails; 0 for none. */
	size_t fail_at;
};

static int given_heap(void **state)
{
	struct given *given = calloc(1, sizeof(*given));

	given->fake = fake_source_create();
	fake_heap_init(&given->heap, HEAP_AT, malloc(HEAP_BYTES), HEAP_BYTES, 0);
	fake_source_add(given->fake, HEAP_AT, given->heap.bytes, HEAP_BYTES);
	given->region = (struct malloc_region){MALLOC_REGION_HEAP, HEAP_AT, HEAP_AT + HEAP_BYTES};
	*state = given;
	return 0;
}

static int drop_heap(void **state)
{
	struct given *given = *state;

	fake_source_destroy(given->fake);
	free(given->heap.bytes);
	free(given);
	return 0;
}

static struct error *see(void *context, const struct malloc_block *block)
{
	struct given *given = context;

	assert_true(given->seen_count < BLOCKS_MAX);
	assert_true(block->data_bytes <= block->bytes);
	assert_true(block->data_bytes >= MALLOC_BLOCK_DATA_MIN ||
		    block->data_bytes == block->bytes ||
		    block->at + block->data_bytes == given->region.end);
	memcpy(&given->first_word[given->seen_count], block->data, sizeof(uint64_t));
	given->seen[given->seen_count++] = *block;
	if (given->seen_count == given->fail_at)
		return error_create(ERROR_NO_MEMORY, "the test had enough");
	return NULL;
}

static struct error *walk_region(struct given *given)
{
	unsigned char *buffer = malloc(MALLOC_WALK_BUFFER_BYTES);

	given->seen_count = 0;
	struct malloc_regions regions = {.list = &given->region, .count = 1};
	struct error *error =
		malloc_region_walk(fake_source_source(given->fake), &regions, &given->region,
				   buffer, see, given, &given->result);
	free(buffer);
	return error;
}

static void walk(struct given *given)
{
	assert_null(walk_region(given));
	assert_int_equal(given->result.block_count, given->seen_count);
}

static void assert_saw(const struct given *given, const addr_t *blocks, size_t count)
{
	assert_int_equal(given->seen_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(given->seen[i].at, blocks[i]);
}

static void assert_broken_at(const struct given *given, addr_t at)
{
	assert_true(given->result.broken);
	assert_int_equal(given->result.broken_at, at);
	assert_int_equal(given->result.unseen_bytes, given->region.end - at);
}

static void set_chunk(const struct given *given, addr_t block, uint64_t size_word)
{
	*fake_heap_word(&given->heap, block - 8) = size_word;
}

static void every_block_of_a_chain_is_visited_and_the_top_chunk_is_not(void **state)
{
	struct given *given = *state;
	addr_t blocks[4];
	const size_t bytes[4] = {1, 24, 100, 5000};

	for (size_t i = 0; i < 4; i++) {
		blocks[i] = fake_heap_add(&given->heap, bytes[i]);
		*fake_heap_word(&given->heap, blocks[i]) = 1000 + i;
	}
	walk(given);

	assert_saw(given, blocks, 4);
	assert_false(given->result.broken);
	for (size_t i = 0; i < 4; i++) {
		assert_true(given->seen[i].bytes >= bytes[i]);
		assert_true(given->seen[i].bytes < bytes[i] + 32);
		assert_int_equal(given->first_word[i], 1000 + i);
		assert_false(given->seen[i].looks_freed);
	}
	assert_int_equal(given->seen[1].bytes, 24);
}

static void free_chunks_are_passed_over(void **state)
{
	struct given *given = *state;
	addr_t blocks[5];

	for (size_t i = 0; i < 5; i++)
		blocks[i] = fake_heap_add(&given->heap, 200);
	fake_heap_free(&given->heap, blocks[0]);
	fake_heap_free(&given->heap, blocks[3]);
	fake_heap_free(&given->heap, blocks[4]);
	walk(given);

	assert_saw(given, (addr_t[]){blocks[1], blocks[2]}, 2);
	assert_false(given->result.broken);
}

static void a_small_block_that_begins_with_a_link_looks_freed(void **state)
{
	struct given *given = *state;
	addr_t plain = fake_heap_add(&given->heap, 40), hidden = fake_heap_add(&given->heap, 40);
	addr_t last = fake_heap_add(&given->heap, 40), used = fake_heap_add(&given->heap, 40);
	addr_t large = fake_heap_add(&given->heap, 400);

	// Before glibc 2.32, since then, since then at a list's end, a block in use, a large one.
	*fake_heap_word(&given->heap, plain) = hidden - CHUNK_HEADER;
	*fake_heap_word(&given->heap, hidden) = (plain - CHUNK_HEADER) ^ hidden >> 12;
	*fake_heap_word(&given->heap, last) = last >> 12;
	*fake_heap_word(&given->heap, used) = 1;
	*fake_heap_word(&given->heap, large) = plain;
	walk(given);

	assert_int_equal(given->seen_count, 5);
	assert_true(given->seen[0].looks_freed);
	assert_true(given->seen[1].looks_freed);
	assert_true(given->seen[2].looks_freed);
	assert_false(given->seen[3].looks_freed);
	assert_false(given->seen[4].looks_freed);
}

// A thread's cache takes what the thread frees, of any heap.
static void a_block_in_a_threads_cache_links_to_any_heap(void **state)
{
	static const uint64_t key = 0xe58f217a89bf5a34;
	struct malloc_region heaps[] = {
		{MALLOC_REGION_HEAP, 0x555500000000, 0x555500100000},
		{MALLOC_REGION_MAPPED, 0x7f0000000000, 0x7f0000100000},
		{MALLOC_REGION_HEAP, 0x7f0004000000, 0x7f0004100000},
	};
	const struct malloc_regions regions = {.list = heaps, .count = 3};
	const addr_t at = 0x555500002010;
	const uint64_t hidden = at >> 12;

	assert_true(malloc_block_is_cached(&regions, at, 40, hidden, key));
	assert_true(malloc_block_is_cached(&regions, at, 40, hidden ^ 0x555500003040, key));
	assert_true(malloc_block_is_cached(&regions, at, 1032, hidden ^ 0x7f0004003040, key));
	// Before glibc 2.34 the key is where the cache is.
	assert_true(
		malloc_block_is_cached(&regions, at, 40, hidden ^ 0x7f0004003040, 0x7f0004000010));
	assert_false(malloc_block_is_cached(&regions, at, 40, hidden ^ 0x7f0004003048, key));
	assert_false(malloc_block_is_cached(&regions, at, 40, hidden ^ 0x7f0000003040, key));
	assert_false(malloc_block_is_cached(&regions, at, 40, hidden ^ 0x7f0004200000, key));
	assert_false(malloc_block_is_cached(&regions, at, 40, hidden, 0));
	assert_false(malloc_block_is_cached(&regions, at, 40, hidden, 0x7f0004080010));
	assert_false(malloc_block_is_cached(&regions, at, 1048, hidden, key));
}

static void blocks_larger_than_the_buffer_are_seen_by_their_beginning(void **state)
{
	struct given *given = *state;
	addr_t blocks[3];

	blocks[0] = fake_heap_add(&given->heap, 64);
	blocks[1] = fake_heap_add(&given->heap, MALLOC_WALK_BUFFER_BYTES + 12345);
	blocks[2] = fake_heap_add(&given->heap, 64);
	for (size_t i = 0; i < 3; i++)
		*fake_heap_word(&given->heap, blocks[i]) = 7 + i;
	walk(given);

	assert_saw(given, blocks, 3);
	assert_false(given->result.broken);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(given->first_word[i], 7 + i);
}

static void a_chain_may_begin_behind_the_headers_of_an_arena(void **state)
{
	struct given *given = *state;
	addr_t block;

	fake_heap_init(&given->heap, HEAP_AT, given->heap.bytes, HEAP_BYTES, 2240);
	for (size_t word = 0; word < 2240; word += 8)
		*fake_heap_word(&given->heap, HEAP_AT + word) = HEAP_AT + word;
	block = fake_heap_add(&given->heap, 64);
	walk(given);

	assert_saw(given, &block, 1);
}

static void a_chain_goes_on_behind_somebody_elses_sbrk(void **state)
{
	struct given *given = *state;
	addr_t before = fake_heap_add(&given->heap, 64);

	fake_heap_fence(&given->heap, 4096, 0xab);
	addr_t after = fake_heap_add(&given->heap, 64);
	walk(given);

	assert_saw(given, (addr_t[]){before, after}, 2);
	assert_false(given->result.broken);
}

static void a_chain_may_end_with_fenceposts(void **state)
{
	struct given *given = *state;
	addr_t before = fake_heap_add(&given->heap, 64);

	// 32 of what was the top chunk, 32 of fenceposts.
	fake_heap_fence(&given->heap, given->heap.end - given->heap.top - 64, 0);
	walk(given);

	assert_saw(given, &before, 1);
	assert_false(given->result.broken);
}

static void a_chain_that_breaks_tells_where(void **state)
{
	static const uint64_t nonsense[] = {
		0,          1,          8 | 1,       24 | 1,     40 | 1,
		UINT64_MAX, 1ULL << 63, 2 << 20 | 1, 64 | 2 | 1, ~(uint64_t)15 | 1,
	};

	for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
		given_heap(state);
		struct given *given = *state;
		addr_t blocks[40];
		for (size_t j = 0; j < 40; j++)
			blocks[j] = fake_heap_add(&given->heap, 56);
		set_chunk(given, blocks[35], nonsense[i]);
		walk(given);

		// The block before it ends nowhere, so nobody can tell whether it is in use.
		assert_saw(given, blocks, 34);
		assert_broken_at(given, blocks[35] - CHUNK_HEADER);
		drop_heap(state);
	}
}

static void a_chain_that_breaks_early_is_no_chain(void **state)
{
	struct given *given = *state;
	addr_t first = fake_heap_add(&given->heap, 64), second = fake_heap_add(&given->heap, 64);

	set_chunk(given, first, 3);
	set_chunk(given, second, 3);
	*fake_heap_word(&given->heap, given->heap.top + 8) = 3;
	walk(given);

	assert_int_equal(given->seen_count, 0);
	assert_broken_at(given, HEAP_AT);
}

static void memory_of_another_allocator_yields_no_blocks(void **state)
{
	struct given *given = *state;

	memset(given->heap.bytes, 0, HEAP_BYTES);
	walk(given);
	assert_int_equal(given->seen_count, 0);
	assert_broken_at(given, HEAP_AT);

	memset(given->heap.bytes, 0xff, HEAP_BYTES);
	walk(given);
	assert_int_equal(given->seen_count, 0);
	assert_broken_at(given, HEAP_AT);
}

static void a_heap_too_small_for_a_chunk_yields_no_blocks(void **state)
{
	struct given *given = *state;

	for (addr_t bytes = 0; bytes <= 64; bytes += 8) {
		memset(given->heap.bytes, 0, 64);
		given->region.end = HEAP_AT + bytes;
		walk(given);
		assert_int_equal(given->seen_count, 0);
	}
}

static void unreadable_memory_ends_as_a_broken_chain(void **state)
{
	struct given *given = *state;

	for (size_t i = 0; i < 40; i++)
		fake_heap_add(&given->heap, 20000);
	walk(given);
	assert_int_equal(given->seen_count, 40);
	fake_source_fail_nth(given->fake, 2, ERROR_FAULT);
	walk(given);

	assert_true(given->seen_count < 40);
	assert_true(given->result.broken);
	assert_true(given->result.unseen_bytes > 0);
}

static void any_read_that_ends_the_process_ends_the_walk(void **state)
{
	struct given *given = *state;

	for (size_t i = 0; i < 40; i++)
		fake_heap_add(&given->heap, 20000);
	walk(given);
	size_t reads = fake_source_read_count(given->fake);
	for (size_t nth = 1; nth <= reads; nth++) {
		fake_source_fail_nth(given->fake, nth, ERROR_GONE);
		struct error *error = walk_region(given);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_GONE);
		error_destroy(error);
		fake_source_fail_nth(given->fake, 0, ERROR_GONE);
	}
}

static void a_failing_visit_ends_the_walk(void **state)
{
	struct given *given = *state;

	for (size_t i = 0; i < 5; i++)
		fake_heap_add(&given->heap, 64);
	given->fail_at = 3;
	struct error *error = walk_region(given);

	assert_int_equal(error->code, ERROR_NO_MEMORY);
	assert_int_equal(given->seen_count, 3);
	error_destroy(error);
}

#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, given_heap, drop_heap)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HEAP(every_block_of_a_chain_is_visited_and_the_top_chunk_is_not),
		WITH_HEAP(free_chunks_are_passed_over),
		WITH_HEAP(a_small_block_that_begins_with_a_link_looks_freed),
		cmocka_unit_test(a_block_in_a_threads_cache_links_to_any_heap),
		WITH_HEAP(blocks_larger_than_the_buffer_are_seen_by_their_beginning),
		WITH_HEAP(a_chain_may_begin_behind_the_headers_of_an_arena),
		WITH_HEAP(a_chain_goes_on_behind_somebody_elses_sbrk),
		WITH_HEAP(a_chain_may_end_with_fenceposts),
		cmocka_unit_test(a_chain_that_breaks_tells_where),
		WITH_HEAP(a_chain_that_breaks_early_is_no_chain),
		WITH_HEAP(memory_of_another_allocator_yields_no_blocks),
		WITH_HEAP(a_heap_too_small_for_a_chunk_yields_no_blocks),
		WITH_HEAP(unreadable_memory_ends_as_a_broken_chain),
		WITH_HEAP(any_read_that_ends_the_process_ends_the_walk),
		WITH_HEAP(a_failing_visit_ends_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
