// SPDX-License-Identifier: GPL-3.0-or-later
// The members of a struct that point to objects, in nested structs and arrays as well.
#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "debug/object_struct.h"
#include "debug/type_view.h"

enum {
	NESTING_LIMIT = 16,
	// Members looked at, elements of arrays of structs counted again.
	MEMBERS_LIMIT = 1 << 14,
	ELEMENTS_LIMIT = 256,
	RESULTS_LIMIT = 1 << 12,
};

/** A place within the struct that was asked about. */
struct member_place {
	uint64_t offset;
	/** Of the dotted name up to here. */
	size_t name_length;
	unsigned depth;
};

struct member_walk {
	struct object_base *base;
	struct object_list *into;
	/** The dotted name of where the walk is. */
	struct text name;
	unsigned left;
};

void object_list_deinit(struct object_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((char *)list->list[i].name);
	free(list->list);
	*list = (struct object_list){0};
}

static struct error *member_add(struct member_walk *walk, uint64_t offset, uint64_t count)
{
	struct object_list *into = walk->into;

	if (offset > UINT32_MAX || count > UINT32_MAX || into->count == RESULTS_LIMIT)
		return die_file_damaged(walk->base->index->file, "a struct is too large");
	// Of the members of a union the first is as good as another.
	for (size_t i = into->count; i > 0 && into->list[i - 1].offset_bytes >= offset; i--)
		if (into->list[i - 1].offset_bytes == offset)
			return NULL;
	struct error *error =
		array_reserve(&into->list, &into->capacity, into->count + 1, sizeof(*into->list));
	if (error)
		return error;
	char *name = strdup(text_chars(&walk->name));
	if (!name)
		return error_no_memory();
	into->list[into->count++] = (struct object_member){
		.offset_bytes = (uint32_t)offset,
		.count = (uint32_t)count,
		.name = name,
	};
	return NULL;
}

static void name_cut(struct text *name, size_t length)
{
	if (name->chars && length < name->length) {
		name->length = length;
		name->chars[length] = '\0';
	}
}

static struct error *struct_walk(struct member_walk *walk, struct Dwarf_Die_s *type,
				 struct member_place place);

/** Whether @a type is a pointer to something that begins with the base. */
static struct error *is_object_pointer(struct member_walk *walk, struct Dwarf_Die_s *type,
				       bool *ret)
{
	_cleanup_object_struct_ struct object_struct object = {0};
	_cleanup_die_ struct Dwarf_Die_s *copy = NULL;
	struct object_base *base = walk->base;
	uint64_t at = 0;
	uint32_t known = 0;
	bool in_info = false;
	struct error *error = die_offset(base->index->file, type, &at, &in_info);

	if (error)
		return error;
	// Both sections' offsets in one key, which must not be 0.
	addr_t key = (at + 1) << 1 | in_info;
	if (addr_map_get(&base->pointers, key, &known)) {
		*ret = known != 0;
		return NULL;
	}
	error = die_copy(base->index->file, type, &copy);
	if (!error)
		error = object_struct_pointed_to(base, &copy, &object);
	if (error)
		return error;
	*ret = object.type != NULL;
	return addr_map_put(&base->pointers, key, *ret);
}

/** The product of the dimensions of @a array and of those of its elements; moves on to what its
 *  elements are. 0 when one is of no declared length. */
static struct error *array_measure(struct dwarf_index *index, struct Dwarf_Die_s **array,
				   unsigned *tag, uint64_t *ret)
{
	*ret = 1;
	for (int i = 0; *array && *tag == DIE_TAG_ARRAY; i++) {
		uint64_t count = 0;
		struct error *error = type_view_array_count(index, *array, &count);
		if (!error)
			error = type_view_step(index, array);
		if (!error)
			error = type_view_strip(index, array, tag);
		if (error)
			return error;
		if (i == NESTING_LIMIT || __builtin_mul_overflow(*ret, count, ret))
			return die_file_damaged(index->file, "an array is too long");
	}
	return NULL;
}

