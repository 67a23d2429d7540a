// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/picture.h"

#include <stdlib.h>

#include "analyze/marks.h"
#include "analyze/picture_parts.h"
#include "base/array.h"

// Adds the node of @object, which is nobody's attribute dict.
static struct error *add_object(struct painter *painter, uint32_t object, uint32_t *ret)
{
	struct picture *picture = painter->picture;
	struct picture_node node = {.object = object};
	struct error *error =
		attributes_dict(&painter->attributes, object, &node.dict, &node.dict_number);

	if (!error)
		error = array_reserve(&picture->nodes, &picture->node_capacity,
				      picture->node_count + 1, sizeof(*picture->nodes));
	if (!error)
		error = addr_map_put(&painter->nodes, (addr_t)object + 1,
				     (uint32_t)picture->node_count);
	if (error)
		return error;
	for (size_t i = 0; i < PICTURE_WAY_COUNT; i++)
		node.steps[i] = UINT32_MAX;
	bits_set(painter->shown, object);
	if (node.dict != HEAP_NO_OBJECT)
		bits_set(painter->shown, node.dict);
	*ret = (uint32_t)picture->node_count;
	picture->nodes[picture->node_count++] = node;
	picture->object_count = picture->node_count;
	return NULL;
}

// The node of @object, made when there is none and there is room; UINT32_MAX when there is none.
static struct error *need_object(struct painter *painter, uint32_t object, uint32_t *ret)
{
	*ret = UINT32_MAX;
	struct error *error = attributes_owner(&painter->attributes, object, &object);
	if (error || painter_find(painter, object, ret))
		return error;
	*ret = UINT32_MAX;
	if (painter->picture->node_count >= painter->question->nodes_max)
		return NULL;
	return add_object(painter, object, ret);
}

static struct error *add_asked(struct painter *painter, uint32_t object, bool is_on_cycle,
			       uint32_t *ret)
{
	struct error *error = need_object(painter, object, ret);

	if (!error && *ret == UINT32_MAX)
		painter->picture->asked_left_out++;
	if (error || *ret == UINT32_MAX)
		return error;
	struct picture_node *node = &painter->picture->nodes[*ret];
	node->is_asked = node->is_asked || !is_on_cycle;
	node->is_on_cycle = node->is_on_cycle || is_on_cycle;
	for (size_t i = 0; i < PICTURE_WAY_COUNT; i++)
		if (painter->question->depth[i])
			node->steps[i] = 0;
	return NULL;
}

// All objects of the cycle, or of a long one its begin and its end.
static struct error *add_cycle(struct painter *painter)
{
	const struct cycle_path *cycle = painter->question->cycle;
	struct picture *picture = painter->picture;
	size_t half = PICTURE_CYCLE_MAX / 2;
	struct error *error = NULL;
	bool is_long = cycle->hops > PICTURE_CYCLE_MAX;
	// A step into an attribute dict is half of one.
	size_t gap_begin = is_long ? half : cycle->count;
	size_t gap_end = is_long ? cycle->count - half : cycle->count;
	uint32_t node = 0;

	for (size_t i = 0; !error && i < gap_begin; i++)
		error = add_asked(painter, cycle->steps[i].object, true, &node);
	picture->gap_from = node;
	for (size_t i = gap_end; !error && i < cycle->count; i++) {
		error = add_asked(painter, cycle->steps[i].object, true, &node);
		if (i == gap_end)
			picture->gap_to = node;
	}
	if (!error && is_long) {
		size_t shown = picture->node_count;
		picture->gap_count = cycle->hops > shown ? cycle->hops - shown : 1;
	}
	if (!error && picture->node_count)
		picture->nodes[0].is_asked = true;
	return error;
}

// Whether what is one step on from @node is shown.
static bool is_to_follow(const struct painter *painter, const struct picture_node *node,
			 enum picture_way way)
{
	static const unsigned ends = 1U << HEAP_ROOT_MODULE | 1U << HEAP_ROOT_INTERPRETER |
				     1U << HEAP_ROOT_INTERNED | 1U << HEAP_ROOT_STATIC_TYPE |
				     1U << HEAP_ROOT_GARBAGE;

	if (node->steps[way] >= painter->question->depth[way])
		return false;
	if (node->is_asked)
		return true;
	if (way == PICTURE_REFERRERS)
		return !painter_has_root(painter, node->object, ends);
	return !bits_get(painter->classes, node->object) &&
	       !painter_has_root(painter, node->object, 1U << HEAP_ROOT_MODULE);
}

/** Nodes met on a way, those in the front to be followed yet. */
struct queue {
	uint32_t *list;
	size_t count;
	size_t capacity;
};

static struct error *queue_add(struct queue *queue, uint32_t node)
{
	struct error *error = array_reserve(&queue->list, &queue->capacity, queue->count + 1,
					    sizeof(*queue->list));

	if (!error)
		queue->list[queue->count++] = node;
	return error;
}

