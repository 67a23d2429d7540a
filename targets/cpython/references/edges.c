// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/edges.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/finalizer.h"
#include "targets/cpython/references/addresses.h"
#include "targets/cpython/references/edges_internal.h"

struct error *py_edges_create(const struct py_edges_context *context, bool wants_origins,
			      struct py_edges **ret)
{
	struct py_edges *edges = calloc(1, sizeof(*edges));

	if (!edges)
		return error_no_memory();
	edges->context = context;
	edges->layout = context->layout;
	edges->wants_origins = wants_origins;
	struct error *error = mem_window_create(context->source, &edges->window);
	if (!error)
		error = py_traverse_create(context->source, context->thread_pointer, &context->libc,
					   &edges->traverse);
	if (!error && edges->traverse)
		py_traverse_set_attach(edges->traverse, edges->layout->gil_ensure_at);
	if (error) {
		py_edges_destroy(edges);
		return error;
	}
	*ret = edges;
	return NULL;
}

void py_edges_destroy(struct py_edges *edges)
{
	if (!edges)
		return;
	py_traverse_destroy(edges->traverse);
	mem_window_destroy(edges->window);
	error_destroy(edges->error);
	free(edges->list);
	free(edges->origins);
	free(edges->sorted[0]);
	free(edges->sorted[1]);
	free(edges->failures);
	free(edges);
}

static void edges_fail(struct py_edges *edges, struct error *error)
{
	if (edges->error)
		error_destroy(error);
	else
		edges->error = error;
}

void edges_add_with_origin(struct py_edges *edges, addr_t to, uint32_t kind, enum py_origin origin,
			   uint64_t detail, const char *name)
{
	struct error *error = NULL;

	if (edges->count == edges->capacity)
		error = array_reserve(&edges->list, &edges->capacity, edges->count + 1,
				      sizeof(*edges->list));
	if (!error && edges->wants_origins)
		error = array_reserve(&edges->origins, &edges->origin_capacity, edges->count + 1,
				      sizeof(*edges->origins));
	if (error) {
		edges_fail(edges, error);
		return;
	}
	if (edges->wants_origins)
		edges->origins[edges->count] = (struct py_edge_origin){origin, detail, name};
	edges->list[edges->count++] = (struct heap_reference){to, kind};
}

void edges_note(struct py_edges *edges, const char *reason)
{
	// One broken object does not speak against the others: the reason is told once.
	for (size_t i = 0; i < edges->failure_count; i++)
		if (edges->failures[i].type == edges->type->name)
			return;
	struct error *error = array_reserve(&edges->failures, &edges->failure_capacity,
					    edges->failure_count + 1, sizeof(*edges->failures));
	if (error) {
		edges_fail(edges, error);
		return;
	}
	struct failure *failure = &edges->failures[edges->failure_count++];
	failure->type = edges->type->name;
	strncpy(failure->reason, reason, sizeof(failure->reason) - 1);
}

// A struct sequence's traversal asks its type how long it is, for which it needs the state of a
// thread that has the GIL (3.12).
static bool edges_is_sequence(const struct py_plan *plan)
{
	return plan->visit == PY_VISIT_RUN && !plan->is_instance &&
	       plan->type->flags & PY_TYPE_TUPLE;
}

bool edges_run(struct py_edges *edges, struct py_plan *plan, addr_t traverse_at, addr_t at,
	       const addr_t **ret, size_t *ret_count)
{
	if (!edges->traverse)
		return false;
	if (py_traverse_run(edges->traverse, traverse_at, at, ret, ret_count))
		return true;
	if (!edges_is_sequence(plan))
		edges_note(edges, py_traverse_reason(edges->traverse));
	return false;
}

