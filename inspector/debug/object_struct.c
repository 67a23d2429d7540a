// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/object_struct.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/type_view.h"

enum {
	// PyHeapTypeObject -> PyTypeObject -> PyVarObject -> PyObject; C++ would have more.
	HEADS_LIMIT = 16,
	TYPE_CHAIN_LIMIT = 64,
};

void object_base_deinit(struct object_base *base)
{
	free(base->name);
	addr_map_deinit(&base->pointers);
	*base = (struct object_base){0};
}

void object_struct_cleanup(struct object_struct *object)
{
	die_free(object->type);
}

/** Moves *@a die on to the first member among itself and its siblings; NULL when there is none. */
static struct error *to_member(const struct die_file *file, struct Dwarf_Die_s **die)
{
	while (*die) {
		unsigned tag = 0;
		struct error *error = die_tag(file, *die, &tag);
		if (error || tag == DIE_TAG_MEMBER)
			return error;
		error = die_next(file, die);
		if (error)
			return error;
	}
	return NULL;
}

/** The first members of @a type by name and place, up to @a limit. */
static struct error *head_read(const struct die_file *file, struct Dwarf_Die_s *type, size_t limit,
			       struct object_head_member *ret, size_t *ret_count)
{
	_cleanup_die_ struct Dwarf_Die_s *member = NULL;
	struct error *error = die_child(file, type, &member);

	*ret_count = 0;
	if (!error)
		error = to_member(file, &member);
	while (!error && member && *ret_count < limit) {
		struct object_head_member *head = &ret[*ret_count];
		bool present = false;
		*head = (struct object_head_member){0};
		error = die_name(file, member, &head->name);
		if (!error)
			error = die_member_offset(file, member, &present, &head->offset);
		if (!error)
			error = die_next(file, &member);
		if (!error)
			error = to_member(file, &member);
		++*ret_count;
	}
	return error;
}

/** The head's pointer to something other than a neighbour leads to the object's type. */
static struct error *type_tag_find(struct object_base *base, struct Dwarf_Die_s *type)
{
	_cleanup_die_ struct Dwarf_Die_s *member = NULL;
	const struct die_file *file = base->index->file;
	struct error *error = die_child(file, type, &member);

	while (!error && member && !base->type_tag) {
		_cleanup_die_ struct Dwarf_Die_s *target = NULL;
		const char *tag_name = NULL;
		unsigned tag = 0;
		error = die_follow(file, member, DIE_AT_TYPE, &target);
		if (!error)
			error = type_view_strip(base->index, &target, &tag);
		if (!error && target && tag == DIE_TAG_POINTER) {
			error = type_view_step(base->index, &target);
			if (!error)
				error = type_view_strip(base->index, &target, &tag);
			if (!error && target && tag == DIE_TAG_STRUCTURE)
				error = die_name(file, target, &tag_name);
		}
		if (tag_name && (!base->tag || strcmp(tag_name, base->tag) != 0))
			base->type_tag = tag_name;
		if (!error)
			error = die_next(file, &member);
	}
	return error;
}

struct error *object_base_set(struct object_base *base, struct dwarf_index *index, const char *name)
{
	_cleanup_die_ struct Dwarf_Die_s *type = NULL;
	struct object_base made = {.index = index};
	int64_t bytes = 0;
	unsigned tag = 0;
	bool present = false;

	if (base->name && strcmp(base->name, name) == 0)
		return NULL;
	object_base_deinit(base);
	struct error *error = dwarf_index_type(index, name, &type);
	if (!error)
		error = type_view_strip(index, &type, &tag);
	if (!error && type && tag == DIE_TAG_STRUCTURE) {
		error = die_name(index->file, type, &made.tag);
		if (!error)
			error = die_number(index->file, type, DIE_AT_BYTE_SIZE, &present, &bytes);
		if (!error)
			error = head_read(index->file, type, OBJECT_HEAD_MEMBERS_MAX, made.head,
					  &made.head_count);
	}
	if (error)
		return error;
	made.bytes = present && bytes > 0 ? (uint64_t)bytes : 0;
	made.name = strdup(name);
	if (!made.name)
		return error_no_memory();
	*base = made;
	return type ? type_tag_find(base, type) : NULL;
}

/**
 * Moves *@a type to the struct or union that it is (its definition), NULL when it is none.
 * *@a ret_name is the first name on the way; *@a is_base whether any is that of the base.
 */
