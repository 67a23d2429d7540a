// SPDX-License-Identifier: GPL-3.0-or-later
// The sink that builds the graph of references.
#include "heap/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void cleanup_sink(struct heap_sink **sink)
{
	heap_sink_destroy(*sink);
}
#define _cleanup_sink_ CLEANUP(cleanup_sink)

static struct heap_sink *new_builder(unsigned thread_count)
{
	struct heap_sink *builder;

	assert_null(heap_builder_create(thread_count, &builder));
	return builder;
}

static struct heap *finish(struct heap_sink *builder)
{
	struct heap *heap;

	assert_null(heap_builder_finish(builder, &heap));
	return heap;
}

static void report(struct heap_sink *sink, addr_t at, uint64_t refcount, uint32_t flags)
{
	struct heap_object object = {.at = at, .refcount = refcount, .flags = flags};

	assert_null(heap_sink_objects(sink, &object, 1));
}

static void refer(struct heap_sink *sink, addr_t from, addr_t to, uint32_t kind)
{
	assert_null(heap_sink_references(sink, from,
					 &(struct heap_reference){.to = to, .kind = kind}, 1));
}

static void root(struct heap_sink *sink, addr_t at, const char *name)
{
	struct heap_root row = {.object_at = at, .kind = HEAP_ROOT_FRAME, .name = name};

	assert_null(heap_sink_roots(sink, &row, 1));
}

static void an_empty_builder_makes_an_empty_heap(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(2);
	_cleanup_heap_ struct heap *heap = finish(builder);

	assert_true(heap_sink_wants_references(builder));
	assert_int_equal(heap->object_count, 0);
	assert_int_equal(heap->type_count, 0);
	assert_int_equal(heap->first_edge[0], 0);
}

static void what_children_got_is_joined(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(2);
	struct heap_sink *first, *second;

	// given two children, one of which told what the other needs
	assert_null(heap_sink_fork(builder, &first));
	assert_null(heap_sink_fork(builder, &second));
	report(second, 0x2000, 2, 0);
	refer(second, 0x2000, 0x1000, HEAP_EDGE_OWNED);
	report(first, 0x1000, 1, HEAP_TRACKED);
	root(first, 0x2000, "f at a.py:1");
	assert_null(heap_sink_types(
		first, &(struct heap_type){.name = "T", .at = 0x10, .basic_size_bytes = 16}, 1));
	assert_null(heap_sink_problem(
		first, &(struct heap_problem){.kind = HEAP_PROBLEM_UNREADABLE, .text = "a hole"}));
	assert_null(heap_sink_collector(
		second, &(struct heap_collector){.enabled = true, .garbage_at = 0x1000}));

	// when
	assert_null(heap_sink_join(builder, first));
	assert_null(heap_sink_join(builder, second));
	_cleanup_heap_ struct heap *heap = finish(builder);

	// then
	assert_int_equal(heap->object_count, 2);
	assert_string_equal(heap_type_name(heap, 1), "T");
	assert_int_equal(heap->types[0].basic_size_bytes, 16);
	assert_int_equal(heap_edge_count(heap, 1), 1);
	assert_int_equal(heap->edges[0], heap_edge_make(0, HEAP_EDGE_OWNED));
	assert_int_equal(heap->root_count, 1);
	assert_int_equal(heap->roots[0].object, 1);
	assert_string_equal(heap->roots[0].name, "f at a.py:1");
	assert_int_equal(heap->unreadable, 1);
	assert_string_equal(heap->problem_texts[0], "a hole");
	assert_true(heap->collector.enabled);
	assert_int_equal(heap->garbage_list, 0);
}

static void what_a_destroyed_child_had_marked_ends_the_walk(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);
	struct heap_sink *child;
	struct heap *heap;

	assert_null(heap_sink_fork(builder, &child));
	report(child, 0x1000, 1, 0);
	heap_sink_destroy(child);
	struct error *error = heap_builder_finish(builder, &heap);
	assert_non_null(error);
	error_destroy(error);

	// when it begins again
	assert_null(heap_sink_fork(builder, &child));
	report(child, 0x2000, 1, 0);
	heap_sink_destroy(child);
	heap_sink_reset(builder);
	report(builder, 0x3000, 1, 0);
	heap = finish(builder);
	assert_int_equal(heap->object_count, 1);
	heap_destroy(heap);
}