static void edges_visited(struct py_edges *edges, const struct py_plan *plan, addr_t at,
			  const addr_t *visited, size_t count)
{
	addr_t dict_at = 0;

	if (plan->managed_dict)
		dict_at = edges_word(edges, at - 3 * sizeof(addr_t));
	else if (plan->dict_offset)
		dict_at = edges_word(edges, edges_dict_pointer(edges, plan, at));
	else if (plan->type->shape == PY_SHAPE_INSTANCE2)
		dict_at = edges_word(edges, at + edges->layout->f.instance_dict.offset);
	else if (plan->type->shape == PY_SHAPE_TYPE)
		dict_at = edges_word(edges, at + edges->layout->f.type_dict.offset);
	for (size_t i = 0; i < count; i++) {
		if (dict_at && visited[i] == dict_at)
			edges_add_dict(edges, dict_at);
		else
			edges_add(edges, visited[i], HEAP_EDGE_GC, PY_ORIGIN_VISITED, 0, NULL);
	}
}

static bool edges_run_and_add(struct py_edges *edges, struct py_plan *plan, addr_t at)
{
	const addr_t *visited;
	size_t count;

	if (!edges_run(edges, plan, plan->traverse_at, at, &visited, &count))
		return false;
	edges_visited(edges, plan, at, visited, count);
	return true;
}

// The gc references found so far, sorted, in edges->sorted[0]; and @a visited in edges->sorted[1].
static bool edges_sort_both(struct py_edges *edges, const addr_t *visited, size_t count,
			    size_t *ret_own)
{
	size_t own = 0;
	struct error *error = array_reserve(&edges->sorted[0], &edges->sorted_capacity[0],
					    edges->count + 1, sizeof(addr_t));

	if (!error)
		error = array_reserve(&edges->sorted[1], &edges->sorted_capacity[1], count + 1,
				      sizeof(addr_t));
	if (error) {
		edges_fail(edges, error);
		return false;
	}
	for (size_t i = 0; i < edges->count; i++)
		if ((edges->list[i].kind & 3) == HEAP_EDGE_GC)
			edges->sorted[0][own++] = edges->list[i].to;
	for (size_t i = 0; i < count; i++)
		edges->sorted[1][i] = visited[i];
	py_addresses_sort(edges->sorted[0], own);
	py_addresses_sort(edges->sorted[1], count);
	*ret_own = own;
	return true;
}

/*
 * Compares what was read directly with what the object's own tp_traverse visits. Whether an instance
 * visits its type has changed between patch releases, so the first run tells that; any other
 * difference makes every object of the type be run.
 */
static void edges_try(struct py_edges *edges, struct py_plan *plan, addr_t at)
{
	const addr_t *visited;
	size_t visited_count, own;

	if (edges->count > TRIAL_REFERENCES_MAX ||
	    !edges_run(edges, plan, plan->traverse_at, at, &visited, &visited_count) ||
	    !edges_sort_both(edges, visited, visited_count, &own))
		return;
	const addr_t *mine = edges->sorted[0], *theirs = edges->sorted[1];
	atomic_fetch_sub_explicit(&plan->trials[edges->variant], 1, memory_order_relaxed);
	if (own == visited_count && memcmp(mine, theirs, own * sizeof(addr_t)) == 0)
		return;
	if (own == visited_count + 1 && py_addresses_differ_by(mine, own, theirs, plan->type->at)) {
		atomic_store_explicit(&plan->visits_type, false, memory_order_relaxed);
		edges->count = 0;
		edges_direct(edges, plan, at);
		return;
	}
	atomic_store_explicit(&plan->run_always, true, memory_order_relaxed);
	edges->count = 0;
	edges_visited(edges, plan, at, visited, visited_count);
}

// Whether @a to was visited for a member of @a kind: one visit is for one.
static bool edges_take_gc(struct py_edges *edges, addr_t to, size_t gc_count,
			  enum heap_edge_kind kind)
{
	for (size_t i = 0; kind != HEAP_EDGE_WEAK && i < gc_count; i++) {
		struct heap_reference *reference = &edges->list[i];
		if (reference->to != to || (reference->kind & (3 | EDGE_TAKEN)) != HEAP_EDGE_GC)
			continue;
		reference->kind |= EDGE_TAKEN;
		edges->has_taken = true;
		return true;
	}
	return false;
}

