// SPDX-License-Identifier: GPL-3.0-or-later
// Which blocks of memory hold an object, and the sums that prove the collector's lists closed.
#include "targets/cpython/scan/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "heap/counter.h"
#include "support/py_objects.h"
#include "targets/cpython/objects/string.h"

enum { BLOCK_MAX = 3000 };
static const addr_t BLOCK_AT = 0x7fff00000000;

/** A scan over an image whose census tells what was recognised. */
struct given {
	struct py_image *image;
	struct py_types *types;
	struct py_scan *scan;
	struct heap_sink *counter;
	struct census census;
	/** A block of its own, in no memory of the image. */
	unsigned char block[BLOCK_MAX];
};

static void cleanup_given(struct given *given)
{
	census_deinit(&given->census);
	py_scan_destroy(given->scan);
	py_types_destroy(given->types);
	heap_sink_destroy(given->counter);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_scan(enum py_era era)
{
	struct given given = {.image = py_image_create(era)};
	struct mem_source *source = py_image_source(given.image);

	assert_null(py_types_create(&given.image->layout, &given.types));
	assert_null(py_scan_create(&given.image->layout, given.types, source, &given.scan));
	assert_null(counter_create(&given.counter));
	given.scan->sink = given.counter;
	given.scan->lowest_address = 0x10000;
	return given;
}

static void put(struct given *given, size_t offset, uint64_t word)
{
	memcpy(given->block + offset, &word, sizeof(word));
}

// An object with nothing before it but zeros.
static void put_object(struct given *given, size_t presize, uint64_t refcount, addr_t type)
{
	memset(given->block, 0, sizeof(given->block));
	if (given->image->layout.f.gc_refs.present && presize >= given->image->layout.size.gc_head)
		put(given,
		    presize - given->image->layout.size.gc_head +
			    given->image->layout.f.gc_refs.offset,
		    (uint64_t)-2 << given->image->layout.gc_refs_shift);
	put(given, presize + given->image->layout.f.object_refcnt.offset, refcount);
	put(given, presize + given->image->layout.f.object_type.offset, type);
}

// How many objects the block holds; their census is in given->census.
static size_t scan_block(struct given *given, size_t data_bytes, size_t bytes, bool looks_freed)
{
	heap_sink_reset(given->counter);
	census_deinit(&given->census);
	py_scan_block(given->scan, given->block, data_bytes, BLOCK_AT, bytes, looks_freed);
	assert_null(py_scan_finish(given->scan));
	assert_null(py_types_announce(given->types, given->counter, NULL));
	assert_null(counter_census(given->counter, &given->census));
	return (size_t)given->census.total.count;
}

static size_t scan(struct given *given, size_t bytes)
{
	return scan_block(given, bytes, bytes, false);
}

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static void an_object_is_found_behind_what_stands_before_it(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		struct py_image *image = given.image;
		addr_t plain = image->type[IMAGE_FLOAT], tracked = image->type[IMAGE_LIST];
		addr_t managed = py_image_static_type(image, "shop.Cart", 16, 0,
						      PY_TYPE_GC | image->layout.preheader_flags);

		put_object(&given, 0, 1, plain);
		assert_int_equal(scan(&given, 24), 1);
		assert_non_null(census_find(&given.census, "float"));
		put_object(&given, image->layout.size.gc_head, 1, tracked);
		assert_int_equal(scan(&given, 40 + image->layout.size.gc_head), 1);
		assert_non_null(census_find(&given.census, "list"));
		put_object(&given, py_image_presize(image, managed), 7, managed);
		assert_int_equal(scan(&given, 64), 1);
		assert_int_equal(census_find(&given.census, "shop.Cart")->refs, 7);
		assert_int_equal(census_find(&given.census, "shop.Cart")->size_bytes,
				 16 + py_image_presize(image, managed));
	}
}

static void an_object_with_a_managed_dict_need_not_be_the_collectors(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_312);
	addr_t weak = py_image_static_type(given.image, "weak", 16, 0, 1 << 3);

	put_object(&given, 16, 1, weak);
	assert_int_equal(scan(&given, 48), 1);
}

static void an_object_at_the_wrong_place_is_none(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		const addr_t *type = given.image->type;
		uint32_t head = given.image->layout.size.gc_head;

		put_object(&given, 0, 1, type[IMAGE_LIST]);
		assert_int_equal(scan(&given, 80), 0);
		put_object(&given, head, 1, type[IMAGE_FLOAT]);
		assert_int_equal(scan(&given, 80), 0);
		put_object(&given, 8, 1, type[IMAGE_FLOAT]);
		assert_int_equal(scan(&given, 80), 0);
	}
}

