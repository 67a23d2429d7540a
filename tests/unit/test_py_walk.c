// SPDX-License-Identifier: GPL-3.0-or-later
// One pass over the heap of a fake interpreter of each era: what is counted, and when the moment is
// told to be a bad one. Reads that fail are in test_py_walk_failures.c.
#include "targets/cpython/scan/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/counter.h"
#include "support/py_objects.h"

enum { CARTS = 300, CART_BYTES = 48 };

/** A shop: its image and the objects that tests do something to. */
struct given {
	struct py_image *image;
	addr_t cart_type;
	addr_t cart[CARTS];
	struct census census;
	struct target_verdict verdict;
};

static void cleanup_given(struct given *given)
{
	census_deinit(&given->census);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

// Carts in three generations, dicts, strings, a long string and a large list in the heap, a frozen
// tuple.
static struct given given_shop(enum py_era era)
{
	struct given given = {.image = py_image_create(era)};
	struct py_image *image = given.image;

	given.cart_type = py_image_class(image, "shop", "Cart", CART_BYTES, PY_TYPE_GC);
	for (size_t i = 0; i < CARTS; i++) {
		given.cart[i] = py_image_object(image, given.cart_type, CART_BYTES);
		py_image_track_in(image, given.cart[i], image->generation[i % 3]);
	}
	for (size_t i = 0; i < 20; i++) {
		struct py_image_item item = {py_image_str(image, "item"), given.cart[i]};
		addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, &item, 1);
		if (i % 2)
			py_image_track(image, dict);
	}
	addr_t list = py_image_object(image, image->type[IMAGE_LIST], 40);
	py_image_set(image, list, image->layout.f.list_allocated, 100);
	py_image_track(image, list);
	addr_t bytes = py_image_object(image, image->type[IMAGE_BYTES], 2000);
	py_image_set(image, bytes, image->layout.f.var_size, 1960);
	addr_t tuple = py_image_object(image, image->type[IMAGE_TUPLE], 24 + 100 * 8);
	py_image_set(image, tuple, image->layout.f.var_size, 100);
	py_image_track_in(image, tuple, image->permanent ? image->permanent : image->generation[2]);
	return given;
}

static struct error *try_walk(struct given *given, enum target_effort effort, unsigned threads)
{
	struct py_walk_context context = {
		.layout = &given->image->layout,
		.source = py_image_source(given->image),
		.thread_count = threads,
	};
	struct heap_sink *counter;

	assert_null(counter_create(&counter));
	struct error *error = py_walk(&context, counter, effort, &given->verdict);
	census_deinit(&given->census);
	if (!error)
		assert_null(counter_census(counter, &given->census));
	heap_sink_destroy(counter);
	return error;
}

static void walk(struct given *given, enum target_effort effort)
{
	_cleanup_error_ struct error *error = try_walk(given, effort, 1);

	if (error)
		fail_msg("%s: %s", py_era_name(given->image->era), error->message);
}

static const char *name_of(const struct given *given, addr_t type)
{
	const struct py_image *image = given->image;

	if (type == given->cart_type)
		return "shop.Cart";
	addr_t name_at = py_image_get(image, type, image->layout.f.type_name);
	return py_image_at(image, name_at);
}

// That each type has as many objects as were made.
static void assert_counted(const struct given *given)
{
	const struct py_image *image = given->image;
	size_t total = 0;

	for (size_t i = 0; i < image->made_count; i++) {
		const struct py_image_made *made = &image->made[i];
		const char *name = name_of(given, made->type);
		const struct census_row *row = census_find(&given->census, name);
		total += made->count;
		if (made->count == 0 && !row)
			continue;
		if (!row || row->count != made->count || row->tracked != made->tracked)
			fail_msg("%s: %s: %zu (%zu tracked) made, %zu (%zu) counted",
				 py_era_name(image->era), name, made->count, made->tracked,
				 row ? (size_t)row->count : 0, row ? (size_t)row->tracked : 0);
	}
	assert_int_equal(given->census.total.count, total);
}

static void assert_consistent(const struct given *given)
{
	if (!given->verdict.consistent)
		fail_msg("%s: %s", py_era_name(given->image->era), given->verdict.reason);
	assert_string_equal(given->verdict.reason, "");
	assert_int_equal(given->census.unreadable + given->census.truncated, 0);
}

static void assert_doubted(const struct given *given, const char *why)
{
	assert_false(given->verdict.consistent);
	if (!strstr(given->verdict.reason, why))
		fail_msg("%s: no \"%s\" in \"%s\"", py_era_name(given->image->era), why,
			 given->verdict.reason);
}

static addr_t next_of(const struct given *given, size_t cart)
{
	return py_image_head(given->image, given->cart[cart]) +
	       given->image->layout.f.gc_next.offset;
}

