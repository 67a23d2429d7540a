// SPDX-License-Identifier: GPL-3.0-or-later
// Strings that the interpreter's cache of methods keeps, in a fake interpreter of each era.
#include "targets/cpython/scan/method_cache.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/counter.h"
#include "support/py_objects.h"
#include "targets/cpython/scan/walk.h"

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

enum { ENTRIES = 4096, IMMORTAL_REFCOUNT = 0xffffffff };

/** A sink that remembers what it is told of caches. */
struct listener {
	struct heap_sink sink;
	struct heap_cached cached;
	char name[32];
	unsigned count;
	bool fails;
};

static struct error *listen(struct heap_sink *sink, const struct heap_cached *cached)
{
	struct listener *listener = (struct listener *)sink;

	if (listener->fails)
		return error_create(ERROR_FAILED, "the test does not listen");
	listener->cached = *cached;
	snprintf(listener->name, sizeof(listener->name), "%s", cached->name);
	listener->count++;
	return NULL;
}

static const struct heap_sink_ops listener_ops = {.cached = listen};

static addr_t entry_of(const struct py_image *image, addr_t interpreter, size_t index)
{
	const struct py_layout *layout = &image->layout;
	addr_t table = layout->f.interp_method_cache.present
			       ? interpreter + layout->f.interp_method_cache.offset
			       : layout->var.method_cache;

	return table + index * layout->size.method_cache_entry;
}

static void remember_in(const struct py_image *image, addr_t interpreter, size_t index, addr_t name)
{
	py_image_set(image, entry_of(image, interpreter, index), image->layout.f.method_cache_name,
		     name);
}

static void remember(const struct py_image *image, size_t index, addr_t name)
{
	remember_in(image, image->interpreter, index, name);
}

static addr_t given_name(struct py_image *image, const char *text, uint64_t refcount)
{
	addr_t name = py_image_str(image, text);

	py_image_set(image, name, image->layout.f.object_refcnt, refcount);
	return name;
}

static struct error *try_report(const struct py_image *image, struct listener *listener)
{
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	struct py_types *types;

	listener->sink.ops = &listener_ops;
	mem_window_clear(image->window);
	assert_null(py_interpreters_read(&image->layout, image->window, &interpreters));
	assert_null(py_types_create(&image->layout, &types));
	struct error *error =
		py_method_cache_report(&image->layout, py_image_source(image), image->window, types,
				       &interpreters, &listener->sink);
	py_types_destroy(types);
	return error;
}

static void then_reported(const struct py_image *image, uint64_t count, uint64_t bytes,
			  uint64_t refs)
{
	struct listener listener = {0};
	_cleanup_error_ struct error *error = try_report(image, &listener);

	if (error)
		fail_msg("%s: %s", py_era_name(image->era), error->message);
	if (listener.cached.count != count || listener.cached.size_bytes != bytes ||
	    listener.cached.refs != refs)
		fail_msg("%s: %" PRIu64 " of %" PRIu64 " bytes with %" PRIu64 " references",
			 py_era_name(image->era), listener.cached.count, listener.cached.size_bytes,
			 listener.cached.refs);
	assert_int_equal(listener.count, refs > 0);
	if (refs)
		assert_string_equal(listener.name, "str");
}

// sys.getsizeof() of a name of that many characters.
static uint64_t name_bytes(const struct py_image *image, size_t length)
{
	const struct py_layout *layout = &image->layout;
	uint32_t head = layout->is_python2 ? layout->f.bytes_data.offset : layout->size.ascii;

	return head + length + 1;
}

static void a_name_that_only_the_cache_holds_is_reported(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		remember(image, 17, given_name(image, "do_one", 1));
		remember(image, ENTRIES - 1, given_name(image, "do_fifteen", 1));
		then_reported(image, 2, name_bytes(image, 6) + name_bytes(image, 10), 2);
	}
}

static void an_empty_cache_tells_nothing(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		then_reported(image, 0, 0, 0);
	}
}

static void a_name_at_two_places_is_one_with_two_references(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t name = given_name(image, "do_one", 2);

		remember(image, 0, name);
		remember(image, 4000, name);
		then_reported(image, 1, name_bytes(image, 6), 2);
	}
}

static void of_a_name_that_somebody_else_holds_too_only_references_count(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t name = given_name(image, "append", 5);

		remember(image, 1, name);
		remember(image, 2, name);
		then_reported(image, 0, 0, 2);
		remember(image, 3, given_name(image, "do_one", 1));
		then_reported(image, 1, name_bytes(image, 6), 3);
	}
}

