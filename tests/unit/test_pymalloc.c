// SPDX-License-Identifier: GPL-3.0-or-later
// Arenas and pools of pymalloc: their sizes learnt, their free lists followed, their damage told.
#include "targets/cpython/scan/pymalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/py_objects.h"

enum { BLOCK_BYTES = 48, BLOCKS = 10 };

/** A pool of blocks of one size, and the arenas as they were read. */
struct given {
	struct py_image *image;
	struct py_arenas arenas;
	addr_t block[BLOCKS];
	addr_t pool_at;
	struct py_pool pool;
};

static void cleanup_given(struct given *given)
{
	py_arenas_deinit(&given->arenas);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct error *read_arenas(struct given *given)
{
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	const struct py_layout *layout = &given->image->layout;

	mem_window_clear(given->image->window);
	py_arenas_deinit(&given->arenas);
	assert_null(py_interpreters_read(layout, given->image->window, &interpreters));
	return py_arenas_read(layout, given->image->window, &interpreters, &given->arenas);
}

static struct given given_pool(enum py_era era)
{
	struct given given = {.image = py_image_create(era)};
	size_t bytes = BLOCK_BYTES;

	// In a pool of their own: no other block of the image is as large.
	for (size_t i = 0; i < BLOCKS; i++)
		given.block[i] = py_image_alloc(given.image, bytes + 400);
	given.pool_at = py_image_pool_of(given.image, given.block[0]);
	assert_null(read_arenas(&given));
	return given;
}

static bool parse(struct given *given)
{
	return py_pool_parse(&given->image->layout, &given->arenas, given->pool_at,
			     py_image_at(given->image, given->pool_at), &given->pool);
}

static size_t free_count(const struct py_pool *pool)
{
	size_t count = 0;

	for (uint32_t i = 0; i < pool->block_count; i++)
		count += py_pool_is_free(pool, i);
	return count;
}

static void set_field(const struct given *given, struct py_field field, uint64_t value)
{
	py_image_set(given->image, given->pool_at, field, value);
}

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void sizes_of_pools_and_blocks_are_learnt_from_pools(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_pool(era);
		assert_int_equal(given.arenas.pool_bytes, given.image->pool_bytes);
		assert_int_equal(given.arenas.alignment_bytes, given.image->alignment_bytes);
		assert_int_equal(given.arenas.pool_overhead_bytes, 48);
		assert_int_equal(given.arenas.count, 1);
		assert_int_equal(given.arenas.list[0].address, given.image->arena.start);
		assert_int_equal(given.arenas.list[0].first_pool % given.image->pool_bytes, 0);
		assert_int_equal(given.arenas.list[0].end, given.image->arena.next);
	}
}

static void an_interpreter_without_arenas_has_none(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_pool(era);
		py_image_set(given.image, given.image->arenas, given.image->layout.f.arena_address,
			     0);
		assert_null(read_arenas(&given));
		assert_int_equal(given.arenas.count, 0);
		assert_int_equal(given.arenas.pool_bytes, 0);
	}
}

static void an_arena_of_which_nothing_was_carved_has_no_pools(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_311);
	struct py_image *image = given.image;
	addr_t second = image->arenas + image->layout.size.arena;

	py_image_set(image, second, image->layout.f.arena_address, 0x7f0000001000);
	py_image_set(image, second, image->layout.f.arena_pool_address, 0x7f0000001000);
	assert_null(read_arenas(&given));
	assert_int_equal(given.arenas.count, 1);
}

static void arenas_come_by_address(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_38);
	struct py_image *image = given.image;

	for (uint32_t i = 1; i < 4; i++) {
		addr_t arena = image->arenas + i * image->layout.size.arena;
		addr_t at = 0x7f0000000000 - i * 0x100000;
		py_image_set(image, arena, image->layout.f.arena_address, at);
		py_image_set(image, arena, image->layout.f.arena_pool_address, at + 0x40000);
	}
	assert_null(read_arenas(&given));
	assert_int_equal(given.arenas.count, 4);
	for (size_t i = 1; i < 4; i++)
		assert_true(given.arenas.list[i - 1].address < given.arenas.list[i].address);
}

static void memory_that_holds_no_pools_is_an_error(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_38);

	memset(given.image->arena.data, 0xff, given.image->arena.bytes);
	_cleanup_error_ struct error *error = read_arenas(&given);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
}

static void interpreters_that_share_a_state_have_its_arenas_once(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_313);
	struct py_image *image = given.image;
	const struct py_layout *layout = &image->layout;
	addr_t second = py_image_alloc_static(image, fake_layout_size(image->fields, "_is"));

	*py_image_word(image, second + layout->f.interp_obmalloc.offset) =
		*py_image_word(image, image->interpreter + layout->f.interp_obmalloc.offset);
	py_image_set(image, image->interpreter, layout->f.interp_next, second);
	assert_null(read_arenas(&given));
	assert_int_equal(given.arenas.count, 1);

	// One that has not allocated yet has no state.
	*py_image_word(image, second + layout->f.interp_obmalloc.offset) = 0;
	assert_null(read_arenas(&given));
	assert_int_equal(given.arenas.count, 1);
}