static addr_t prev_of(const struct given *given, size_t cart)
{
	return py_image_head(given->image, given->cart[cart]) +
	       given->image->layout.f.gc_prev.offset;
}

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void every_object_is_counted_whatever_the_effort(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		for (enum target_effort effort = 0; effort <= TARGET_EFFORT_LAST; effort++) {
			walk(&given, effort);
			assert_consistent(&given);
			assert_counted(&given);
		}
		assert_int_equal(census_find(&given.census, "shop.Cart")->size_bytes,
				 CARTS * (CART_BYTES + given.image->layout.size.gc_head));
		assert_int_equal(census_find(&given.census, "shop.Cart")->refs, CARTS);
	}
}

static void threads_share_the_work_and_find_the_same(void **state)
{
	_cleanup_given_ struct given given = given_shop(PY_ERA_311);

	for (unsigned threads = 1; threads <= 8; threads += 3) {
		assert_null(try_walk(&given, TARGET_EFFORT_THOROUGH, threads));
		assert_consistent(&given);
		assert_counted(&given);
	}
	// No more than there is room for.
	assert_null(try_walk(&given, TARGET_EFFORT_FIRST, 1000));
	assert_counted(&given);
}

static void flags_in_links_are_no_part_of_them(void **state)
{
	_cleanup_given_ struct given given = given_shop(PY_ERA_38);

	// _PyGC_PREV_MASK_FINALIZED, and that of a list's next while it is unreachable.
	*py_image_word(given.image, prev_of(&given, 3)) |= 1;
	*py_image_word(given.image, next_of(&given, 4)) |= 1;
	walk(&given, TARGET_EFFORT_FIRST);
	assert_consistent(&given);
	assert_counted(&given);
}

static void objects_given_back_are_not_counted(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		struct py_image *image = given.image;
		for (size_t i = 7; i < CARTS; i += 5) {
			py_image_untrack(image, given.cart[i]);
			py_image_made(image, given.cart_type)->count--;
			// With nothing wiped but the first word.
			py_image_free(image, given.cart[i] - image->layout.size.gc_head);
		}
		walk(&given, TARGET_EFFORT_FIRST);
		assert_consistent(&given);
		assert_counted(&given);
	}
}

static void a_collection_under_way_is_given_up_at_once(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		*(uint32_t *)py_image_at(given.image, given.image->collecting) = 1;
		for (enum target_effort effort = 0; effort < TARGET_EFFORT_LAST; effort++) {
			walk(&given, effort);
			assert_doubted(&given, "a collection was under way");
			assert_int_equal(given.census.total.count, 0);
		}
		// There will be no other moment: better these numbers than none.
		walk(&given, TARGET_EFFORT_LAST);
		assert_doubted(&given, "a collection was under way");
		assert_counted(&given);
	}
}

static void a_list_that_leaves_one_out_is_inconsistent(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		struct py_image *image = given.image;
		addr_t head = py_image_head(image, given.cart[33]);
		// gc_list_append() after its first half.
		*py_image_word(image, prev_of(&given, 36)) =
			*py_image_word(image, prev_of(&given, 33));
		walk(&given, TARGET_EFFORT_FIRST);
		assert_doubted(&given, "not those of the collector's lists");
		assert_int_equal(given.verdict.at, 0);
		assert_counted(&given);

		walk(&given, TARGET_EFFORT_THOROUGH);
		assert_doubted(&given, "torn at 0x");
		assert_int_equal(given.verdict.at, head < py_image_head(image, given.cart[36])
							   ? head
							   : py_image_head(image, given.cart[36]));
		assert_counted(&given);
	}
}

static void a_link_into_nowhere_is_inconsistent(void **state)
{
	_cleanup_given_ struct given given = given_shop(PY_ERA_312);

	*py_image_word(given.image, next_of(&given, 50)) = 0x123456789000;
	walk(&given, TARGET_EFFORT_FIRST);
	assert_doubted(&given, "not those of the collector's lists");
	walk(&given, TARGET_EFFORT_THOROUGH);
	assert_doubted(&given, "torn at 0x");
	assert_true(given.verdict.at != 0);
}

static void what_only_looks_tracked_is_dropped_with_more_effort(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		struct py_image *image = given.image;
		// Memory of malloc's that was a cart once, and that nobody has wiped.
		addr_t block = fake_heap_add(&image->heap, 200);
		addr_t stale = py_image_object_in(image, block, given.cart_type);
		memcpy(py_image_at(image, py_image_head(image, stale)),
		       py_image_at(image, py_image_head(image, given.cart[3])),
		       image->layout.size.gc_head);

		walk(&given, TARGET_EFFORT_FIRST);
		assert_doubted(&given, "not those of the collector's lists");
		walk(&given, TARGET_EFFORT_THOROUGH);
		assert_consistent(&given);
		assert_int_equal(census_find(&given.census, "shop.Cart")->tracked, CARTS);
	}
}

