// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/dwarf_objects.h"

#include <string.h>

#include "base/cleanup.h"
#include "debug/function_scope.h"
#include "debug/type_view.h"

enum {
	// tp_basicsize may leave out what a trailing array of length 1 takes, and padding behind it. A
	// struct that is larger still is not of this object: code that works on objects of any type
	// (subtype_dealloc) has variables that point to types.
	TRAILING_BYTES_MAX = 32,
};

/** The best struct so far. */
struct choice {
	struct object_base *base;
	uint64_t size_bytes;
	struct object_struct best;
};

void dwarf_objects_deinit(struct dwarf_objects *objects)
{
	code_index_deinit(&objects->code);
	object_base_deinit(&objects->base);
	object_answers_deinit(&objects->answers);
	elf_file_close(objects->elf);
}

static uint64_t distance(uint64_t one, uint64_t other)
{
	return one > other ? one - other : other - one;
}

static bool choice_fits(const struct choice *choice, const struct object_struct *object)
{
	if (!object->type || !object->name || object->bytes <= choice->base->bytes)
		return false;
	return choice->size_bytes == 0 || object->bytes <= choice->size_bytes ||
	       object->bytes - choice->size_bytes <= TRAILING_BYTES_MAX;
}

static struct error *choice_look(void *context, struct Dwarf_Die_s **type)
{
	struct choice *choice = context;
	bool is_head = false, is_type = false;
	_cleanup_object_struct_ struct object_struct object = {0};
	struct error *error = object_struct_pointed_to(choice->base, type, &object);

	if (error || !choice_fits(choice, &object))
		return error;
	error = object_struct_is_head(choice->base, object.type, &is_head);
	if (!error)
		error = object_struct_is_type(choice->base, object.type, &is_type);
	// A variable that points to a type says nothing, unless the object is exactly one.
	if (error || is_head || (is_type && object.bytes != choice->size_bytes))
		return error;
	// Of several as near the outermost: what is inlined may be about other objects.
	if (choice->best.type && distance(object.bytes, choice->size_bytes) >=
					 distance(choice->best.bytes, choice->size_bytes))
		return NULL;
	die_free(choice->best.type);
	choice->best = object;
	object.type = NULL;
	return NULL;
}

/**
 * The function whose symbol stands at @a address. With LTO GCC may leave out the entry of compiled
 * code and keep that of the definition, which has no address (GCC 12 in Debian's python3.11).
 */
static struct error *function_by_symbol(struct dwarf_objects *objects, addr_t address,
					struct Dwarf_Die_s **ret)
{
	uint64_t into = 0;
	struct error *error = NULL;

	if (!objects->elf)
		error = elf_file_open(die_file_path(objects->index->file), &objects->elf);
	if (error)
		return error;
	const char *symbol = elf_file_symbol_at(objects->elf, address, &into);
	if (!symbol || into != 0)
		return NULL;
	// What the compiler added: ".lto_priv.0", ".part.1".
	_cleanup_free_ char *name = strndup(symbol, strcspn(symbol, "."));
	return name ? dwarf_index_function(objects->index, name, ret) : error_no_memory();
}

static struct error *function_struct(struct dwarf_objects *objects,
				     const struct layout_object *object, struct object_struct *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *function = NULL;
	struct choice choice = {.base = &objects->base, .size_bytes = object->size_bytes};
	const struct function_scope_visitor visitor = {choice_look, &choice};
	struct error *error = code_index_function(&objects->code, object->function, &function);

	if (!error && !function)
		error = function_by_symbol(objects, object->function, &function);
	if (!error && function)
		error = function_scope_walk(objects->index->file, function, &visitor);
	*ret = choice.best;
	return error;
}

static struct error *named_struct(struct dwarf_objects *objects, const char *name,
				  struct object_struct *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *type = NULL;
	_cleanup_die_ struct Dwarf_Die_s *tagged = NULL;
	struct error *error = dwarf_index_type(objects->index, name, &type);

	if (!error && type)
		error = object_struct_of(&objects->base, &type, ret);
	if (error || ret->type)
		return error;
	// A typedef may have the name of a tag and not be that struct: typedef struct x *x;
	error = dwarf_index_tag(objects->index, name, &tagged);
	return error || !tagged ? error : object_struct_of(&objects->base, &tagged, ret);
}

struct error *dwarf_objects_find(struct dwarf_objects *objects, const struct layout_object *object,
				 bool *present, const struct object_members **ret)
{
	_cleanup_object_struct_ struct object_struct found = {0};
	_cleanup_object_list_ struct object_list list = {0};
	bool known = false;
	struct error *error = object_answers_find(&objects->answers, object, &known, ret);

	*present = *ret != NULL;
	if (error || known)
		return error;
	error = object_base_set(&objects->base, objects->index, object->base);
	if (!error && objects->base.bytes > 0)
		error = object->name ? named_struct(objects, object->name, &found)
				     : function_struct(objects, object, &found);
	if (!error && found.type)
		error = object_struct_members(&objects->base, found.type, &list);
	if (error)
		return error;
	const struct object_members members = {found.name, found.bytes, list.list, list.count};
	error = object_answers_add(&objects->answers, object,
				   found.type && found.name ? &members : NULL, ret);
	*present = *ret != NULL;
	return error;
}
