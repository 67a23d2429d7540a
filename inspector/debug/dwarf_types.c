// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/dwarf_types.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "debug/dwarf_index.h"
#include "debug/dwarf_objects.h"
#include "debug/layout_path.h"
#include "debug/type_view.h"

enum {
	// Pointers to arrays of pointers ... of a variable.
	TYPE_CHAIN_LIMIT = 64,
	// Anonymous structs and unions within each other.
	NESTING_LIMIT = 16,
	// Members looked at for one path: the types of a damaged file may branch at every level.
	MEMBERS_LIMIT = 1 << 18,
};

struct dwarf_types {
	struct layout_source source;
	char *origin;
	struct die_file *file;
	struct dwarf_index index;
	struct dwarf_objects objects;
};

/** A member on the way: where it is within the type that was asked about. */
struct found_member {
	struct Dwarf_Die_s *die;
	uint64_t offset;
};

static struct dwarf_types *types_of(struct layout_source *source)
{
	return (struct dwarf_types *)source;
}

/** Whether @a member has the name of @a step; *@a ret_nested is its type if it is an anonymous
 *  struct or union, else NULL. */
static struct error *member_look(struct dwarf_index *index, struct Dwarf_Die_s *member,
				 const struct layout_step *step, bool *ret_match,
				 struct Dwarf_Die_s **ret_nested)
{
	_cleanup_die_ struct Dwarf_Die_s *type = NULL;
	const char *name = NULL;
	unsigned tag = 0;
	struct error *error = die_name(index->file, member, &name);

	*ret_match = false;
	*ret_nested = NULL;
	if (error)
		return error;
	if (name) {
		*ret_match =
			strlen(name) == step->length && memcmp(name, step->name, step->length) == 0;
		return NULL;
	}
	error = die_follow(index->file, member, DIE_AT_TYPE, &type);
	if (!error)
		error = type_view_strip(index, &type, &tag);
	if (!error && type && type_view_is_struct(tag))
		*ret_nested = take_ptr(type);
	return error;
}

/**
 * Looks for @a step in @a parent, a struct or union at @a base, and in its anonymous ones, at most
 * NESTING_LIMIT deep; @a ret->die is NULL when it has none.
 */
static struct error *member_find(struct dwarf_index *index, struct Dwarf_Die_s *parent,
				 const struct layout_step *step, uint64_t base, unsigned depth,
				 unsigned *left, struct found_member *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *member = NULL;
	struct error *error = die_child(index->file, parent, &member);

	while (!error && member) {
		_cleanup_die_ struct Dwarf_Die_s *nested = NULL;
		uint64_t offset = 0;
		unsigned tag = 0;
		bool match = false, present = false;
		if (depth == NESTING_LIMIT || --*left == 0)
			return die_file_damaged(index->file, "its structs do not end");
		error = die_tag(index->file, member, &tag);
		if (!error && tag == DIE_TAG_MEMBER)
			error = member_look(index, member, step, &match, &nested);
		if (!error && (match || nested))
			error = die_member_offset(index->file, member, &present, &offset);
		if (error)
			return error;
		if (offset > UINT32_MAX)
			return die_file_damaged(index->file, "a member lies too far out");
		if (match) {
			*ret = (struct found_member){take_ptr(member), base + offset};
			return NULL;
		}
		if (nested)
			error = member_find(index, nested, step, base + offset, depth + 1, left,
					    ret);
		if (error || ret->die)
			return error;
		error = die_next(index->file, &member);
	}
	return error;
}

/**
 * The bits of @a member, if it is a bit-field: DW_AT_data_bit_offset counts from the start of the
 * struct; the older DW_AT_bit_offset from the most significant bit of a unit of DW_AT_byte_size at
 * DW_AT_data_member_location. Both become bits of the declared type's unit around them, or, when a
 * packed field crosses that, of the bytes from its first one on.
 */
