// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/types.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/finalizer.h"
#include "targets/cpython/objects/string.h"

enum {
	/** Chains of metatypes and of base types; deeper ones are no types. */
	CHAIN_MAX = 64,
	NAME_BYTES_MAX = 512,
	/** Addresses remembered as no types. Beyond it they are checked again each time. */
	REJECTED_MAX = 1 << 20,
};

/** What tells an object's size stands at its beginning. */
static const uint32_t HEADER_BYTES_MAX = 2048;
static const uint64_t BASICSIZE_MAX = 1 << 20;
static const uint64_t ITEMSIZE_MAX = 1 << 16;
static const uint32_t NO_TYPE = UINT32_MAX;

struct py_types {
	const struct py_layout *layout;
	pthread_mutex_t lock;
	/** NULL: that of the thread that asks. */
	struct mem_window *window;
	/** Type's address to index in `list`, NO_TYPE for what is none. */
	struct addr_map by_address;
	size_t rejected_count;
	/** Pointers, for threads keep them while the list grows. */
	struct py_type **list;
	size_t count;
	size_t capacity;
	struct error *error;
};

struct error *py_types_create(const struct py_layout *layout, struct py_types **ret)
{
	struct py_types *types = calloc(1, sizeof(*types));

	if (!types)
		return error_no_memory();
	types->layout = layout;
	pthread_mutex_init(&types->lock, NULL);
	*ret = types;
	return NULL;
}

void py_types_destroy(struct py_types *types)
{
	if (!types)
		return;
	for (size_t i = 0; i < types->count; i++) {
		free(types->list[i]->name);
		free(types->list[i]);
	}
	free(types->list);
	addr_map_deinit(&types->by_address);
	error_destroy(types->error);
	pthread_mutex_destroy(&types->lock);
	free(types);
}

// The type object at @a at; valid until the next use of the window.
static const void *types_type_at(const struct py_types *types, struct mem_window *window, addr_t at)
{
	if (at < MEM_WINDOW_PAGE_BYTES || at % sizeof(addr_t) != 0)
		return NULL;
	return mem_window_at(window, at, types->layout->size.type);
}

// A type's type is `type` or derived from it, and so is that one's: the chain ends at PyType_Type.
static bool types_has_metatype(const struct py_types *types, struct mem_window *window,
			       addr_t meta_at)
{
	const struct py_layout *layout = types->layout;

	for (int depth = 0; depth < CHAIN_MAX; depth++) {
		if (meta_at == layout->var.type_type)
			return true;
		const void *meta = types_type_at(types, window, meta_at);
		if (!meta || !(py_get(meta, layout->f.type_flags) & PY_TYPE_TYPE))
			return false;
		meta_at = py_get(meta, layout->f.object_type);
	}
	return false;
}

static bool types_has_name(struct mem_window *window, addr_t c_name_at)
{
	char first;

	// However long it is, and be it empty: type('', (), {}) is a usual idiom.
	return mem_window_read(window, c_name_at, &first, 1);
}

// Whether @a at or one of its bases is @a wanted (not 0).
static bool types_derives(const struct py_types *types, struct mem_window *window, addr_t at,
			  addr_t wanted)
{
	for (int depth = 0; wanted && at && depth < CHAIN_MAX; depth++) {
		if (at == wanted)
			return true;
		at = mem_window_word(window, at + types->layout->f.type_base.offset, 0);
	}
	return false;
}

/*
 * collections.deque is a static type up to 3.11 and a heap type made from a spec since; in both the
 * C name is this one, which a class statement never gives (it has no dot).
 */
static bool types_is_deque(const struct py_types *types, struct mem_window *window, addr_t at)
{
	for (int depth = 0; at && depth < CHAIN_MAX; depth++) {
		char name[32];
		addr_t name_at = mem_window_word(window, at + types->layout->f.type_name.offset, 0);
		if (py_c_string_read(window, name_at, name, sizeof(name)) &&
		    strcmp(name, "collections.deque") == 0)
			return true;
		at = mem_window_word(window, at + types->layout->f.type_base.offset, 0);
	}
	return false;
}

