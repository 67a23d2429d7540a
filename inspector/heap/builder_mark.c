// SPDX-License-Identifier: GPL-3.0-or-later
// What a builder knows of addresses before it packs: where objects are, and where references lead to
// none.
#include "heap/builder_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "heap/crew.h"

struct marking {
	struct builder *builder;
	struct builder_piece **pieces;
	/** Guards what is below. */
	pthread_mutex_t lock;
	struct error *error;
	/** Addresses, with the value 0: marked more than once; met without an object. */
	struct addr_map found;
};

static void marking_fail(struct marking *marking, struct error *error)
{
	pthread_mutex_lock(&marking->lock);
	if (marking->error)
		error_destroy(error);
	else
		marking->error = error;
	pthread_mutex_unlock(&marking->lock);
}

static struct error *marking_add(struct marking *marking, addr_t at)
{
	pthread_mutex_lock(&marking->lock);
	struct error *error = addr_map_put(&marking->found, at, 0);
	pthread_mutex_unlock(&marking->lock);
	return error;
}

static void mark_piece(void *context, size_t number)
{
	struct marking *marking = context;
	struct builder_piece *piece = marking->pieces[number];
	struct heap_index *index = marking->builder->index;
	const struct builder_object *object =
		(const struct builder_object *)(piece->content + piece->seen);
	size_t count = (piece->used - piece->seen) / sizeof(*object);
	struct error *error = NULL;

	for (size_t i = 0; !error && i < count; i++) {
		bool first;
		error = heap_index_mark(index, builder_object_at(&object[i]), &first);
		if (!error && !first)
			error = marking_add(marking, builder_object_at(&object[i]));
	}
	if (error)
		marking_fail(marking, error);
	piece->seen = piece->used;
}

// Of the objects met more than once all but the first are left out. Rare: a walk that meets an object
// twice has gone over a torn heap.
static struct error *mark_leave_out(struct marking *marking)
{
	struct builder *builder = marking->builder;

	for (size_t i = 0; i < builder->objects.count; i++) {
		struct builder_piece *piece = marking->pieces[i];
		struct builder_object *object = (struct builder_object *)piece->content;
		for (; (unsigned char *)object < piece->content + piece->used; object++) {
			addr_t at = builder_object_at(object);
			uint32_t met;
			char text[96];
			if (!addr_map_get(&marking->found, at, &met))
				continue;
			struct error *error = NULL;
			if (met == 0) {
				error = addr_map_put(&marking->found, at, 1);
			} else {
				object->at_flags = 0;
				builder->object_count--;
				snprintf(text, sizeof(text),
					 "the object at 0x%" PRIx64 " was met twice", at);
				error = builder_complain(builder, HEAP_PROBLEM_TRUNCATED, text);
			}
			if (error)
				return error;
		}
	}
	return NULL;
}

static struct error *marking_run(struct marking *marking, const struct builder_store *store,
				 void (*work)(void *context, size_t number))
{
	marking->pieces = store_list(store);
	if (!marking->pieces)
		return error_no_memory();
	pthread_mutex_init(&marking->lock, NULL);
	crew_run(marking->builder->thread_count, store->count, work, marking);
	pthread_mutex_destroy(&marking->lock);
	return take_ptr(marking->error);
}

static void marking_deinit(struct marking *marking)
{
	free(marking->pieces);
	addr_map_deinit(&marking->found);
}

struct error *builder_mark(struct builder *builder)
{
	struct marking CLEANUP(marking_deinit) marking = {.builder = builder};
	struct error *error = NULL;

	if (!builder->index)
		error = heap_index_create(&builder->index);
	if (!error)
		error = marking_run(&marking, &builder->objects, mark_piece);
	if (!error && marking.found.count)
		error = mark_leave_out(&marking);
	return error;
}

// The targets of a piece's new references at which nothing is known, first each once, then together
// with those of the other pieces: what many refer to is met over and over.
static void look_at_piece(void *context, size_t number)
{
	enum { AHEAD = 16 };
	struct marking *marking = context;
	struct builder_piece *piece = marking->pieces[number];
	const struct heap_index *index = marking->builder->index;
	const uint64_t *words = (const uint64_t *)piece->content;
	size_t count = piece->used / sizeof(*words);
	struct addr_map met = {0};
	struct error *error = NULL;
	uint32_t value;

	for (size_t i = piece->seen / sizeof(*words); !error && i < count;) {
		uint64_t left = words[i++] >> HEAP_ADDRESS_BITS;
		if (left == BUILDER_RUN_LONG)
			left = words[i++];
		for (; !error && left; left--, i++) {
			addr_t to = words[i] & BUILDER_ADDRESS_MASK;
			if (i + AHEAD < count)
				heap_index_prefetch(index, words[i + AHEAD] & BUILDER_ADDRESS_MASK);
			if (to && !heap_index_has(index, to))
				error = addr_map_put(&met, to, 0);
		}
	}
	piece->seen = piece->used;
	for (size_t i = 0; !error && i < met.size; i++)
		if (met.slots[i].key &&
		    !addr_map_get(&marking->builder->told, met.slots[i].key, &value))
			error = marking_add(marking, met.slots[i].key);
	if (error)
		marking_fail(marking, error);
	addr_map_deinit(&met);
}

static struct error *look_at_known(struct marking *marking, addr_t at)
{
	const struct builder *builder = marking->builder;
	uint32_t value;

	if (!heap_index_takes(at) || heap_index_has(builder->index, at) ||
	    addr_map_get(&builder->told, at, &value))
		return NULL;
	return addr_map_put(&marking->found, at, 0);
}

static int compare_addresses(const void *a, const void *b)
{
	addr_t left = *(const addr_t *)a, right = *(const addr_t *)b;

	return (left > right) - (left < right);
}

struct error *builder_unknown(struct heap_sink *sink, addr_t **ret, size_t *ret_count)
{
	struct builder *builder = (struct builder *)sink;
	struct marking CLEANUP(marking_deinit) marking = {.builder = builder};
	struct error *error = builder_mark(builder);

	if (!error)
		error = marking_run(&marking, &builder->references, look_at_piece);
	for (size_t i = 0; !error && i < builder->root_count; i++)
		error = look_at_known(&marking, builder->roots[i].object_at);
	if (!error)
		error = look_at_known(&marking, builder->collector.garbage_at);
	if (error)
		return error;
	_cleanup_free_ addr_t *list = calloc(marking.found.count + 1, sizeof(*list));
	if (!list)
		return error_no_memory();
	size_t count = 0;
	for (size_t i = 0; !error && i < marking.found.size; i++) {
		if (!marking.found.slots[i].key)
			continue;
		list[count++] = marking.found.slots[i].key;
		error = addr_map_put(&builder->told, marking.found.slots[i].key, 0);
	}
	if (error)
		return error;
	qsort(list, count, sizeof(*list), compare_addresses);
	*ret = take_ptr(list);
	*ret_count = count;
	return NULL;
}