static void a_pool_tells_its_blocks(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_pool(era);
		// As large as one page allows: a second pool may have been begun.
		assert_true(parse(&given));
		assert_true(given.pool.block_bytes >= BLOCK_BYTES + 400);
		assert_int_equal(given.pool_at + given.pool.first_block, given.block[0]);
		assert_int_equal(free_count(&given.pool), 0);
		assert_true(given.pool.block_count >= 8);
	}
}

static void blocks_on_the_free_list_are_free(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_pool(era);
		py_image_free(given.image, given.block[1]);
		py_image_free(given.image, given.block[5]);
		py_image_free(given.image, given.block[3]);
		assert_true(parse(&given));
		assert_int_equal(free_count(&given.pool), 3);
		assert_true(py_pool_is_free(&given.pool, 1));
		assert_true(py_pool_is_free(&given.pool, 3));
		assert_true(py_pool_is_free(&given.pool, 5));
	}
}

static void a_pool_whose_last_block_was_freed_is_empty(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_38);

	set_field(&given, given.image->layout.f.pool_count, 0);
	set_field(&given, given.image->layout.f.pool_szidx, 0xffff);
	assert_true(parse(&given));
	assert_int_equal(given.pool.block_count, 0);
}

static void a_free_list_with_a_loop_is_told(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_311);

	py_image_free(given.image, given.block[1]);
	py_image_free(given.image, given.block[2]);
	*py_image_word(given.image, given.block[1]) = given.block[2];
	assert_false(parse(&given));
}

static void a_free_list_that_leaves_its_pool_is_told(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_311);
	const addr_t nonsense[] = {
		1,
		given.pool_at,
		given.pool_at + 8,
		given.pool_at - 16,
		given.block[1] + 16,
		given.pool_at + given.arenas.pool_bytes,
		given.pool_at + given.arenas.pool_bytes - 8,
		given.image->heap.start,
		UINT64_MAX,
		// A block that was never handed out.
		given.block[BLOCKS - 1] + (given.block[1] - given.block[0]),
	};

	py_image_free(given.image, given.block[2]);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		*py_image_word(given.image, given.block[2]) = nonsense[i];
		assert_false(parse(&given));
		set_field(&given, given.image->layout.f.pool_freeblock, nonsense[i]);
		assert_false(parse(&given));
		set_field(&given, given.image->layout.f.pool_freeblock, given.block[2]);
	}
	*py_image_word(given.image, given.block[2]) = 0;
	assert_true(parse(&given));
}

static void counts_that_do_not_add_up_are_told(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_36);
	uint64_t used = py_image_get(given.image, given.pool_at, given.image->layout.f.pool_count);

	set_field(&given, given.image->layout.f.pool_count, used - 1);
	assert_false(parse(&given));
	set_field(&given, given.image->layout.f.pool_count, used + 1);
	assert_false(parse(&given));
	set_field(&given, given.image->layout.f.pool_count, UINT32_MAX);
	assert_false(parse(&given));
	set_field(&given, given.image->layout.f.pool_count, used);
	assert_true(parse(&given));
}

static void a_header_that_contradicts_itself_is_told(void **state)
{
	_cleanup_given_ struct given given = given_pool(PY_ERA_311);
	const struct py_layout *layout = &given.image->layout;
	const struct {
		struct py_field field;
		uint64_t value;
	} nonsense[] = {
		{layout->f.pool_szidx, 0},
		{layout->f.pool_szidx, 32},
		{layout->f.pool_szidx, UINT32_MAX},
		{layout->f.pool_nextoffset, 0},
		{layout->f.pool_nextoffset, 47},
		{layout->f.pool_nextoffset, 49},
		{layout->f.pool_nextoffset, given.arenas.pool_bytes + 16},
		{layout->f.pool_nextoffset, UINT32_MAX},
		{layout->f.pool_maxnextoffset, 0},
		{layout->f.pool_maxnextoffset, UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		uint64_t before = py_image_get(given.image, given.pool_at, nonsense[i].field);
		set_field(&given, nonsense[i].field, nonsense[i].value);
		assert_false(parse(&given));
		assert_true(given.pool.block_count <= PY_POOL_BLOCKS_MAX);
		set_field(&given, nonsense[i].field, before);
	}
	assert_true(parse(&given));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_pools_and_blocks_are_learnt_from_pools),
		cmocka_unit_test(an_interpreter_without_arenas_has_none),
		cmocka_unit_test(an_arena_of_which_nothing_was_carved_has_no_pools),
		cmocka_unit_test(arenas_come_by_address),
		cmocka_unit_test(memory_that_holds_no_pools_is_an_error),
		cmocka_unit_test(interpreters_that_share_a_state_have_its_arenas_once),
		cmocka_unit_test(a_pool_tells_its_blocks),
		cmocka_unit_test(blocks_on_the_free_list_are_free),
		cmocka_unit_test(a_pool_whose_last_block_was_freed_is_empty),
		cmocka_unit_test(a_free_list_with_a_loop_is_told),
		cmocka_unit_test(a_free_list_that_leaves_its_pool_is_told),
		cmocka_unit_test(counts_that_do_not_add_up_are_told),
		cmocka_unit_test(a_header_that_contradicts_itself_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