/*
 * The locks of `threading`, in C: the names change from "thread.lock" to "_thread.lock", the struct is one.
 * A class statement's C name has no dot, and nobody can derive from these.
 */
static uint32_t types_lock_offset(const struct py_types *types, struct mem_window *window,
				  addr_t c_name_at, uint64_t basicsize)
{
	const struct py_layout *layout = types->layout;
	char name[32] = "";
	uint32_t offset = 0;

	if (!py_c_string_read(window, c_name_at, name, sizeof(name)))
		return 0;
	if (strcmp(name, "thread.lock") == 0 || strcmp(name, "_thread.lock") == 0)
		offset = layout->f.lock_handle.offset;
	else if (strcmp(name, "_thread.RLock") == 0)
		offset = layout->f.rlock_handle.offset;
	return offset + sizeof(addr_t) <= basicsize ? offset : 0;
}

static enum py_shape types_shape(const struct py_types *types, struct mem_window *window, addr_t at,
				 uint64_t flags)
{
	const struct py_layout *layout = types->layout;

	if (flags & PY_TYPE_UNICODE)
		return layout->f.unicode_str.present ? PY_SHAPE_UNICODE2 : PY_SHAPE_STR;
	if (flags & PY_TYPE_BYTES)
		return layout->is_python2 ? PY_SHAPE_BYTES2 : PY_SHAPE_PLAIN;
	if (flags & PY_TYPE_LONG)
		return PY_SHAPE_LONG;
	if (flags & PY_TYPE_LIST)
		return PY_SHAPE_LIST;
	if (flags & PY_TYPE_DICT)
		return types_derives(types, window, at, layout->var.odict_type)
			       ? PY_SHAPE_ORDERED_DICT
			       : PY_SHAPE_DICT;
	if (flags & PY_TYPE_TUPLE)
		return PY_SHAPE_PLAIN;
	if (flags & PY_TYPE_TYPE)
		return PY_SHAPE_TYPE;
	if (layout->var.instance_type && at == layout->var.instance_type)
		return PY_SHAPE_INSTANCE2;
	if (types_derives(types, window, at, layout->var.set_type) ||
	    types_derives(types, window, at, layout->var.frozenset_type))
		return PY_SHAPE_SET;
	if (types_derives(types, window, at, layout->var.bytearray_type))
		return PY_SHAPE_BYTEARRAY;
	if (types_is_deque(types, window, at))
		return PY_SHAPE_DEQUE;
	return PY_SHAPE_PLAIN;
}

// The module's part of a name is left out for builtins, whatever the version calls their module.
static bool types_is_builtin_module(const char *module)
{
	return strcmp(module, "builtins") == 0 || strcmp(module, "__builtin__") == 0;
}

static char *types_join_name(const char *module, const char *name)
{
	char *joined = NULL;

	if (!module[0] || types_is_builtin_module(module))
		return strdup(name);
	return asprintf(&joined, "%s.%s", module, name) < 0 ? NULL : joined;
}

// type.__module__ and type.__qualname__ as Objects/typeobject.c tells them.
static char *types_name(const struct py_types *types, struct mem_window *window, addr_t at,
			uint64_t flags, addr_t c_name_at)
{
	const struct py_layout *layout = types->layout;
	char name[NAME_BYTES_MAX], module[NAME_BYTES_MAX] = "";

	if (flags & PY_TYPE_HEAP) {
		struct py_field field = layout->f.heaptype_qualname.present
						? layout->f.heaptype_qualname
						: layout->f.heaptype_name;
		addr_t name_at = mem_window_word(window, at + field.offset, 0);
		addr_t dict_at = mem_window_word(window, at + layout->f.type_dict.offset, 0);
		addr_t module_at = py_dict_find(layout, window, dict_at, "__module__");
		if (module_at)
			py_string_read(layout, window, module_at, module, sizeof(module));
		if (py_string_read(layout, window, name_at, name, sizeof(name)))
			return types_join_name(module, name);
		module[0] = '\0';
	}
	if (!py_c_string_read(window, c_name_at, name, sizeof(name)))
		snprintf(name, sizeof(name), "(type at 0x%llx)", (unsigned long long)at);
	// A static type's name is "module.name", and that of a builtin has no dot.
	char *dot = strrchr(name, '.');
	if (dot) {
		*dot = '\0';
		return types_join_name(name, dot + 1);
	}
	return strdup(name);
}