static void references_may_come_before_their_object(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);

	refer(builder, 0x1000, 0x1000, HEAP_EDGE_GC);
	report(builder, 0x1000, 1, 0);
	_cleanup_heap_ struct heap *heap = finish(builder);

	assert_int_equal(heap_edge_count(heap, 0), 1);
	assert_int_equal(heap->truncated, 0);
}

static void counts_beyond_32_bits_and_immortal_ones_have_values_of_their_own(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);

	report(builder, 0x1000, UINT64_MAX, 0);
	report(builder, 0x2000, UINT32_MAX - 1, 0);
	report(builder, 0x3000, 77, HEAP_IMMORTAL);
	_cleanup_heap_ struct heap *heap = finish(builder);

	assert_int_equal(heap->refcount[0], UINT32_MAX);
	assert_int_equal(heap->refcount[1], UINT32_MAX - 1);
	assert_int_equal(heap->refcount[2], 0);
}

static void an_object_met_twice_counts_once_and_is_told(void **state)
{
	for (unsigned threads = 1; threads < 5; threads++) {
		_cleanup_sink_ struct heap_sink *builder = new_builder(threads);
		struct heap_sink *child;
		_cleanup_free_ addr_t *unknown = NULL;
		size_t count;

		// given the same object from two sinks, once more after unknown(), always with references
		assert_null(heap_sink_fork(builder, &child));
		report(builder, 0x1000, 1, 0);
		refer(builder, 0x1000, 0x1000, HEAP_EDGE_OWNED);
		report(child, 0x1000, 2, 0);
		refer(child, 0x1000, 0x1000, HEAP_EDGE_GC);
		refer(child, 0x1000, 0x1000, HEAP_EDGE_GC);
		assert_null(heap_sink_join(builder, child));
		assert_null(heap_sink_unknown(builder, &unknown, &count));
		assert_int_equal(count, 0);
		report(builder, 0x1000, 3, 0);

		// when
		_cleanup_heap_ struct heap *heap = finish(builder);

		// then the first ones count
		assert_int_equal(heap->object_count, 1);
		assert_int_equal(heap->refcount[0], 1);
		assert_int_equal(heap_edge_count(heap, 0), 1);
		assert_int_equal(heap_edge_kind(heap->edges[0]), HEAP_EDGE_OWNED);
		assert_int_equal(heap->truncated, 3);
		assert_string_equal(heap->problem_texts[0], "the object at 0x1000 was met twice");
	}
}

static void what_no_object_can_be_is_a_problem_and_not_an_object(void **state)
{
	static const addr_t wild[] = {0, 4, 0x1001, 1UL << 48, 1UL << 57 | 0x1000, ~7UL};
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);
	_cleanup_free_ addr_t *unknown = NULL;
	size_t count, wild_count = sizeof(wild) / sizeof(wild[0]);

	report(builder, 0x1000, 1, 0);
	for (size_t i = 0; i < wild_count; i++) {
		report(builder, wild[i], 1, 0);
		refer(builder, wild[i], 0x1000, HEAP_EDGE_GC);
		root(builder, wild[i], "wild");
	}
	struct heap_reference references[6] = {0};
	for (size_t i = 0; i < wild_count; i++)
		references[i].to = wild[i];
	assert_null(heap_sink_references(builder, 0x1000, references, wild_count));
	// one whose object never came
	refer(builder, 0x5000, 0x1000, HEAP_EDGE_GC);

	assert_null(heap_sink_unknown(builder, &unknown, &count));
	assert_int_equal(count, 0);
	_cleanup_heap_ struct heap *heap = finish(builder);
	assert_int_equal(heap->object_count, 1);
	assert_int_equal(heap_edge_count(heap, 0), 0);
	assert_int_equal(heap->dangling_count[HEAP_EDGE_GC], wild_count);
	assert_int_equal(heap->dangling_root_count, wild_count);
	assert_int_equal(heap->truncated, 2 * wild_count + 1);
	assert_int_equal(heap->problem_text_count, HEAP_PROBLEM_TEXTS_MAX);
}

