// SPDX-License-Identifier: GPL-3.0-or-later
// The interpreter's own state: version, interpreters, threads, collector; Python 2's blocks of numbers.
#include "targets/cpython/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/counter.h"
#include "support/py_objects.h"
#include "targets/cpython/scan/int_blocks.h"

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static struct target_facts facts_of(const struct py_image *image)
{
	struct target_facts facts;

	mem_window_clear(image->window);
	_cleanup_error_ struct error *error =
		py_runtime_facts(&image->layout, image->window, &facts);
	if (error)
		fail_msg("%s: %s", py_era_name(image->era), error->message);
	return facts;
}

static struct error *version_of(const struct py_image *image, char *into, size_t bytes)
{
	mem_window_clear(image->window);
	return py_runtime_version(&image->layout, image->window, into, bytes);
}

static void the_version_is_that_of_sys(void **state)
{
	char version[32], expected[32];

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		assert_null(version_of(image, version, sizeof(version)));
		snprintf(expected, sizeof(expected), "%s.99", py_era_name(era));
		assert_string_equal(version, expected);
		// Cut where there is no room.
		assert_null(version_of(image, version, 4));
		assert_int_equal(strlen(version), 3);
	}
}

static void assert_unsupported(const struct py_image *image, const char *why)
{
	char version[32];
	_cleanup_error_ struct error *error = version_of(image, version, sizeof(version));

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_UNSUPPORTED);
	assert_non_null(strstr(error->message, why));
}

static void an_interpreter_that_is_not_up_yet_is_refused(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;

		py_image_set(image, image->interpreter, layout->f.interp_sysdict, 0);
		assert_unsupported(image, "not initialised");
		if (layout->var.interp_head)
			*py_image_word(image, layout->var.interp_head) = 0;
		else
			py_image_set(image, layout->var.runtime, layout->f.runtime_interpreters, 0);
		assert_unsupported(image, "not initialised");
	}
}

static void an_interpreter_that_is_finalizing_is_refused(void **state)
{
	for (enum py_era era = PY_ERA_38; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		py_image_set(image, image->layout.var.runtime, image->layout.f.runtime_finalizing,
			     image->thread);
		assert_unsupported(image, "finalizing");
	}
}

static void the_oldest_interpreter_is_the_main_one(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	const struct py_layout *layout = &image->layout;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	addr_t second = py_image_alloc_static(image, fake_layout_size(image->fields, "_is"));
	addr_t thread = py_image_alloc_static(image, fake_layout_size(image->fields, "_ts"));
	char version[32];

	// A new one stands at the beginning.
	py_image_set(image, second, layout->f.interp_next, image->interpreter);
	py_image_set(image, second, layout->f.interp_tstate_head, thread);
	py_image_set(image, layout->var.runtime, layout->f.runtime_interpreters, second);
	mem_window_clear(image->window);
	assert_null(py_interpreters_read(layout, image->window, &interpreters));
	assert_int_equal(interpreters.count, 2);
	assert_int_equal(interpreters.at[0], second);
	assert_null(version_of(image, version, sizeof(version)));

	struct target_facts facts = facts_of(image);
	assert_int_equal(facts.interpreter_count, 2);
	assert_int_equal(facts.thread_count, 2);
	assert_int_equal(facts.threads[0].interpreter, 1);
	assert_int_equal(facts.threads[1].interpreter, 0);
	target_facts_deinit(&facts);
}

static void facts_tell_what_the_collector_is_set_to(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		py_image_set(image, image->generation[1], image->layout.f.generation_count, 5);
		struct target_facts facts = facts_of(image);

		assert_int_equal(facts.interpreter_count, 1);
		assert_int_equal(facts.gc_enabled, 1);
		assert_int_equal(facts.gc_debug, 0);
		assert_int_equal(facts.generation_count, 3);
		assert_int_equal(facts.thresholds[0], 700);
		assert_int_equal(facts.thresholds[2], 10);
		assert_int_equal(facts.counts[1], 5);
		assert_int_equal(facts.garbage_count, 0);
		assert_int_equal(facts.frozen_count, image->permanent ? 0 : -1);
		assert_int_equal(facts.ref_total, -1);
		assert_int_equal(facts.thread_count, 1);
		assert_int_equal(facts.threads[0].pthread_at, 0x7f0000001740);
		assert_false(facts.threads[0].holds_gil);
		target_facts_deinit(&facts);
	}
}

