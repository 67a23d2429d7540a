// SPDX-License-Identifier: GPL-3.0-or-later
// What a builder knows of addresses before it packs: which objects are where, and where references lead
// to none.
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "heap/builder_store.h"
#include "heap/crew.h"

// Of a pass over all references, by all threads.
struct looking {
	struct builder *builder;
	struct builder_piece **pieces;
	/** Guards what is below. */
	pthread_mutex_t lock;
	struct error *error;
	/** Addresses at which nothing is known, with the value 0. */
	struct addr_map found;
};

static void looking_fail(struct looking *looking, struct error *error)
{
	pthread_mutex_lock(&looking->lock);
	if (looking->error)
		error_destroy(error);
	else
		looking->error = error;
	pthread_mutex_unlock(&looking->lock);
}

static struct error *looking_run(struct looking *looking,
				 void (*work)(void *context, size_t number))
{
	struct builder *builder = looking->builder;

	looking->pieces = store_list(&builder->references);
	if (!looking->pieces)
		return error_no_memory();
	pthread_mutex_init(&looking->lock, NULL);
	crew_run(builder->thread_count, builder->references.count, work, looking);
	pthread_mutex_destroy(&looking->lock);
	return take_ptr(looking->error);
}

static void looking_deinit(struct looking *looking)
{
	free(looking->pieces);
	addr_map_deinit(&looking->found);
}

// What one piece met, each once: what many refer to is met over and over.
static void looking_add(struct looking *looking, struct addr_map *met, struct error *error)
{
	uint32_t value;

	pthread_mutex_lock(&looking->lock);
	for (size_t i = 0; !error && i < met->size; i++)
		if (met->slots[i].key &&
		    !addr_map_get(&looking->builder->told, met->slots[i].key, &value))
			error = addr_map_put(&looking->found, met->slots[i].key, 0);
	pthread_mutex_unlock(&looking->lock);
	if (error)
		looking_fail(looking, error);
	addr_map_deinit(met);
}

/** Where in the runs of a piece the words looked at are. */
struct run_state {
	/** References of the run still to come. */
	uint64_t left;
	/** The next word is their number. */
	bool is_number;
};

// Puts ids where addresses of objects are, in @a count words.
static struct error *number_words(uint64_t *words, const uint32_t *ids, size_t count,
				  struct run_state *state, struct addr_map *met)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < count; i++) {
		uint64_t word = words[i], id = ids[i], rest = word & ~BUILDER_ADDRESS_MASK;
		if (state->left == 0) {
			words[i] = rest | (id == HEAP_NO_OBJECT ? BUILDER_LOST : id);
			state->left = word >> HEAP_ADDRESS_BITS;
			state->is_number = state->left == BUILDER_RUN_LONG;
		} else if (state->is_number) {
			state->left = word;
			state->is_number = false;
		} else {
			state->left--;
			if (id != HEAP_NO_OBJECT)
				words[i] = rest | id | UINT64_C(1) << BUILDER_HAS_ID_SHIFT;
			else if (word & BUILDER_ADDRESS_MASK)
				error = addr_map_put(met, word & BUILDER_ADDRESS_MASK, 0);
		}
	}
	return error;
}

static void number_piece(void *context, size_t number)
{
	enum { BATCH = 256 };
	struct looking *looking = context;
	struct builder_piece *piece = looking->pieces[number];
	uint64_t *words = (uint64_t *)piece->content;
	size_t count = piece->used / sizeof(*words);
	struct run_state state = {0};
	struct addr_map met = {0};
	struct error *error = NULL;
	uint32_t ids[BATCH];

	for (size_t i = 0; !error && i < count; i += BATCH) {
		size_t batch = count - i < BATCH ? count - i : BATCH;
		heap_index_find_many(looking->builder->index, words + i, batch, ids);
		error = number_words(words + i, ids, batch, &state, &met);
	}
	piece->seen = piece->numbered = piece->used;
	looking_add(looking, &met, error);
}