static struct error *to_struct(struct object_base *base, struct Dwarf_Die_s **type,
			       const char **ret_name, bool *is_base)
{
	const struct die_file *file = base->index->file;
	const char *tag_name = NULL;
	unsigned tag = 0;

	*ret_name = NULL;
	*is_base = false;
	for (int i = 0; *type && i < TYPE_CHAIN_LIMIT; i++) {
		const char *name = NULL;
		struct error *error = die_tag(file, *type, &tag);
		if (!error && tag == DIE_TAG_TYPEDEF)
			error = die_name(file, *type, &name);
		if (error)
			return error;
		if (name && !*ret_name)
			*ret_name = name;
		if (name && strcmp(name, base->name) == 0)
			*is_base = true;
		// The rest is qualifiers, which have no names.
		if (tag != DIE_TAG_TYPEDEF && tag != DIE_TAG_CONST && tag != DIE_TAG_VOLATILE &&
		    tag != DIE_TAG_RESTRICT && tag != DIE_TAG_ATOMIC)
			break;
		error = type_view_step(base->index, type);
		if (error)
			return error;
	}
	struct error *error = type_view_strip(base->index, type, &tag);
	if (error || !*type)
		return error;
	if (!type_view_is_struct(tag)) {
		die_free(take_ptr(*type));
		return NULL;
	}
	error = die_name(file, *type, &tag_name);
	if (!*ret_name)
		*ret_name = tag_name;
	if (tag_name && base->tag && strcmp(tag_name, base->tag) == 0)
		*is_base = true;
	return error;
}

/** Whether the first members of @a type are those of the base, as PyObject_HEAD made them. */
static struct error *has_same_head(struct object_base *base, struct Dwarf_Die_s *type, bool *ret)
{
	struct object_head_member head[OBJECT_HEAD_MEMBERS_MAX];
	size_t count = 0;
	struct error *error = head_read(base->index->file, type, base->head_count, head, &count);

	*ret = !error && count > 0 && count == base->head_count;
	for (size_t i = 0; *ret && i < count; i++)
		*ret = head[i].name && base->head[i].name &&
		       strcmp(head[i].name, base->head[i].name) == 0 &&
		       head[i].offset == base->head[i].offset;
	return error;
}

/** Replaces *@a type by a handle to the type of its first member, NULL when that is no struct or
 *  union; *@a is_base whether it is the base. */
static struct error *to_first_member(struct object_base *base, struct Dwarf_Die_s **type,
				     bool *is_base)
{
	_cleanup_die_ struct Dwarf_Die_s *member = NULL;
	struct Dwarf_Die_s *first = NULL;
	const char *name = NULL;
	struct error *error = die_child(base->index->file, *type, &member);

	if (!error)
		error = to_member(base->index->file, &member);
	if (!error && member)
		error = die_follow(base->index->file, member, DIE_AT_TYPE, &first);
	die_free(*type);
	*type = first;
	return error ? error : to_struct(base, type, &name, is_base);
}

static struct error *begins_with_base(struct object_base *base, struct Dwarf_Die_s *type, bool *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *head = NULL;
	struct error *error = die_copy(base->index->file, type, &head);

	*ret = false;
	for (int i = 0; !error && head && !*ret && i < HEADS_LIMIT; i++) {
		error = has_same_head(base, head, ret);
		if (!error && !*ret)
			error = to_first_member(base, &head, ret);
	}
	return error;
}

struct error *object_struct_is_type(struct object_base *base, struct Dwarf_Die_s *type, bool *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *head = NULL;
	struct error *error = die_copy(base->index->file, type, &head);

	*ret = false;
	for (int i = 0; !error && head && base->type_tag && i < HEADS_LIMIT; i++) {
		const char *name = NULL;
		bool is_base = false;
		error = die_name(base->index->file, head, &name);
		*ret = name && strcmp(name, base->type_tag) == 0;
		if (error || *ret)
			return error;
		error = to_first_member(base, &head, &is_base);
	}
	return error;
}

struct error *object_struct_is_head(struct object_base *base, struct Dwarf_Die_s *type, bool *ret)
{
	// One more than the base written out may have.
	struct object_head_member head[OBJECT_HEAD_MEMBERS_MAX + 2];
	size_t count = 0;
	struct error *error = head_read(base->index->file, type, ARRAY_COUNT(head), head, &count);

	*ret = !error && count > 0 && count < ARRAY_COUNT(head) && head[count - 1].name &&
	       strcmp(head[count - 1].name, "ob_size") == 0;
	return error;
}

struct error *object_struct_of(struct object_base *base, struct Dwarf_Die_s **type,
			       struct object_struct *ret)
{
	const char *name = NULL;
	int64_t bytes = 0;
	bool begins = false, present = false;

	*ret = (struct object_struct){0};
	if (base->bytes == 0)
		return NULL;
	struct error *error = to_struct(base, type, &name, &begins);
	if (!error && *type && !begins)
		error = begins_with_base(base, *type, &begins);
	// The base itself is one whether or not its definition is at hand.
	if (!error && *type)
		error = die_number(base->index->file, *type, DIE_AT_BYTE_SIZE, &present, &bytes);
	if (error || !begins || !*type)
		return error;
	*ret = (struct object_struct){
		.type = take_ptr(*type),
		.name = name,
		.bytes = present && bytes > 0 ? (uint64_t)bytes : 0,
	};
	return NULL;
}

struct error *object_struct_pointed_to(struct object_base *base, struct Dwarf_Die_s **type,
				       struct object_struct *ret)
{
	unsigned tag = 0;
	struct error *error = type_view_strip(base->index, type, &tag);

	*ret = (struct object_struct){0};
	if (error || !*type || tag != DIE_TAG_POINTER)
		return error;
	error = type_view_step(base->index, type);
	return error || !*type ? error : object_struct_of(base, type, ret);
}