static void immortal_names_have_no_references_to_count(void **state)
{
	for (enum py_era era = PY_ERA_312; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		remember(image, 1, given_name(image, "__init__", IMMORTAL_REFCOUNT));
		then_reported(image, 0, 0, 0);
		remember(image, 2, given_name(image, "do_one", 1));
		then_reported(image, 1, name_bytes(image, 6), 1);
	}
}

static void what_is_no_string_is_passed_over(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t none_type = py_image_static_type(image, "NoneType", 16, 0, 0);
		addr_t none = py_image_object(image, none_type, 16);
		addr_t dict = py_image_dict(image, PY_IMAGE_GENERAL, NULL, 0);
		addr_t name = given_name(image, "do_one", 1);
		// A place of a name, another's name, and what is none at all.
		const addr_t wild[] = {name + 8,   name + 3,       8,
				       UINT64_MAX, UINT64_MAX - 7, 0x7ffffffff000};

		remember(image, 1, none);
		remember(image, 2, dict);
		remember(image, 3, name);
		for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
			remember(image, 10 + i, wild[i]);
		then_reported(image, 1, name_bytes(image, 6), 1);
	}
}

static void a_name_with_fewer_references_than_the_cache_has_is_torn(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t name = given_name(image, "do_one", 1);

		remember(image, 1, name);
		remember(image, 2, name);
		then_reported(image, 0, 0, 0);
		py_image_set(image, name, image->layout.f.object_refcnt, 0);
		then_reported(image, 0, 0, 0);
	}
}

static void a_full_cache_is_reported(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t name = given_name(image, "do_one", ENTRIES);

		for (size_t i = 0; i < ENTRIES; i++)
			remember(image, i, name);
		then_reported(image, 1, name_bytes(image, 6), ENTRIES);
	}
}

static void caches_of_two_interpreters_are_one_sum(void **state)
{
	for (enum py_era era = PY_ERA_311; era < PY_ERA_COUNT; era++) {
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t second =
			py_image_alloc_static(image, fake_layout_size(image->fields, "_is"));
		addr_t shared = given_name(image, "do_both", 2);

		py_image_set(image, second, layout->f.interp_next, image->interpreter);
		py_image_set(image, layout->var.runtime, layout->f.runtime_interpreters, second);
		remember(image, 5, shared);
		remember_in(image, second, 5, shared);
		remember_in(image, second, 6, given_name(image, "do_one", 1));
		then_reported(image, 2, name_bytes(image, 7) + name_bytes(image, 6), 3);
	}
}

static void where_there_is_no_cache_there_is_nothing_to_tell(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		struct py_layout *layout = &image->layout;

		remember(image, 1, given_name(image, "do_one", 1));
		struct py_layout whole = *layout;
		layout->size.method_cache_entry = 0;
		then_reported(image, 0, 0, 0);
		*layout = whole;
		layout->f.method_cache_name.present = false;
		then_reported(image, 0, 0, 0);
		*layout = whole;
		layout->f.interp_method_cache.present = false;
		layout->var.method_cache = 0;
		then_reported(image, 0, 0, 0);
	}
}

static void sizes_that_make_no_sense_are_no_cache(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		struct py_layout *layout = &image->layout;

		remember(image, 1, given_name(image, "do_one", 1));
		struct py_layout whole = *layout;
		layout->size.method_cache_entry = layout->f.method_cache_name.offset + 1;
		then_reported(image, 0, 0, 0);
		*layout = whole;
		layout->f.interp_method_cache.size = 1U << 31;
		layout->var_size.method_cache = 1U << 31;
		then_reported(image, 0, 0, 0);
	}
}

static void a_cache_that_cannot_be_read_is_none(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);

	remember(image, 1, given_name(image, "do_one", 1));
	image->layout.var.method_cache = 0x123456789000;
	then_reported(image, 0, 0, 0);
	// The end of what can be read.
	image->layout.var.method_cache = image->statics.start + image->statics.bytes - 24;
	then_reported(image, 0, 0, 0);
}

