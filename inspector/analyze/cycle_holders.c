// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/cycle_holders.h"

#include <stdlib.h>

#include "base/addr_map.h"
#include "base/bits.h"

/** Objects whose holders are looked for. */
struct wanted {
	/** A bit of each. */
	uint64_t *objects;
	/** Component + 1 to the number of its row. */
	struct addr_map rows;
};

static void want_members(const struct components *components, uint32_t component,
			 struct wanted *wanted)
{
	for (uint32_t i = components->first[component]; i < components->first[component + 1]; i++)
		bits_set(wanted->objects, components->members[i]);
}

static void want_example(const struct cycle_row *row, struct wanted *wanted)
{
	for (size_t i = 0; i < row->example_count; i++)
		bits_set(wanted->objects, row->example[i]);
}

/** The first reference into each counts. */
static void set_holders(const struct heap *heap, const struct garbage *garbage, const uint32_t *of,
			const struct wanted *wanted, struct cycles *cycles)
{
	for (uint32_t from = 0; from < heap->object_count; from++) {
		const heap_edge *edge = heap_edges(heap, from);
		const heap_edge *end = edge + heap_edge_count(heap, from);
		uint8_t state = garbage->state[from];

		// Garbage holds nothing: it is held itself by nothing.
		if (state == GARBAGE_UNREACHABLE || state == GARBAGE_UNCOLLECTABLE)
			continue;
		for (; edge < end; edge++) {
			uint32_t to = heap_edge_target(*edge);
			uint32_t row;

			if (!heap_edge_holds(*edge) || !bits_get(wanted->objects, to) ||
			    of[to] == of[from] ||
			    !addr_map_get(&wanted->rows, (addr_t)of[to] + 1, &row))
				continue;
			if (cycles->rows[row].holder != HEAP_NO_OBJECT)
				continue;
			cycles->rows[row].holder = from;
			cycles->rows[row].held = to;
		}
	}
}

/** Adds what is wanted of the rows that lack a holder; sets *@a ret_any to whether one does. */
static struct error *want_rows(const struct components *components, const uint32_t *examples,
			       const struct cycles *cycles, bool whole, struct wanted *wanted,
			       bool *ret_any)
{
	*ret_any = false;
	for (uint32_t i = 0; i < cycles->count; i++) {
		const struct cycle_row *row = &cycles->rows[i];
		struct error *error;

		if (row->state != CYCLE_REACHABLE || row->holder != HEAP_NO_OBJECT)
			continue;
		error = addr_map_put(&wanted->rows, (addr_t)examples[i] + 1, i);
		if (error)
			return error;
		if (whole)
			want_members(components, examples[i], wanted);
		else
			want_example(row, wanted);
		*ret_any = true;
	}
	return NULL;
}

struct error *cycle_holders_find(const struct heap *heap, const struct garbage *garbage,
				 const struct components *components, const uint32_t *examples,
				 struct cycles *cycles)
{
	struct wanted wanted = {0};
	struct error *error = NULL;
	bool any = true;

	wanted.objects = bits_alloc(heap->object_count);
	if (!wanted.objects)
		return error_no_memory();
	// Who holds an object of the example itself is the better answer.
	for (unsigned whole = 0; !error && any && whole < 2; whole++) {
		error = want_rows(components, examples, cycles, whole, &wanted, &any);
		if (!error && any)
			set_holders(heap, garbage, components->of, &wanted, cycles);
	}
	free(wanted.objects);
	addr_map_deinit(&wanted.rows);
	return error;
}
