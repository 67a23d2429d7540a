// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/incoming.h"

#include <stdlib.h>

/** One pass over all references, made twice: to count, and to keep. */
struct incoming_pass {
	const struct heap *heap;
	/** Which of the asked ones an object is, counted from 1; 0 for the others. */
	const uint32_t *asked;
	/** By asked object: how many were found, or where the next one goes. */
	size_t *next;
	/** NULL while counting. */
	struct incoming_reference *list;
	size_t kept;
};

static void incoming_run(const struct incoming_pass *pass)
{
	const struct heap *heap = pass->heap;

	for (uint32_t from = 0; from < heap->object_count; from++) {
		const heap_edge *edges = heap_edges(heap, from);
		uint32_t count = heap_edge_count(heap, from);

		for (uint32_t i = 0; i < count; i++) {
			uint32_t asked = pass->asked[heap_edge_target(edges[i])];
			if (!asked)
				continue;
			size_t at = pass->next[asked - 1]++;
			if (pass->list && at < pass->kept)
				pass->list[at] = (struct incoming_reference){from, i};
		}
	}
}

struct error *incoming_find(const struct heap *heap, const uint32_t *ids, size_t id_count,
			    size_t kept_max, struct incoming *ret)
{
	_cleanup_free_ uint32_t *asked = calloc((size_t)heap->object_count + 1, sizeof(*asked));
	_cleanup_free_ size_t *next = calloc(id_count + 1, sizeof(*next));
	struct incoming_pass pass = {.heap = heap, .asked = asked, .next = next};

	ret->first = calloc(id_count + 1, sizeof(*ret->first));
	if (!asked || !next || !ret->first)
		return error_no_memory();
	for (size_t i = 0; i < id_count; i++)
		asked[ids[i]] = (uint32_t)i + 1;
	incoming_run(&pass);
	for (size_t i = 0; i < id_count; i++) {
		ret->first[i + 1] = ret->first[i] + next[i];
		next[i] = ret->first[i];
	}
	ret->count = ret->first[id_count];
	ret->kept = ret->count < kept_max ? ret->count : kept_max;
	ret->list = calloc(ret->kept + 1, sizeof(*ret->list));
	if (!ret->list)
		return error_no_memory();
	pass.list = ret->list;
	pass.kept = ret->kept;
	incoming_run(&pass);
	return NULL;
}

void incoming_deinit(struct incoming *incoming)
{
	free(incoming->list);
	free(incoming->first);
	*incoming = (struct incoming){0};
}