static struct error *bits_read(struct dwarf_index *index, const struct found_member *member,
			       uint64_t type_bytes, struct layout_member *ret)
{
	int64_t bit_count = 0, from_start = 0, from_top = 0, unit_bytes = 0;
	uint64_t own_offset = 0;
	bool present = false, is_new = false, is_old = false, has_unit = false;
	struct Dwarf_Die_s *die = member->die;
	struct error *error = die_number(index->file, die, DIE_AT_BIT_SIZE, &present, &bit_count);

	if (error || !present)
		return error;
	error = die_number(index->file, die, DIE_AT_DATA_BIT_OFFSET, &is_new, &from_start);
	if (!error)
		error = die_number(index->file, die, DIE_AT_BIT_OFFSET, &is_old, &from_top);
	if (!error)
		error = die_number(index->file, die, DIE_AT_BYTE_SIZE, &has_unit, &unit_bytes);
	if (!error)
		error = die_member_offset(index->file, die, &present, &own_offset);
	if (error)
		return error;
	int64_t unit_bits = 8 * (int64_t)type_bytes;
	if (is_old && !is_new)
		from_start = 8 * (has_unit ? unit_bytes & 0xff : (int64_t)type_bytes) - from_top -
			     bit_count + 8 * (int64_t)own_offset;
	else if (!is_new)
		from_start = 8 * (int64_t)own_offset;
	if (type_bytes == 0 || type_bytes > 16 || bit_count <= 0 || bit_count > unit_bits ||
	    from_start < 0 || from_start > 8 * (int64_t)UINT32_MAX)
		return die_file_damaged(index->file, "a bit-field has no place");
	// member->offset already has own_offset in it.
	int64_t unit = from_start / unit_bits * (int64_t)type_bytes;
	if (from_start - 8 * unit + bit_count > unit_bits)
		unit = from_start / 8;
	ret->bit_count = (uint8_t)bit_count;
	ret->bit_offset = (uint8_t)(from_start - 8 * unit);
	uint64_t at = member->offset - own_offset + (uint64_t)unit;
	if (at > UINT32_MAX)
		return die_file_damaged(index->file, "a member lies too far out");
	ret->offset_bytes = (uint32_t)at;
	return NULL;
}

/** Moves @a view to its member @a step; @a ret->die is NULL when it has none. */
static struct error *view_to_member(struct dwarf_index *index, struct type_view *view,
				    const struct layout_step *step, uint64_t base,
				    struct found_member *ret)
{
	unsigned tag = 0, left = MEMBERS_LIMIT;
	struct error *error = type_view_strip(index, &view->die, &tag);

	*ret = (struct found_member){0};
	if (error || !view->die || !type_view_is_struct(tag))
		return error;
	error = member_find(index, view->die, step, base, 0, &left, ret);
	if (error || !ret->die)
		return error;
	die_free(view->die);
	view->dimension = 0;
	return die_follow(index->file, ret->die, DIE_AT_TYPE, &view->die);
}

/** Follows @a path from @a view, which is used up. */
static struct error *path_follow(struct dwarf_index *index, struct type_view *view,
				 const char *path, bool *present, struct layout_member *ret)
{
	const char *cursor = path;
	struct type_view_description description;
	struct layout_step step;
	uint64_t offset = 0;
	_cleanup_die_ struct Dwarf_Die_s *member = NULL;
	bool more = true;

	*ret = (struct layout_member){0};
	for (;;) {
		struct error *error = layout_path_next(path, &cursor, &more, &step);
		if (error)
			return error;
		if (!more)
			break;
		die_free(take_ptr(member));
		if (step.name) {
			struct found_member found;
			error = view_to_member(index, view, &step, offset, &found);
			member = found.die;
			offset = found.offset;
			*present = found.die != NULL;
		} else {
			error = type_view_to_element(index, view, step.index, present, &offset);
		}
		if (error || !*present)
			return error;
	}
	struct error *error = type_view_describe(index, view, present, &description);
	if (error || !*present)
		return error;
	if (offset > UINT32_MAX || description.bytes > UINT32_MAX ||
	    description.element_count > UINT32_MAX)
		return die_file_damaged(index->file, "a member is too large");
	ret->offset_bytes = (uint32_t)offset;
	ret->size_bytes = (uint32_t)description.bytes;
	ret->kind = description.kind;
	ret->element_count = (uint32_t)description.element_count;
	if (!member)
		return NULL;
	const struct found_member found = {member, offset};
	return bits_read(index, &found, description.bytes, ret);
}

static struct error *types_member(struct layout_source *source, const char *type, const char *path,
				  bool *present, struct layout_member *ret)
{
	struct dwarf_types *types = types_of(source);
	_cleanup_view_ struct type_view view = {0}, tagged = {0};

	*present = false;
	struct error *error = dwarf_index_type(&types->index, type, &view.die);
	if (!error && view.die)
		error = path_follow(&types->index, &view, path, present, ret);
	if (error || *present)
		return error;
	// A typedef may have the name of a tag and not be that struct: typedef struct x *x;
	error = dwarf_index_tag(&types->index, type, &tagged.die);
	if (!error && tagged.die)
		error = path_follow(&types->index, &tagged, path, present, ret);
	return error;
}

static struct error *types_type_size(struct layout_source *source, const char *type, bool *present,
				     uint64_t *ret)
{
	struct dwarf_types *types = types_of(source);
	_cleanup_view_ struct type_view view = {0}, tagged = {0};

	*present = false;
	struct error *error = dwarf_index_type(&types->index, type, &view.die);
	if (!error)
		error = type_view_bytes(&types->index, &view, present, ret);
	if (error || *present)
		return error;
	error = dwarf_index_tag(&types->index, type, &tagged.die);
	return error ? error : type_view_bytes(&types->index, &tagged, present, ret);
}

