// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/picture_parts.h"
#include "base/array.h"
#include "base/interrupt.h"

/** Edges so far, by the two nodes in one key. */
struct connector {
	struct painter *painter;
	struct addr_map edges;
};

static struct error *find_edge(struct connector *connector, uint32_t from, uint32_t to,
			       struct picture_edge **ret)
{
	struct picture *picture = connector->painter->picture;
	uint64_t key = ((uint64_t)from + 1) << 32 | to;
	uint32_t number = (uint32_t)picture->edge_count;

	if (!addr_map_get(&connector->edges, key, &number)) {
		struct error *error =
			array_reserve(&picture->edges, &picture->edge_capacity,
				      picture->edge_count + 1, sizeof(*picture->edges));
		if (!error)
			error = addr_map_put(&connector->edges, key, number);
		if (error)
			return error;
		picture->edges[picture->edge_count++] =
			(struct picture_edge){.from = from, .to = to, .kind = HEAP_EDGE_WEAK};
	}
	*ret = &picture->edges[number];
	return NULL;
}

static struct error *connect_reference(struct connector *connector, uint32_t from,
				       struct picture_reference reference)
{
	struct painter *painter = connector->painter;
	heap_edge edge = heap_edges(painter->heap, reference.object)[reference.number];
	uint32_t object = heap_edge_target(edge);
	struct picture_edge *drawn;
	uint32_t to;

	if (!bits_get(painter->shown, object))
		return NULL;
	if (painter_is_class_reference(painter, reference.object, object)) {
		painter->picture->class_references++;
		return NULL;
	}
	struct error *error = attributes_owner(&painter->attributes, object, &object);
	if (error || !painter_find(painter, object, &to))
		return error;
	error = find_edge(connector, from, to, &drawn);
	if (error)
		return error;
	if (drawn->count < PICTURE_EDGE_REFERENCES)
		drawn->references[drawn->count] = reference;
	drawn->count += drawn->count < UINT32_MAX;
	if (heap_edge_kind(edge) < drawn->kind)
		drawn->kind = heap_edge_kind(edge);
	return NULL;
}

static struct error *connect_object(struct connector *connector, uint32_t node, uint32_t object)
{
	const struct picture_node *seen = &connector->painter->picture->nodes[node];
	uint32_t count = heap_edge_count(connector->painter->heap, object);
	struct error *error = interrupt_check();

	for (uint32_t i = 0; !error && i < count; i++) {
		// The step into its own dict is none.
		bool is_inner = object == seen->object && seen->dict != HEAP_NO_OBJECT &&
				i == seen->dict_number;
		if (!is_inner)
			error = connect_reference(connector, node,
						  (struct picture_reference){object, i});
	}
	return error;
}

// Edges of the cycle: from each object of it to the next.
static void mark_cycle(struct connector *connector)
{
	struct painter *painter = connector->painter;
	const struct cycle_path *cycle = painter->question->cycle;
	uint32_t number;

	for (size_t i = 0; cycle && i < cycle->count; i++) {
		const struct cycle_step *step = &cycle->steps[i];
		heap_edge edge = heap_edges(painter->heap, step->object)[step->edge];
		uint32_t ends[] = {step->object, heap_edge_target(edge)};
		uint32_t nodes[2];
		bool is_shown = true;
		for (size_t j = 0; j < ARRAY_COUNT(ends); j++) {
			struct error *error =
				attributes_owner(&painter->attributes, ends[j], &ends[j]);
			is_shown = is_shown && !error && painter_find(painter, ends[j], &nodes[j]);
			error_destroy(error);
		}
		if (is_shown && addr_map_get(&connector->edges,
					     ((uint64_t)nodes[0] + 1) << 32 | nodes[1], &number))
			painter->picture->edges[number].is_on_cycle = true;
	}
}

struct error *painter_connect(struct painter *painter)
{
	struct connector connector = {.painter = painter};
	struct picture *picture = painter->picture;
	struct error *error = NULL;

	for (uint32_t i = 0; !error && i < picture->object_count; i++) {
		error = connect_object(&connector, i, picture->nodes[i].object);
		if (!error && picture->nodes[i].dict != HEAP_NO_OBJECT)
			error = connect_object(&connector, i, picture->nodes[i].dict);
	}
	if (!error)
		mark_cycle(&connector);
	addr_map_deinit(&connector.edges);
	return error;
}