// A class statement leaves the C name within the str that __name__ is (type_new() of Objects/typeobject.c),
// if that is ASCII; a type made from a spec has a name in C's memory.
static bool types_is_statement(const struct py_types *types, struct mem_window *window, addr_t at)
{
	const struct py_layout *layout = types->layout;
	uint64_t flags = mem_window_word(window, at + layout->f.type_flags.offset, 0);
	addr_t c_name_at = mem_window_word(window, at + layout->f.type_name.offset, 0);
	addr_t name_at = mem_window_word(window, at + layout->f.heaptype_name.offset, 0);
	struct py_string_span name;

	return flags & PY_TYPE_HEAP && py_string_locate(layout, window, name_at, &name) &&
	       name.width == 1 && name.at == c_name_at;
}

/*
 * The instances of such a class come from PyType_GenericAlloc(), which tracks, and go through
 * subtype_dealloc(), which unlinks them when their count is 0. A metatype in C may have put other functions
 * into the class, and a base in C may unlink what it made.
 */
static bool types_is_always_tracked(const struct py_types *types, struct mem_window *window,
				    addr_t at)
{
	const struct py_layout *layout = types->layout;
	addr_t meta_at = mem_window_word(window, at + layout->f.object_type.offset, 0);
	addr_t base_at = at;

	for (int depth = 0; depth < CHAIN_MAX && meta_at != layout->var.type_type; depth++) {
		if (!types_is_statement(types, window, meta_at))
			return false;
		meta_at = mem_window_word(window, meta_at + layout->f.type_base.offset, 0);
	}
	for (int depth = 0; depth < CHAIN_MAX; depth++) {
		addr_t next_at = mem_window_word(window, base_at + layout->f.type_base.offset, 0);
		if (!next_at)
			return base_at != at && meta_at == layout->var.type_type;
		if (!types_is_statement(types, window, base_at))
			return false;
		base_at = next_at;
	}
	return false;
}

static bool types_grows(const struct py_types *types, struct mem_window *window,
			const struct py_type *type)
{
	switch (type->shape) {
	case PY_SHAPE_LIST:
	case PY_SHAPE_DICT:
	case PY_SHAPE_ORDERED_DICT:
	case PY_SHAPE_DEQUE:
		return true;
	case PY_SHAPE_SET:
		return !types_derives(types, window, type->at, types->layout->var.frozenset_type);
	default:
		return false;
	}
}

static struct py_type *types_add(struct py_types *types, addr_t at)
{
	struct py_type *type = calloc(1, sizeof(*type));
	struct error *error = type ? array_reserve(&types->list, &types->capacity, types->count + 1,
						   sizeof(*types->list))
				   : error_no_memory();

	if (!error)
		error = addr_map_put(&types->by_address, at, (uint32_t)types->count);
	if (error) {
		free(type);
		if (!types->error)
			types->error = take_ptr(error);
		error_destroy(error);
		return NULL;
	}
	type->at = at;
	type->id = (uint32_t)types->count;
	types->list[types->count++] = type;
	return type;
}

static uint32_t types_field_end(struct py_field field)
{
	return field.present ? field.offset + field.size : 0;
}

static uint32_t types_larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

