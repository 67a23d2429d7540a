// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/references/edges_internal.h"

// Up to PIECE_WORDS of the @a count words at @a at; NULL when they cannot be read.
static const addr_t *edges_words(struct py_edges *edges, addr_t at, uint64_t count,
				 size_t *ret_count)
{
	const addr_t *words = edges_view(edges, at, count * sizeof(addr_t));

	*ret_count = count;
	if (words)
		return words;
	if (count > PIECE_WORDS)
		*ret_count = count = PIECE_WORDS;
	return mem_window_read(edges->window, at, edges->piece, count * sizeof(addr_t))
		       ? edges->piece
		       : NULL;
}

void edges_items(struct py_edges *edges, addr_t at, uint64_t count)
{
	for (uint64_t done = 0; done < count;) {
		size_t piece;
		const addr_t *words = count <= ITEMS_MAX
					      ? edges_words(edges, at + done * sizeof(addr_t),
							    count - done, &piece)
					      : NULL;
		if (!words) {
			edges_note(edges, "its items cannot be read");
			return;
		}
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
	const unsigned char *entries =
		edges_view(edges, cursor.entry_at, cursor.left * cursor.stride);
	const addr_t *values =
		is_split ? edges_view(edges, cursor.value_at, cursor.left * sizeof(addr_t)) : NULL;
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
	struct py_dict_cursor keys = {0};
	addr_t at = values_at + edges->layout->f.values_values.offset;

	uint64_t count = plan->shared_key_count < count_max ? plan->shared_key_count : count_max;
	size_t piece;
	const addr_t *values = edges_words(edges, at, count, &piece);

	edges->variant |= 1;
	if (edges->wants_origins)
		py_dict_begin_keys(edges->layout, edges->window, plan->cached_keys_at, &keys);
	for (size_t i = 0; values && i < piece; i++)
		edges_add(edges, values[i], HEAP_EDGE_GC, PY_ORIGIN_ATTRIBUTE,
			  edges->wants_origins ? edges_word(edges, keys.entry_at + i * keys.stride +
									   keys.key_offset)
					       : 0,
			  NULL);
}

void edges_add_dict(struct py_edges *edges, addr_t dict_at)
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
addr_t edges_dict_pointer(struct py_edges *edges, const struct py_plan *plan, addr_t at)
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
		edges_add(edges, edges_word(edges, at + plan->slots[i].offset), HEAP_EDGE_GC,
			  PY_ORIGIN_SLOT, i, NULL);
	if (plan->managed_dict)
		edges_managed(edges, plan, at);
	else if (plan->dict_offset)
		edges_add_dict(edges, edges_word(edges, edges_dict_pointer(edges, plan, at)));
	if (atomic_load_explicit(&plan->visits_type, memory_order_relaxed))
		edges_add(edges, plan->type->at, HEAP_EDGE_GC, PY_ORIGIN_TYPE, 0, NULL);
}

void edges_direct(struct py_edges *edges, struct py_plan *plan, addr_t at)
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
