// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/builder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "heap/builder_store.h"

enum {
	KNOWN_FLAGS = HEAP_TRACKED | HEAP_IMMORTAL | HEAP_FROZEN | HEAP_STATIC |
		      HEAP_LEGACY_FINALIZER | HEAP_FINALIZED | HEAP_PART | HEAP_GENERATION_MASK,
};

static struct error *builder_want_type(struct builder *builder, uint32_t id)
{
	if (id >= HEAP_TYPES_MAX)
		return error_create(ERROR_FAILED, "type id %u is out of range", id);
	struct error *error = array_reserve(&builder->types, &builder->types_capacity,
					    (size_t)id + 1, sizeof(*builder->types));
	if (!error && id >= builder->type_count)
		builder->type_count = id + 1;
	return error;
}

static struct error *builder_types(struct heap_sink *sink, const struct heap_type *types,
				   size_t count)
{
	struct builder *builder = (struct builder *)sink;

	for (size_t i = 0; i < count; i++) {
		struct error *error = builder_want_type(builder, types[i].id);
		if (error)
			return error;
		char *name = strdup(types[i].name);
		if (!name)
			return error_no_memory();
		struct heap_type_row *row = &builder->types[types[i].id];
		free(row->name);
		*row = (struct heap_type_row){
			.name = name,
			.at = types[i].at,
			.basic_size_bytes = types[i].basic_size_bytes,
			.finalizer = types[i].finalizer,
			.grows = types[i].grows,
		};
	}
	return NULL;
}

static struct error *builder_keep_text(struct builder *builder, const char *text)
{
	if (builder->problem_text_count == HEAP_PROBLEM_TEXTS_MAX)
		return NULL;
	char *copy = strdup(text);
	if (!copy)
		return error_no_memory();
	builder->problem_texts[builder->problem_text_count++] = copy;
	return NULL;
}

struct error *builder_complain(struct builder *builder, enum heap_problem_kind kind,
			       const char *text)
{
	builder->problem_counts[kind]++;
	return builder_keep_text(builder, text);
}

static struct error *builder_problem(struct heap_sink *sink, const struct heap_problem *problem)
{
	return builder_complain((struct builder *)sink, problem->kind, problem->text);
}

static struct error *builder_complain_of_address(struct builder *builder, addr_t at)
{
	char text[96];

	snprintf(text, sizeof(text), "an object cannot lie at 0x%" PRIx64, at);
	return builder_complain(builder, HEAP_PROBLEM_TRUNCATED, text);
}

struct error *builder_want_index(struct builder *builder)
{
	return builder->root->index ? NULL : heap_index_create(&builder->root->index);
}

// While its address is at hand: a pass over all objects later would wait for memory again.
static struct error *builder_mark(struct builder *builder, addr_t at)
{
	struct builder *root = builder->root;
	bool first;
	struct error *error = heap_index_mark(root->index, at, &first);

	if (error)
		return error;
	if (!first)
		return builder_add_address(&builder->repeated, at);
	return root->is_numbered ? builder_add_address(&builder->late, at) : NULL;
}

static struct error *builder_keep(struct builder *builder, const struct heap_object *object,
				  struct builder_object *ret)
{
	uint32_t refcount = object->refcount < UINT32_MAX ? (uint32_t)object->refcount : UINT32_MAX;

	if (object->type >= builder->type_count) {
		struct error *error = builder_want_type(builder, object->type);
		if (error)
			return error;
	}
	*ret = (struct builder_object){
		.at_flags = object->at | (uint64_t)(object->flags & KNOWN_FLAGS)
						 << HEAP_ADDRESS_BITS,
		.size_bytes = object->size_bytes,
		.refcount = object->flags & HEAP_IMMORTAL ? 0 : refcount,
		.type = object->type,
	};
	return builder_mark(builder, object->at);
}

static struct error *builder_objects(struct heap_sink *sink, const struct heap_object *objects,
				     size_t count)
{
	struct builder *builder = (struct builder *)sink;
	struct error *error = builder_want_index(builder);
	size_t kept_count = 0;

	if (error || count == 0)
		return error;
	struct builder_object *kept = store_add(&builder->objects, count * sizeof(*kept));
	if (!kept)
		return error_no_memory();
	for (size_t i = 0; !error && i < count; i++) {
		if (heap_index_takes(objects[i].at))
			error = builder_keep(builder, &objects[i], &kept[kept_count++]);
		else
			error = builder_complain_of_address(builder, objects[i].at);
	}
	store_give_back(&builder->objects, (count - kept_count) * sizeof(*kept));
	builder->object_count += kept_count;
	return error;
}

static struct error *builder_references(struct heap_sink *sink, addr_t from,
					const struct heap_reference *references, size_t count)
{
	struct builder *builder = (struct builder *)sink;
	bool is_long = count >= BUILDER_RUN_LONG;

	if (count == 0)
		return NULL;
	if (!heap_index_takes(from))
		return builder_complain_of_address(builder, from);
	if (count > UINT32_MAX)
		return error_create(ERROR_FAILED, "the object at 0x%" PRIx64 " has %zu references",
				    from, count);
	uint64_t *words = store_add(&builder->references, (1 + is_long + count) * sizeof(*words));
	if (!words)
		return error_no_memory();
	*words++ = from | (uint64_t)(is_long ? BUILDER_RUN_LONG : count) << HEAP_ADDRESS_BITS;
	if (is_long)
		*words++ = count;
	for (size_t i = 0; i < count; i++) {
		addr_t to = heap_index_takes(references[i].to) ? references[i].to : 0;
		uint64_t part = references[i].kind & HEAP_REFERENCE_PART ? 1 : 0;
		words[i] = to | part << BUILDER_PART_SHIFT |
			   (uint64_t)(references[i].kind & 3) << BUILDER_KIND_SHIFT;
	}
	builder->reference_count += count;
	return NULL;
}

