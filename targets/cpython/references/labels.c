// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/labels.h"

#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/describe/describe.h"
#include "targets/cpython/objects/string.h"

enum {
	NAME_BYTES = 256,
	KEY_CHARS = 80,
};

// Members whose name in Python is another one than in C.
static const struct {
	const char *member;
	const char *label;
} names[] = {
	{"func_code", ".__code__"},
	{"func_globals", ".__globals__"},
	{"func_builtins", ".__builtins__"},
	{"func_name", ".__name__"},
	{"func_qualname", ".__qualname__"},
	{"func_defaults", ".__defaults__"},
	{"func_kwdefaults", ".__kwdefaults__"},
	{"func_doc", ".__doc__"},
	{"func_dict", ".__dict__"},
	{"func_closure", ".__closure__"},
	{"func_annotations", ".__annotations__"},
	{"func_module", ".__module__"},
	{"func_typeparams", ".__type_params__"},
	{"ob_ref", ".cell_contents"},
	{"im_func", ".__func__"},
	{"im_self", ".__self__"},
	{"im_class", ".im_class"},
	{"m_self", ".__self__"},
	{"m_module", ".__module__"},
	{"cm_callable", ".__func__"},
	{"sm_callable", ".__func__"},
	{"d_type", ".__objclass__"},
	{"d_name", ".__name__"},
	{"d_qualname", ".__qualname__"},
	{"tp_dict", ".__dict__"},
	{"tp_bases", ".__bases__"},
	{"tp_base", ".__base__"},
	{"tp_mro", ".__mro__"},
	{"tp_subclasses", ".__subclasses__()"},
	{"ht_name", ".__name__"},
	{"ht_qualname", ".__qualname__"},
	{"ht_slots", ".__slots__"},
	{"ht_module", ".(module)"},
	{"md_dict", ".__dict__"},
	{"md_name", ".__name__"},
	{"in_class", ".__class__"},
	{"in_dict", ".__dict__"},
	{"cl_bases", ".__bases__"},
	{"cl_dict", ".__dict__"},
	{"cl_name", ".__name__"},
	{"traceback", ".__traceback__"},
	{"context", ".__context__"},
	{"cause", ".__cause__"},
	{"notes", ".__notes__"},
	{"wr_callback", ".__callback__"},
	{"wr_object", "()"},
	{"prop_get", ".fget"},
	{"prop_set", ".fset"},
	{"prop_del", ".fdel"},
	{"prop_doc", ".__doc__"},
	{"gi_name", ".__name__"},
	{"gi_qualname", ".__qualname__"},
};

static struct error *labels_member(const char *member, struct text *into)
{
	const char *last = strrchr(member, '.');

	last = last ? last + 1 : member;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(names[i].member, last) == 0)
			return text_appendf(into, "%s", names[i].label);
	return text_appendf(into, ".%s", member);
}

// What code can write behind a dot.
static bool labels_is_identifier(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	for (; *name; name++) {
		bool is_word = *name == '_' || (*name >= '0' && *name <= '9') ||
			       (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			       (unsigned char)*name >= 0x80;
		if (!is_word)
			return false;
	}
	return true;
}

static struct error *labels_value(const struct py_labels *labels, addr_t key_at, struct text *into)
{
	enum py_describe_form form = PY_DESCRIBE_REPR;
	char name[NAME_BYTES];

	if (labels->telling != TARGET_TELL_ALL)
		form = PY_DESCRIBE_SHAPE_SHORT;
	if (labels->telling == TARGET_TELL_NAMES &&
	    py_string_read(labels->layout, labels->window, key_at, name, sizeof(name)) &&
	    labels_is_identifier(name))
		form = PY_DESCRIBE_REPR;
	struct error *error = text_append(into, "[", 1);
	if (!error)
		error = py_describe(labels->layout, labels->types, labels->window, key_at, form,
				    KEY_CHARS, into);
	return error ? error : text_append(into, "]", 1);
}

// An attribute dict can have any key.
static struct error *labels_attribute(const struct py_labels *labels, addr_t key_at,
				      struct text *into)
{
	char name[NAME_BYTES];

	if (!py_string_read(labels->layout, labels->window, key_at, name, sizeof(name)))
		return NULL;
	if (labels_is_identifier(name))
		return text_appendf(into, ".%s", name);
	struct error *error = text_appendf(into, ".__dict__");
	return error ? error : labels_value(labels, key_at, into);
}

static struct error *labels_slot(const struct py_labels *labels, const struct py_slot *slot,
				 struct text *into)
{
	char name[NAME_BYTES];

	if (py_c_string_read(labels->window, slot->name_at, name, sizeof(name)))
		return text_appendf(into, ".%s", name);
	return text_appendf(into, "+0x%" PRIx32, slot->offset);
}

// A visited reference has no name of its own, but may stand in a member that has one.
static struct error *labels_visited(const struct py_labels *labels, const struct py_plan *plan,
				    addr_t at, addr_t to, size_t visited_before, struct text *into)
{
	for (size_t i = 0; i < plan->owned_count; i++) {
		const struct py_owned *owned = &plan->owned[i];
		for (uint32_t j = 0; owned->name && j < owned->count; j++) {
			addr_t member_at = at + owned->offset + j * sizeof(addr_t);
			if (mem_window_word(labels->window, member_at, 0) == to)
				return labels_member(owned->name, into);
		}
	}
	for (size_t i = 0; i < plan->slot_count; i++)
		if (mem_window_word(labels->window, at + plan->slots[i].offset, 0) == to)
			return labels_slot(labels, &plan->slots[i], into);
	if (to == plan->type->at)
		return text_appendf(into, ".__class__");
	if (plan->type->shape == PY_SHAPE_DEQUE)
		return text_appendf(into, "[%zu]", visited_before);
	return NULL;
}

struct error *py_labels_append(const struct py_labels *labels, struct py_edges *edges,
			       const struct heap_reference *references, size_t number,
			       const struct py_type *type, addr_t at, size_t visited_before,
			       struct text *into)
{
	const struct py_edge_origin *origin = &py_edges_origins(edges)[number];
	const struct py_plan *plan = py_plans_get(labels->plans, type, labels->window);

	// The failure is for py_plans_take_error() to tell.
	if (!plan)
		return NULL;
	switch (origin->origin) {
	case PY_ORIGIN_VISITED:
		return labels_visited(labels, plan, at, references[number].to, visited_before,
				      into);
	case PY_ORIGIN_ITEM:
		return text_appendf(into, "[%" PRIu64 "]", origin->detail);
	case PY_ORIGIN_VALUE:
		return labels_value(labels, origin->detail, into);
	case PY_ORIGIN_KEY:
		return text_appendf(into, " key");
	case PY_ORIGIN_ATTRIBUTE:
		return labels_attribute(labels, origin->detail, into);
	case PY_ORIGIN_SLOT:
		return labels_slot(labels, &plan->slots[origin->detail], into);
	case PY_ORIGIN_MEMBER:
		return origin->name ? labels_member(origin->name, into)
				    : text_appendf(into, "+0x%" PRIx64, origin->detail);
	case PY_ORIGIN_DICT:
		return text_appendf(into, ".__dict__");
	case PY_ORIGIN_TYPE:
		return text_appendf(into, ".__class__");
	}
	return NULL;
}
