// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/memory.h"
#include "targets/cpython/references/graph.h"
#include "targets/cpython/scan/method_cache.h"
#include "targets/cpython/scan/pass.h"
#include "targets/cpython/scan/statics.h"

/** Passes that leave out strays, beyond the first. */
enum { MARKS_ROUNDS_MAX = 3 };

/** Frozen objects that are told apart: the map takes 32 bytes for each. */
static const size_t FROZEN_MAX = 1 << 20;

/** Memory that telling real members of the lists from false ones may take. */
static const uint64_t MARKS_BYTES_MAX = 96 << 20;

struct walk {
	const struct py_walk_context *context;
	const struct py_layout *layout;
	struct heap_sink *sink;
	struct mem_window *window;
	struct py_types *types;
	struct py_memory memory;
	struct py_marks *marks;
	struct addr_map frozen;
	/** Heads of tracked objects that only the lists led to. */
	addr_t *chased;
	size_t chased_count;
	size_t chased_capacity;
	/** Only when the sink wants references. */
	struct py_edges_context edges;
	struct py_pass pass;
};

static void walk_check_sums(struct walk *walk)
{
	struct py_link_sums sums = walk->pass.sums;

	for (size_t i = 0; i < walk->memory.gc.list_count; i++) {
		sums.heads += py_link_term(walk->memory.gc.lists[i].head_at);
		sums.nexts += py_link_term(walk->memory.gc.lists[i].next & ~PY_LINK_FLAGS);
		sums.prevs += py_link_term(walk->memory.gc.lists[i].prev & ~PY_LINK_FLAGS);
	}
	if (sums.heads != sums.nexts || sums.heads != sums.prevs)
		py_pass_doubt(&walk->pass, 0,
			      "the tracked objects found are not those of the collector's lists");
}

static struct error *walk_marks_create(struct walk *walk)
{
	size_t range_count = 0, room = walk->memory.arenas.count + walk->memory.regions.count;
	_cleanup_free_ struct py_marks_range *ranges = calloc(room ? room : 1, sizeof(*ranges));

	if (!ranges)
		return error_no_memory();
	// Both lists are in address order and do not overlap: merge them.
	for (size_t i = 0, j = 0;
	     i < walk->memory.arenas.count || j < walk->memory.regions.count;) {
		const struct py_arena *arena =
			i < walk->memory.arenas.count ? &walk->memory.arenas.list[i] : NULL;
		const struct malloc_region *region =
			j < walk->memory.regions.count ? &walk->memory.regions.list[j] : NULL;
		if (arena && (!region || arena->first_pool < region->start)) {
			ranges[range_count++] =
				(struct py_marks_range){arena->first_pool, arena->end};
			i++;
			continue;
		}
		// Objects with mappings of their own are few in much memory: they are "outside".
		if (region->kind == MALLOC_REGION_HEAP)
			ranges[range_count++] = (struct py_marks_range){region->start, region->end};
		j++;
	}
	return py_marks_create(ranges, range_count, MARKS_BYTES_MAX, &walk->marks);
}

// What the lists lead to in memory that no walk reaches: another allocator's, or static.
static struct error *walk_chase(struct walk *walk)
{
	struct py_scan *scan;
	struct error *error = py_pass_create_scan(&walk->pass, PY_SCAN_MARK, &scan);

	if (error)
		return error;
	// The list of them grows while it is followed.
	for (size_t i = 0; !error && i < py_marks_outside_count(walk->marks); i++) {
		addr_t head_at = py_marks_outside(walk->marks, i);
		if (!head_at || py_marks_was_found(walk->marks, head_at) ||
		    !py_scan_tracked_at(scan, head_at))
			continue;
		error = array_reserve(&walk->chased, &walk->chased_capacity, walk->chased_count + 1,
				      sizeof(addr_t));
		if (!error)
			walk->chased[walk->chased_count++] = head_at;
	}
	struct error *failure = py_scan_finish(scan);
	py_scan_destroy(scan);
	if (error)
		error_destroy(failure);
	return error ? error : failure;
}

static struct error *walk_report_chased(struct walk *walk)
{
	struct py_scan *scan;
	struct error *error = py_pass_create_scan(&walk->pass, PY_SCAN_REPORT_MARKED, &scan);

	if (error)
		return error;
	scan->sink = walk->sink;
	for (size_t i = 0; i < walk->chased_count; i++)
		if (!py_scan_tracked_at(scan, walk->chased[i]))
			py_scan_problem(scan, HEAP_PROBLEM_UNREADABLE, walk->chased[i],
					"the tracked object at 0x%" PRIx64 " cannot be read again",
					walk->chased[i]);
	error = py_scan_finish(scan);
	py_scan_destroy(scan);
	return error;
}