static struct error *builder_roots(struct heap_sink *sink, const struct heap_root *roots,
				   size_t count)
{
	struct builder *builder = (struct builder *)sink;
	struct error *error = array_reserve(&builder->roots, &builder->roots_capacity,
					    builder->root_count + count, sizeof(*builder->roots));

	for (size_t i = 0; !error && i < count; i++) {
		struct heap_root root = roots[i];
		error = heap_names_add(&builder->names, roots[i].name, &root.name);
		if (!error)
			error = heap_names_add(&builder->names, roots[i].part, &root.part);
		if (!error)
			builder->roots[builder->root_count++] = root;
	}
	return error;
}

static struct error *builder_collector(struct heap_sink *sink,
				       const struct heap_collector *collector)
{
	struct builder *builder = (struct builder *)sink;

	builder->collector = *collector;
	builder->collector_known = true;
	return NULL;
}

static struct error *builder_fork(struct heap_sink *sink, struct heap_sink **ret)
{
	struct builder *builder = (struct builder *)sink;
	// Before there are threads.
	struct error *error = builder_want_index(builder);

	if (!error)
		error = heap_builder_create(builder->thread_count, ret);
	if (!error)
		((struct builder *)*ret)->root = builder->root;
	return error;
}

static struct error *builder_join_types(struct builder *builder, struct builder *child)
{
	if (child->type_count == 0)
		return NULL;
	struct error *error = builder_want_type(builder, child->type_count - 1);
	for (size_t i = 0; !error && i < child->type_count; i++) {
		if (!child->types[i].name)
			continue;
		free(builder->types[i].name);
		builder->types[i] = child->types[i];
		child->types[i].name = NULL;
	}
	return error;
}

static struct error *builder_join_roots(struct builder *builder, struct builder *child)
{
	return builder_roots(&builder->sink, child->roots, child->root_count);
}

static struct error *builder_join_addresses(struct builder_addresses *addresses,
					    const struct builder_addresses *child)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < child->count; i++)
		error = builder_add_address(addresses, child->list[i]);
	return error;
}

static struct error *builder_join(struct heap_sink *sink, struct heap_sink *child_sink)
{
	struct builder *builder = (struct builder *)sink, *child = (struct builder *)child_sink;
	struct error *error = builder_join_types(builder, child);

	if (!error)
		error = builder_join_roots(builder, child);
	if (!error)
		error = builder_join_addresses(&builder->repeated, &child->repeated);
	if (!error)
		error = builder_join_addresses(&builder->late, &child->late);
	store_move(&builder->objects, &child->objects);
	store_move(&builder->references, &child->references);
	builder->object_count += child->object_count;
	builder->reference_count += child->reference_count;
	if (child->collector_known)
		error_destroy(builder_collector(sink, &child->collector));
	for (size_t i = 0; i < ARRAY_COUNT(builder->problem_counts); i++)
		builder->problem_counts[i] += child->problem_counts[i];
	for (size_t i = 0; !error && i < child->problem_text_count; i++)
		error = builder_keep_text(builder, child->problem_texts[i]);
	heap_sink_destroy(child_sink);
	return error;
}

static void builder_reset(struct heap_sink *sink)
{
	struct builder *builder = (struct builder *)sink;
	struct builder empty = {
		.sink = builder->sink,
		.root = builder->root,
		.thread_count = builder->thread_count,
	};

	store_clear(&builder->objects);
	store_clear(&builder->references);
	for (size_t i = 0; i < builder->type_count; i++)
		free(builder->types[i].name);
	free(builder->types);
	free(builder->roots);
	heap_names_deinit(&builder->names);
	for (size_t i = 0; i < builder->problem_text_count; i++)
		free(builder->problem_texts[i]);
	free(builder->repeated.list);
	free(builder->late.list);
	heap_index_destroy(builder->index);
	addr_map_deinit(&builder->told);
	*builder = empty;
}

static void builder_destroy(struct heap_sink *sink)
{
	builder_reset(sink);
	free(sink);
}

static const struct heap_sink_ops builder_ops = {
	.types = builder_types,
	.objects = builder_objects,
	.problem = builder_problem,
	.references = builder_references,
	.roots = builder_roots,
	.collector = builder_collector,
	.unknown = builder_unknown,
	.fork = builder_fork,
	.join = builder_join,
	.reset = builder_reset,
	.destroy = builder_destroy,
};

struct error *heap_builder_create(unsigned thread_count, struct heap_sink **ret)
{
	struct builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return error_no_memory();
	builder->sink.ops = &builder_ops;
	builder->root = builder;
	builder->thread_count = thread_count;
	*ret = &builder->sink;
	return NULL;
}
