// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/edges.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/addresses.h"
#include "targets/cpython/dict.h"
#include "targets/cpython/finalizer.h"
#include "targets/cpython/traverse.h"

enum {
	/** Read at once where the source has no views. */
	PIECE_WORDS = 4096,
	PLAN_SLOTS = 1024,
	/** Larger objects are not worth running twice to be checked. */
	TRIAL_REFERENCES_MAX = 1 << 12,
	/** SHARED_KEYS_MAX_SIZE of pycore_dict.h is 30; one byte has the number. */
	SHARED_KEYS_MAX = 255,
	/** In the kind of a reference that a member is found to stand for; not outside edges_owned(). */
	EDGE_TAKEN = 1 << 30,
};

/** More items than any real object has; a corrupt one ends here. */
static const uint64_t ITEMS_MAX = 1ULL << 32;

struct failure {
	const char *type;
	char reason[120];
};

struct py_edges {
	const struct py_edges_context *context;
	const struct py_layout *layout;
	struct mem_window *window;
	/** NULL where the machine's code cannot be run. */
	struct py_traverse *traverse;
	bool wants_origins;
	struct heap_reference *list;
	size_t count;
	size_t capacity;
	/** Which way the object at hand has its attributes: a bit for values, one for a dict. */
	unsigned variant;
	struct py_edge_origin *origins;
	size_t origin_capacity;
	/** A few of the plans, by type id. */
	struct {
		const struct py_type *type;
		struct py_plan *plan;
	} plans[PLAN_SLOTS];
	addr_t piece[PIECE_WORDS];
	/** To compare two lists of addresses. */
	addr_t *sorted[2];
	size_t sorted_capacity[2];
	struct failure *failures;
	size_t failure_count;
	size_t failure_capacity;
	size_t failure_told;
	struct error *error;
};

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

