// SPDX-License-Identifier: GPL-3.0-or-later
// The end of a builder: from what came in to the packed arrays. Pieces of what came in are the shares
// of the threads, and each goes as soon as it is used up.
#include "heap/builder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/pages.h"
#include "heap/builder_store.h"
#include "heap/crew.h"
#include "heap/renumber.h"

// A second object refers to this one as its part: then it is nobody's. Only while packing.
enum { SHARED_PART = 1 << 15 };

struct pack {
	struct builder *builder;
	struct heap *heap;
	struct builder_piece **pieces;
	/** From ids of the numbering to those of now. */
	struct renumber renumber;
	/** The rest is atomic. References that are kept; runs of objects that are none. */
	uint64_t edge_count;
	uint64_t lost_runs;
	bool shared_parts;
};

// Packed references replace those that came in, in the same memory: words of 32 bits.
typedef uint32_t __attribute__((may_alias)) packed_word;

static void scatter_piece(void *context, size_t number)
{
	struct pack *pack = context;
	struct heap *heap = pack->heap;
	struct builder_piece *piece = pack->pieces[number];
	const struct builder_object *object = (const struct builder_object *)piece->content;
	const struct builder_object *end =
		(const struct builder_object *)(piece->content + piece->used);

	for (; object < end; object++) {
		addr_t at = builder_object_at(object);
		uint32_t id = heap_index_find(heap->index, at);
		if (id == HEAP_NO_OBJECT)
			continue;
		heap->at[id] = at;
		heap->size_bytes[id] = object->size_bytes;
		heap->refcount[id] = object->refcount;
		heap->type[id] = object->type;
		heap->flags[id] = (uint16_t)(object->at_flags >> HEAP_ADDRESS_BITS);
	}
	store_free_piece(piece);
}

static void pack_mark_part(struct pack *pack, uint32_t target)
{
	uint16_t *flags = &pack->heap->flags[target];

	if (!(__atomic_fetch_or(flags, HEAP_PART, __ATOMIC_RELAXED) & HEAP_PART))
		return;
	__atomic_fetch_or(flags, SHARED_PART, __ATOMIC_RELAXED);
	__atomic_store_n(&pack->shared_parts, true, __ATOMIC_RELAXED);
}

static inline uint32_t pack_target(const struct pack *pack, uint64_t word)
{
	if (word >> BUILDER_HAS_ID_SHIFT & 1)
		return renumber_id(&pack->renumber, (uint32_t)word);
	return heap_index_find(pack->heap->index, word & BUILDER_ADDRESS_MASK);
}

static inline uint32_t pack_source(const struct pack *pack, uint64_t word, bool is_numbered)
{
	uint64_t address = word & BUILDER_ADDRESS_MASK;

	if (!is_numbered)
		return heap_index_find(pack->heap->index, address);
	return address == BUILDER_LOST ? HEAP_NO_OBJECT
				       : renumber_id(&pack->renumber, (uint32_t)address);
}

// Replaces the runs of a piece by: id, number of references, references; and notes the number as that
// of the object. What is written never overtakes what is read: a run has a word of 64 bits for the two
// of 32, and each reference one for one.
static void translate_piece(void *context, size_t number)
{
	struct pack *pack = context;
	struct heap *heap = pack->heap;
	struct builder_piece *piece = pack->pieces[number];
	const uint64_t *words = (const uint64_t *)piece->content;
	packed_word *out = (packed_word *)piece->content;
	size_t count = piece->used / sizeof(*words);
	size_t numbered = piece->numbered / sizeof(*words);
	uint64_t edge_count = 0, lost_runs = 0, dangling[4] = {0};

	for (size_t i = 0; i < count;) {
		uint64_t left = words[i] >> HEAP_ADDRESS_BITS;
		uint32_t id = pack_source(pack, words[i], i < numbered);
		i++;
		if (left == BUILDER_RUN_LONG)
			left = words[i++];
		if (id == HEAP_NO_OBJECT) {
			lost_runs++;
			i += left;
			continue;
		}
		packed_word *run = out;
		out += 2;
		for (; left; left--, i++) {
			uint64_t word = words[i];
			uint32_t target = pack_target(pack, word);
			unsigned kind = (unsigned)(word >> BUILDER_KIND_SHIFT);
			if (target == HEAP_NO_OBJECT) {
				dangling[kind]++;
				continue;
			}
			if (word >> BUILDER_PART_SHIFT & 1)
				pack_mark_part(pack, target);
			*out++ = heap_edge_make(target, kind);
		}
		uint32_t kept = (uint32_t)(out - run - 2);
		if (kept == 0) {
			out = run;
			continue;
		}
		run[0] = id;
		run[1] = kept;
		edge_count += kept;
		__atomic_store_n(&heap->first_edge[id + 1], kept, __ATOMIC_RELAXED);
	}
	piece->used = (size_t)((unsigned char *)out - piece->content);
	__atomic_fetch_add(&pack->edge_count, edge_count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pack->lost_runs, lost_runs, __ATOMIC_RELAXED);
	for (size_t kind = 0; kind < 4; kind++)
		__atomic_fetch_add(&heap->dangling_count[kind], dangling[kind], __ATOMIC_RELAXED);
}

