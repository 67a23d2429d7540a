// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/attribute.h"

#include <string.h>

#include "analyze/names.h"
#include "base/cleanup.h"

// Whether a reference called so may be the one to an attribute dict.
static bool is_dict_label(const struct text *label)
{
	return !label->length || !strcmp(text_chars(label), names_dict_label);
}

// Whether @from calls one of its references to @dict so.
static struct error *refers_as_dict(const struct heap *heap, uint32_t from, uint32_t dict,
				    bool *ret)
{
	_cleanup_text_ struct text label = {0};
	const heap_edge *edges = heap_edges(heap, from);
	struct error *error = NULL;

	*ret = false;
	for (uint32_t i = 0; !error && !*ret && i < heap_edge_count(heap, from); i++) {
		if (heap_edge_target(edges[i]) != dict)
			continue;
		text_deinit(&label);
		error = heap_label(heap, from, i, &label);
		*ret = !error && is_dict_label(&label);
	}
	return error;
}

// Functions refer to the dict of their module, too: most of many referrers are not the owner.
static struct error *find_by_label(struct attribute_dicts *attributes, uint32_t dict, uint32_t *ret)
{
	const struct heap *heap = attributes->heap;
	const struct heap_referrers *referrers = &attributes->referrers;
	uint32_t before = HEAP_NO_OBJECT;

	for (uint32_t i = referrers->first[dict]; i < referrers->first[dict + 1]; i++) {
		uint32_t from = referrers->ids[i];
		bool is_owner = false;
		if (from == before || !names_may_fold(heap, from, dict))
			continue;
		before = from;
		struct error *error = refers_as_dict(heap, from, dict, &is_owner);
		if (error)
			return error;
		if (!is_owner)
			continue;
		*ret = from;
		break;
	}
	return addr_map_put(&attributes->owners, (addr_t)dict + 1, *ret);
}

// The reference of @module that is called as one to an attribute dict is.
static struct error *add_module(struct attribute_dicts *attributes, uint32_t module)
{
	const struct heap *heap = attributes->heap;
	struct error *error = NULL;
	bool found = false;

	for (uint32_t i = 0; !error && !found && i < heap_edge_count(heap, module); i++) {
		_cleanup_text_ struct text label = {0};
		uint32_t dict = heap_edge_target(heap_edges(heap, module)[i]);
		uint32_t unused;
		error = heap_label(heap, module, i, &label);
		found = !error && label.length && is_dict_label(&label) && dict != module &&
			!addr_map_get(&attributes->owners, (addr_t)dict + 1, &unused);
		if (found)
			error = addr_map_put(&attributes->owners, (addr_t)dict + 1, module);
		if (found && !error)
			error = addr_map_put(&attributes->module_dicts, (addr_t)module + 1, dict);
		if (found && !error)
			error = addr_map_put(&attributes->module_numbers, (addr_t)module + 1, i);
	}
	return error;
}

struct error *attributes_init(const struct heap *heap, const struct heap_referrers *referrers,
			      struct attribute_dicts *ret)
{
	struct error *error = NULL;
	uint32_t unused;

	*ret = (struct attribute_dicts){.heap = heap, .referrers = *referrers};
	for (size_t i = 0; i < heap->root_count && !error; i++) {
		const struct heap_root_row *root = &heap->roots[i];
		if (root->kind == HEAP_ROOT_MODULE &&
		    !addr_map_get(&ret->module_dicts, (addr_t)root->object + 1, &unused))
			error = add_module(ret, root->object);
	}
	return error;
}

struct error *attributes_owner(struct attribute_dicts *attributes, uint32_t object, uint32_t *ret)
{
	const struct heap *heap = attributes->heap;
	const struct heap_referrers *referrers = &attributes->referrers;
	uint32_t found = HEAP_NO_OBJECT;

	*ret = object;
	if (addr_map_get(&attributes->owners, (addr_t)object + 1, ret) ||
	    !(heap->flags[object] & HEAP_PART))
		return NULL;
	for (uint32_t i = referrers->first[object]; i < referrers->first[object + 1]; i++) {
		uint32_t from = referrers->ids[i];
		if (from == found || !names_may_fold(heap, from, object))
			continue;
		if (found != HEAP_NO_OBJECT) {
			*ret = found;
			return find_by_label(attributes, object, ret);
		}
		found = from;
	}
	if (found != HEAP_NO_OBJECT)
		*ret = found;
	return NULL;
}

struct error *attributes_dict(struct attribute_dicts *attributes, uint32_t object, uint32_t *ret,
			      uint32_t *ret_number)
{
	const struct heap *heap = attributes->heap;
	const heap_edge *edges = heap_edges(heap, object);

	*ret = HEAP_NO_OBJECT;
	*ret_number = 0;
	if (addr_map_get(&attributes->module_dicts, (addr_t)object + 1, ret)) {
		(void)addr_map_get(&attributes->module_numbers, (addr_t)object + 1, ret_number);
		return NULL;
	}
	for (uint32_t i = 0; i < heap_edge_count(heap, object); i++) {
		uint32_t to = heap_edge_target(edges[i]);
		uint32_t owner;
		if (!names_may_fold(heap, object, to))
			continue;
		struct error *error = attributes_owner(attributes, to, &owner);
		if (error)
			return error;
		if (owner == object) {
			*ret = to;
			*ret_number = i;
			return NULL;
		}
	}
	return NULL;
}

void attributes_deinit(struct attribute_dicts *attributes)
{
	addr_map_deinit(&attributes->owners);
	addr_map_deinit(&attributes->module_dicts);
	addr_map_deinit(&attributes->module_numbers);
}