static void edges_add(struct py_edges *edges, addr_t to, uint32_t kind, enum py_origin origin,
		      uint64_t detail, const char *name)
{
	struct error *error = NULL;

	if (!to)
		return;
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

static addr_t edges_word(struct py_edges *edges, addr_t at)
{
	return mem_window_word(edges->window, at, 0);
}

// Up to PIECE_WORDS of the @a count words at @a at; NULL when they cannot be read.
static const addr_t *edges_words(struct py_edges *edges, addr_t at, uint64_t count,
				 size_t *ret_count)
{
	const addr_t *words = mem_source_view(edges->context->source, at, count * sizeof(addr_t));

	*ret_count = count;
	if (words)
		return words;
	if (count > PIECE_WORDS)
		*ret_count = count = PIECE_WORDS;
	return mem_window_read(edges->window, at, edges->piece, count * sizeof(addr_t))
		       ? edges->piece
		       : NULL;
}

static void edges_items(struct py_edges *edges, addr_t at, uint64_t count)
{
	if (count > ITEMS_MAX)
		return;
	for (uint64_t done = 0; done < count;) {
		size_t piece;
		const addr_t *words =
			edges_words(edges, at + done * sizeof(addr_t), count - done, &piece);
		if (!words)
			return;
		for (size_t i = 0; i < piece; i++)
			edges_add(edges, words[i], HEAP_EDGE_GC, PY_ORIGIN_ITEM, done + i, NULL);
		done += piece;
	}
}

static uint64_t edges_var_size(struct py_edges *edges, addr_t at)
{
	int64_t size = (int64_t)edges_word(edges, at + edges->layout->f.var_size.offset);

	return size < 0 ? 0 : (uint64_t)size;
}

static bool edges_run(struct py_edges *edges, struct py_plan *plan, addr_t traverse_at, addr_t at,
		      const addr_t **ret, size_t *ret_count)
{
	if (!edges->traverse || atomic_load_explicit(&plan->cannot_run, memory_order_relaxed))
		return false;
	if (py_traverse_run(edges->traverse, traverse_at, at, ret, ret_count))
		return true;
	// One broken object does not speak against the others: the reason is told once.
	for (size_t i = 0; i < edges->failure_count; i++)
		if (edges->failures[i].type == plan->type->name)
			return false;
	struct error *error = array_reserve(&edges->failures, &edges->failure_capacity,
					    edges->failure_count + 1, sizeof(*edges->failures));
	if (error) {
		edges_fail(edges, error);
		return false;
	}
	struct failure *failure = &edges->failures[edges->failure_count++];
	failure->type = plan->type->name;
	strncpy(failure->reason, py_traverse_reason(edges->traverse), sizeof(failure->reason) - 1);
	return false;
}

/*
 * dict_traverse() visits values, and keys where the table may hold anything but strings; keys of
 * strings alone are owned all the same. Of a split table, the keys are the class's.
 */
static void edges_dict(struct py_edges *edges, struct py_plan *plan, addr_t at)
{
	struct py_dict_cursor cursor;
	bool known = true;

	py_dict_begin(edges->layout, edges->window, at, &cursor);
	bool visits_keys = py_plans_visits_keys(edges->context->plans, cursor.kind, &known);
	bool is_split = cursor.value_at;
	const unsigned char *entries = mem_source_view(edges->context->source, cursor.entry_at,
						       cursor.left * cursor.stride);
	const addr_t *values = is_split ? mem_source_view(edges->context->source, cursor.value_at,
							  cursor.left * sizeof(addr_t))
					: NULL;
	size_t first = edges->count;
	uint64_t left = cursor.left, pairs = 0;
	for (uint64_t i = 0; i < left; i++) {
		addr_t key, value;
		if (entries && (values || !is_split)) {
			const unsigned char *entry = entries + i * cursor.stride;
			memcpy(&key, entry + cursor.key_offset, sizeof(key));
			if (is_split)
				value = values[i];
			else
				memcpy(&value, entry + cursor.value_offset, sizeof(value));
			if (!key || !value)
				continue;
		} else if (!py_dict_next(&cursor, &key, &value)) {
			break;
		}
		pairs++;
		if (!is_split)
			edges_add(edges, key, visits_keys ? HEAP_EDGE_GC : HEAP_EDGE_OWNED,
				  PY_ORIGIN_KEY, key, NULL);
		if (!cursor.embedded)
			edges_add(edges, value, HEAP_EDGE_GC, PY_ORIGIN_VALUE, key, NULL);
	}
	if (known || !pairs || is_split)
		return;
	// Which kind of table this is, its own traversal tells.
	const addr_t *visited;
	size_t visited_count;
	addr_t traverse_at = edges_word(edges, edges->layout->var.dict_type +
						       edges->layout->f.type_traverse.offset);
	if (!edges_run(edges, plan, traverse_at, at, &visited, &visited_count))
		return;
	py_plans_learn_keys(edges->context->plans, cursor.kind, visited_count == 2 * pairs);
	if (visited_count != 2 * pairs)
		return;
	for (size_t i = first; i < edges->count; i += 2)
		edges->list[i].kind = HEAP_EDGE_GC;
}

// The values of an instance that has no dict yet, by the keys that its class shares out.
static void edges_values(struct py_edges *edges, const struct py_plan *plan, addr_t values_at,
			 uint64_t count_max)
{
	struct py_dict_cursor keys;
	addr_t at = values_at + edges->layout->f.values_values.offset;

	edges->variant |= 1;
	py_dict_begin_keys(edges->layout, edges->window, plan->cached_keys_at, &keys);
	for (uint64_t i = 0; i < keys.left && i < count_max; i++)
		edges_add(edges, edges_word(edges, at + i * sizeof(addr_t)), HEAP_EDGE_GC,
			  PY_ORIGIN_ATTRIBUTE,
			  edges->wants_origins ? edges_word(edges, keys.entry_at + i * keys.stride +
									   keys.key_offset)
					       : 0,
			  NULL);
}

static void edges_add_dict(struct py_edges *edges, addr_t dict_at)
{
	edges_add(edges, dict_at, HEAP_EDGE_GC | HEAP_REFERENCE_PART, PY_ORIGIN_DICT, 0, NULL);
}

static void edges_managed(struct py_edges *edges, const struct py_plan *plan, addr_t at)
{
	addr_t word = edges_word(edges, at - 3 * sizeof(addr_t));

	edges->variant |= word ? 2 : 0;

	switch (edges->layout->managed) {
	case PY_MANAGED_NONE:
		break;
	case PY_MANAGED_APART: {
		addr_t values_at = edges_word(edges, at - 4 * sizeof(addr_t));
		if (values_at)
			edges_values(edges, plan, values_at, SHARED_KEYS_MAX);
		edges_add_dict(edges, word);
		break;
	}
	case PY_MANAGED_TAGGED:
		if (word & 1)
			edges_values(edges, plan, word + 1, SHARED_KEYS_MAX);
		else
			edges_add_dict(edges, word);
		break;
	case PY_MANAGED_INLINE: {
		addr_t values_at = at + plan->type->basicsize;
		const void *values = plan->inline_values
					     ? mem_window_at(edges->window, values_at,
							     edges->layout->f.values_values.offset)
					     : NULL;
		// While its values are valid the traversal goes no further, though a dict that was
		// made of them is owned all the same (PyObject_VisitManagedDict()).
		bool valid = values && py_get(values, edges->layout->f.values_valid);
		if (valid)
			edges_values(edges, plan, values_at,
				     py_get(values, edges->layout->f.values_capacity));
		edges_add(edges, word,
			  (valid ? HEAP_EDGE_OWNED : HEAP_EDGE_GC) | HEAP_REFERENCE_PART,
			  PY_ORIGIN_DICT, 0, NULL);
		break;
	}
	}
}

// _PyObject_GetDictPtr(): a negative offset counts from the end of a variable object.
static addr_t edges_dict_pointer(struct py_edges *edges, const struct py_plan *plan, addr_t at)
{
	const struct py_type *type = plan->type;

	if (plan->dict_offset > 0)
		return at + (uint64_t)plan->dict_offset;
	int64_t items = (int64_t)edges_word(edges, at + edges->layout->f.var_size.offset);
	uint64_t count = items < 0 ? -(uint64_t)items : (uint64_t)items;
	if (count > ITEMS_MAX)
		return 0;
	uint64_t bytes = type->basicsize + count * type->itemsize;
	bytes = (bytes + sizeof(addr_t) - 1) & ~(uint64_t)(sizeof(addr_t) - 1);
	return at + bytes + (uint64_t)plan->dict_offset;
}

static void edges_instance(struct py_edges *edges, const struct py_plan *plan, addr_t at)
{
	for (size_t i = 0; i < plan->slot_count; i++)
		edges_add(edges, edges_word(edges, at + plan->slots[i]), HEAP_EDGE_GC,
			  PY_ORIGIN_SLOT, plan->slots[i], NULL);
	if (plan->managed_dict)
		edges_managed(edges, plan, at);
	else if (plan->dict_offset)
		edges_add_dict(edges, edges_word(edges, edges_dict_pointer(edges, plan, at)));
	if (atomic_load_explicit(&plan->visits_type, memory_order_relaxed))
		edges_add(edges, plan->type->at, HEAP_EDGE_GC, PY_ORIGIN_TYPE, 0, NULL);
}

static void edges_visited(struct py_edges *edges, const struct py_plan *plan, addr_t at,
			  const addr_t *visited, size_t count)
{
	addr_t dict_at = 0;

	if (plan->is_instance ? plan->managed_dict : false)
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

static void edges_direct(struct py_edges *edges, struct py_plan *plan, addr_t at)
{
	if (plan->is_instance)
		edges_instance(edges, plan, at);
	switch (plan->visit) {
	case PY_VISIT_LIST:
		edges_items(edges, edges_word(edges, at + edges->layout->f.list_items.offset),
			    edges_var_size(edges, at));
		break;
	case PY_VISIT_TUPLE:
		edges_items(edges, at + edges->layout->f.tuple_items.offset,
			    edges_var_size(edges, at));
		break;
	case PY_VISIT_DICT:
		edges_dict(edges, plan, at);
		break;
	case PY_VISIT_NOTHING:
	case PY_VISIT_RUN:
		break;
	}
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

static void edges_owned(struct py_edges *edges, const struct py_plan *plan, addr_t at)
{
	size_t gc_count = edges->count;

	for (size_t i = 0; i < plan->owned_count; i++) {
		const struct py_owned *owned = &plan->owned[i];
		unsigned char guard = 1;
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
	for (size_t i = 0; (plan->owned_count || plan->owns_type) && i < gc_count; i++)
		edges->list[i].kind &= ~(uint32_t)EDGE_TAKEN;
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

const struct heap_reference *py_edges_collect(struct py_edges *edges, const struct py_type *type,
					      addr_t at, size_t *ret_count)
{
	struct py_plan *plan = edges_plan(edges, type);

	edges->count = 0;
	edges->variant = 0;
	*ret_count = 0;
	if (!plan)
		return edges->list;
	// A class that is no heap type is none of the collector's (type_is_gc()).
	bool is_static_type = edges_is_static_type(edges, type, at);
	if (plan->traverse_at && !is_static_type) {
		bool run = plan->visit == PY_VISIT_RUN ||
			   atomic_load_explicit(&plan->run_always, memory_order_relaxed);
		if (!run || !edges_run_and_add(edges, plan, at)) {
			edges_direct(edges, plan, at);
			if (!run && atomic_load_explicit(&plan->trials[edges->variant],
							 memory_order_relaxed) > 0)
				edges_try(edges, plan, at);
		}
	}
	edges_owned(edges, plan, at);
	if (type->shape == PY_SHAPE_TYPE && !is_static_type &&
	    edges->layout->f.heaptype_cached_keys.present)
		edges_class_keys(edges, at);
	*ret_count = edges->count;
	return edges->list;
}

uint32_t py_edges_finalizer_flags(struct py_edges *edges, const struct py_type *type, addr_t at)
{
	return py_finalizer_flags(edges->layout, edges->window, edges->traverse, type, at);
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