static void a_wild_type_is_an_error(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);
	struct heap_object object = {.at = 8, .type = HEAP_TYPES_MAX};
	_cleanup_error_ struct error *first = heap_sink_objects(builder, &object, 1);
	_cleanup_error_ struct error *second =
		heap_sink_types(builder, &(struct heap_type){.id = UINT32_MAX, .name = "T"}, 1);

	assert_non_null(first);
	assert_non_null(second);
}

static void types_that_were_never_announced_have_a_name_all_the_same(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);
	struct heap_object object = {.at = 8, .type = 2};

	assert_null(heap_sink_objects(builder, &object, 1));
	assert_null(heap_sink_types(builder, &(struct heap_type){.id = 1, .name = "old"}, 1));
	assert_null(heap_sink_types(builder, &(struct heap_type){.id = 1, .name = "T"}, 1));
	_cleanup_heap_ struct heap *heap = finish(builder);

	assert_int_equal(heap->type_count, 3);
	assert_string_equal(heap->types[0].name, "?");
	assert_string_equal(heap->types[1].name, "T");
	assert_string_equal(heap_type_name(heap, 0), "?");
}

static void unknown_addresses_are_told_once_in_order(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(2);
	_cleanup_free_ addr_t *first = NULL, *second = NULL, *third = NULL;
	size_t count;

	// given references and roots to objects that are not there
	report(builder, 0x1000, 1, 0);
	refer(builder, 0x1000, 0x9000, HEAP_EDGE_GC);
	refer(builder, 0x1000, 0x7f0000000000, HEAP_EDGE_WEAK);
	root(builder, 0x5000, "f");
	root(builder, 0x9000, "f");
	assert_null(heap_sink_collector(builder, &(struct heap_collector){.garbage_at = 0x6000}));
	assert_null(heap_sink_unknown(builder, &first, &count));
	assert_int_equal(count, 4);
	assert_int_equal(first[0], 0x5000);
	assert_int_equal(first[1], 0x6000);
	assert_int_equal(first[2], 0x9000);
	assert_int_equal(first[3], 0x7f0000000000);

	// when one of them is found, and refers to others
	report(builder, 0x9000, 1, HEAP_STATIC);
	struct heap_reference references[] = {
		{.to = 0x9000}, {.to = 0x5000}, {.to = 0xa000}, {.to = 0xa000}, {.to = 0x1000}};
	assert_null(heap_sink_references(builder, 0x9000, references, 5));

	// then only what is new is told, and the found one is an object
	assert_null(heap_sink_unknown(builder, &second, &count));
	assert_int_equal(count, 1);
	assert_int_equal(second[0], 0xa000);
	assert_null(heap_sink_unknown(builder, &third, &count));
	assert_int_equal(count, 0);
	_cleanup_heap_ struct heap *heap = finish(builder);
	assert_int_equal(heap->object_count, 2);
	assert_int_equal(heap_find(heap, 0x9000), 1);
	assert_int_equal(heap_edge_count(heap, 1), 2);
	assert_int_equal(heap->dangling_count[HEAP_EDGE_GC], 3);
	assert_int_equal(heap->dangling_root_count, 1);
}