// A class as a class statement leaves it, of @a base.
static addr_t given_statement(struct given *given, const char *name, addr_t base)
{
	const struct py_layout *layout = &given->image->layout;
	addr_t class = py_image_class(given->image, "shop", name, 16, PY_TYPE_GC);
	addr_t name_at = py_image_get(given->image, class, layout->f.heaptype_name);
	struct py_string_span span;

	mem_window_clear(given->image->window);
	assert_true(py_string_locate(layout, given->image->window, name_at, &span));
	py_image_set(given->image, class, layout->f.type_name, span.at);
	py_image_set(given->image, class, layout->f.type_base, base);
	return class;
}

static size_t scan_untracked(struct given *given, addr_t type)
{
	put_object(given, py_image_presize(given->image, type), 1, type);
	return scan(given, 64);
}

static void an_untracked_instance_of_class_statements_alone_is_stale_memory(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		addr_t parent = given_statement(&given, "Parent", given.image->type[IMAGE_OBJECT]);
		addr_t child = given_statement(&given, "Child", parent);

		assert_int_equal(scan_untracked(&given, parent), 0);
		assert_int_equal(scan_untracked(&given, child), 0);
	}
}

static void an_untracked_instance_that_code_in_c_may_have_made_is_one(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		struct py_image *image = given.image;
		addr_t object = image->type[IMAGE_OBJECT];
		addr_t of_spec = py_image_class(image, "shop", "Spec", 16, PY_TYPE_GC);
		addr_t of_base = given_statement(&given, "OfBase", of_spec);
		addr_t meta =
			py_image_static_type(image, "shop.Meta", 400, 0, PY_TYPE_GC | PY_TYPE_TYPE);
		addr_t of_meta = given_statement(&given, "OfMeta", object);

		py_image_set(image, of_spec, image->layout.f.type_base, object);
		py_image_set(image, of_meta, image->layout.f.object_type, meta);
		assert_int_equal(scan_untracked(&given, of_spec), 1);
		assert_int_equal(scan_untracked(&given, of_base), 1);
		assert_int_equal(scan_untracked(&given, of_meta), 1);
	}
}

static void nobody_refers_to_what_is_no_object(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);
	addr_t type = given.image->type[IMAGE_FLOAT];

	put_object(&given, 0, 0, type);
	assert_int_equal(scan(&given, 24), 0);
	put_object(&given, 0, 1ULL << 32, type);
	assert_int_equal(scan(&given, 24), 0);
	put_object(&given, 0, UINT64_MAX, type);
	assert_int_equal(scan(&given, 24), 0);
	put_object(&given, 0, 1, type);
	assert_int_equal(scan(&given, 24), 1);
}

static void what_has_no_type_is_no_object(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);
	const addr_t nonsense[] = {0,
				   8,
				   given.image->type[IMAGE_FLOAT] + 4,
				   given.image->type[IMAGE_FLOAT] + 8,
				   given.image->heap.start,
				   0x1234567890,
				   UINT64_MAX,
				   UINT64_MAX - 7};

	for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
		put_object(&given, 0, 1, nonsense[i]);
		assert_int_equal(scan(&given, 24), 0);
	}
}

static void a_block_too_small_for_its_object_holds_none(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);

	put_object(&given, 16, 1, given.image->type[IMAGE_LIST]);
	assert_int_equal(scan(&given, 55), 0);
	assert_int_equal(scan(&given, 56), 1);
	for (size_t bytes = 0; bytes < 40; bytes++)
		assert_int_equal(scan(&given, bytes), 0);
}

static void immortal_objects_have_no_references(void **state)
{
	_cleanup_given_ struct given with = given_scan(PY_ERA_312);
	_cleanup_given_ struct given without = given_scan(PY_ERA_311);

	put_object(&with, 0, 0xffffffff, with.image->type[IMAGE_FLOAT]);
	with.scan->lowest_address = UINT64_MAX;
	assert_int_equal(scan(&with, 24), 1);
	assert_int_equal(with.census.total.refs, 0);
	put_object(&without, 0, 999999999, without.image->type[IMAGE_FLOAT]);
	without.scan->lowest_address = UINT64_MAX;
	assert_int_equal(scan(&without, 24), 1);
	assert_int_equal(without.census.total.refs, 999999999);
}

static void a_reference_count_that_may_be_an_address_must_fit_its_block(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);

	put_object(&given, 0, 0x400000, given.image->type[IMAGE_FLOAT]);
	assert_int_equal(scan(&given, 24), 1);
	assert_int_equal(scan(&given, 32), 1);
	assert_int_equal(scan(&given, 200), 0);
	// No multiple of eight is no address, and neither is what lies below all memory.
	put_object(&given, 0, 0x400001, given.image->type[IMAGE_FLOAT]);
	assert_int_equal(scan(&given, 200), 1);
	given.scan->lowest_address = 0x500000;
	put_object(&given, 0, 0x400000, given.image->type[IMAGE_FLOAT]);
	assert_int_equal(scan(&given, 200), 1);
}

