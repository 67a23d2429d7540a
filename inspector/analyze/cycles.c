// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/cycles.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/components.h"
#include "analyze/cycle_holders.h"
#include "analyze/cycle_search.h"
#include "analyze/cycle_shape.h"
#include "analyze/marks.h"
#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/fnv.h"
#include "base/interrupt.h"

enum {
	/** Members of a component from which a shortest cycle is searched. */
	STARTS_MAX = 4,
	/** References looked at in each search but the first, which ends with the component. */
	LOOKS_MAX = 1 << 20,
};

/** Objects of one type in one row. */
struct tally {
	uint32_t row;
	uint32_t type;
	uint64_t count;
	bool finalizes;
};

struct finder {
	const struct heap *heap;
	const struct garbage *garbage;
	bool all;
	struct components components;
	struct cycle_search *search;
	/** A bit per object: it is an attribute dict. */
	uint64_t *parts;
	/** A byte per object: it stands in gc.garbage. */
	uint8_t *in_garbage;

	struct cycles cycles;
	size_t row_capacity;
	/** Of each row the component that its example is from. */
	uint32_t *examples;
	size_t example_capacity;
	/** Of each row the next with the same hash, UINT32_MAX behind the last. */
	uint32_t *next_rows;
	size_t next_capacity;
	/** Hash of shape and state to the first such row. */
	struct addr_map rows;
	struct tally *tallies;
	size_t tally_count;
	size_t tally_capacity;
	/** Row + 1 and type in one key to its tally. */
	struct addr_map tally_of;

	struct cycle_path path;
	struct cycle_path other_path;
	struct cycle_shape shape;
	struct cycle_shape other_shape;
};

const char *cycle_state_name(enum cycle_state state)
{
	static const char *const names[] = {
		[CYCLE_UNCOLLECTABLE] = "uncollectable",
		[CYCLE_PENDING] = "pending",
		[CYCLE_REACHABLE] = "reachable",
		[CYCLE_FROZEN] = "frozen",
	};

	return names[state];
}

static const uint32_t *members_begin(const struct finder *finder, uint32_t component)
{
	return finder->components.members + finder->components.first[component];
}

static const uint32_t *members_end(const struct finder *finder, uint32_t component)
{
	return finder->components.members + finder->components.first[component + 1];
}

static bool is_part(const struct finder *finder, uint32_t object)
{
	return bits_get(finder->parts, object);
}

static struct error *mark_garbage_list(struct finder *finder)
{
	const struct heap *heap = finder->heap;

	finder->in_garbage = calloc((size_t)heap->object_count + 1, 1);
	if (!finder->in_garbage)
		return error_no_memory();
	if (heap->garbage_list == HEAP_NO_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < heap_edge_count(heap, heap->garbage_list); i++) {
		heap_edge edge = heap_edges(heap, heap->garbage_list)[i];

		if (heap_edge_kind(edge) == HEAP_EDGE_GC)
			finder->in_garbage[heap_edge_target(edge)] = 1;
	}
	return NULL;
}

static enum cycle_state component_state(const struct finder *finder, uint32_t component)
{
	bool is_pending = false;
	bool is_frozen = false;
	bool is_reachable = false;

	for (const uint32_t *member = members_begin(finder, component);
	     member < members_end(finder, component); member++) {
		enum garbage_state state = (enum garbage_state)finder->garbage->state[*member];

		if (state == GARBAGE_UNCOLLECTABLE || finder->in_garbage[*member])
			return CYCLE_UNCOLLECTABLE;
		is_pending |= state == GARBAGE_UNREACHABLE;
		is_frozen |= state == GARBAGE_FROZEN;
		is_reachable |= state == GARBAGE_REACHABLE;
	}
	if (is_pending)
		return CYCLE_PENDING;
	return is_frozen && !is_reachable ? CYCLE_FROZEN : CYCLE_REACHABLE;
}

/** The size of @a member with that of an attribute dict that is not on the cycle, as that of an
 *  instance of a class made from `list`. */