static void fill_piece(void *context, size_t number)
{
	struct pack *pack = context;
	const struct heap *heap = pack->heap;
	struct builder_piece *piece = pack->pieces[number];
	const packed_word *word = (const packed_word *)piece->content;
	const packed_word *end = (const packed_word *)(piece->content + piece->used);

	for (; word < end; word += 2 + word[1])
		if (word[0] != HEAP_NO_OBJECT)
			memcpy(heap->edges + heap->first_edge[word[0]], word + 2,
			       word[1] * sizeof(*word));
	store_free_piece(piece);
}

// From the number of references of each object to where they begin; returns their sum.
static uint64_t pack_sum(struct heap *heap)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < heap->object_count; i++) {
		sum += heap->first_edge[i + 1];
		heap->first_edge[i + 1] = (uint32_t)sum;
	}
	return sum;
}

// Of an object whose references came more than once, the first are kept.
static struct error *pack_drop_repeated(struct pack *pack, size_t piece_count)
{
	struct heap *heap = pack->heap;
	_cleanup_free_ uint8_t *met = calloc(heap->object_count + (size_t)1, 1);

	if (!met)
		return error_no_memory();
	memset(heap->first_edge, 0, ((size_t)heap->object_count + 1) * sizeof(*heap->first_edge));
	for (size_t i = 0; i < piece_count; i++) {
		struct builder_piece *piece = pack->pieces[i];
		packed_word *word = (packed_word *)piece->content;
		packed_word *end = (packed_word *)(piece->content + piece->used);
		for (; word < end; word += 2 + word[1]) {
			if (met[word[0]]) {
				word[0] = HEAP_NO_OBJECT;
				continue;
			}
			met[word[0]] = 1;
			heap->first_edge[word[0] + 1] = word[1];
		}
	}
	pack->edge_count = pack_sum(heap);
	return builder_complain(pack->builder, HEAP_PROBLEM_TRUNCATED,
				"references of an object were met twice");
}

static struct error *pack_complain_of_lost(struct pack *pack)
{
	char text[96];

	snprintf(text, sizeof(text), "references of %" PRIu64 " objects that were not met",
		 pack->lost_runs);
	pack->builder->problem_counts[HEAP_PROBLEM_TRUNCATED] += pack->lost_runs - 1;
	return builder_complain(pack->builder, HEAP_PROBLEM_TRUNCATED, text);
}

static struct error *pack_objects(struct pack *pack)
{
	struct builder *builder = pack->builder;
	struct heap *heap = pack->heap;
	size_t count = heap->object_count;
	_cleanup_free_ struct builder_piece **pieces = store_list(&builder->objects);

	heap->at = pages_alloc(count * sizeof(*heap->at));
	heap->size_bytes = pages_alloc(count * sizeof(*heap->size_bytes));
	heap->refcount = pages_alloc(count * sizeof(*heap->refcount));
	heap->type = pages_alloc(count * sizeof(*heap->type));
	heap->flags = pages_alloc(count * sizeof(*heap->flags));
	if (!pieces || !heap->at || !heap->size_bytes || !heap->refcount || !heap->type ||
	    !heap->flags)
		return error_no_memory();
	pack->pieces = pieces;
	crew_run(builder->thread_count, builder->objects.count, scatter_piece, pack);
	builder->objects = (struct builder_store){0};
	return NULL;
}

static struct error *pack_references(struct pack *pack)
{
	struct builder *builder = pack->builder;
	struct heap *heap = pack->heap;
	size_t piece_count = builder->references.count;
	_cleanup_free_ struct builder_piece **pieces = store_list(&builder->references);
	struct error *error = NULL;

	heap->first_edge =
		pages_alloc(((size_t)heap->object_count + 1) * sizeof(*heap->first_edge));
	if (!pieces || !heap->first_edge)
		return error_no_memory();
	pack->pieces = pieces;
	crew_run(builder->thread_count, piece_count, translate_piece, pack);
	if (pack_sum(heap) != pack->edge_count)
		error = pack_drop_repeated(pack, piece_count);
	if (!error && pack->lost_runs)
		error = pack_complain_of_lost(pack);
	if (error)
		return error;
	for (size_t i = 0; pack->shared_parts && i < heap->object_count; i++)
		if (heap->flags[i] & SHARED_PART)
			heap->flags[i] &= (uint16_t) ~(HEAP_PART | SHARED_PART);
	heap->edges = pages_alloc(pack->edge_count * sizeof(*heap->edges));
	if (!heap->edges)
		return error_no_memory();
	crew_run(builder->thread_count, piece_count, fill_piece, pack);
	builder->references = (struct builder_store){0};
	return NULL;
}