/** Each element of an array of @a count structs. Of a flexible one nobody knows the end here. */
static struct error *elements_walk(struct member_walk *walk, struct Dwarf_Die_s *type,
				   uint64_t count, struct member_place place)
{
	int64_t bytes = 0;
	bool present = false;
	struct error *error =
		die_number(walk->base->index->file, type, DIE_AT_BYTE_SIZE, &present, &bytes);
	uint64_t offset = place.offset;

	if (error || !present || bytes <= 0)
		return error;
	for (uint64_t i = 0; !error && i < count && i < ELEMENTS_LIMIT; i++) {
		name_cut(&walk->name, place.name_length);
		error = text_appendf(&walk->name, "[%" PRIu64 "]", i);
		if (!error)
			error = struct_walk(
				walk, type,
				(struct member_place){offset, walk->name.length, place.depth + 1});
		if (__builtin_add_overflow(offset, (uint64_t)bytes, &offset))
			return error;
	}
	return error;
}

/** A member of @a type, which is used up, at @a place. */
static struct error *type_walk(struct member_walk *walk, struct Dwarf_Die_s **type,
			       struct member_place place)
{
	struct dwarf_index *index = walk->base->index;
	unsigned tag = 0;
	bool is_array, is_object = false;
	uint64_t count = 1;
	struct error *error = type_view_strip(index, type, &tag);

	if (error || !*type)
		return error;
	is_array = tag == DIE_TAG_ARRAY;
	if (is_array)
		error = array_measure(index, type, &tag, &count);
	if (error || !*type)
		return error;
	if (tag == DIE_TAG_POINTER) {
		error = is_object_pointer(walk, *type, &is_object);
		return error || !is_object ? error : member_add(walk, place.offset, count);
	}
	if (!type_view_is_struct(tag))
		return NULL;
	if (is_array)
		return elements_walk(walk, *type, count, place);
	place.depth++;
	return struct_walk(walk, *type, place);
}

static struct error *member_walk_one(struct member_walk *walk, struct Dwarf_Die_s *member,
				     struct member_place place)
{
	_cleanup_die_ struct Dwarf_Die_s *type = NULL;
	const struct die_file *file = walk->base->index->file;
	const char *name = NULL;
	uint64_t offset = 0;
	bool present = false;
	struct error *error = die_member_offset(file, member, &present, &offset);

	if (!error)
		error = die_name(file, member, &name);
	if (!error)
		error = die_follow(file, member, DIE_AT_TYPE, &type);
	if (error || !type)
		return error;
	if (offset > UINT32_MAX)
		return die_file_damaged(file, "a member lies too far out");
	// A member of a union is at 0 and does not say so.
	place.offset += present ? offset : 0;
	name_cut(&walk->name, place.name_length);
	if (name)
		error = text_appendf(&walk->name, "%s%s", place.name_length ? "." : "", name);
	place.name_length = walk->name.length;
	return error ? error : type_walk(walk, &type, place);
}

/** Whether @a type is the base itself: of another object's head nothing is kept. */
static struct error *is_base_itself(const struct object_base *base, struct Dwarf_Die_s *type,
				    bool *ret)
{
	const char *name = NULL;
	struct error *error = die_name(base->index->file, type, &name);

	*ret = name && base->tag && strcmp(name, base->tag) == 0;
	return error;
}

static struct error *struct_walk(struct member_walk *walk, struct Dwarf_Die_s *type,
				 struct member_place place)
{
	_cleanup_die_ struct Dwarf_Die_s *member = NULL;
	const struct die_file *file = walk->base->index->file;
	bool is_base = false;
	struct error *error = is_base_itself(walk->base, type, &is_base);

	if (error || is_base)
		return error;
	if (place.depth > NESTING_LIMIT)
		return die_file_damaged(file, "its structs do not end");
	error = die_child(file, type, &member);
	while (!error && member) {
		unsigned tag = 0;
		if (--walk->left == 0)
			return die_file_damaged(file, "its structs do not end");
		error = die_tag(file, member, &tag);
		if (!error && tag == DIE_TAG_MEMBER)
			error = member_walk_one(walk, member, place);
		if (!error)
			error = die_next(file, &member);
	}
	return error;
}

struct error *object_struct_members(struct object_base *base, struct Dwarf_Die_s *type,
				    struct object_list *into)
{
	struct member_walk walk = {.base = base, .into = into, .left = MEMBERS_LIMIT};
	struct error *error = struct_walk(&walk, type, (struct member_place){0});

	text_deinit(&walk.name);
	if (error)
		return error;
	// The head written out as macros do: its pointers are those of the object's type and, in
	// builds that list all objects, of its neighbours.
	size_t kept = 0;
	for (size_t i = 0; i < into->count; i++) {
		if (into->list[i].offset_bytes < base->bytes)
			free((char *)into->list[i].name);
		else
			into->list[kept++] = into->list[i];
	}
	into->count = kept;
	return NULL;
}