static uint64_t size_with_dict(const struct finder *finder, uint32_t member)
{
	const struct heap *heap = finder->heap;
	const uint32_t *of = finder->components.of;
	uint64_t size_bytes = heap->size_bytes[member];

	if (is_part(finder, member))
		return size_bytes;
	for (uint32_t i = 0; i < heap_edge_count(heap, member); i++) {
		heap_edge edge = heap_edges(heap, member)[i];
		uint32_t to = heap_edge_target(edge);

		if (heap_edge_kind(edge) == HEAP_EDGE_GC && is_part(finder, to) &&
		    of[to] != of[member])
			size_bytes += heap->size_bytes[to];
	}
	return size_bytes;
}

/** What a component has: objects with a finalizer, or else other objects than attribute dicts. */
struct contents {
	bool finalizers;
	bool objects;
};

static struct contents component_contents(const struct finder *finder, uint32_t component)
{
	struct contents contents = {0};

	for (const uint32_t *member = members_begin(finder, component);
	     member < members_end(finder, component); member++) {
		contents.finalizers |= cycle_has_finalizer(finder->heap, *member);
		contents.objects |= !is_part(finder, *member);
		if (contents.finalizers && contents.objects)
			break;
	}
	return contents;
}

static bool is_start(const struct finder *finder, const struct contents *contents, uint32_t object)
{
	if (contents->finalizers)
		return cycle_has_finalizer(finder->heap, object);
	return !contents->objects || !is_part(finder, object);
}

static void swap_paths(struct finder *finder)
{
	struct cycle_path path = finder->path;

	finder->path = finder->other_path;
	finder->other_path = path;
}

static void swap_shapes(struct finder *finder)
{
	struct cycle_shape shape = finder->shape;

	finder->shape = finder->other_shape;
	finder->other_shape = shape;
}

/** finder.other_path is one more cycle, no longer than finder.path: keeps the shorter one, of equally
 *  long ones that whose shape sorts first. */
static struct error *choose_path(struct finder *finder)
{
	struct error *error;

	if (finder->other_path.hops < finder->path.hops) {
		swap_paths(finder);
		return cycle_shape_make(finder->heap, &finder->path, &finder->shape);
	}
	if (cycle_path_same(&finder->path, &finder->other_path))
		return NULL;
	error = cycle_shape_make(finder->heap, &finder->other_path, &finder->other_shape);
	if (!error &&
	    strcmp(text_chars(&finder->other_shape.text), text_chars(&finder->shape.text)) < 0) {
		swap_shapes(finder);
		swap_paths(finder);
	}
	return error;
}

/** Sets finder.shape. */
static struct error *find_shape(struct finder *finder, uint32_t component,
				const struct contents *contents)
{
	unsigned starts = 0;

	for (const uint32_t *member = members_begin(finder, component);
	     member < members_end(finder, component) && starts < STARTS_MAX; member++) {
		struct error *error;

		if (!is_start(finder, contents, *member))
			continue;
		if (starts++ == 0) {
			error = cycle_search_find(finder->search, *member, UINT32_MAX, UINT64_MAX,
						  &finder->path);
			if (!error)
				error = cycle_shape_make(finder->heap, &finder->path,
							 &finder->shape);
		} else {
			error = cycle_search_find(finder->search, *member, finder->path.hops,
						  LOOKS_MAX, &finder->other_path);
			if (!error && finder->other_path.count)
				error = choose_path(finder);
		}
		if (error)
			return error;
	}
	return NULL;
}

/** The map wants no 0. */
static uint64_t hash_shape(const char *shape, enum cycle_state state)
{
	uint64_t hash = fnv64(FNV64_START + state, shape, strlen(shape));

	return hash ? hash : 1;
}

// What finder.shape says of @a component.
static void take_example(struct finder *finder, uint32_t number, uint32_t component)
{
	struct cycle_row *row = &finder->cycles.rows[number];

	row->example_count = finder->shape.object_count;
	memcpy(row->example, finder->shape.objects, row->example_count * sizeof(*row->example));
	finder->examples[number] = component;
}

