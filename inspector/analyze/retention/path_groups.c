// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/path_groups.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/names.h"
#include "analyze/retention/path_words.h"
#include "base/addr_map.h"
#include "base/array.h"
#include "base/fnv.h"
#include "base/interrupt.h"
#include "base/pages.h"

static const uint32_t NO_NODE = UINT32_MAX;

/** A way so far: another one, and a step more. The root's has no way before it. */
struct node {
	uint32_t type;
	uint32_t label;
	/** In the list of groups, NO_NODE until an object asked about ends here. */
	uint32_t group;
};

/** What references of one number are called, in objects of one type. */
struct sample {
	uint32_t label;
	uint32_t read_count;
	bool varies;
};

struct grouping {
	const struct heap *heap;
	const struct paths *paths;
	/** Types of one name are one. */
	uint32_t *first_types;
	/** By object: its node, and which reference of the object before led to it; NO_NODE when it was not
	 *  asked for. */
	uint32_t *node_of;
	uint32_t *edge_of;
	struct node *nodes;
	size_t node_count;
	size_t node_capacity;
	/** Hash of what a node is to its number. */
	struct addr_map node_map;
	struct addr_map label_map;
	uint32_t label_count;
	/** That of items, which are all called the same. */
	uint32_t item_label;
	struct sample *samples;
	size_t sample_count;
	size_t sample_capacity;
	struct addr_map sample_map;
	uint64_t reads;
	/** Objects on the way up. */
	uint32_t *stack;
	size_t stack_count;
	size_t stack_capacity;
	struct path_groups *groups;
	size_t group_capacity;
	/** The node of all ways that are not told apart. */
	uint32_t rest;
};

// A key of an addr_map: any word but 0.
static addr_t hash_words(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t hash = addr_hash(a + 0x9e3779b97f4a7c15U);

	hash = addr_hash(hash ^ (b + 0x7f4a7c159e3779b9U));
	hash = addr_hash(hash ^ (c + 0x3779b97f4a7c159eU));
	return hash ? hash : 1;
}

static addr_t hash_chars(const char *chars)
{
	uint64_t hash = fnv64(FNV64_START, chars, strlen(chars));

	return hash ? hash : 1;
}

static struct error *label_intern(struct grouping *grouping, const char *label, uint32_t *ret)
{
	addr_t key = hash_chars(label);

	if (addr_map_get(&grouping->label_map, key, ret))
		return NULL;
	*ret = grouping->label_count++;
	return addr_map_put(&grouping->label_map, key, *ret);
}

static uint32_t type_of(const struct grouping *grouping, uint32_t object)
{
	return grouping->first_types[grouping->heap->type[object]];
}

static bool is_folded(const struct grouping *grouping, uint32_t object)
{
	uint32_t before = grouping->paths->via[object];

	return !(before & PATHS_START) && names_may_fold(grouping->heap, before, object);
}

// What reference @a edge of @a from is called, items of containers all the same.
static struct error *label_read(struct grouping *grouping, uint32_t from, uint32_t edge,
				uint32_t *ret)
{
	_cleanup_text_ struct text label = {0}, general = {0};
	struct error *error = heap_label(grouping->heap, from, edge, &label);
	const char *chars = text_chars(&label);

	grouping->reads++;
	if (error)
		return error;
	if (is_folded(grouping, from) && names_is_attribute(chars, label.length))
		error = names_append_attribute(&label, &general);
	else
		error = path_label_generalize(chars, &general);
	return error ? error : label_intern(grouping, text_chars(&general), ret);
}

static struct error *sample_find(struct grouping *grouping, uint32_t from, uint32_t edge,
				 struct sample **ret)
{
	enum { TOLD_APART = 64 };
	uint32_t owner = is_folded(grouping, from) ? grouping->paths->via[from] : from;
	addr_t key = hash_words(type_of(grouping, owner), owner != from,
				edge < TOLD_APART ? edge : TOLD_APART);
	uint32_t index;

