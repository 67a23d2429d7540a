// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/layout.h"

#include <stdio.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "mem/window.h"

struct field_row {
	size_t slot;
	bool required;
	const char *where;
};

struct variable_row {
	size_t slot;
	size_t size_slot;
	const char *name;
	const char *type;
};

static const struct field_row field_rows[] = {
#define X(name, required, where) {offsetof(struct py_layout, f.name), required, where},
	PY_FIELDS(X)
#undef X
};

static const struct field_row size_rows[] = {
#define X(name, required, types) {offsetof(struct py_layout, size.name), required, types},
	PY_SIZES(X)
#undef X
};

static const struct variable_row variable_rows[] = {
#define X(name, variable, type)                                                           \
	{offsetof(struct py_layout, var.name), offsetof(struct py_layout, var_size.name), \
	 variable, type},
	PY_VARIABLES(X)
#undef X
};

enum { NAME_CHARS_MAX = 64 };

// The next alternative of "a:b|c:d": copies "a" and "b", returns what follows or NULL.
static const char *layout_split(const char *where, char *type, char *path)
{
	const char *bar = strchrnul(where, '|');
	const char *colon = memchr(where, ':', (size_t)(bar - where));
	const char *type_end = colon ? colon : bar;

	snprintf(type, NAME_CHARS_MAX, "%.*s", (int)(type_end - where), where);
	path[0] = '\0';
	if (colon)
		snprintf(path, NAME_CHARS_MAX, "%.*s", (int)(bar - colon - 1), colon + 1);
	return *bar ? bar + 1 : NULL;
}

// Debug information is untrusted: a field must lie within a struct of sane size.
static bool layout_member_is_sane(const struct layout_member *member, uint64_t struct_bytes)
{
	return struct_bytes <= PY_STRUCT_BYTES_MAX && member->size_bytes <= struct_bytes &&
	       member->offset_bytes <= struct_bytes - member->size_bytes &&
	       member->bit_count <= 31 && member->bit_offset + member->bit_count <= 64;
}

static struct error *layout_load_field(struct layout_source *source, const char *where,
				       struct py_field *ret)
{
	char type[NAME_CHARS_MAX], path[NAME_CHARS_MAX];

	for (const char *rest = where; rest;) {
		struct layout_member member;
		uint64_t struct_bytes = 0;
		bool present;
		rest = layout_split(rest, type, path);
		struct error *error = layout_member(source, type, path, &present, &member);
		if (!error && present)
			error = layout_type_size(source, type, &present, &struct_bytes);
		if (error)
			return error;
		if (!present)
			continue;
		if (!layout_member_is_sane(&member, struct_bytes))
			return error_create(ERROR_UNSUPPORTED,
					    "%s gives %s.%s an impossible place; is the debug "
					    "information that of this interpreter?",
					    source->origin, type, path);
		*ret = (struct py_field){
			.offset = member.offset_bytes,
			.size = member.size_bytes,
			.element_count = member.element_count,
			.bit_offset = member.bit_offset,
			.bit_count = member.bit_count,
			.present = true,
			.is_pointer = member.kind == LAYOUT_POINTER,
		};
		return NULL;
	}
	return NULL;
}

static struct error *layout_load_size(struct layout_source *source, const char *types,
				      uint32_t *ret)
{
	char type[NAME_CHARS_MAX], path[NAME_CHARS_MAX];

	for (const char *rest = types; rest;) {
		uint64_t size;
		bool present;
		rest = layout_split(rest, type, path);
		struct error *error = layout_type_size(source, type, &present, &size);
		if (error)
			return error;
		if (!present)
			continue;
		// What is read as one piece must fit into one (mem/window.h).
		if (size == 0 || size > MEM_WINDOW_BYTES_MAX)
			return error_create(ERROR_UNSUPPORTED, "%s gives %s %llu bytes",
					    source->origin, type, (unsigned long long)size);
		*ret = (uint32_t)size;
		return NULL;
	}
	return NULL;
}

static struct error *layout_missing(const struct layout_source *source, const char *what)
{
	return error_create(ERROR_UNSUPPORTED,
			    "%s does not describe %s: this is no build of CPython 2.7 or 3.6 and "
			    "later that leakinspect knows",
			    source->origin, what);
}

static struct error *layout_load_fields(struct layout_source *source, struct py_layout *layout)
{
	for (size_t i = 0; i < ARRAY_COUNT(field_rows); i++) {
		const struct field_row *row = &field_rows[i];
		struct py_field *field = (struct py_field *)((char *)layout + row->slot);
		struct error *error = layout_load_field(source, row->where, field);
		if (error)
			return error;
		// Asked about first: without a GIL there are no lists of the collector to read.
		if (layout->f.object_tid.present)
			return error_create(
				ERROR_UNSUPPORTED,
				"this is a free-threaded build of CPython, which keeps no "
				"lists of tracked objects; leakinspect reads builds with "
				"a GIL");
		if (row->required && !field->present)
			return layout_missing(source, row->where);
	}
	for (size_t i = 0; i < ARRAY_COUNT(size_rows); i++) {
		const struct field_row *row = &size_rows[i];
		uint32_t *size = (uint32_t *)((char *)layout + row->slot);
		struct error *error = layout_load_size(source, row->where, size);
		if (error)
			return error;
		if (row->required && *size == 0)
			return layout_missing(source, row->where);
	}
	return NULL;
}

static struct error *layout_load_variables(struct layout_source *source, addr_t bias,
					   struct py_layout *layout)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_COUNT(variable_rows); i++) {
		const struct variable_row *row = &variable_rows[i];
		addr_t *address = (addr_t *)((char *)layout + row->slot);
		struct layout_variable variable;
		bool present;
		error = layout_variable(source, row->name, row->type, &present, &variable);
		if (error || !present)
			continue;
		*address = variable.address + bias;
		*(uint32_t *)((char *)layout + row->size_slot) = variable.size_bytes;
	}
	return error;
}