// How far the fields reach that py_size_own() and py_size_of() take from an object's copy.
static uint32_t types_header_bytes(const struct py_layout *layout, const struct py_type *type)
{
	uint32_t object_end = types_field_end(layout->f.object_type);

	switch (type->shape) {
	case PY_SHAPE_STR:
		return layout->size.ascii;
	case PY_SHAPE_UNICODE2:
		return types_field_end(layout->f.unicode_length);
	case PY_SHAPE_PLAIN:
		return type->itemsize ? types_field_end(layout->f.var_size) : object_end;
	case PY_SHAPE_BYTES2:
		return types_field_end(layout->f.var_size);
	case PY_SHAPE_LONG:
		return layout->f.long_tag.present ? types_field_end(layout->f.long_tag)
						  : types_field_end(layout->f.var_size);
	case PY_SHAPE_LIST:
		return types_field_end(layout->f.list_allocated);
	case PY_SHAPE_DICT:
		return types_larger(types_larger(types_field_end(layout->f.dict_keys),
						 types_field_end(layout->f.dict_values)),
				    types_larger(types_field_end(layout->f.dict_mask),
						 types_field_end(layout->f.dict_table)));
	case PY_SHAPE_ORDERED_DICT:
		return types_larger(types_field_end(layout->f.odict_fast_nodes_size),
				    types_field_end(layout->f.dict_values));
	case PY_SHAPE_SET:
		return types_larger(types_field_end(layout->f.set_mask),
				    types_field_end(layout->f.set_table));
	case PY_SHAPE_DEQUE:
		return types_larger(types_larger(types_field_end(layout->f.deque_leftindex),
						 types_field_end(layout->f.deque_len)),
				    types_field_end(layout->f.var_size));
	case PY_SHAPE_BYTEARRAY:
		return types_field_end(layout->f.bytearray_alloc);
	case PY_SHAPE_TYPE:
		return types_field_end(layout->f.type_flags);
	case PY_SHAPE_INSTANCE2:
		return types_field_end(layout->f.instance_class);
	}
	return object_end;
}

// Checks that @a at is a type and adds it. NULL when it is none.
static const struct py_type *types_examine(struct py_types *types, struct mem_window *window,
					   addr_t at)
{
	const struct py_layout *layout = types->layout;
	const void *object = types_type_at(types, window, at);

	if (!object)
		return NULL;
	uint64_t flags = py_get(object, layout->f.type_flags);
	uint64_t basicsize = py_get(object, layout->f.type_basicsize);
	uint64_t itemsize = py_get(object, layout->f.type_itemsize);
	addr_t c_name_at = py_get(object, layout->f.type_name);
	// Not all types in use are Py_TPFLAGS_READY: Python 2 has some that nobody asked anything
	// yet (PyListIter_Type).
	if (py_get(object, layout->f.object_refcnt) == 0 ||
	    basicsize < layout->f.object_type.offset + layout->f.object_type.size ||
	    basicsize > BASICSIZE_MAX || itemsize > ITEMSIZE_MAX ||
	    !types_has_metatype(types, window, py_get(object, layout->f.object_type)) ||
	    !types_has_name(window, c_name_at))
		return NULL;
	struct py_type seen = {.basicsize = basicsize, .itemsize = itemsize, .flags = flags};
	seen.shape = types_shape(types, window, at, flags);
	seen.header_bytes = types_header_bytes(layout, &seen);
	if (seen.header_bytes > HEADER_BYTES_MAX)
		return NULL;
	struct py_type *type = types_add(types, at);
	if (!type)
		return NULL;
	seen.at = type->at;
	seen.id = type->id;
	*type = seen;
	type->is_gc = flags & PY_TYPE_GC;
	type->grows = types_grows(types, window, type);
	type->is_always_tracked = type->is_gc && types_is_always_tracked(types, window, at);
	type->lock_offset = types_lock_offset(types, window, c_name_at, basicsize);
	type->presize = (type->is_gc ? layout->size.gc_head : 0) +
			(flags & layout->preheader_flags ? 2 * sizeof(addr_t) : 0);
	type->is_fixed = type->shape == PY_SHAPE_PLAIN && itemsize == 0;
	type->name = types_name(types, window, at, flags, c_name_at);
	if (!type->name && !types->error)
		types->error = error_no_memory();
	return type;
}

