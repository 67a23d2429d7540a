// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/finalizer.h"

#include "targets/cpython/objects/dict.h"

enum {
	/** Classes looked at for a method. */
	CLASSES_MAX = 1024,
	/** _PyGC_PREV_MASK_FINALIZED, and _PyGC_REFS_MASK_FINALIZED before 3.8. */
	HEAD_FINALIZED = 1,
};

static addr_t finalizer_word(struct mem_window *window, addr_t at, struct py_field field)
{
	return mem_window_word(window, at + field.offset, 0);
}

// The `__del__` that objects of the class at @a type_at would run, by its mro; 0 when there is none.
static addr_t finalizer_find_method(const struct py_layout *layout, struct mem_window *window,
				    addr_t type_at)
{
	addr_t mro_at = finalizer_word(window, type_at, layout->f.type_mro);
	uint64_t count = mro_at ? finalizer_word(window, mro_at, layout->f.var_size) : 0;

	if (count > CLASSES_MAX)
		count = CLASSES_MAX;
	for (uint64_t i = 0; i < count; i++) {
		addr_t class_at = mem_window_word(
			window, mro_at + layout->f.tuple_items.offset + i * sizeof(addr_t), 0);
		addr_t dict_at =
			class_at ? finalizer_word(window, class_at, layout->f.type_dict) : 0;
		addr_t method_at = py_dict_find(layout, window, dict_at, "__del__");
		if (method_at)
			return method_at;
	}
	return 0;
}

/*
 * Python 2's class_lookup(): depth first, from left to right. An explicit stack: bases are data of the
 * inspected process.
 */
static bool finalizer_class_has_method(const struct py_layout *layout, struct mem_window *window,
				       addr_t class_at)
{
	addr_t stack[CLASSES_MAX];
	size_t depth = 0;

	stack[depth++] = class_at;
	for (int seen = 0; depth && seen < CLASSES_MAX; seen++) {
		addr_t at = stack[--depth];
		addr_t dict_at = finalizer_word(window, at, layout->f.class_dict);
		if (py_dict_find(layout, window, dict_at, "__del__"))
			return true;
		addr_t bases_at = finalizer_word(window, at, layout->f.class_bases);
		uint64_t count =
			bases_at ? finalizer_word(window, bases_at, layout->f.var_size) : 0;
		for (uint64_t i = count; i-- > 0 && count <= CLASSES_MAX && depth < CLASSES_MAX;) {
			addr_t base = mem_window_word(
				window,
				bases_at + layout->f.tuple_items.offset + i * sizeof(addr_t), 0);
			if (base)
				stack[depth++] = base;
		}
	}
	return false;
}

enum heap_finalizer py_finalizer_of_type(const struct py_layout *layout, struct mem_window *window,
					 const struct py_type *type)
{
	if (type->shape == PY_SHAPE_INSTANCE2) {
		bool is_class = type->at != layout->var.instance_type;
		return is_class && finalizer_class_has_method(layout, window, type->at)
			       ? HEAP_FINALIZER_DEL
			       : HEAP_FINALIZER_NONE;
	}
	bool is_class = type->flags & PY_TYPE_HEAP;
	addr_t del_at = finalizer_word(window, type->at, layout->f.type_del);
	if (layout->is_python2) {
		if (!del_at)
			return HEAP_FINALIZER_NONE;
		if (is_class)
			return HEAP_FINALIZER_DEL;
		return type->at == layout->var.generator_type ? HEAP_FINALIZER_BUILTIN
							      : HEAP_FINALIZER_LEGACY;
	}
	if (del_at)
		return HEAP_FINALIZER_LEGACY;
	if (!layout->f.type_finalize.present ||
	    !finalizer_word(window, type->at, layout->f.type_finalize))
		return HEAP_FINALIZER_NONE;
	// A tp_finalize in C shows in the class's dict as a wrapper around it.
	addr_t method_at = is_class ? finalizer_find_method(layout, window, type->at) : 0;
	if (!method_at || finalizer_word(window, method_at, layout->f.object_type) ==
				  layout->var.wrapper_descriptor_type)
		return HEAP_FINALIZER_BUILTIN;
	return HEAP_FINALIZER_DEL;
}

static bool finalizer_is_legacy2(const struct py_layout *layout, struct mem_window *window,
				 struct py_traverse *traverse, const struct py_type *type,
				 addr_t at)
{
	uint64_t needs = 0;

	if (type->shape == PY_SHAPE_INSTANCE2) {
		addr_t dict_at = finalizer_word(window, at, layout->f.instance_dict);
		addr_t class_at = finalizer_word(window, at, layout->f.instance_class);
		return py_dict_find(layout, window, dict_at, "__del__") ||
		       (class_at && finalizer_class_has_method(layout, window, class_at));
	}
	if (type->flags & PY_TYPE_HEAP)
		return finalizer_word(window, type->at, layout->f.type_del);
	if (type->at == layout->var.generator_type && traverse && layout->gen_needs_finalizing_at)
		return py_traverse_call(traverse, layout->gen_needs_finalizing_at, at, &needs) &&
		       (int32_t)needs;
	return false;
}

uint32_t py_finalizer_flags(const struct py_layout *layout, struct mem_window *window,
			    struct py_traverse *traverse, const struct py_type *type, addr_t at)
{
	uint32_t flags = 0;

	if (!type->is_gc)
		return 0;
	if (layout->is_python2)
		return finalizer_is_legacy2(layout, window, traverse, type, at)
			       ? HEAP_LEGACY_FINALIZER
			       : 0;
	if (finalizer_word(window, type->at, layout->f.type_del))
		flags |= HEAP_LEGACY_FINALIZER;
	if (layout->f.type_finalize.present &&
	    finalizer_word(window, type->at, layout->f.type_finalize)) {
		struct py_field field =
			layout->f.gc_refs.present ? layout->f.gc_refs : layout->f.gc_prev;
		if (finalizer_word(window, at - layout->size.gc_head, field) & HEAD_FINALIZED)
			flags |= HEAP_FINALIZED;
	}
	return flags;
}