static void an_object_that_only_the_lists_lead_to_is_chased(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		struct py_image *image = given.image;
		// Two of them beside each other in a list: the second is found through the first.
		for (size_t i = 0; i < 2; i++) {
			addr_t block = py_image_alloc_outside(image, 128);
			addr_t object = py_image_object_in(image, block, given.cart_type);
			py_image_track(image, object);
		}

		walk(&given, TARGET_EFFORT_FIRST);
		assert_doubted(&given, "not those of the collector's lists");
		walk(&given, TARGET_EFFORT_THOROUGH);
		assert_consistent(&given);
		assert_counted(&given);
	}
}

static void a_pool_half_updated_is_told_with_its_address(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_shop(era);
		struct py_image *image = given.image;
		addr_t pool = py_image_pool_of(image, given.cart[0]);
		char expected[64];
		uint64_t used = py_image_get(image, pool, image->layout.f.pool_count);
		py_image_set(image, pool, image->layout.f.pool_count, used - 1);
		walk(&given, TARGET_EFFORT_FIRST);
		snprintf(expected, sizeof(expected), "pool at 0x%llx half updated",
			 (unsigned long long)pool);
		assert_doubted(&given, expected);
		assert_int_equal(given.verdict.at, pool);
	}
}

static void a_chain_of_malloc_that_breaks_is_told_and_reported(void **state)
{
	_cleanup_given_ struct given given = given_shop(PY_ERA_38);
	struct py_image *image = given.image;
	addr_t last = 0;

	for (size_t i = 0; i < 40; i++)
		last = fake_heap_add(&image->heap, 600);
	*fake_heap_word(&image->heap, last - 8) = 0x7777777777777777;
	walk(&given, TARGET_EFFORT_FIRST);

	assert_doubted(&given, "malloc's chain of chunks torn at 0x");
	assert_int_equal(given.verdict.at, last - 16);
	assert_int_equal(given.census.truncated, 1);
	assert_counted(&given);
}

static void an_interpreter_without_pools_is_counted_from_malloc_alone(void **state)
{
	struct given given = {.image = py_image_create(PY_ERA_311)};
	struct py_image *image = given.image;

	// PYTHONMALLOC=malloc: sys.version is in the pools still, so take them away afterwards.
	image->made_count = 0;
	for (size_t i = 0; i < 10; i++) {
		addr_t object = py_image_object_in(image, fake_heap_add(&image->heap, 56),
						   image->type[IMAGE_LIST]);
		py_image_track(image, object);
	}
	py_image_set(image, image->arenas, image->layout.f.arena_address, 0);
	walk(&given, TARGET_EFFORT_FIRST);

	assert_consistent(&given);
	assert_counted(&given);
	cleanup_given(&given);
}

static void memory_of_another_malloc_is_told_to_be_unseen(void **state)
{
	_cleanup_given_ struct given given = given_shop(PY_ERA_311);
	struct py_walk_context context = {
		.layout = &given.image->layout,
		.source = py_image_source(given.image),
		.foreign_malloc = "jemalloc",
		.thread_count = 1,
	};
	struct heap_sink *counter;

	assert_null(counter_create(&counter));
	assert_null(py_walk(&context, counter, TARGET_EFFORT_FIRST, &given.verdict));
	assert_null(counter_census(counter, &given.census));
	heap_sink_destroy(counter);

	assert_true(given.verdict.consistent);
	assert_int_equal(given.census.truncated, 1);
	assert_non_null(strstr(given.census.problem_texts[0], "jemalloc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_object_is_counted_whatever_the_effort),
		cmocka_unit_test(threads_share_the_work_and_find_the_same),
		cmocka_unit_test(flags_in_links_are_no_part_of_them),
		cmocka_unit_test(objects_given_back_are_not_counted),
		cmocka_unit_test(a_collection_under_way_is_given_up_at_once),
		cmocka_unit_test(a_list_that_leaves_one_out_is_inconsistent),
		cmocka_unit_test(a_link_into_nowhere_is_inconsistent),
		cmocka_unit_test(what_only_looks_tracked_is_dropped_with_more_effort),
		cmocka_unit_test(an_object_that_only_the_lists_lead_to_is_chased),
		cmocka_unit_test(a_pool_half_updated_is_told_with_its_address),
		cmocka_unit_test(a_chain_of_malloc_that_breaks_is_told_and_reported),
		cmocka_unit_test(an_interpreter_without_pools_is_counted_from_malloc_alone),
		cmocka_unit_test(memory_of_another_malloc_is_told_to_be_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
