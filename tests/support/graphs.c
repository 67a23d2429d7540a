// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/graphs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pages.h"
#include "heap/text.h"

struct heap *graph_parse(const char *text)
{
	struct heap *heap = NULL;
	struct error *error = heap_text_parse(text, &heap);

	if (error)
		fail_msg("%s", error->message);
	return heap;
}

uint32_t graph_find(const struct heap *heap, addr_t at)
{
	uint32_t object = heap_find(heap, at);

	if (object == HEAP_NO_OBJECT)
		fail_msg("no object at %#llx", (unsigned long long)at);
	return object;
}

uint64_t graph_random(uint64_t *seed)
{
	// xorshift64: G. Marsaglia, "Xorshift RNGs" (2003).
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct heap *make(uint32_t object_count, uint32_t type_count, size_t edge_count)
{
	struct heap *heap = calloc(1, sizeof(*heap));

	assert_non_null(heap);
	heap->object_count = object_count;
	heap->at = pages_alloc(object_count * sizeof(*heap->at));
	heap->size_bytes = pages_alloc(object_count * sizeof(*heap->size_bytes));
	heap->refcount = pages_alloc(object_count * sizeof(*heap->refcount));
	heap->type = pages_alloc(object_count * sizeof(*heap->type));
	heap->flags = pages_alloc(object_count * sizeof(*heap->flags));
	heap->first_edge = pages_alloc(((size_t)object_count + 1) * sizeof(*heap->first_edge));
	heap->edges = pages_alloc(edge_count * sizeof(*heap->edges));
	heap->types = calloc(type_count, sizeof(*heap->types));
	heap->type_count = type_count;
	heap->garbage_list = HEAP_NO_OBJECT;
	for (uint32_t i = 0; i < type_count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "module.T%u", i);
		heap->types[i].name = strdup(name);
		heap->types[i].finalizer = (enum heap_finalizer)(i % 4);
	}
	for (uint32_t i = 0; i < object_count; i++) {
		heap->at[i] = UINT64_C(0x10000) + UINT64_C(16) * i;
		heap->size_bytes[i] = 16 + i % 7;
	}
	return heap;
}

static void count_references(struct heap *heap)
{
	for (uint32_t i = 0; i < heap->first_edge[heap->object_count]; i++) {
		if (heap_edge_kind(heap->edges[i]) != HEAP_EDGE_WEAK)
			heap->refcount[heap_edge_target(heap->edges[i])]++;
	}
}

static uint16_t flags_at_random(uint64_t *seed)
{
	uint64_t dice = graph_random(seed);
	uint16_t flags = dice % 8 ? HEAP_TRACKED : 0;

	if (dice / 8 % 16 == 0)
		flags |= HEAP_FROZEN;
	if (dice / 128 % 32 == 0)
		flags |= HEAP_IMMORTAL;
	if (dice / 4096 % 16 == 0)
		flags |= HEAP_LEGACY_FINALIZER;
	if (dice / 65536 % 4 == 0)
		flags |= HEAP_FINALIZED;
	if (dice / 262144 % 8 == 0)
		flags |= HEAP_PART;
	return flags;
}

struct heap *graph_at_random(uint64_t seed, uint32_t object_count, uint32_t edge_count)
{
	enum { TYPES = 6 };
	struct heap *heap = make(object_count, TYPES, edge_count);
	uint32_t count = 0;

	// As many references of each object as it is drawn, so that some have many and some none.
	for (uint32_t i = 0; i < edge_count; i++)
		heap->first_edge[graph_random(&seed) % object_count + 1]++;
	for (uint32_t i = 0; i < object_count; i++)
		heap->first_edge[i + 1] += heap->first_edge[i];
	for (; count < edge_count; count++) {
		enum heap_edge_kind kind = graph_random(&seed) % 8 < 6
						   ? HEAP_EDGE_GC
						   : (enum heap_edge_kind)(graph_random(&seed) % 4);

		heap->edges[count] =
			heap_edge_make((uint32_t)(graph_random(&seed) % object_count), kind);
	}
	count_references(heap);
	for (uint32_t i = 0; i < object_count; i++) {
		uint64_t dice = graph_random(&seed);

		heap->type[i] = (uint32_t)(dice % TYPES);
		heap->flags[i] = flags_at_random(&seed);
		if (dice / 8 % 8 == 0)
			heap->refcount[i]++;
		else if (dice / 64 % 64 == 0 && heap->refcount[i])
			heap->refcount[i]--;
		else if (dice / 4096 % 128 == 0)
			heap->refcount[i] = UINT32_MAX;
		if (heap->flags[i] & HEAP_IMMORTAL)
			heap->refcount[i] = 0;
	}
	if (graph_random(&seed) % 2)
		heap->garbage_list = (uint32_t)(graph_random(&seed) % object_count);
	heap->collector.saves_all = graph_random(&seed) % 8 == 0;
	return heap;
}

void graph_hold(struct heap *heap, const struct heap_root_row *roots, size_t root_count,
		const struct heap_leak *leaks, size_t leak_count)
{
	heap->roots = calloc(root_count + 1, sizeof(*roots));
	heap->leaks = calloc(leak_count + 1, sizeof(*leaks));
	assert_true(heap->roots && heap->leaks);
	for (size_t i = 0; i < root_count; i++) {
		heap->roots[i] = roots[i];
		heap->roots[i].name = heap->roots[i].part = "";
	}
	for (size_t i = 0; i < leak_count; i++)
		heap->leaks[i] = leaks[i];
	heap->root_count = root_count;
	heap->leak_count = leak_count;
}

struct heap *graph_list(uint32_t object_count, bool back, bool closed)
{
	struct heap *heap = make(object_count, 2, object_count - !closed);
	uint32_t edges = 0;

	for (uint32_t i = 0; i < object_count; i++) {
		bool is_last = back ? i == 0 : i + 1 == object_count;
		uint32_t next = back ? i + object_count - 1 : i + 1;

		heap->flags[i] = HEAP_TRACKED;
		heap->type[i] = 1;
		heap->first_edge[i] = edges;
		if (!is_last || closed)
			heap->edges[edges++] = heap_edge_make(next % object_count, HEAP_EDGE_GC);
	}
	heap->first_edge[object_count] = edges;
	count_references(heap);
	return heap;
}

enum { SMALL_STACK_BYTES = 64 << 10 };

void graph_on_small_stack(void *(*function)(void *), void *argument)
{
	// The smallest there may be is larger on some machines.
	long least = sysconf(_SC_THREAD_STACK_MIN);
	size_t stack_bytes = least > SMALL_STACK_BYTES ? (size_t)least : SMALL_STACK_BYTES;
	pthread_attr_t attributes;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, stack_bytes), 0);
	assert_int_equal(pthread_create(&thread, &attributes, function, argument), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}
