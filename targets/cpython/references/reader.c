// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/describe/describe.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/string.h"
#include "targets/cpython/references/edges.h"
#include "targets/cpython/references/labels.h"
#include "targets/cpython/references/plan.h"
#include "targets/cpython/runtime.h"

enum { MODULE_NAME_BYTES = 512 };

struct py_reader {
	const struct py_layout *layout;
	struct mem_window *window;
	struct py_types *types;
	struct py_edges_context context;
	struct py_edges *edges;
};

struct error *py_reader_create(const struct py_layout *layout, struct module_list *modules,
			       const struct target_moment *moment, struct py_reader **ret)
{
	struct py_reader *reader = calloc(1, sizeof(*reader));
	struct error *error =
		reader ? mem_window_create(moment->source, &reader->window) : error_no_memory();

	if (!error)
		error = py_types_create(layout, &reader->types);
	if (!error)
		error = py_plans_create(layout, modules, &reader->context.plans);
	if (!error) {
		reader->layout = layout;
		reader->context.layout = layout;
		reader->context.source = moment->source;
		reader->context.thread_pointer =
			moment->stack_count ? moment->stacks[0].thread_pointer : 0;
		error = py_libc_gates_find(modules, moment->source, reader->context.thread_pointer,
					   &reader->context.libc);
	}
	if (!error)
		error = py_edges_create(&reader->context, true, &reader->edges);
	if (error) {
		py_reader_destroy(reader);
		return error;
	}
	*ret = reader;
	return NULL;
}

void py_reader_destroy(struct py_reader *reader)
{
	if (!reader)
		return;
	py_edges_destroy(reader->edges);
	py_plans_destroy(reader->context.plans);
	py_types_destroy(reader->types);
	mem_window_destroy(reader->window);
	free(reader);
}

static struct error *reader_append(struct py_reader *reader, const struct py_labels *labels,
				   const struct heap_reference *references, size_t number,
				   const struct py_type *type, addr_t at, size_t visited_before,
				   struct target_references *ret)
{
	_cleanup_text_ struct text label = {0};
	struct error *error =
		array_reserve(&ret->list, &ret->capacity, ret->count + 1, sizeof(*ret->list));

	if (!error)
		error = py_labels_append(labels, reader->edges, references, number, type, at,
					 visited_before, &label);
	if (error)
		return error;
	char *copy = strdup(text_chars(&label));
	if (!copy)
		return error_no_memory();
	ret->list[ret->count++] = (struct target_reference){
		.to = references[number].to,
		.kind = references[number].kind,
		.label = copy,
	};
	return NULL;
}

static addr_t reader_word(const struct py_reader *reader, addr_t at, struct py_field field)
{
	return at && field.present ? mem_window_word(reader->window, at + field.offset, 0) : 0;
}

// The dict of a module that is in sys.modules: by its own name there is a module whose dict it is.
static bool reader_is_of_module(const struct py_reader *reader, addr_t dict_at)
{
	const struct py_layout *layout = reader->layout;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	addr_t name_at = py_dict_find(layout, reader->window, dict_at, "__name__");
	char name[MODULE_NAME_BYTES];

	if (!name_at || !py_string_read(layout, reader->window, name_at, name, sizeof(name)))
		return false;
	_cleanup_error_ struct error *error =
		py_interpreters_read(layout, reader->window, &interpreters);
	for (size_t i = 0; !error && i < interpreters.count; i++) {
		addr_t sys_at = reader_word(reader, interpreters.at[i], layout->f.interp_sysdict);
		addr_t modules_at = py_dict_find(layout, reader->window, sys_at, "modules");
		addr_t module_at = py_dict_find(layout, reader->window, modules_at, name);
		if (module_at && reader_word(reader, module_at, layout->f.module_dict) == dict_at)
			return true;
	}
	return false;
}

// The dict of a class: a descriptor in it says whose it is.
static bool reader_is_of_class(const struct py_reader *reader, addr_t dict_at)
{
	static const char *const descriptors[] = {"__dict__", "__weakref__"};
	const struct py_layout *layout = reader->layout;

	for (size_t i = 0; i < ARRAY_COUNT(descriptors); i++) {
		addr_t descriptor_at =
			py_dict_find(layout, reader->window, dict_at, descriptors[i]);
		addr_t type_at = reader_word(reader, descriptor_at, layout->f.descr_type);
		if (type_at && reader_word(reader, type_at, layout->f.type_dict) == dict_at)
			return true;
	}
	return false;
}

// Whose keys may be told: names that code has, and what cannot be proved to be one is none.
static enum target_telling reader_telling(const struct py_reader *reader,
					  const struct py_type *type, addr_t at,
					  enum target_telling telling)
{
	if (telling == TARGET_TELL_SHAPES && type->shape == PY_SHAPE_DICT &&
	    (reader_is_of_module(reader, at) || reader_is_of_class(reader, at)))
		return TARGET_TELL_NAMES;
	return telling;
}

struct error *py_reader_references(struct py_reader *reader, addr_t at, enum target_telling telling,
				   struct target_references *ret)
{
	struct py_labels labels = {
		.layout = reader->layout,
		.window = reader->window,
		.types = reader->types,
		.plans = reader->context.plans,
	};
	addr_t type_at =
		mem_window_word(reader->window, at + reader->layout->f.object_type.offset, 0);
	const struct py_type *type =
		type_at ? py_types_look_up(reader->types, reader->window, type_at) : NULL;
	struct error *error = py_types_take_error(reader->types);
	size_t count = 0, visited = 0;

	*ret = (struct target_references){0};
	if (error || !type)
		return error;
	labels.telling = reader_telling(reader, type, at, telling);
	const struct heap_reference *references = py_edges_collect(reader->edges, type, at, &count);
	for (size_t i = 0; !error && i < count; i++) {
		error = reader_append(reader, &labels, references, i, type, at, visited, ret);
		visited += py_edges_origins(reader->edges)[i].origin == PY_ORIGIN_VISITED;
	}
	if (!error)
		error = py_edges_take_error(reader->edges);
	if (!error)
		error = py_plans_take_error(reader->context.plans);
	if (error)
		target_references_deinit(ret);
	return error;
}

struct error *py_reader_describe(struct py_reader *reader, addr_t at, enum target_telling telling,
				 size_t chars_max, struct text *into)
{
	return py_describe(reader->layout, reader->types, reader->window, at,
			   telling == TARGET_TELL_ALL ? PY_DESCRIBE_REPR : PY_DESCRIBE_SHAPE,
			   chars_max, into);
}