	if (!addr_map_get(&grouping->sample_map, key, &index)) {
		struct error *error =
			array_reserve(&grouping->samples, &grouping->sample_capacity,
				      grouping->sample_count + 1, sizeof(*grouping->samples));
		index = (uint32_t)grouping->sample_count;
		if (!error)
			error = addr_map_put(&grouping->sample_map, key, index);
		if (error)
			return error;
		grouping->samples[grouping->sample_count++] = (struct sample){0};
	}
	*ret = &grouping->samples[index];
	return NULL;
}

static struct error *label_of(struct grouping *grouping, uint32_t from, uint32_t edge,
			      uint32_t *ret)
{
	struct sample *sample;
	struct error *error = sample_find(grouping, from, edge, &sample);

	if (error)
		return error;
	bool wants = sample->read_count < PATH_LABEL_SAMPLES ||
		     (sample->varies && grouping->reads < PATH_LABEL_READS_MAX);
	if (!wants) {
		grouping->groups->assumed_count += sample->label != grouping->item_label;
		*ret = sample->label;
		return NULL;
	}
	error = label_read(grouping, from, edge, ret);
	if (error)
		return error;
	if (sample->read_count++ == 0)
		sample->label = *ret;
	sample->varies |= sample->label != *ret;
	return NULL;
}

// One look at all references of @a from finds the numbers of all that were reached from it.
static void find_edges(struct grouping *grouping, uint32_t from)
{
	const heap_edge *edges = heap_edges(grouping->heap, from);
	uint32_t count = heap_edge_count(grouping->heap, from);

	for (uint32_t i = count; i-- > 0;) {
		uint32_t to = heap_edge_target(edges[i]);
		if (heap_edge_holds(edges[i]) && grouping->paths->via[to] == from)
			grouping->edge_of[to] = i;
	}
}

static struct error *node_find(struct grouping *grouping, uint32_t before, uint32_t type,
			       uint32_t label, uint32_t *ret)
{
	addr_t key = hash_words(before, type, label);

	// However long a chain of the same is.
	if (before != NO_NODE && grouping->nodes[before].type == type &&
	    grouping->nodes[before].label == label) {
		*ret = before;
		return NULL;
	}
	if (addr_map_get(&grouping->node_map, key, ret))
		return NULL;
	if (grouping->node_count >= PATH_GROUPS_MAX) {
		*ret = grouping->rest;
		return NULL;
	}
	struct error *error = array_reserve(&grouping->nodes, &grouping->node_capacity,
					    grouping->node_count + 1, sizeof(*grouping->nodes));
	if (error)
		return error;
	*ret = (uint32_t)grouping->node_count;
	grouping->nodes[grouping->node_count++] =
		(struct node){.type = type, .label = label, .group = NO_NODE};
	return addr_map_put(&grouping->node_map, key, *ret);
}

// The node of the object that a root holds: one for each root, by what it is called.
static struct error *node_of_start(struct grouping *grouping, uint32_t object, uint32_t *ret)
{
	const struct path_start *start =
		&grouping->paths->starts[grouping->paths->via[object] & ~PATHS_START];
	_cleanup_text_ struct text words = {0};
	uint32_t label;
	struct error *error = path_start_generalize(grouping->heap, start, &words);

	if (!error)
		error = label_intern(grouping, text_chars(&words), &label);
	return error ? error : node_find(grouping, NO_NODE, type_of(grouping, object), label, ret);
}

static struct error *node_make(struct grouping *grouping, uint32_t object)
{
	uint32_t before = grouping->paths->via[object], label, *ret = &grouping->node_of[object];

	if (before & PATHS_START)
		return node_of_start(grouping, object, ret);
	if (grouping->node_of[before] == grouping->rest || is_folded(grouping, object)) {
		*ret = grouping->node_of[before];
		return NULL;
	}
	if (grouping->edge_of[object] == UINT32_MAX)
		find_edges(grouping, before);
	struct error *error = label_of(grouping, before, grouping->edge_of[object], &label);
	return error ? error
		     : node_find(grouping, grouping->node_of[before], type_of(grouping, object),
				 label, ret);
}

// Up to what is known, and down again.
static struct error *node_of_object(struct grouping *grouping, uint32_t object)
{
	struct error *error = NULL;