// One pass that marks who is linked to whom.
static struct error *walk_mark(struct walk *walk)
{
	for (size_t i = 0; i < walk->memory.gc.list_count; i++)
		py_marks_add_list(walk->marks, walk->memory.gc.lists[i].head_at,
				  walk->memory.gc.lists[i].next & ~PY_LINK_FLAGS,
				  walk->memory.gc.lists[i].prev & ~PY_LINK_FLAGS);
	walk->pass.mode = PY_SCAN_MARK;
	walk->chased_count = 0;
	struct error *error = py_pass_run(&walk->pass);
	return error ? error : walk_chase(walk);
}

static struct error *walk_thorough(struct walk *walk)
{
	struct error *error = walk_marks_create(walk);
	uint64_t stray;
	addr_t torn_at;

	if (error && error->code == ERROR_FAILED) {
		py_pass_doubt(&walk->pass, 0, "%s", error->message);
		error_destroy(error);
		walk->pass.mode = PY_SCAN_REPORT;
		return py_pass_run(&walk->pass);
	}
	if (error)
		return error;
	// The links of a stray muddle those of others: mark again without it.
	walk->pass.marks = walk->marks;
	for (unsigned round = 0;; round++) {
		walk->pass.marks_again = round > 0;
		error = walk_mark(walk);
		if (error)
			return error;
		if (py_marks_settle(walk->marks, &stray, &torn_at))
			break;
		if (!stray || round == MARKS_ROUNDS_MAX) {
			py_pass_doubt(&walk->pass, torn_at,
				      "the collector's lists are torn at 0x%" PRIx64, torn_at);
			break;
		}
		py_marks_restart(walk->marks);
	}
	walk->pass.mode = PY_SCAN_REPORT_MARKED;
	error = py_pass_run(&walk->pass);
	if (!error)
		error = walk_report_chased(walk);
	return error;
}

static struct error *walk_find_memory(struct walk *walk)
{
	struct error *error =
		py_memory_find(walk->layout, walk->window, walk->context->source, &walk->memory);

	walk->pass.lowest_address = walk->memory.lowest_address;
	return error;
}

static struct error *walk_problem(struct walk *walk, addr_t at, const char *text)
{
	struct heap_problem problem = {.kind = HEAP_PROBLEM_TRUNCATED, .at = at, .text = text};

	return heap_sink_problem(walk->sink, &problem);
}

/*
 * Who is in the permanent generation can only be told by following its list: no field of an object
 * says it. That the list is whole is for the sums to prove.
 */
static struct error *walk_find_frozen(struct walk *walk)
{
	const struct py_layout *layout = walk->layout;
	struct error *error = NULL;

	for (size_t i = 0; i < walk->memory.gc.list_count; i++) {
		const struct py_gc_list *list = &walk->memory.gc.lists[i];
		addr_t at = list->next & ~PY_LINK_FLAGS;
		while (list->permanent && !error && at && at != list->head_at) {
			uint32_t known;
			// A loop past its head; that the list is torn is for the sums, too.
			if (addr_map_get(&walk->frozen, at, &known))
				break;
			if (walk->frozen.count == FROZEN_MAX)
				return walk_problem(walk, at,
						    "more than a million objects are frozen: which "
						    "of the others are too is not told");
			error = addr_map_put(&walk->frozen, at, 1);
			at = mem_window_word(walk->window, at + layout->f.gc_next.offset, 0) &
			     ~PY_LINK_FLAGS;
		}
	}
	return error;
}

static void walk_set_up_pass(struct walk *walk)
{
	struct py_pass *pass = &walk->pass;

	pass->layout = walk->layout;
	pass->source = walk->context->source;
	pass->types = walk->types;
	pass->arenas = &walk->memory.arenas;
	pass->regions = &walk->memory.regions;
	pass->maps = &walk->memory.maps;
	pass->frozen = &walk->frozen;
	pass->sink = walk->sink;
	pass->thread_count = walk->context->thread_count;
	pass->process_runs = walk->context->process_runs;
	pass->stacks = walk->context->stacks;
	pass->stack_count = walk->context->stack_count;
	pass->collecting = walk->memory.gc.collecting;
	pass->edges = walk->edges.plans ? &walk->edges : NULL;
}

static struct error *walk_prepare_references(struct walk *walk)
{
	walk->edges = (struct py_edges_context){
		.layout = walk->layout,
		.source = walk->context->source,
		.thread_pointer = walk->context->thread_pointer,
	};
	struct error *error = py_libc_gates_find(walk->context->modules, walk->context->source,
						 walk->context->thread_pointer, &walk->edges.libc);
	return error ? error
		     : py_plans_create(walk->layout, walk->context->modules, &walk->edges.plans);
}