static void a_block_that_looks_freed_begins_no_object(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);

	put_object(&given, 0, 16, given.image->type[IMAGE_FLOAT]);
	assert_int_equal(scan_block(&given, 40, 40, true), 0);
	assert_int_equal(scan_block(&given, 40, 40, false), 1);
	// The link stands before an object with a head: that one may be alive.
	put_object(&given, 16, 1, given.image->type[IMAGE_LIST]);
	assert_int_equal(scan_block(&given, 72, 72, true), 1);
}

// Debug hooks' header at @a offset over @a length bytes.
static void put_debug_header(struct given *given, size_t offset, char kind, uint64_t forbidden,
			     uint64_t length)
{
	put(given, offset, __builtin_bswap64(length));
	put(given, offset + 8, forbidden << 8 | (unsigned char)kind);
}

static void debug_hooks_stand_before_an_object(void **state)
{
	static const uint64_t forbidden[] = {0xfdfdfdfdfdfdfd, 0xfbfbfbfbfbfbfb};
	_cleanup_given_ struct given given = given_scan(PY_ERA_311);
	addr_t type = given.image->type[IMAGE_FLOAT];

	for (size_t i = 0; i < ARRAY_COUNT(forbidden); i++) {
		put_object(&given, 16, 1, type);
		put_debug_header(&given, 0, 'o', forbidden[i], 24);
		assert_int_equal(scan(&given, 64), 1);
		// A large one: hooks of malloc's before those of objects.
		put_object(&given, 32, 1, type);
		put_debug_header(&given, 0, 'r', forbidden[i], 40 + 16);
		put_debug_header(&given, 16, 'o', forbidden[i], 24);
		assert_int_equal(scan(&given, 100), 1);
		// The interpreter's own memory, whatever it looks like.
		put_object(&given, 16, 1, type);
		put_debug_header(&given, 0, 'm', forbidden[i], 24);
		assert_int_equal(scan(&given, 64), 0);
	}
}

static void debug_hooks_that_lie_about_a_length_hold_nothing(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_311);
	static const uint64_t lengths[] = {0, 8, 23, 49, 1ULL << 40, UINT64_MAX, UINT64_MAX - 15};

	for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
		put_object(&given, 16, 1, given.image->type[IMAGE_FLOAT]);
		put_debug_header(&given, 0, 'o', 0xfdfdfdfdfdfdfd, lengths[i]);
		assert_int_equal(scan(&given, 64), lengths[i] == 23 ? 1 : 0);
	}
}

static void of_a_large_block_the_beginning_is_enough(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);

	put_object(&given, 0, 1, given.image->type[IMAGE_BYTES]);
	put(&given, 16, 1 << 20);
	assert_int_equal(scan_block(&given, 2560, (1 << 20) + 40, false), 1);
	assert_int_equal(given.census.total.size_bytes, (1 << 20) + 33);
	// Little of it at hand: a header may not lie in it.
	put_object(&given, 16, 1, given.image->type[IMAGE_LIST]);
	assert_int_equal(scan_block(&given, 40, 1 << 20, false), 0);
}

static void many_objects_come_in_batches(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);

	put_object(&given, 0, 2, given.image->type[IMAGE_FLOAT]);
	for (size_t i = 1; i < 3 * PY_SCAN_BATCH + 7; i++)
		py_scan_block(given.scan, given.block, 24, BLOCK_AT + i * 32, 24, false);
	heap_sink_reset(given.counter);
	assert_null(py_scan_finish(given.scan));
	assert_null(counter_census(given.counter, &given.census));
	// What was flushed before the reset is gone, the rest is here.
	assert_int_equal(given.census.total.count, 6);
}

static void a_failing_sink_ends_the_scan(void **state)
{
	_cleanup_given_ struct given given = given_scan(PY_ERA_38);

	given.scan->error = error_create(ERROR_NO_MEMORY, "the test had enough");
	put_object(&given, 0, 2, given.image->type[IMAGE_FLOAT]);
	py_scan_block(given.scan, given.block, 24, BLOCK_AT, 24, false);
	assert_int_equal(given.scan->batch_count, 0);
	struct error *error = py_scan_finish(given.scan);
	assert_int_equal(error->code, ERROR_NO_MEMORY);
	error_destroy(error);
}

/** A list of objects in the image; what scanning their blocks sums up to. */
enum { MEMBERS = 12 };