	grouping->stack_count = 0;
	for (uint32_t at = object; grouping->node_of[at] == NO_NODE && !error;
	     at = grouping->paths->via[at]) {
		error = array_reserve(&grouping->stack, &grouping->stack_capacity,
				      grouping->stack_count + 1, sizeof(*grouping->stack));
		if (error)
			break;
		grouping->stack[grouping->stack_count++] = at;
		if (grouping->paths->via[at] & PATHS_START)
			break;
	}
	while (grouping->stack_count && !error)
		error = node_make(grouping, grouping->stack[--grouping->stack_count]);
	return error;
}

static struct error *group_add(struct grouping *grouping, uint32_t object)
{
	struct path_groups *groups = grouping->groups;
	struct error *error = node_of_object(grouping, object);

	if (error)
		return error;
	struct node *node = &grouping->nodes[grouping->node_of[object]];
	if (node->group == NO_NODE) {
		error = array_reserve(&groups->list, &grouping->group_capacity, groups->count + 1,
				      sizeof(*groups->list));
		if (error)
			return error;
		node->group = (uint32_t)groups->count;
		groups->list[groups->count++] = (struct path_group){
			.example = object, .is_rest = node == &grouping->nodes[grouping->rest]};
	}
	struct path_group *group = &groups->list[node->group];
	group->count++;
	group->size_bytes += grouping->heap->size_bytes[object];
	if (object < group->example)
		group->example = object;
	return NULL;
}

static struct error *add_all(struct grouping *grouping, const uint32_t *ids, size_t id_count)
{
	enum { INTERRUPT_EVERY = 1 << 14 };
	struct path_groups *groups = grouping->groups;
	struct error *error = NULL;

	for (size_t i = 0; i < id_count && !error; i++) {
		if (i % INTERRUPT_EVERY == 0)
			error = interrupt_check();
		if (error)
			break;
		if (paths_reach(grouping->paths, ids[i])) {
			error = group_add(grouping, ids[i]);
			continue;
		}
		groups->unreached_count++;
		groups->unreached_bytes += grouping->heap->size_bytes[ids[i]];
		if (ids[i] < groups->unreached_example)
			groups->unreached_example = ids[i];
	}
	return error;
}

static int compare_groups(const void *left, const void *right)
{
	const struct path_group *a = left, *b = right;

	if (a->is_rest != b->is_rest)
		return a->is_rest ? 1 : -1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return (a->example > b->example) - (a->example < b->example);
}

static struct error *grouping_prepare(struct grouping *grouping, size_t bytes)
{
	grouping->node_of = pages_alloc(bytes);
	grouping->edge_of = pages_alloc(bytes);
	if (!grouping->node_of || !grouping->edge_of)
		return error_no_memory();
	memset(grouping->node_of, 0xff, bytes);
	memset(grouping->edge_of, 0xff, bytes);
	struct error *error = names_first_types(grouping->heap, &grouping->first_types);
	if (!error)
		error = label_intern(grouping, path_item_label, &grouping->item_label);
	// Of no type and name that there is.
	return error ? error
		     : node_find(grouping, NO_NODE, UINT32_MAX, UINT32_MAX, &grouping->rest);
}

struct error *path_groups_make(const struct heap *heap, const struct paths *paths,
			       const uint32_t *ids, size_t id_count, struct path_groups *ret)
{
	size_t bytes = ((size_t)heap->object_count + 1) * sizeof(uint32_t);
	struct grouping grouping = {.heap = heap, .paths = paths, .groups = ret};

	*ret = (struct path_groups){.unreached_example = HEAP_NO_OBJECT};
	struct error *error = grouping_prepare(&grouping, bytes);
	if (!error)
		error = add_all(&grouping, ids, id_count);
	if (!error && ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), compare_groups);
	pages_free(grouping.node_of, bytes);
	pages_free(grouping.edge_of, bytes);
	free(grouping.first_types);
	free(grouping.nodes);
	free(grouping.samples);
	free(grouping.stack);
	addr_map_deinit(&grouping.node_map);
	addr_map_deinit(&grouping.label_map);
	addr_map_deinit(&grouping.sample_map);
	return error;
}

void path_groups_deinit(struct path_groups *groups)
{
	free(groups->list);
	*groups = (struct path_groups){0};
}