static void a_part_has_one_owner(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(1);

	for (addr_t at = 0x1000; at <= 0x4000; at += 0x1000)
		report(builder, at, 1, 0);
	refer(builder, 0x1000, 0x2000, HEAP_EDGE_GC | HEAP_REFERENCE_PART);
	refer(builder, 0x2000, 0x3000, HEAP_EDGE_OWNED | HEAP_REFERENCE_PART);
	refer(builder, 0x3000, 0x2000, HEAP_EDGE_GC);
	refer(builder, 0x4000, 0x3000, HEAP_EDGE_GC | HEAP_REFERENCE_PART);
	_cleanup_heap_ struct heap *heap = finish(builder);

	assert_int_equal(heap->flags[0], 0);
	assert_int_equal(heap->flags[1], HEAP_PART);
	assert_int_equal(heap->flags[2], 0);
	assert_int_equal(heap_edge_kind(heap_edges(heap, 1)[0]), HEAP_EDGE_OWNED);
}

static void an_object_may_have_very_many_references(void **state)
{
	enum { COUNT = 300000 };
	_cleanup_sink_ struct heap_sink *builder = new_builder(2);
	_cleanup_free_ struct heap_reference *references = calloc(COUNT, sizeof(*references));

	assert_non_null(references);
	for (size_t i = 0; i < COUNT; i++)
		references[i].to = i % 3 ? 0x1000 : 0x2000;
	report(builder, 0x1000, 1, 0);
	report(builder, 0x2000, 1, 0);
	assert_null(heap_sink_references(builder, 0x2000, references, COUNT));
	assert_null(heap_sink_references(builder, 0x1000, references + 1, 0xfffe));
	refer(builder, 0x3000, 0x2000, HEAP_EDGE_GC);
	report(builder, 0x3000, 1, 0);
	assert_null(heap_sink_references(builder, 0x4000, references, 0xffff));
	report(builder, 0x4000, 1, 0);
	_cleanup_heap_ struct heap *heap = finish(builder);

	assert_int_equal(heap_edge_count(heap, 0), 0xfffe);
	assert_int_equal(heap_edge_count(heap, 1), COUNT);
	assert_int_equal(heap_edge_count(heap, 2), 1);
	assert_int_equal(heap_edge_count(heap, 3), 0xffff);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(heap_edges(heap, 1)[i], i % 3 ? 0 : 1);
}

static void a_reset_builder_begins_again(void **state)
{
	_cleanup_sink_ struct heap_sink *builder = new_builder(2);

	for (int walk = 0; walk < 3; walk++) {
		_cleanup_free_ addr_t *unknown = NULL;
		size_t count;
		assert_null(heap_sink_types(builder, &(struct heap_type){.name = "T"}, 1));
		report(builder, 0x1000, 1, 0);
		report(builder, 0x1000, 1, 0);
		refer(builder, 0x1000, 0x2000, HEAP_EDGE_GC);
		root(builder, 0x1000, "f");
		assert_null(heap_sink_unknown(builder, &unknown, &count));
		assert_int_equal(count, 1);
		if (walk == 2) {
			_cleanup_heap_ struct heap *heap = finish(builder);
			assert_int_equal(heap->object_count, 1);
			assert_int_equal(heap->truncated, 1);
			assert_int_equal(heap->root_count, 1);
		} else {
			heap_sink_reset(builder);
		}
	}
	_cleanup_heap_ struct heap *empty = finish(builder);
	assert_int_equal(empty->object_count, 0);
	assert_int_equal(empty->truncated, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_builder_makes_an_empty_heap),
		cmocka_unit_test(what_children_got_is_joined),
		cmocka_unit_test(what_a_destroyed_child_had_marked_ends_the_walk),
		cmocka_unit_test(references_may_come_before_their_object),
		cmocka_unit_test(counts_beyond_32_bits_and_immortal_ones_have_values_of_their_own),
		cmocka_unit_test(an_object_met_twice_counts_once_and_is_told),
		cmocka_unit_test(what_no_object_can_be_is_a_problem_and_not_an_object),
		cmocka_unit_test(a_wild_type_is_an_error),
		cmocka_unit_test(types_that_were_never_announced_have_a_name_all_the_same),
		cmocka_unit_test(unknown_addresses_are_told_once_in_order),
		cmocka_unit_test(a_part_has_one_owner),
		cmocka_unit_test(an_object_may_have_very_many_references),
		cmocka_unit_test(a_reset_builder_begins_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