static bool sums_agree(struct given *given, const addr_t *objects)
{
	struct py_image *image = given->image;
	const struct py_layout *layout = &image->layout;
	addr_t head = image->generation[0];

	given->scan->sums = (struct py_link_sums){0};
	for (size_t i = 0; i < MEMBERS; i++) {
		if (!objects[i])
			continue;
		addr_t at = py_image_head(image, objects[i]);
		py_scan_block(given->scan, py_image_at(image, at), 56 + 16, at, 56 + 16, false);
	}
	assert_null(py_scan_finish(given->scan));
	struct py_link_sums sums = given->scan->sums;
	sums.heads += py_link_term(head);
	sums.nexts += py_link_term(py_image_get(image, head, layout->f.gc_next) & ~3UL);
	sums.prevs += py_link_term(py_image_get(image, head, layout->f.gc_prev) & ~3UL);
	return sums.heads == sums.nexts && sums.heads == sums.prevs;
}

static void sums_agree_just_when_the_list_is_closed(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		struct py_image *image = given.image;
		const struct py_layout *layout = &image->layout;
		addr_t objects[MEMBERS];
		for (size_t i = 0; i < MEMBERS; i++) {
			objects[i] = py_image_object(image, image->type[IMAGE_LIST], 56);
			py_image_track(image, objects[i]);
		}
		assert_true(sums_agree(&given, objects));

		// A member that was not found.
		addr_t missing = objects[4];
		objects[4] = 0;
		assert_false(sums_agree(&given, objects));
		objects[4] = missing;

		// An object that looks tracked and is in no list.
		addr_t stray = py_image_object(image, image->type[IMAGE_LIST], 56), last;
		memcpy(py_image_at(image, py_image_head(image, stray)),
		       py_image_at(image, py_image_head(image, objects[2])), layout->size.gc_head);
		last = objects[MEMBERS - 1];
		objects[MEMBERS - 1] = stray;
		py_image_untrack(image, last);
		assert_false(sums_agree(&given, objects));
		objects[MEMBERS - 1] = last;
		py_image_track(image, last);
		assert_true(sums_agree(&given, objects));

		// Torn links, either of them.
		addr_t torn = py_image_head(image, objects[7]);
		addr_t next = py_image_get(image, torn, layout->f.gc_next);
		addr_t prev = py_image_get(image, torn, layout->f.gc_prev);
		py_image_set(image, torn, layout->f.gc_next, py_image_head(image, objects[9]));
		assert_false(sums_agree(&given, objects));
		py_image_set(image, torn, layout->f.gc_next, next);
		py_image_set(image, torn, layout->f.gc_prev, py_image_head(image, objects[5]));
		assert_false(sums_agree(&given, objects));
		py_image_set(image, torn, layout->f.gc_prev, prev);
		assert_true(sums_agree(&given, objects));
	}
}

static void an_object_in_no_list_adds_nothing_to_the_sums(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_scan(era);
		uint32_t head = given.image->layout.size.gc_head;

		put_object(&given, head, 1, given.image->type[IMAGE_LIST]);
		assert_int_equal(scan(&given, 48 + head), 1);
		assert_int_equal(given.census.total.tracked, 0);
		assert_int_equal(given.scan->sums.heads, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_found_behind_what_stands_before_it),
		cmocka_unit_test(an_object_with_a_managed_dict_need_not_be_the_collectors),
		cmocka_unit_test(an_object_at_the_wrong_place_is_none),
		cmocka_unit_test(an_untracked_instance_of_class_statements_alone_is_stale_memory),
		cmocka_unit_test(an_untracked_instance_that_code_in_c_may_have_made_is_one),
		cmocka_unit_test(nobody_refers_to_what_is_no_object),
		cmocka_unit_test(what_has_no_type_is_no_object),
		cmocka_unit_test(a_block_too_small_for_its_object_holds_none),
		cmocka_unit_test(immortal_objects_have_no_references),
		cmocka_unit_test(a_reference_count_that_may_be_an_address_must_fit_its_block),
		cmocka_unit_test(a_block_that_looks_freed_begins_no_object),
		cmocka_unit_test(debug_hooks_stand_before_an_object),
		cmocka_unit_test(debug_hooks_that_lie_about_a_length_hold_nothing),
		cmocka_unit_test(of_a_large_block_the_beginning_is_enough),
		cmocka_unit_test(many_objects_come_in_batches),
		cmocka_unit_test(a_failing_sink_ends_the_scan),
		cmocka_unit_test(sums_agree_just_when_the_list_is_closed),
		cmocka_unit_test(an_object_in_no_list_adds_nothing_to_the_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