static struct error *follow(struct painter *painter, uint32_t from, enum picture_way way,
			    struct queue *queue)
{
	struct picture *picture = painter->picture;
	uint32_t steps = picture->nodes[from].steps[way] + 1;
	struct error *error = painter_look(painter, from, way);
	uint32_t added = 0;

	picture->nodes[from].is_followed[way] = true;
	if (!error)
		painter_rank(painter);
	for (size_t i = 0; !error && i < painter->neighbours.count; i++) {
		const struct neighbour *neighbour = &painter->neighbours.list[i];
		uint32_t to;
		bool is_there = painter_find(painter, neighbour->object, &to);
		if (!is_there && added == painter->question->breadth)
			continue;
		error = need_object(painter, neighbour->object, &to);
		if (error || to == UINT32_MAX)
			break;
		added += !is_there;
		if (picture->nodes[to].steps[way] != UINT32_MAX)
			continue;
		picture->nodes[to].steps[way] = steps;
		// Who refers weakly holds nothing: that is where it ends.
		if (!neighbour->is_weak)
			error = queue_add(queue, to);
	}
	return error;
}

static struct error *follow_all(struct painter *painter, enum picture_way way)
{
	struct picture *picture = painter->picture;
	struct queue queue = {0};
	struct error *error = NULL;

	for (uint32_t i = 0; !error && i < picture->object_count; i++)
		if (picture->nodes[i].steps[way] == 0)
			error = queue_add(&queue, i);
	for (size_t i = 0; !error && i < queue.count; i++)
		if (is_to_follow(painter, &picture->nodes[queue.list[i]], way))
			error = follow(painter, queue.list[i], way, &queue);
	free(queue.list);
	return error;
}

static void more_add(struct picture_more *more, struct picture_type type)
{
	size_t at = more->type_count < PICTURE_MORE_TYPES ? more->type_count++ : PICTURE_MORE_TYPES;

	for (; at > 0 && more->types[at - 1].count < type.count; at--)
		if (at < PICTURE_MORE_TYPES)
			more->types[at] = more->types[at - 1];
	if (at < PICTURE_MORE_TYPES)
		more->types[at] = type;
}

// What is one step from the node and not shown.
static struct error *count_more(struct painter *painter, uint32_t number, enum picture_way way)
{
	struct picture_more *more = &painter->picture->nodes[number].more[way];
	struct error *error = painter_look(painter, number, way);
	const struct neighbours *neighbours = &painter->neighbours;
	struct picture_type type = {0};
	uint32_t unused;

	if (error)
		return error;
	painter_group(painter);
	for (size_t i = 0; i < neighbours->count; i++) {
		uint32_t object = neighbours->list[i].object;
		if (painter_find(painter, object, &unused))
			continue;
		if (type.count && type.type != painter->heap->type[object]) {
			more_add(more, type);
			type.count = 0;
		}
		type.type = painter->heap->type[object];
		type.count++;
		more->count++;
	}
	if (type.count)
		more_add(more, type);
	return NULL;
}

static struct error *count_all(struct painter *painter)
{
	struct error *error = NULL;

	for (uint32_t i = 0; i < painter->picture->object_count; i++)
		for (unsigned way = 0; way < PICTURE_WAY_COUNT && !error; way++)
			if (painter->picture->nodes[i].steps[way] != UINT32_MAX)
				error = count_more(painter, i, (enum picture_way)way);
	return error;
}

static struct error *paint(struct painter *painter)
{
	const struct picture_question *question = painter->question;
	struct error *error = marks_of_classes(painter->heap, &painter->classes);
	uint32_t node;

	painter->shown = bits_alloc(painter->heap->object_count);
	if (!error && !painter->shown)
		error = error_no_memory();
	if (!error)
		error = painter_sort_roots(painter);
	if (!error && question->cycle)
		error = add_cycle(painter);
	for (size_t i = 0; !error && i < question->asked_count; i++)
		error = add_asked(painter, question->asked[i], false, &node);
	for (unsigned way = 0; !error && way < PICTURE_WAY_COUNT; way++)
		error = follow_all(painter, (enum picture_way)way);
	if (!error)
		error = count_all(painter);
	if (!error)
		error = painter_connect(painter);
	if (!error && question->depth[PICTURE_REFERRERS])
		error = painter_add_roots(painter);
	return error;
}

struct error *picture_make(struct heap *heap, unsigned thread_count,
			   const struct picture_question *question, struct picture *ret)
{
	struct painter painter = {
		.heap = heap,
		.question = question,
		.picture = ret,
	};
	struct heap_referrers referrers;

	*ret = (struct picture){0};
	struct error *error = heap_reverse(heap, thread_count, &referrers);
	if (!error)
		error = attributes_init(heap, &referrers, &painter.attributes);
	if (!error)
		error = paint(&painter);
	attributes_deinit(&painter.attributes);
	addr_map_deinit(&painter.nodes);
	free(painter.classes);
	free(painter.shown);
	free(painter.roots);
	free(painter.neighbours.list);
	return error;
}

void picture_deinit(struct picture *picture)
{
	free(picture->nodes);
	free(picture->edges);
	*picture = (struct picture){0};
}