static void frozen_objects_are_counted(void **state)
{
	for (enum py_era era = PY_ERA_38; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		for (int i = 0; i < 5; i++)
			py_image_track_in(image,
					  py_image_object(image, image->type[IMAGE_LIST], 40),
					  image->permanent);
		struct target_facts facts = facts_of(image);
		assert_int_equal(facts.frozen_count, 5);
		target_facts_deinit(&facts);
	}
}

static void a_frozen_list_that_never_comes_back_is_not_counted(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_312);
	addr_t objects[9];

	for (int i = 0; i < 9; i++) {
		objects[i] = py_image_object(image, image->type[IMAGE_LIST], 40);
		py_image_track_in(image, objects[i], image->permanent);
	}
	for (int i = 8; i >= 0; i--) {
		py_image_set(image, py_image_head(image, objects[8]), image->layout.f.gc_next,
			     py_image_head(image, objects[i]));
		struct target_facts facts = facts_of(image);
		assert_int_equal(facts.frozen_count, -1);
		target_facts_deinit(&facts);
	}
}

static void a_collection_under_way_is_seen(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
		_cleanup_py_gc_state_ struct py_gc_state before = {0};
		_cleanup_py_gc_state_ struct py_gc_state during = {0};
		const struct py_layout *layout = &image->layout;

		assert_null(py_interpreters_read(layout, image->window, &interpreters));
		assert_null(py_gc_state_read(layout, image->window, &interpreters, &before));
		assert_false(before.collecting);
		assert_int_equal(before.list_count, image->permanent ? 4 : 3);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(before.lists[i].head_at, image->generation[i]);
			assert_int_equal(before.lists[i].next, image->generation[i]);
			assert_false(before.lists[i].permanent);
		}
		*(uint32_t *)py_image_at(image, image->collecting) = 1;
		mem_window_clear(image->window);
		assert_null(py_gc_state_read(layout, image->window, &interpreters, &during));
		assert_true(during.collecting);
	}
}

static void the_thread_that_holds_the_gil_is_told(void **state)
{
	for (enum py_era era = PY_ERA_38; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t gil;

		if (layout->f.interp_gil.present) {
			gil = py_image_alloc_static(
				image, fake_layout_size(image->fields, "_gil_runtime_state"));
			py_image_set(image, image->interpreter, layout->f.interp_gil, gil);
		} else {
			gil = layout->var.runtime + layout->f.runtime_gil.offset;
		}
		py_image_set(image, gil, layout->f.gil_last_holder, image->thread);
		struct target_facts released = facts_of(image);
		assert_false(released.threads[0].holds_gil);
		py_image_set(image, gil, layout->f.gil_locked, 1);
		struct target_facts held = facts_of(image);
		assert_true(held.threads[0].holds_gil);
		target_facts_deinit(&released);
		target_facts_deinit(&held);
	}
}

static void threads_that_never_end_are_an_error(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	struct target_facts facts;

	py_image_set(image, image->thread, image->layout.f.tstate_next, image->thread);
	mem_window_clear(image->window);
	_cleanup_error_ struct error *error =
		py_runtime_facts(&image->layout, image->window, &facts);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "does not end"));
	assert_null(facts.threads);
}

static void whichever_read_of_the_facts_ends_the_process_is_told(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		size_t before = fake_source_read_count(image->fake);
		struct target_facts facts = facts_of(image);
		size_t reads = fake_source_read_count(image->fake) - before;
		target_facts_deinit(&facts);
		for (size_t nth = 1; nth <= reads; nth++) {
			fake_source_fail_nth(image->fake, nth, ERROR_GONE);
			mem_window_clear(image->window);
			struct error *error =
				py_runtime_facts(&image->layout, image->window, &facts);
			fake_source_fail_nth(image->fake, 0, ERROR_GONE);
			assert_non_null(error);
			assert_int_equal(error->code, ERROR_GONE);
			error_destroy(error);
		}
	}
}