static struct error *add_row(struct finder *finder, uint32_t component, enum cycle_state state,
			     uint64_t hash, uint32_t next)
{
	size_t count = finder->cycles.count;
	struct cycle_row *row;
	struct error *error;

	error = array_reserve(&finder->cycles.rows, &finder->row_capacity, count + 1,
			      sizeof(*finder->cycles.rows));
	if (!error)
		error = array_reserve(&finder->examples, &finder->example_capacity, count + 1,
				      sizeof(*finder->examples));
	if (!error)
		error = array_reserve(&finder->next_rows, &finder->next_capacity, count + 1,
				      sizeof(*finder->next_rows));
	if (!error)
		error = addr_map_put(&finder->rows, hash, (uint32_t)count);
	if (error)
		return error;
	row = &finder->cycles.rows[count];
	*row = (struct cycle_row){.state = state, .holder = HEAP_NO_OBJECT, .held = HEAP_NO_OBJECT};
	row->shape = strdup(text_chars(&finder->shape.text));
	if (!row->shape)
		return error_no_memory();
	take_example(finder, (uint32_t)count, component);
	finder->next_rows[count] = next;
	finder->cycles.count++;
	return NULL;
}

static bool any_in_garbage(const struct finder *finder, const uint32_t *objects, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (finder->in_garbage[objects[i]])
			return true;
	return false;
}

/** The row of finder.shape and @a state; @a component is its example if it is a new one, or the first that
 *  stands in gc.garbage: nothing leads to those that no collection has come to yet. */
static struct error *find_row(struct finder *finder, uint32_t component, enum cycle_state state,
			      uint32_t *ret)
{
	const char *shape = text_chars(&finder->shape.text);
	uint64_t hash = hash_shape(shape, state);
	uint32_t first;

	if (!addr_map_get(&finder->rows, hash, &first))
		first = UINT32_MAX;
	for (uint32_t i = first; i != UINT32_MAX; i = finder->next_rows[i]) {
		const struct cycle_row *row = &finder->cycles.rows[i];

		if (row->state == state && strcmp(row->shape, shape) == 0) {
			if (!any_in_garbage(finder, row->example, row->example_count) &&
			    any_in_garbage(finder, finder->shape.objects,
					   finder->shape.object_count))
				take_example(finder, i, component);
			*ret = i;
			return NULL;
		}
	}
	*ret = (uint32_t)finder->cycles.count;
	return add_row(finder, component, state, hash, first);
}

static struct error *tally_add(struct finder *finder, uint32_t row, uint32_t object)
{
	uint32_t type = finder->heap->type[object];
	uint64_t key = ((uint64_t)row + 1) << 32 | type;
	uint32_t number;

	if (!addr_map_get(&finder->tally_of, key, &number)) {
		struct error *error =
			array_reserve(&finder->tallies, &finder->tally_capacity,
				      finder->tally_count + 1, sizeof(*finder->tallies));

		number = (uint32_t)finder->tally_count;
		if (!error)
			error = addr_map_put(&finder->tally_of, key, number);
		if (error)
			return error;
		finder->tallies[finder->tally_count++] = (struct tally){.row = row, .type = type};
	}
	finder->tallies[number].count++;
	finder->tallies[number].finalizes |= cycle_has_finalizer(finder->heap, object);
	return NULL;
}

static struct error *add_component(struct finder *finder, uint32_t component)
{
	struct contents contents = component_contents(finder, component);
	enum cycle_state state;
	uint32_t number;
	struct cycle_row *row;
	struct error *error;

	finder->cycles.cycle_count++;
	if (!contents.finalizers && !finder->all) {
		finder->cycles.without_finalizer_count++;
		return NULL;
	}
	state = component_state(finder, component);
	error = find_shape(finder, component, &contents);
	if (!error)
		error = find_row(finder, component, state, &number);
	if (error)
		return error;
	row = &finder->cycles.rows[number];
	row->count++;
	for (const uint32_t *member = members_begin(finder, component);
	     member < members_end(finder, component); member++) {
		row->size_bytes += size_with_dict(finder, *member);
		// Attribute dicts alone, their owners outside, are objects of their own.
		if (contents.objects && is_part(finder, *member))
			continue;
		row->object_count++;
		error = tally_add(finder, number, *member);
		if (error)
			return error;
	}
	return interrupt_check();
}

static int compare_tallies(const void *left, const void *right, void *context)
{
	const struct tally *a = left;
	const struct tally *b = right;
	const struct heap *heap = context;
	int by_name;

	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	by_name = strcmp(heap->types[a->type].name, heap->types[b->type].name);
	return by_name ? by_name : (a->type > b->type) - (a->type < b->type);
}