/** Whether @a die is, points to, or is an array of a type that is named @a name; used up. */
static struct error *type_is_named(struct dwarf_index *index, struct Dwarf_Die_s **die,
				   const char *name, bool *ret)
{
	*ret = false;
	for (int i = 0; *die && i < TYPE_CHAIN_LIMIT; i++) {
		const char *own = NULL;
		struct error *error = die_name(index->file, *die, &own);
		if (error)
			return error;
		*ret = own && strcmp(own, name) == 0;
		if (*ret)
			return NULL;
		error = type_view_step(index, die);
		if (error)
			return error;
	}
	return NULL;
}

/** The type of a variable, its own or that of its declaration. */
static struct error *variable_type(struct dwarf_index *index, struct Dwarf_Die_s *variable,
				   struct Dwarf_Die_s **ret)
{
	_cleanup_die_ struct Dwarf_Die_s *origin = NULL;
	struct error *error = die_follow(index->file, variable, DIE_AT_TYPE, ret);

	for (int i = 0; !error && !*ret && i < ORIGIN_STEPS_LIMIT; i++) {
		struct Dwarf_Die_s *from = origin ? origin : variable, *next = NULL;
		error = dwarf_index_origin(index->file, from, &next);
		if (error || !next)
			return error;
		die_free(origin);
		origin = next;
		error = die_follow(index->file, origin, DIE_AT_TYPE, ret);
	}
	return error;
}

/** Fills *@a ret if @a variable has an address and the @a type asked for (NULL: any). */
static struct error *variable_try(struct dwarf_index *index, struct Dwarf_Die_s *variable,
				  const char *type, bool *present, struct layout_variable *ret)
{
	_cleanup_view_ struct type_view view = {0}, copy = {0};
	struct type_view_description description;
	addr_t address = 0;
	bool match = true, sized = false;
	struct error *error =
		die_address(index->file, variable, DIE_AT_LOCATION, present, &address);

	if (error || !*present)
		return error;
	*present = false;
	error = variable_type(index, variable, &view.die);
	if (!error && type && view.die) {
		error = die_copy(index->file, view.die, &copy.die);
		if (!error)
			error = type_is_named(index, &copy.die, type, &match);
	}
	if (error || !match || !view.die)
		return error;
	error = type_view_describe(index, &view, &sized, &description);
	if (error)
		return error;
	if (description.bytes > UINT32_MAX)
		return die_file_damaged(index->file, "a variable is too large");
	// An incomplete type leaves the size 0; the address is good all the same.
	*ret = (struct layout_variable){
		.address = address,
		.size_bytes = sized ? (uint32_t)description.bytes : 0,
		.kind = description.kind,
	};
	*present = true;
	return NULL;
}

static struct error *types_variable(struct layout_source *source, const char *name,
				    const char *type, bool *present, struct layout_variable *ret)
{
	struct dwarf_types *types = types_of(source);
	size_t cursor = 0;

	*present = false;
	for (;;) {
		_cleanup_die_ struct Dwarf_Die_s *variable = NULL;
		struct error *error = dwarf_index_variable(&types->index, name, &cursor, &variable);
		if (!error && variable)
			error = variable_try(&types->index, variable, type, present, ret);
		if (error || !variable || *present)
			return error;
	}
}

static struct error *types_object(struct layout_source *source, const struct layout_object *object,
				  bool *present, const struct object_members **ret)
{
	return dwarf_objects_find(&types_of(source)->objects, object, present, ret);
}

static void types_destroy(struct layout_source *source)
{
	struct dwarf_types *types = types_of(source);

	dwarf_objects_deinit(&types->objects);
	dwarf_index_deinit(&types->index);
	die_file_close(types->file);
	free(types->origin);
	free(types);
}

static const struct layout_source_ops types_ops = {
	.type_size = types_type_size,
	.member = types_member,
	.variable = types_variable,
	.destroy = types_destroy,
	.object = types_object,
};

struct error *dwarf_types_create(const char *path, struct layout_source **ret)
{
	struct dwarf_types *types = calloc(1, sizeof(*types));

	if (!types)
		return error_no_memory();
	types->source.ops = &types_ops;
	struct error *error = die_file_open(path, &types->file);
	if (!error && asprintf(&types->origin, "DWARF of %s", path) < 0) {
		types->origin = NULL;
		error = error_no_memory();
	}
	if (error) {
		types_destroy(&types->source);
		return error;
	}
	types->index.file = types->file;
	types->objects.index = &types->index;
	types->objects.code.file = types->file;
	types->source.origin = types->origin;
	*ret = &types->source;
	return NULL;
}