static struct error *walk_read_state(struct walk *walk)
{
	struct error *error = py_memory_read_state(walk->layout, walk->window, &walk->memory);

	// During a collection nothing else is worth reading, mostly.
	if (error || walk->memory.gc.collecting)
		return error;
	error = walk_find_memory(walk);
	return error ? error : walk_find_frozen(walk);
}

static struct error *walk_ref_total(struct walk *walk, struct target_verdict *verdict)
{
	struct py_scan *scan;

	verdict->ref_total =
		py_runtime_ref_total(walk->layout, walk->window, &walk->memory.interpreters);
	if (verdict->ref_total < 0)
		return NULL;
	verdict->ref_total_hidden = py_runtime_hidden_refs(walk->layout, walk->window);
	struct error *error = py_pass_create_scan(&walk->pass, PY_SCAN_REPORT, &scan);
	if (error)
		return error;
	error = py_statics_refs(scan, walk->context->source, &walk->memory.maps,
				&verdict->ref_total_static);
	py_scan_destroy(scan);
	return error;
}

static struct error *walk_objects(struct walk *walk, enum target_effort effort)
{
	struct error *error = NULL;

	if (heap_sink_wants_references(walk->sink))
		error = walk_prepare_references(walk);
	if (error)
		return error;
	walk_set_up_pass(walk);
	// Nobody else needs it while passes run.
	py_types_share_window(walk->types, walk->window);
	if (effort == TARGET_EFFORT_FIRST || walk->memory.gc.collecting) {
		walk->pass.mode = PY_SCAN_REPORT;
		error = py_pass_run(&walk->pass);
		if (!error)
			walk_check_sums(walk);
	} else {
		error = walk_thorough(walk);
	}
	if (!error && walk->pass.edges)
		error = py_graph_complete(&walk->pass, walk->window, &walk->memory.interpreters,
					  &walk->memory.gc);
	if (!error)
		error = py_plans_take_error(walk->edges.plans);
	if (!error)
		error = mem_window_take_error(walk->window);
	if (!error)
		error = walk_ref_total(walk, walk->pass.verdict);
	if (!error && heap_sink_wants_cached(walk->sink))
		error = py_method_cache_report(walk->layout, walk->context->source, walk->window,
					       walk->types, &walk->memory.interpreters, walk->sink);
	if (!error && walk->context->foreign_malloc) {
		char text[160];
		snprintf(text, sizeof(text),
			 "memory of %s is not searched: untracked objects of more than 512 bytes "
			 "are "
			 "not counted",
			 walk->context->foreign_malloc);
		error = walk_problem(walk, 0, text);
	}
	if (!error)
		error = py_types_announce(walk->types, walk->sink,
					  walk->pass.edges ? walk->window : NULL);
	// Finalizers are looked for in classes.
	return error ? error : mem_window_take_error(walk->window);
}

static struct error *walk_heap(struct walk *walk, enum target_effort effort)
{
	struct error *error = walk_read_state(walk);

	// A list of interpreters or arenas that is just being changed may lead nowhere.
	if (error && (error->code == ERROR_FAULT || error->code == ERROR_FAILED) &&
	    effort != TARGET_EFFORT_LAST) {
		py_pass_doubt(&walk->pass, 0, "%s", error->message);
		error_destroy(error);
		return NULL;
	}
	if (error)
		return error;
	// The lists are in pieces then, some of them on the collector's own stack.
	if (walk->memory.gc.collecting) {
		py_pass_doubt(&walk->pass, 0, "a collection was under way");
		if (effort != TARGET_EFFORT_LAST)
			return NULL;
		error = walk_find_memory(walk);
		if (error)
			return error;
	}
	return walk_objects(walk, effort);
}

struct error *py_walk(const struct py_walk_context *context, struct heap_sink *sink,
		      enum target_effort effort, struct target_verdict *ret)
{
	struct walk walk = {
		.context = context,
		.layout = context->layout,
		.sink = sink,
		.pass.verdict = ret,
	};

	*ret = (struct target_verdict){.consistent = true, .ref_total = -1};
	pthread_mutex_init(&walk.pass.lock, NULL);
	struct error *error = mem_window_create(context->source, &walk.window);
	if (!error)
		error = py_types_create(walk.layout, &walk.types);
	if (!error)
		error = walk_heap(&walk, effort);
	py_plans_destroy(walk.edges.plans);
	py_types_destroy(walk.types);
	py_marks_destroy(walk.marks);
	addr_map_deinit(&walk.frozen);
	free(walk.chased);
	py_memory_deinit(&walk.memory);
	mem_window_destroy(walk.window);
	pthread_mutex_destroy(&walk.pass.lock);
	return error;
}