// Of references that came after the numbering, which are few.
static void look_at_piece(void *context, size_t number)
{
	struct looking *looking = context;
	struct builder_piece *piece = looking->pieces[number];
	const uint64_t *words = (const uint64_t *)piece->content;
	size_t count = piece->used / sizeof(*words);
	struct addr_map met = {0};
	struct error *error = NULL;

	for (size_t i = piece->seen / sizeof(*words); !error && i < count;) {
		uint64_t left = words[i++] >> HEAP_ADDRESS_BITS;
		if (left == BUILDER_RUN_LONG)
			left = words[i++];
		for (; !error && left; left--, i++) {
			addr_t to = words[i] & BUILDER_ADDRESS_MASK;
			if (to && !heap_index_has(looking->builder->index, to))
				error = addr_map_put(&met, to, 0);
		}
	}
	piece->seen = piece->used;
	looking_add(looking, &met, error);
}

static struct error *builder_number_and_look(struct looking *looking)
{
	struct builder *builder = looking->builder;
	struct error *error = builder_want_index(builder);

	if (error)
		return error;
	builder->numbered_count = (uint32_t)heap_index_count(builder->index);
	builder->is_numbered = true;
	return looking_run(looking, number_piece);
}

struct error *builder_number(struct builder *builder)
{
	struct looking CLEANUP(looking_deinit) looking = {.builder = builder};

	return builder_number_and_look(&looking);
}

static struct error *look_at_known(struct looking *looking, addr_t at)
{
	const struct builder *builder = looking->builder;
	uint32_t value;

	if (!heap_index_takes(at) || heap_index_has(builder->index, at) ||
	    addr_map_get(&builder->told, at, &value))
		return NULL;
	return addr_map_put(&looking->found, at, 0);
}

static int compare_addresses(const void *a, const void *b)
{
	addr_t left = *(const addr_t *)a, right = *(const addr_t *)b;

	return (left > right) - (left < right);
}

struct error *builder_unknown(struct heap_sink *sink, addr_t **ret, size_t *ret_count)
{
	struct builder *builder = (struct builder *)sink;
	struct looking CLEANUP(looking_deinit) looking = {.builder = builder};
	struct error *error = builder->is_numbered ? looking_run(&looking, look_at_piece)
						   : builder_number_and_look(&looking);

	for (size_t i = 0; !error && i < builder->root_count; i++)
		error = look_at_known(&looking, builder->roots[i].object_at);
	if (!error)
		error = look_at_known(&looking, builder->collector.garbage_at);
	if (error)
		return error;
	_cleanup_free_ addr_t *list = calloc(looking.found.count + 1, sizeof(*list));
	if (!list)
		return error_no_memory();
	size_t count = 0;
	for (size_t i = 0; !error && i < looking.found.size; i++) {
		if (!looking.found.slots[i].key)
			continue;
		list[count++] = looking.found.slots[i].key;
		error = addr_map_put(&builder->told, looking.found.slots[i].key, 0);
	}
	if (error)
		return error;
	qsort(list, count, sizeof(*list), compare_addresses);
	*ret = take_ptr(list);
	*ret_count = count;
	return NULL;
}

static void deinit_map(struct addr_map *map)
{
	addr_map_deinit(map);
}

// Rare: a walk that meets an object twice has gone over a torn heap.
struct error *builder_leave_out_repeated(struct builder *builder)
{
	struct addr_map CLEANUP(deinit_map) met = {0};
	struct error *error = NULL;

	for (size_t i = 0; !error && i < builder->repeated.count; i++)
		error = addr_map_put(&met, builder->repeated.list[i], 0);
	for (struct builder_piece *piece = builder->objects.first; met.count && piece;
	     piece = piece->next) {
		struct builder_object *object = (struct builder_object *)piece->content;
		for (; !error && (unsigned char *)object < piece->content + piece->used; object++) {
			addr_t at = builder_object_at(object);
			uint32_t times;
			char text[96];
			if (!addr_map_get(&met, at, &times))
				continue;
			if (times == 0) {
				error = addr_map_put(&met, at, 1);
				continue;
			}
			object->at_flags = 0;
			builder->object_count--;
			snprintf(text, sizeof(text), "the object at 0x%" PRIx64 " was met twice",
				 at);
			error = builder_complain(builder, HEAP_PROBLEM_TRUNCATED, text);
		}
	}
	builder->repeated.count = 0;
	return error;
}