// Each read in turn is of an address that is not there, then the process is gone.
static void whichever_read_fails_nothing_false_is_told(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		struct listener whole = {0};

		remember(image, 1, given_name(image, "do_one", 1));
		remember(image, 2, given_name(image, "do_two", 1));
		size_t before = fake_source_read_count(image->fake);
		assert_null(try_report(image, &whole));
		size_t reads = fake_source_read_count(image->fake) - before;
		for (size_t nth = 3; nth <= reads; nth++) {
			struct listener listener = {0};
			fake_source_fail_nth(image->fake, nth, ERROR_FAULT);
			error_destroy(try_report(image, &listener));
			fake_source_fail_nth(image->fake, 0, ERROR_FAULT);
			assert_true(listener.cached.count <= whole.cached.count);
			assert_true(listener.cached.refs <= whole.cached.refs);
		}
	}
}

static void a_process_that_ends_is_told(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	_cleanup_py_interpreters_ struct py_interpreters none = {0};
	struct listener listener = {.sink.ops = &listener_ops};
	struct py_types *types;

	remember(image, 1, given_name(image, "do_one", 1));
	assert_null(py_types_create(&image->layout, &types));
	for (size_t nth = 1; nth <= 2; nth++) {
		fake_source_fail_nth(image->fake, nth, ERROR_GONE);
		_cleanup_error_ struct error *error =
			py_method_cache_report(&image->layout, py_image_source(image),
					       image->window, types, &none, &listener.sink);
		fake_source_fail_nth(image->fake, 0, ERROR_GONE);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_GONE);
	}
	assert_int_equal(listener.count, 0);
	py_types_destroy(types);
}

static void a_sink_that_fails_is_told(void **state)
{
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_38);
	struct listener listener = {.fails = true};

	remember(image, 1, given_name(image, "do_one", 1));
	_cleanup_error_ struct error *error = try_report(image, &listener);
	assert_non_null(error);
}

static struct census census_of(const struct py_image *image, bool caches)
{
	struct py_walk_context context = {
		.layout = &image->layout, .source = py_image_source(image), .thread_count = 2};
	struct target_verdict verdict;
	struct census census;
	struct heap_sink *counter;

	if (caches)
		assert_null(counter_create(&counter));
	else
		assert_null(counter_create_without_cached(&counter));
	for (enum target_effort effort = 0; effort <= TARGET_EFFORT_LAST; effort++) {
		heap_sink_reset(counter);
		assert_null(py_walk(&context, counter, effort, &verdict));
		assert_true(verdict.consistent);
	}
	assert_null(counter_census(counter, &census));
	heap_sink_destroy(counter);
	return census;
}

// However many there are, a census without caches is that of before.
static void a_census_without_caches_is_the_same_however_full_they_are(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t held = given_name(image, "append", 1);
		_cleanup_census_ struct census before = census_of(image, false);
		char name[16];

		for (size_t i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "do_%zu", i);
			remember(image, i * 3, given_name(image, name, 1));
		}
		remember(image, 1, held);
		py_image_set(image, held, image->layout.f.object_refcnt, 2);
		_cleanup_census_ struct census after = census_of(image, false);
		_cleanup_census_ struct census all = census_of(image, true);
		assert_int_equal(after.cached_count, 100);
		assert_int_equal(all.cached_count, 0);
		assert_int_equal(census_find(&after, "str")->count,
				 census_find(&before, "str")->count);
		assert_int_equal(census_find(&after, "str")->refs,
				 census_find(&before, "str")->refs);
		assert_int_equal(after.total.size_bytes, before.total.size_bytes);
		assert_int_equal(all.total.count, before.total.count + 100);
		assert_int_equal(all.total.refs, before.total.refs + 101);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_only_the_cache_holds_is_reported),
		cmocka_unit_test(an_empty_cache_tells_nothing),
		cmocka_unit_test(a_name_at_two_places_is_one_with_two_references),
		cmocka_unit_test(of_a_name_that_somebody_else_holds_too_only_references_count),
		cmocka_unit_test(immortal_names_have_no_references_to_count),
		cmocka_unit_test(what_is_no_string_is_passed_over),
		cmocka_unit_test(a_name_with_fewer_references_than_the_cache_has_is_torn),
		cmocka_unit_test(a_full_cache_is_reported),
		cmocka_unit_test(caches_of_two_interpreters_are_one_sum),
		cmocka_unit_test(where_there_is_no_cache_there_is_nothing_to_tell),
		cmocka_unit_test(sizes_that_make_no_sense_are_no_cache),
		cmocka_unit_test(a_cache_that_cannot_be_read_is_none),
		cmocka_unit_test(whichever_read_fails_nothing_false_is_told),
		cmocka_unit_test(a_process_that_ends_is_told),
		cmocka_unit_test(a_sink_that_fails_is_told),
		cmocka_unit_test(a_census_without_caches_is_the_same_however_full_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
