// SPDX-License-Identifier: GPL-3.0-or-later
// Walks over interpreters whose memory cannot be read, or whose lists do not end.
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

enum { CARTS = 40, CART_BYTES = 48 };

/** What a walk came to. */
struct outcome {
	struct error *error;
	struct target_verdict verdict;
	struct census census;
};

static void cleanup_outcome(struct outcome *outcome)
{
	error_destroy(outcome->error);
	census_deinit(&outcome->census);
}
#define _cleanup_outcome_ CLEANUP(cleanup_outcome)

static struct py_image *given_shop(enum py_era era)
{
	struct py_image *image = py_image_create(era);
	addr_t cart_type = py_image_class(image, "shop", "Cart", CART_BYTES, PY_TYPE_GC);

	for (size_t i = 0; i < CARTS; i++) {
		py_image_track_in(image, py_image_object(image, cart_type, CART_BYTES),
				  image->generation[i % 3]);
		struct py_image_item item = {py_image_str(image, "key"), image->type[IMAGE_DICT]};
		py_image_track(image, py_image_dict(image, PY_IMAGE_COMBINED, &item, 1));
	}
	py_image_track(image,
		       py_image_object_in(image, py_image_alloc_outside(image, 128), cart_type));
	return image;
}

static struct outcome walk(const struct py_image *image, enum target_effort effort)
{
	struct py_walk_context context = {
		.layout = &image->layout,
		.source = py_image_source(image),
		.thread_count = 1,
	};
	struct outcome outcome = {0};
	struct heap_sink *counter;

	assert_null(counter_create(&counter));
	outcome.error = py_walk(&context, counter, effort, &outcome.verdict);
	if (!outcome.error)
		assert_null(counter_census(counter, &outcome.census));
	heap_sink_destroy(counter);
	return outcome;
}

// That every read that fails with a bad address is told somehow, or changed nothing that counts.
static void assert_told(const struct outcome *whole, const struct outcome *outcome, size_t nth)
{
	const struct census *census = &outcome->census;

	if (outcome->error || census->unreadable || census->truncated)
		return;
	if (!outcome->verdict.consistent) {
		assert_true(outcome->verdict.reason[0]);
		return;
	}
	if (census->total.count != whole->census.total.count ||
	    census->total.tracked != whole->census.total.tracked)
		fail_msg("read %zu failed, and %zu objects (%zu tracked) were counted, not %zu "
			 "(%zu), without a word",
			 nth, (size_t)census->total.count, (size_t)census->total.tracked,
			 (size_t)whole->census.total.count, (size_t)whole->census.total.tracked);
}

static void whichever_read_fails_no_count_is_partial_without_a_word(void **state)
{
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = given_shop(era);
		for (enum target_effort effort = 0; effort <= TARGET_EFFORT_LAST; effort++) {
			size_t before = fake_source_read_count(image->fake);
			_cleanup_outcome_ struct outcome whole = walk(image, effort);
			assert_null(whole.error);
			size_t reads = fake_source_read_count(image->fake) - before;
			assert_null(whole.error);
			assert_true(reads > 10);
			for (size_t nth = 1; nth <= reads; nth++) {
				fake_source_fail_nth(image->fake, nth, ERROR_FAULT);
				_cleanup_outcome_ struct outcome outcome = walk(image, effort);
				fake_source_fail_nth(image->fake, 0, ERROR_FAULT);
				assert_told(&whole, &outcome, nth);
			}
		}
	}
}

static void whenever_the_process_ends_the_walk_ends_with_that_error(void **state)
{
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = given_shop(era);
		for (enum target_effort effort = 0; effort <= TARGET_EFFORT_LAST; effort++) {
			size_t before = fake_source_read_count(image->fake);
			_cleanup_outcome_ struct outcome whole = walk(image, effort);
			size_t reads = fake_source_read_count(image->fake) - before;
			assert_null(whole.error);
			for (size_t nth = 1; nth <= reads; nth++) {
				fake_source_fail_nth(image->fake, nth, ERROR_GONE);
				_cleanup_outcome_ struct outcome outcome = walk(image, effort);
				fake_source_fail_nth(image->fake, 0, ERROR_GONE);
				if (!outcome.error)
					fail_msg("%s, effort %d: read %zu of %zu went unnoticed",
						 py_era_name(era), (int)effort, nth, reads);
				assert_int_equal(outcome.error->code, ERROR_GONE);
			}
		}
	}
}

static void a_frozen_list_that_never_comes_back_ends(void **state)
{
	_cleanup_py_image_ struct py_image *image = given_shop(PY_ERA_311);
	addr_t first = py_image_object(image, image->type[IMAGE_TUPLE], 32);
	addr_t second = py_image_object(image, image->type[IMAGE_TUPLE], 32);

	py_image_track_in(image, first, image->permanent);
	py_image_track_in(image, second, image->permanent);
	py_image_set(image, py_image_head(image, second), image->layout.f.gc_next,
		     py_image_head(image, first));

	_cleanup_outcome_ struct outcome outcome = walk(image, TARGET_EFFORT_FIRST);
	assert_null(outcome.error);
	assert_false(outcome.verdict.consistent);
}

static void interpreters_that_never_end_are_an_error_at_last(void **state)
{
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = given_shop(era);
		py_image_set(image, image->interpreter, image->layout.f.interp_next,
			     image->interpreter);

		_cleanup_outcome_ struct outcome first = walk(image, TARGET_EFFORT_FIRST);
		assert_true(first.error || !first.verdict.consistent);
		_cleanup_outcome_ struct outcome last = walk(image, TARGET_EFFORT_LAST);
		assert_non_null(last.error);
		assert_non_null(strstr(last.error->message, "does not end"));
	}
}

static void arenas_without_end_are_an_error_at_last(void **state)
{
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = given_shop(era);
		const struct py_layout *layout = &image->layout;
		addr_t state_at = image->interpreter + layout->f.interp_obmalloc.offset;
		if (layout->var.maxarenas) {
			*(uint32_t *)py_image_at(image, layout->var.maxarenas) = UINT32_MAX;
		} else {
			if (layout->f.interp_obmalloc.is_pointer)
				state_at = *py_image_word(image, state_at);
			py_image_set(image, state_at, layout->f.obmalloc_maxarenas, UINT32_MAX);
		}
		_cleanup_outcome_ struct outcome last = walk(image, TARGET_EFFORT_LAST);
		assert_non_null(last.error);
		assert_non_null(strstr(last.error->message, "arenas"));
	}
}

static void an_arena_that_claims_all_memory_is_no_reason_to_walk_it(void **state)
{
	_cleanup_py_image_ struct py_image *image = given_shop(PY_ERA_311);

	py_image_set(image, image->arenas, image->layout.f.arena_pool_address, UINT64_MAX);
	_cleanup_outcome_ struct outcome outcome = walk(image, TARGET_EFFORT_LAST);
	assert_true(outcome.error || !outcome.verdict.consistent || outcome.census.truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whichever_read_fails_no_count_is_partial_without_a_word),
		cmocka_unit_test(whenever_the_process_ends_the_walk_ends_with_that_error),
		cmocka_unit_test(a_frozen_list_that_never_comes_back_ends),
		cmocka_unit_test(interpreters_that_never_end_are_an_error_at_last),
		cmocka_unit_test(arenas_without_end_are_an_error_at_last),
		cmocka_unit_test(an_arena_that_claims_all_memory_is_no_reason_to_walk_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