static struct error *pack_roots(struct builder *builder, struct heap *heap)
{
	heap->roots = calloc(builder->root_count + 1, sizeof(*heap->roots));
	if (!heap->roots)
		return error_no_memory();
	for (size_t i = 0; i < builder->root_count; i++) {
		const struct heap_root *root = &builder->roots[i];
		uint32_t object = heap_index_find(heap->index, root->object_at);
		if (object == HEAP_NO_OBJECT) {
			heap->dangling_root_count++;
			continue;
		}
		heap->roots[heap->root_count++] = (struct heap_root_row){
			.object = object,
			.kind = root->kind,
			.owns = root->owns,
			.name = root->name,
			.part = root->part,
		};
	}
	heap->names = builder->names;
	builder->names = (struct heap_names){0};
	return NULL;
}

static struct error *pack_types(struct builder *builder, struct heap *heap)
{
	for (size_t i = 0; i < builder->type_count; i++) {
		if (builder->types[i].name)
			continue;
		builder->types[i].name = strdup("?");
		if (!builder->types[i].name)
			return error_no_memory();
	}
	heap->types = take_ptr(builder->types);
	heap->type_count = builder->type_count;
	builder->type_count = 0;
	return NULL;
}

static void pack_rest(struct builder *builder, struct heap *heap)
{
	heap->collector = builder->collector;
	heap->garbage_list = heap_index_find(heap->index, builder->collector.garbage_at);
	heap->unreadable = builder->problem_counts[HEAP_PROBLEM_UNREADABLE];
	heap->truncated = builder->problem_counts[HEAP_PROBLEM_TRUNCATED];
	heap->problem_text_count = builder->problem_text_count;
	memcpy(heap->problem_texts, builder->problem_texts, sizeof(heap->problem_texts));
	builder->problem_text_count = 0;
}

static int compare_addresses(const void *a, const void *b)
{
	addr_t left = *(const addr_t *)a, right = *(const addr_t *)b;

	return (left > right) - (left < right);
}

// What moves up by the objects that were met after the numbering.
static struct error *pack_renumber(struct pack *pack)
{
	struct builder *builder = pack->builder;
	struct builder_addresses *late = &builder->late;
	uint32_t *old_below = calloc(late->count + 1, sizeof(*old_below));

	if (!old_below)
		return error_no_memory();
	if (late->count)
		qsort(late->list, late->count, sizeof(*late->list), compare_addresses);
	for (uint32_t i = 0; i < late->count; i++)
		old_below[i] = heap_index_find(pack->heap->index, late->list[i]) - i;
	return renumber_init(&pack->renumber, old_below, (uint32_t)late->count,
			     builder->numbered_count);
}

// Gives all objects their ids.
static struct error *pack_index(struct pack *pack)
{
	struct builder *builder = pack->builder;
	struct error *error = builder->is_numbered ? NULL : builder_number(builder);

	if (!error)
		error = builder_leave_out_repeated(builder);
	if (error)
		return error;
	if (builder->object_count > HEAP_OBJECTS_MAX || builder->reference_count > UINT32_MAX)
		return error_create(ERROR_FAILED,
				    "%" PRIu64 " objects with %" PRIu64
				    " references are more than a heap can have here",
				    builder->object_count, builder->reference_count);
	uint64_t marked = heap_index_count(builder->index);
	if (marked != builder->object_count)
		return error_create(ERROR_FAILED,
				    "%" PRIu64 " objects were met and %" PRIu64
				    " kept: a walk was abandoned",
				    marked, builder->object_count);
	pack->heap->index = take_ptr(builder->index);
	pack->heap->object_count = (uint32_t)marked;
	return pack_renumber(pack);
}

static struct error *pack_run(struct pack *pack)
{
	struct builder *builder = pack->builder;
	struct heap *heap = pack->heap;
	struct error *error = pack_index(pack);

	if (!error)
		error = pack_objects(pack);
	if (!error)
		error = pack_references(pack);
	if (!error)
		error = pack_roots(builder, heap);
	if (!error)
		error = pack_types(builder, heap);
	if (!error)
		pack_rest(builder, heap);
	return error;
}

struct error *heap_builder_finish(struct heap_sink *sink, struct heap **ret)
{
	_cleanup_heap_ struct heap *heap = calloc(1, sizeof(*heap));
	struct pack pack = {.builder = (struct builder *)sink, .heap = heap};
	struct error *error = heap ? pack_run(&pack) : error_no_memory();

	renumber_deinit(&pack.renumber);
	heap_sink_reset(sink);
	if (error)
		return error;
	*ret = take_ptr(heap);
	return NULL;
}