// Where the blocks of deques are kept for later, up to 3.10: variables of that module.
static struct error *layout_load_free_blocks(struct module *module, struct layout_source *source,
					     struct py_layout *layout)
{
	struct layout_variable blocks, count;
	bool present, counted = false;
	addr_t bias;
	struct error *error = layout_variable(source, "freeblocks", NULL, &present, &blocks);

	if (!error)
		error = layout_variable(source, "numfreeblocks", NULL, &counted, &count);
	if (error || !present || !counted)
		return error;
	error = module_bias(module, &bias);
	if (error)
		return error;
	layout->var.deque_free_blocks = blocks.address + bias;
	layout->var_size.deque_free_blocks = blocks.size_bytes;
	layout->var.deque_free_count = count.address + bias;
	layout->var_size.deque_free_count = count.size_bytes;
	return NULL;
}

// Python 2.7 and some builds of 3.x keep deque in a shared object of its own.
static struct error *layout_load_collections(struct module_list *modules, struct py_layout *layout)
{
	struct {
		const char *where;
		struct py_field *field;
	} const rows[] = {
		{"dequeobject:leftindex", &layout->f.deque_leftindex},
		{"dequeobject:len", &layout->f.deque_len},
		{"BLOCK:data", &layout->f.deque_block_data},
		{"dequeobject:leftblock", &layout->f.deque_leftblock},
		{"dequeobject:rightblock", &layout->f.deque_rightblock},
		{"dequeobject:freeblocks", &layout->f.deque_free_blocks},
		{"dequeobject:numfreeblocks", &layout->f.deque_free_count},
		{"dequeobject:maxlen", &layout->f.deque_maxlen},
		{"BLOCK:rightlink", &layout->f.deque_block_rightlink},
		{"defdictobject:default_factory", &layout->f.defaultdict_factory},
	};

	for (size_t i = 0; i < modules->count && !layout->f.deque_leftindex.present; i++) {
		struct module *module = &modules->list[i];
		const char *slash = strrchr(module->path, '/');
		struct layout_source *source;
		if (!slash || strncmp(slash, "/_collections", strlen("/_collections")) != 0)
			continue;
		struct error *error = module_layout(module, &source);
		if (error) {
			// Without it the sizes of deques lack their blocks, nothing else.
			error_destroy(error);
			continue;
		}
		for (size_t j = 0; j < ARRAY_COUNT(rows); j++) {
			error = layout_load_field(source, rows[j].where, rows[j].field);
			if (error)
				return error;
		}
		error = layout_load_size(source, "BLOCK", &layout->size.deque_block);
		if (!error)
			error = layout_load_free_blocks(module, source, layout);
		if (error)
			return error;
	}
	return NULL;
}

/*
 * What the flags of a type mean is in no debug information. Include/object.h: bit 4 is
 * Py_TPFLAGS_MANAGED_DICT from 3.11 on, where values have a struct of their own; bit 3 is
 * Py_TPFLAGS_MANAGED_WEAKREF from 3.12 on, where objects can be immortal. Both were other things
 * in Python 2.
 */
static void layout_derive(struct py_layout *layout)
{
	layout->is_python2 = layout->f.int_value.present;
	layout->has_immortals = layout->f.object_refcnt_split.present;
	if (layout->f.values_values.present) {
		layout->managed_dict_flag = 1U << 4;
		layout->preheader_flags |= layout->managed_dict_flag;
		layout->managed = PY_MANAGED_APART;
	}
	if (layout->size.dict_or_values)
		layout->managed = PY_MANAGED_TAGGED;
	if (layout->f.values_valid.present) {
		layout->managed = PY_MANAGED_INLINE;
		layout->inline_values_flag = 1U << 2;
	}
	if (layout->has_immortals)
		layout->preheader_flags |= 1U << 3;
	layout->long_digits_min = layout->f.values_values.present ? 1 : 0;
	layout->gc_refs_shift = layout->f.gc_refs.present && !layout->is_python2 ? 1 : 0;
	// _PY_GIL_DROP_REQUEST_BIT of 3.13: Include/internal/pycore_ceval.h.
	layout->gil_drop_bit = layout->f.tstate_eval_breaker.present ? 1U << 0 : 0;
	layout->is_debug = layout->var.ref_total != 0 || layout->f.interp_reftotal.present;
}

struct error *py_layout_fill(struct layout_source *source, addr_t bias, struct py_layout *ret)
{
	*ret = (struct py_layout){0};
	struct error *error = layout_load_fields(source, ret);
	if (!error)
		error = layout_load_variables(source, bias, ret);
	if (!error)
		layout_derive(ret);
	return error;
}

static struct error *layout_load_function(struct module *python, const char *name, addr_t *ret)
{
	bool present;
	struct error *error = module_symbol(python, name, &present, ret);

	if (!error && !present)
		*ret = 0;
	return error;
}

struct error *py_layout_load(struct module *python, struct module_list *modules,
			     struct py_layout *ret)
{
	struct layout_source *source;
	addr_t bias;
	struct error *error = module_layout(python, &source);

	if (!error)
		error = module_bias(python, &bias);
	if (!error)
		error = py_layout_fill(source, bias, ret);
	if (!error)
		error = layout_load_collections(modules, ret);
	if (!error && ret->is_python2)
		error = layout_load_function(python, "PyGen_NeedsFinalizing",
					     &ret->gen_needs_finalizing_at);
	if (!error)
		error = layout_load_function(python, "PyGILState_Ensure", &ret->gil_ensure_at);
	return error;
}