/** Python 2's numbers, scanned; the census of them. */
static struct census scan_numbers(struct py_image *image)
{
	struct census census;
	struct py_types *types;
	struct py_scan *scan;
	struct heap_sink *counter;

	assert_null(counter_create(&counter));
	assert_null(py_types_create(&image->layout, &types));
	assert_null(py_scan_create(&image->layout, types, py_image_source(image), &scan));
	scan->sink = counter;
	py_int_blocks_scan(scan);
	assert_null(py_scan_finish(scan));
	assert_null(py_types_announce(types, counter, NULL));
	assert_null(counter_census(counter, &census));
	py_scan_destroy(scan);
	py_types_destroy(types);
	heap_sink_destroy(counter);
	return census;
}

// A block with that many objects in use from its end, the others free.
static addr_t number_block(struct py_image *image, addr_t type, addr_t next, size_t used)
{
	const struct py_layout *layout = &image->layout;
	addr_t block = py_image_alloc(image, layout->size.intblock);
	uint32_t count = layout->f.intblock_objects.element_count;

	py_image_set(image, block, layout->f.intblock_next, next);
	for (uint32_t i = 0; i < count; i++) {
		addr_t at = block + layout->f.intblock_objects.offset + i * 24;
		bool in_use = i >= count - used;
		py_image_set(image, at, layout->f.object_refcnt, in_use ? 1 : 0);
		// A free one has the next free one for its type.
		py_image_set(image, at, layout->f.object_type, in_use ? type : at + 24);
	}
	return block;
}

static void numbers_of_python2_are_found_in_their_blocks(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_27);
	const addr_t *type = image->type;
	addr_t first = number_block(image, type[IMAGE_INT2], 0, 41);
	addr_t second = number_block(image, type[IMAGE_INT2], first, 7);

	*py_image_word(image, image->layout.var.int_blocks) = second;
	*py_image_word(image, image->layout.var.float_blocks) =
		number_block(image, type[IMAGE_FLOAT], 0, 3);
	_cleanup_census_ struct census census = scan_numbers(image);
	assert_int_equal(census_find(&census, "int")->count, 48);
	assert_int_equal(census_find(&census, "int")->size_bytes, 48 * 24);
	assert_int_equal(census_find(&census, "float")->count, 3);
	assert_int_equal(census.truncated, 0);
}

static void a_chain_of_number_blocks_that_breaks_is_reported(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_27);
	addr_t block = number_block(image, image->type[IMAGE_INT2], 0x1234567890, 41);

	*py_image_word(image, image->layout.var.int_blocks) = block;
	_cleanup_census_ struct census census = scan_numbers(image);
	assert_int_equal(census_find(&census, "int")->count, 41);
	assert_int_equal(census.truncated, 1);
	assert_non_null(strstr(census.problem_texts[0], "0x1234567890"));
}

static void other_versions_have_no_number_blocks(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	_cleanup_census_ struct census census = scan_numbers(image);

	assert_int_equal(census.total.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_is_that_of_sys),
		cmocka_unit_test(an_interpreter_that_is_not_up_yet_is_refused),
		cmocka_unit_test(an_interpreter_that_is_finalizing_is_refused),
		cmocka_unit_test(the_oldest_interpreter_is_the_main_one),
		cmocka_unit_test(facts_tell_what_the_collector_is_set_to),
		cmocka_unit_test(frozen_objects_are_counted),
		cmocka_unit_test(a_frozen_list_that_never_comes_back_is_not_counted),
		cmocka_unit_test(a_collection_under_way_is_seen),
		cmocka_unit_test(the_thread_that_holds_the_gil_is_told),
		cmocka_unit_test(threads_that_never_end_are_an_error),
		cmocka_unit_test(whichever_read_of_the_facts_ends_the_process_is_told),
		cmocka_unit_test(numbers_of_python2_are_found_in_their_blocks),
		cmocka_unit_test(a_chain_of_number_blocks_that_breaks_is_reported),
		cmocka_unit_test(other_versions_have_no_number_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
