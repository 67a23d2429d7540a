// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/load_garbage.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/censuses/changes.h"
#include "analyze/freed.h"

static struct error *add_freed(struct census *census, const char *name, uint64_t count)
{
	struct census_row *row = &census->rows[census->row_count];

	*row = (struct census_row){.name = strdup(name), .count = count};
	if (!row->name)
		return error_no_memory();
	census->row_count++;
	return NULL;
}

// By name: types of one name are one to whoever reads.
static struct error *freed_by_name(const struct heap *heap, struct census *ret)
{
	_cleanup_garbage_ struct garbage garbage = {0};
	_cleanup_free_ uint64_t *freed = NULL;
	struct error *error = garbage_find(heap, &garbage);

	if (!error)
		error = freed_count(heap, &garbage, &freed);
	if (error)
		return error;
	ret->rows = calloc((size_t)heap->type_count + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return error_no_memory();
	for (uint32_t i = 0; i < heap->type_count && !error; i++)
		if (freed[i])
			error = add_freed(ret, heap->types[i].name, freed[i]);
	census_merge(ret);
	return error;
}

// What a collection would free, type by type; *@a ret_collects: one will come.
static struct error *garbage_take(struct load *load, struct census *ret, bool *ret_collects)
{
	const struct inspected_graph *graph;

	*ret = (struct census){0};
	// What was built before is of another moment, and nobody needs this one while the load runs.
	inspected_forget(load->inspected);
	struct error *error = inspected_graph(load->inspected, &graph);
	if (!error) {
		load->stops += graph->look.stops;
		load->pause_total_ns += graph->look.pause_total_ns;
		*ret_collects = graph->heap->collector.enabled;
		error = freed_by_name(graph->heap, ret);
	}
	inspected_forget(load->inspected);
	return error;
}

// From the look behind the warm-up on.
static struct error *has_growing(const struct load *load, bool *ret)
{
	*ret = false;
	if (load->look_count < 3)
		return NULL;
	const struct census *const censuses[] = {
		&load->looks[1].snapshot.census,
		&load->looks[load->look_count - 1].snapshot.census};
	_cleanup_changes_ struct changes changes = {0};
	struct error *error = changes_find(censuses, 2, &changes);
	int64_t steps = (int64_t)load->look_count - 2;

	for (size_t i = 0; i < changes.row_count && !error; i++)
		*ret |= changes.rows[i].count >= steps;
	return error;
}

struct error *load_garbage_note(struct load *load, bool always)
{
	bool collects, wanted = always;
	struct error *error = always ? NULL : has_growing(load, &wanted);

	load_garbage_forget(load);
	if (error || !wanted)
		return error;
	error = garbage_take(load, &load->freed, &collects);
	// What nobody frees is growth.
	if (error || !collects)
		load_garbage_forget(load);
	return error;
}

static int64_t count_of(const struct census *census, const char *name)
{
	const struct census_row *row = census_find(census, name);

	return row ? (int64_t)row->count : 0;
}

static struct error *move_waiting(const struct load *load, const struct census *freed,
				  struct load_growth *growth)
{
	const struct census *before = &load->looks[load->look_count - 2].snapshot.census;
	const struct census *after = &load->looks[load->look_count - 1].snapshot.census;
	struct growth *growing = &growth->growth, *waiting = &growth->waiting;
	size_t kept = 0;

	waiting->rows = calloc(growing->row_count + 1, sizeof(*waiting->rows));
	if (!waiting->rows)
		return error_no_memory();
	for (size_t i = 0; i < growing->row_count; i++) {
		const struct growth_row *row = &growing->rows[i];
		int64_t more = count_of(after, row->name) - count_of(before, row->name);
		int64_t garbage = count_of(freed, row->name) - count_of(&load->freed, row->name);
		// Of one that did not grow this time nothing is known.
		if (more <= 0 || garbage < more) {
			growing->rows[kept++] = *row;
			continue;
		}
		growth->objects_per_iteration -= row->per_iteration;
		waiting->rows[waiting->row_count++] = *row;
	}
	growing->row_count = kept;
	return NULL;
}

struct error *load_garbage_leave_out(struct load *load, struct load_growth *growth)
{
	_cleanup_census_ struct census freed = {0};
	bool collects;

	if (!growth->growth.row_count || !load->freed.rows)
		return NULL;
	struct error *error = garbage_take(load, &freed, &collects);
	return error || !collects ? error : move_waiting(load, &freed, growth);
}