static void edges_owned_member(struct py_edges *edges, const struct py_owned *owned, addr_t at,
			       size_t gc_count)
{
	for (uint32_t i = 0; i < owned->count; i++) {
		uint32_t offset = owned->offset + i * (uint32_t)sizeof(addr_t);
		addr_t to = edges_word(edges, at + offset);
		if (to && to % sizeof(addr_t) == 0 &&
		    !edges_take_gc(edges, to, gc_count, owned->kind))
			edges_add(edges, to, owned->kind, PY_ORIGIN_MEMBER, offset, owned->name);
	}
}

// From 3.11 on a frame object has room for the frame, which is elsewhere until the function has returned:
// the offset of the room as long as nothing was written to it.
static uint32_t edges_unwritten(struct py_edges *edges, const struct py_plan *plan, addr_t at)
{
	const struct py_layout *layout = edges->layout;

	if (plan->type->at != layout->var.frame_type || !layout->f.frame_iframe.present ||
	    !layout->f.frame_data.present ||
	    edges_word(edges, at + layout->f.frame_iframe.offset) ==
		    at + layout->f.frame_data.offset)
		return UINT32_MAX;
	return layout->f.frame_data.offset;
}

static void edges_owned(struct py_edges *edges, const struct py_plan *plan, addr_t at,
			bool is_static_type)
{
	size_t gc_count = edges->count;
	uint32_t end = plan->owned_count ? edges_unwritten(edges, plan, at) : UINT32_MAX;

	// Behind a class of C there is no PyHeapTypeObject's rest, but the next variable.
	if (is_static_type)
		end = edges->layout->size.type;

	for (size_t i = 0; i < plan->owned_count; i++) {
		const struct py_owned *owned = &plan->owned[i];
		unsigned char guard = 1;
		if (owned->offset >= end)
			continue;
		if (owned->guard_offset &&
		    !mem_window_read(edges->window, at + owned->guard_offset, &guard, 1))
			continue;
		if (guard)
			edges_owned_member(edges, owned, at, gc_count);
	}
	// A slot of an instance may refer to its class, too.
	if (plan->owns_type && ((plan->is_instance && !atomic_load(&plan->visits_type)) ||
				!edges_take_gc(edges, plan->type->at, gc_count, HEAP_EDGE_OWNED)))
		edges_add(edges, plan->type->at, HEAP_EDGE_OWNED, PY_ORIGIN_TYPE, 0, NULL);
	for (size_t i = 0; edges->has_taken && i < gc_count; i++)
		edges->list[i].kind &= ~(uint32_t)EDGE_TAKEN;
	edges->has_taken = false;
}

// A class owns the names of its instances' attributes.
static void edges_class_keys(struct py_edges *edges, addr_t at)
{
	struct py_dict_cursor keys;
	addr_t keys_at = edges_word(edges, at + edges->layout->f.heaptype_cached_keys.offset);

	py_dict_begin_keys(edges->layout, edges->window, keys_at, &keys);
	for (uint64_t i = 0; i < keys.left && i < PY_DICT_FIND_MAX; i++)
		edges_add(edges,
			  edges_word(edges, keys.entry_at + i * keys.stride + keys.key_offset),
			  HEAP_EDGE_OWNED, PY_ORIGIN_KEY, 0, NULL);
}

static struct py_plan *edges_plan(struct py_edges *edges, const struct py_type *type)
{
	size_t slot = type->id % PLAN_SLOTS;

	if (edges->plans[slot].type != type) {
		edges->plans[slot].plan = py_plans_get(edges->context->plans, type, edges->window);
		edges->plans[slot].type = type;
	}
	return edges->plans[slot].plan;
}