static const struct py_type *types_reject(struct py_types *types, addr_t at)
{
	if (at && types->rejected_count < REJECTED_MAX) {
		struct error *error = addr_map_put(&types->by_address, at, NO_TYPE);
		if (error && !types->error)
			types->error = take_ptr(error);
		error_destroy(error);
		types->rejected_count++;
	}
	return NULL;
}

void py_types_share_window(struct py_types *types, struct mem_window *window)
{
	types->window = window;
}

const struct py_type *py_types_look_up(struct py_types *types, struct mem_window *window,
				       addr_t type_at)
{
	const struct py_type *type;
	uint32_t index;

	pthread_mutex_lock(&types->lock);
	if (addr_map_get(&types->by_address, type_at, &index)) {
		type = index == NO_TYPE ? NULL : types->list[index];
	} else {
		type = types_examine(types, types->window ? types->window : window, type_at);
		if (!type)
			types_reject(types, type_at);
	}
	pthread_mutex_unlock(&types->lock);
	return type;
}

// Stands in for the type of an old-style instance: one name, the sizes of `instance`.
static const struct py_type *types_examine_class(struct py_types *types, struct mem_window *window,
						 const struct py_type *instance, addr_t class_at)
{
	const struct py_layout *layout = types->layout;
	addr_t name_at = mem_window_word(window, class_at + layout->f.class_name.offset, 0);
	addr_t dict_at = mem_window_word(window, class_at + layout->f.class_dict.offset, 0);
	char name[NAME_BYTES_MAX], module[NAME_BYTES_MAX] = "";

	if (!py_string_read(layout, window, name_at, name, sizeof(name)))
		return NULL;
	addr_t module_at = py_dict_find(layout, window, dict_at, "__module__");
	if (module_at)
		py_string_read(layout, window, module_at, module, sizeof(module));
	struct py_type *type = types_add(types, class_at);
	if (!type)
		return NULL;
	uint32_t id = type->id;
	*type = *instance;
	type->at = class_at;
	type->id = id;
	type->name = types_join_name(module, name);
	if (!type->name && !types->error)
		types->error = error_no_memory();
	return type;
}

const struct py_type *py_types_of_class(struct py_types *types, struct py_type_cache *cache,
					struct mem_window *window, addr_t class_at)
{
	const struct py_type *instance =
		py_types_find(types, cache, window, types->layout->var.instance_type);
	const struct py_type *type = NULL;
	uint32_t index;

	if (!instance || class_at == 0)
		return NULL;
	pthread_mutex_lock(&types->lock);
	if (!addr_map_get(&types->by_address, class_at, &index))
		type = types_examine_class(types, types->window ? types->window : window, instance,
					   class_at);
	else if (index != NO_TYPE)
		type = types->list[index];
	pthread_mutex_unlock(&types->lock);
	return type;
}

struct error *py_types_announce(struct py_types *types, struct heap_sink *sink,
				struct mem_window *window)
{
	for (size_t i = 0; i < types->count; i++) {
		const struct py_type *type = types->list[i];
		struct heap_type announced = {
			.id = type->id,
			.name = type->name ? type->name : "?",
			.at = type->at,
			.basic_size_bytes = type->basicsize,
			.finalizer = window ? py_finalizer_of_type(types->layout, window, type)
					    : HEAP_FINALIZER_NONE,
			.grows = type->grows,
		};
		struct error *error = heap_sink_types(sink, &announced, 1);
		if (error)
			return error;
	}
	return NULL;
}

struct error *py_types_take_error(struct py_types *types)
{
	return take_ptr(types->error);
}
