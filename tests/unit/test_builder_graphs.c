// SPDX-License-Identifier: GPL-3.0-or-later
// The property of the builder: whatever a graph looks like, and however it is told, it makes the same of
// it as plain loops over plain lists do.
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

struct plain_object {
	struct heap_object row;
	struct heap_reference *references;
	size_t reference_count;
	/** It is reported only after unknown(). */
	bool late;
	/** What the heap must say. */
	uint32_t part_count;
	int64_t excess;
};

struct plain {
	uint64_t seed;
	/** Ascending by address. */
	struct plain_object *objects;
	size_t count;
	struct heap_root *roots;
	size_t root_count;
	uint64_t dangling[4];
};

static uint32_t plain_random(struct plain *plain, uint32_t below)
{
	plain->seed = plain->seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((plain->seed >> 33) % below);
}

static int compare_plain(const void *a, const void *b)
{
	addr_t left = ((const struct plain_object *)a)->row.at;
	addr_t right = ((const struct plain_object *)b)->row.at;

	return (left > right) - (left < right);
}

static struct plain_object *plain_find(const struct plain *plain, addr_t at)
{
	struct plain_object key = {.row.at = at};

	return plain->count
		       ? bsearch(&key, plain->objects, plain->count, sizeof(key), compare_plain)
		       : NULL;
}

static addr_t plain_address(struct plain *plain)
{
	static const addr_t clusters[] = {0x1000, 0x555555550000, 0x7f1234500000, 0x7ffffff00000,
					  0xfffffff00000};

	return clusters[plain_random(plain, 5)] + plain_random(plain, 1 << 14) * 8;
}

static void plain_objects(struct plain *plain, size_t count)
{
	plain->objects = calloc(count + 1, sizeof(*plain->objects));
	assert_non_null(plain->objects);
	for (size_t i = 0; i < count; i++)
		plain->objects[i].row = (struct heap_object){
			.at = plain_address(plain),
			.size_bytes = plain_random(plain, 1 << 30),
			.refcount = plain_random(plain, 20),
			.type = plain_random(plain, 7),
			.flags = plain_random(plain, 16),
		};
	qsort(plain->objects, count, sizeof(*plain->objects), compare_plain);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || plain->objects[i].row.at != plain->objects[plain->count - 1].row.at)
			plain->objects[plain->count++] = plain->objects[i];
	for (size_t i = 0; i < plain->count; i++) {
		struct plain_object *object = &plain->objects[i];
		object->late = plain_random(plain, 10) == 0;
		object->excess = (int64_t)object->row.refcount;
		if (object->row.flags & HEAP_IMMORTAL)
			object->row.refcount = 0;
	}
}

static void plain_references(struct plain *plain, struct plain_object *object)
{
	object->reference_count = plain_random(plain, 6);
	if (plain_random(plain, 100) == 0)
		object->reference_count = plain_random(plain, 70000);
	object->references = calloc(object->reference_count + 1, sizeof(*object->references));
	assert_non_null(object->references);
	for (size_t i = 0; i < object->reference_count; i++) {
		struct heap_reference *reference = &object->references[i];
		reference->to = plain->objects[plain_random(plain, (uint32_t)plain->count)].row.at;
		if (plain_random(plain, 5) == 0)
			reference->to = plain_address(plain);
		if (plain_random(plain, 50) == 0)
			reference->to = object->row.at;
		if (plain_random(plain, 50) == 0)
			reference->to |= (addr_t)plain_random(plain, 16) << 60 | 4;
		if (i && plain_random(plain, 10) == 0)
			reference->to = object->references[i - 1].to;
		reference->kind = plain_random(plain, 4);
		struct plain_object *target = plain_find(plain, reference->to);
		if (i < 10 && plain_random(plain, 8) == 0)
			reference->kind |= HEAP_REFERENCE_PART;
		if (!target) {
			plain->dangling[reference->kind & 3]++;
			continue;
		}
		target->part_count += reference->kind & HEAP_REFERENCE_PART ? 1 : 0;
		target->excess -= (reference->kind & 3) != HEAP_EDGE_WEAK;
	}
}

static void plain_roots(struct plain *plain)
{
	plain->root_count = plain->count ? plain_random(plain, 20) : 0;
	plain->roots = calloc(plain->root_count + 1, sizeof(*plain->roots));
	assert_non_null(plain->roots);
	for (size_t i = 0; i < plain->root_count; i++) {
		struct plain_object *object =
			&plain->objects[plain_random(plain, (uint32_t)plain->count)];
		bool owns = plain_random(plain, 2);
		plain->roots[i] = (struct heap_root){.object_at = object->row.at,
						     .kind = plain_random(plain, 10),
						     .owns = owns,
						     .name = "root"};
		object->excess -= owns;
	}
}

static void plain_free(struct plain *plain)
{
	for (size_t i = 0; i < plain->count; i++)
		free(plain->objects[i].references);
	free(plain->objects);
	free(plain->roots);
}

enum { SINKS = 3 };

static void tell(struct heap_sink *sink, const struct plain_object *object)
{
	assert_null(heap_sink_objects(sink, &object->row, 1));
	assert_null(heap_sink_references(sink, object->row.at, object->references,
					 object->reference_count));
}