static bool edges_is_static_type(struct py_edges *edges, const struct py_type *type, addr_t at)
{
	return type->shape == PY_SHAPE_TYPE &&
	       !(edges_word(edges, at + edges->layout->f.type_flags.offset) & PY_TYPE_HEAP);
}

static void edges_sequence(struct py_edges *edges, const struct py_plan *plan, addr_t at)
{
	const struct py_layout *layout = edges->layout;
	addr_t dict_at = edges_word(edges, plan->type->at + layout->f.type_dict.offset);
	addr_t fields_at = py_dict_find(layout, edges->window, dict_at, "n_fields");
	uint64_t count = edges_word(edges, at + layout->f.var_size.offset);
	uint32_t fields = 0;

	// Fields beyond those that a tuple shows.
	if (fields_at &&
	    mem_window_read(edges->window, fields_at + layout->f.long_digits.offset, &fields,
			    sizeof(fields)) &&
	    fields > count && fields < SEQUENCE_FIELDS_MAX)
		count = fields;
	if (count < SEQUENCE_FIELDS_MAX)
		edges_items(edges, at + layout->f.tuple_items.offset, count);
	if (plan->owns_type)
		edges_add(edges, plan->type->at, HEAP_EDGE_GC, PY_ORIGIN_TYPE, 0, NULL);
}

const struct heap_reference *py_edges_collect(struct py_edges *edges, const struct py_type *type,
					      addr_t at, size_t *ret_count)
{
	struct py_plan *plan = edges_plan(edges, type);

	edges->type = type;
	edges->count = 0;
	edges->variant = 0;
	*ret_count = 0;
	if (!plan || plan->is_bare)
		return edges->list;
	// A class that is no heap type is none of the collector's (type_is_gc()).
	bool is_static_type = edges_is_static_type(edges, type, at);
	if (plan->traverse_at && !is_static_type) {
		bool run = plan->visit == PY_VISIT_RUN ||
			   atomic_load_explicit(&plan->run_always, memory_order_relaxed);
		if (!run || !edges_run_and_add(edges, plan, at)) {
			if (run && edges_is_sequence(plan))
				edges_sequence(edges, plan, at);
			else
				edges_direct(edges, plan, at);
			if (!run && atomic_load_explicit(&plan->trials[edges->variant],
							 memory_order_relaxed) > 0)
				edges_try(edges, plan, at);
		}
	}
	edges_owned(edges, plan, at, is_static_type);
	if (type->shape == PY_SHAPE_TYPE && !is_static_type &&
	    edges->layout->f.heaptype_cached_keys.present)
		edges_class_keys(edges, at);
	*ret_count = edges->count;
	return edges->list;
}

uint32_t py_edges_finalizer_flags(struct py_edges *edges, const struct py_type *type, addr_t at)
{
	const struct py_plan *plan = edges_plan(edges, type);

	if (!plan || !plan->may_finalize)
		return 0;
	return py_finalizer_flags(edges->layout, edges->window, edges->traverse, type, at);
}

void py_edges_lend(struct py_edges *edges, addr_t at, const void *data, size_t bytes)
{
	edges->near = data;
	edges->near_at = at;
	edges->near_bytes = data ? bytes : 0;
	mem_window_lend(edges->window, at, data, bytes);
}

const struct py_edge_origin *py_edges_origins(const struct py_edges *edges)
{
	return edges->origins;
}

struct error *py_edges_take_error(struct py_edges *edges)
{
	struct error *error = take_ptr(edges->error);

	if (!error)
		error = py_traverse_take_error(edges->traverse);
	return error ? error : mem_window_take_error(edges->window);
}

const char *py_edges_next_failure(struct py_edges *edges, const char **ret_reason)
{
	if (edges->failure_told == edges->failure_count)
		return NULL;
	const struct failure *failure = &edges->failures[edges->failure_told++];
	*ret_reason = failure->reason;
	return failure->type;
}