static struct error *set_types(struct cycle_row *row, const struct tally *tallies, size_t count)
{
	row->types = malloc((count + 1) * sizeof(*row->types));
	row->finalizers = malloc((count + 1) * sizeof(*row->finalizers));
	if (!row->types || !row->finalizers)
		return error_no_memory();
	for (size_t i = 0; i < count; i++) {
		row->types[row->type_count++] = tallies[i].type;
		if (tallies[i].finalizes)
			row->finalizers[row->finalizer_count++] = tallies[i].type;
	}
	return NULL;
}

static struct error *set_all_types(struct finder *finder)
{
	size_t begin = 0;

	// qsort_r() takes no NULL.
	if (!finder->tally_count)
		return NULL;
	qsort_r(finder->tallies, finder->tally_count, sizeof(*finder->tallies), compare_tallies,
		(void *)finder->heap);
	while (begin < finder->tally_count) {
		uint32_t row = finder->tallies[begin].row;
		size_t end = begin;
		struct error *error;

		while (end < finder->tally_count && finder->tallies[end].row == row)
			end++;
		error = set_types(&finder->cycles.rows[row], finder->tallies + begin, end - begin);
		if (error)
			return error;
		begin = end;
	}
	return NULL;
}

static int compare_rows(const void *left, const void *right)
{
	const struct cycle_row *a = left;
	const struct cycle_row *b = right;

	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->shape, b->shape);
}

/*
 * Whatever is alive is in one component by way of its class: instance, class, method, the globals of its
 * module, and what those lead to. That is nobody's idea of a cycle, so what is reachable does not refer
 * to its class here; nor does gc.garbage to what it keeps.
 */
static struct error *find_components(struct finder *finder)
{
	const struct heap *heap = finder->heap;
	_cleanup_free_ uint8_t *skip = calloc((size_t)heap->object_count + 1, 1);
	_cleanup_free_ uint8_t *classless = calloc((size_t)heap->object_count + 1, 1);

	if (!skip || !classless)
		return error_no_memory();
	if (heap->garbage_list != HEAP_NO_OBJECT)
		skip[heap->garbage_list] = 1;
	for (uint32_t i = 0; i < heap->object_count; i++)
		classless[i] = finder->garbage->state[i] != GARBAGE_UNREACHABLE &&
			       finder->garbage->state[i] != GARBAGE_UNCOLLECTABLE;
	return components_find(heap, 1U << HEAP_EDGE_GC, skip, classless, &finder->components);
}

static struct error *find_all(struct finder *finder)
{
	struct error *error = marks_of_parts(finder->heap, &finder->parts);

	if (!error)
		error = mark_garbage_list(finder);
	if (!error)
		error = find_components(finder);
	if (!error)
		error = cycle_search_create(finder->heap, &finder->components, finder->parts,
					    &finder->search);
	for (uint32_t i = 0; !error && i < finder->components.count; i++)
		error = add_component(finder, i);
	if (!error)
		error = set_all_types(finder);
	if (!error)
		error = cycle_holders_find(finder->heap, finder->garbage, &finder->components,
					   finder->examples, &finder->cycles);
	if (!error && finder->cycles.count)
		qsort(finder->cycles.rows, finder->cycles.count, sizeof(*finder->cycles.rows),
		      compare_rows);
	return error;
}

struct error *cycles_find(const struct heap *heap, const struct garbage *garbage, bool all,
			  struct cycles *ret)
{
	struct finder finder = {.heap = heap, .garbage = garbage, .all = all};
	struct error *error = find_all(&finder);

	components_deinit(&finder.components);
	cycle_search_destroy(&finder.search);
	free(finder.parts);
	free(finder.in_garbage);
	free(finder.examples);
	free(finder.next_rows);
	addr_map_deinit(&finder.rows);
	free(finder.tallies);
	addr_map_deinit(&finder.tally_of);
	cycle_path_deinit(&finder.path);
	cycle_path_deinit(&finder.other_path);
	cycle_shape_deinit(&finder.shape);
	cycle_shape_deinit(&finder.other_shape);
	if (error) {
		cycles_deinit(&finder.cycles);
		return error;
	}
	*ret = finder.cycles;
	return NULL;
}

void cycles_deinit(struct cycles *cycles)
{
	for (size_t i = 0; i < cycles->count; i++) {
		free(cycles->rows[i].shape);
		free(cycles->rows[i].types);
		free(cycles->rows[i].finalizers);
	}
	free(cycles->rows);
	*cycles = (struct cycles){0};
}