// Objects come in any order, and their references now and then before them.
static void tell_all(struct plain *plain, struct heap_sink *builder)
{
	struct heap_sink *sinks[SINKS];
	_cleanup_free_ uint32_t *order = calloc(plain->count + 1, sizeof(*order));

	assert_non_null(order);
	for (uint32_t i = 0; i < plain->count; i++) {
		uint32_t other = plain_random(plain, i + 1);
		order[i] = order[other];
		order[other] = i;
	}
	for (size_t i = 0; i < SINKS; i++)
		assert_null(heap_sink_fork(builder, &sinks[i]));
	for (size_t i = 0; i < plain->count; i++) {
		const struct plain_object *object = &plain->objects[order[i]];
		struct heap_sink *sink = sinks[plain_random(plain, SINKS)];
		if (object->late)
			continue;
		if (plain_random(plain, 2)) {
			tell(sink, object);
			continue;
		}
		assert_null(heap_sink_references(sink, object->row.at, object->references,
						 object->reference_count));
		assert_null(heap_sink_objects(sink, &object->row, 1));
	}
	for (size_t i = 0; i < SINKS; i++)
		assert_null(heap_sink_join(builder, sinks[i]));
	assert_null(heap_sink_roots(builder, plain->roots, plain->root_count));
}

// Those that are late are told when they are asked for; what nobody asks for is told in the end.
static void tell_late(struct plain *plain, struct heap_sink *builder)
{
	size_t told;

	do {
		_cleanup_free_ addr_t *unknown = NULL;
		size_t count;
		assert_null(heap_sink_unknown(builder, &unknown, &count));
		told = 0;
		for (size_t i = 0; i < count; i++) {
			struct plain_object *object = plain_find(plain, unknown[i]);
			assert_true(i == 0 || unknown[i - 1] < unknown[i]);
			assert_true(!object || object->late);
			if (!object)
				continue;
			tell(builder, object);
			object->late = false;
			told++;
		}
	} while (told);
	for (size_t i = 0; i < plain->count; i++)
		if (plain->objects[i].late)
			tell(builder, &plain->objects[i]);
}

static void compare_references(const struct plain *plain, const struct heap *heap, uint32_t id)
{
	const struct plain_object *object = &plain->objects[id];
	const heap_edge *edges = heap_edges(heap, id);
	uint32_t place = 0;

	for (size_t i = 0; i < object->reference_count; i++) {
		const struct plain_object *target = plain_find(plain, object->references[i].to);
		if (!target)
			continue;
		assert_true(place < heap_edge_count(heap, id));
		assert_int_equal(heap_edge_target(edges[place]), target - plain->objects);
		assert_int_equal(heap_edge_kind(edges[place]), object->references[i].kind & 3);
		place++;
	}
	assert_int_equal(place, heap_edge_count(heap, id));
}

static void compare_referrers(struct heap *heap, unsigned threads)
{
	_cleanup_free_ uint32_t *place = calloc(heap->object_count + 1, sizeof(*place));
	struct heap_referrers referrers;

	assert_non_null(place);
	assert_null(heap_reverse(heap, threads, &referrers));
	assert_int_equal(referrers.first[0], 0);
	for (uint32_t from = 0; from < heap->object_count; from++) {
		for (uint32_t i = 0; i < heap_edge_count(heap, from); i++) {
			uint32_t target = heap_edge_target(heap_edges(heap, from)[i]);
			assert_int_equal(referrers.ids[referrers.first[target] + place[target]++],
					 from);
		}
	}
	for (uint32_t i = 0; i < heap->object_count; i++)
		assert_int_equal(referrers.first[i + 1] - referrers.first[i], place[i]);
}

static void compare_all(const struct plain *plain, struct heap *heap, unsigned threads)
{
	_cleanup_free_ int64_t *excess = NULL;

	assert_int_equal(heap->object_count, plain->count);
	assert_int_equal(heap->truncated, 0);
	assert_memory_equal(heap->dangling_count, plain->dangling, sizeof(plain->dangling));
	assert_null(heap_excess(heap, &excess));
	for (uint32_t i = 0; i < plain->count; i++) {
		const struct plain_object *object = &plain->objects[i];
		uint32_t part = object->part_count == 1 ? HEAP_PART : 0;
		assert_int_equal(heap->at[i], object->row.at);
		assert_int_equal(heap_find(heap, object->row.at), i);
		assert_int_equal(heap->size_bytes[i], object->row.size_bytes);
		assert_int_equal(heap->refcount[i], object->row.refcount);
		assert_int_equal(heap->type[i], object->row.type);
		assert_int_equal(heap->flags[i], object->row.flags | part);
		assert_int_equal(excess[i], object->row.flags & HEAP_IMMORTAL ? 0 : object->excess);
		compare_references(plain, heap, i);
	}
	for (addr_t at = 0xff8; at < 0x3000; at++)
		assert_int_equal(heap_find(heap, at) != HEAP_NO_OBJECT,
				 plain_find(plain, at) != NULL);
	assert_int_equal(heap->root_count, plain->root_count);
	for (size_t i = 0; i < plain->root_count; i++)
		assert_int_equal(heap->at[heap->roots[i].object], plain->roots[i].object_at);
	compare_referrers(heap, threads);
}

static void graphs_of_all_sorts_are_built_as_by_plain_loops(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 10, 127, 128, 129, 1000, 5000};

	for (uint64_t round = 0; round < 4 * sizeof(sizes) / sizeof(sizes[0]); round++) {
		struct plain CLEANUP(plain_free) plain = {.seed = 1 + round};
		unsigned threads = 1 + (unsigned)round % 4;
		_cleanup_sink_ struct heap_sink *builder = new_builder(threads);

		plain_objects(&plain, sizes[round / 4]);
		for (size_t i = 0; i < plain.count; i++)
			plain_references(&plain, &plain.objects[i]);
		plain_roots(&plain);
		tell_all(&plain, builder);
		if (round % 3)
			tell_late(&plain, builder);
		else
			for (size_t i = 0; i < plain.count; i++)
				if (plain.objects[i].late)
					tell(builder, &plain.objects[i]);
		_cleanup_heap_ struct heap *heap = finish(builder);
		compare_all(&plain, heap, threads);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graphs_of_all_sorts_are_built_as_by_plain_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
