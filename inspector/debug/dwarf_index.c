// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/dwarf_index.h"

#include "base/cleanup.h"

void dwarf_index_deinit(struct dwarf_index *index)
{
	name_index_deinit(&index->names);
	error_destroy(index->damage);
	index->damage = NULL;
}

struct error *dwarf_index_origin(const struct die_file *file, struct Dwarf_Die_s *die,
				 struct Dwarf_Die_s **ret)
{
	struct error *error = die_follow(file, die, DIE_AT_ABSTRACT_ORIGIN, ret);

	return error || *ret ? error : die_follow(file, die, DIE_AT_SPECIFICATION, ret);
}

static struct error *origin_name(const struct die_file *file, struct Dwarf_Die_s *die,
				 const char **ret)
{
	_cleanup_die_ struct Dwarf_Die_s *origin = NULL;

	for (int step = 0; step < ORIGIN_STEPS_LIMIT; step++) {
		struct Dwarf_Die_s *from = origin ? origin : die, *next = NULL;
		struct error *error = dwarf_index_origin(file, from, &next);
		if (error || !next)
			return error;
		die_free(origin);
		origin = next;
		error = die_name(file, origin, ret);
		if (error || *ret)
			return error;
	}
	return NULL;
}

static struct error *defined_name(const struct die_file *file, struct Dwarf_Die_s *die,
				  const char **ret)
{
	bool declaration = false;
	struct error *error = die_name(file, die, ret);

	if (error || !*ret)
		return error;
	error = die_has(file, die, DIE_AT_DECLARATION, &declaration);
	if (declaration)
		*ret = NULL;
	return error;
}

static struct error *variable_name(const struct die_file *file, struct Dwarf_Die_s *die,
				   const char **ret)
{
	bool has_location = false;
	struct error *error = die_has(file, die, DIE_AT_LOCATION, &has_location);

	if (error || !has_location)
		return error;
	error = die_name(file, die, ret);
	return error || *ret ? error : origin_name(file, die, ret);
}

static struct error *index_die(struct dwarf_index *index, struct Dwarf_Die_s *die)
{
	struct name_entry entry = {.unit = (uint32_t)index->units_done};
	unsigned tag = 0;
	struct error *error = die_tag(index->file, die, &tag);

	if (error)
		return error;
	switch (tag) {
	case DIE_TAG_TYPEDEF:
		entry.kind = NAME_TYPEDEF;
		error = die_name(index->file, die, &entry.name);
		break;
	case DIE_TAG_STRUCTURE:
	case DIE_TAG_UNION:
	case DIE_TAG_ENUMERATION:
	case DIE_TAG_BASE_TYPE:
		entry.kind = NAME_TAG;
		error = defined_name(index->file, die, &entry.name);
		break;
	case DIE_TAG_SUBPROGRAM:
		entry.kind = NAME_FUNCTION;
		error = defined_name(index->file, die, &entry.name);
		break;
	case DIE_TAG_VARIABLE:
		entry.kind = NAME_VARIABLE;
		error = variable_name(index->file, die, &entry.name);
		break;
	default:
		return NULL;
	}
	if (error || !entry.name)
		return error;
	error = die_offset(index->file, die, &entry.offset, &entry.in_info);
	return error ? error : name_index_add(&index->names, entry);
}

static struct error *index_unit(struct dwarf_index *index)
{
	_cleanup_die_ struct Dwarf_Die_s *root = NULL;
	_cleanup_die_ struct Dwarf_Die_s *die = NULL;
	struct error *error = die_file_unit(index->file, index->units_done, &root);

	if (!error)
		error = die_child(index->file, root, &die);
	while (!error && die) {
		error = index_die(index, die);
		if (!error)
			error = die_next(index->file, &die);
	}
	index->units_done++;
	return error;
}

/** Indexes one more unit; *@a more is false when there was none. */
static struct error *index_more(struct dwarf_index *index, bool *more)
{
	// Going on behind damage would answer "absent" for what was not read.
	if (!index->damage) {
		*more = index->units_done < die_file_unit_count(index->file);
		if (!*more)
			return NULL;
		index->damage = index_unit(index);
		if (!index->damage)
			return NULL;
	}
	*more = false;
	return error_create(index->damage->code, "%s", index->damage->message);
}

static struct error *entry_open(const struct dwarf_index *index, const struct name_entry *entry,
				struct Dwarf_Die_s **ret)
{
	return die_at(index->file, entry->offset, entry->in_info, ret);
}

static const struct name_entry *entry_find(const struct dwarf_index *index, enum name_kind kind,
					   const char *name)
{
	size_t number = 0;
	bool found = name_index_find(&index->names, kind, name, 0, &number);

	return found ? &index->names.list[number] : NULL;
}

struct error *dwarf_index_type(struct dwarf_index *index, const char *name,
			       struct Dwarf_Die_s **ret)
{
	bool more = true;

	*ret = NULL;
	while (more) {
		const struct name_entry *alias = entry_find(index, NAME_TYPEDEF, name);
		const struct name_entry *tag = entry_find(index, NAME_TAG, name);
		if (alias && (!tag || alias->unit <= tag->unit))
			return entry_open(index, alias, ret);
		if (tag)
			return entry_open(index, tag, ret);
		struct error *error = index_more(index, &more);
		if (error)
			return error;
	}
	return NULL;
}

struct error *dwarf_index_tag(struct dwarf_index *index, const char *name, struct Dwarf_Die_s **ret)
{
	bool more = true;

	*ret = NULL;
	while (more) {
		const struct name_entry *tag = entry_find(index, NAME_TAG, name);
		if (tag)
			return entry_open(index, tag, ret);
		struct error *error = index_more(index, &more);
		if (error)
			return error;
	}
	return NULL;
}

struct error *dwarf_index_variable(struct dwarf_index *index, const char *name, size_t *cursor,
				   struct Dwarf_Die_s **ret)
{
	bool more = true;
	size_t number = 0;

	*ret = NULL;
	while (more) {
		if (name_index_find(&index->names, NAME_VARIABLE, name, *cursor, &number)) {
			*cursor = number + 1;
			return entry_open(index, &index->names.list[number], ret);
		}
		struct error *error = index_more(index, &more);
		if (error)
			return error;
	}
	return NULL;
}

struct error *dwarf_index_function(struct dwarf_index *index, const char *name,
				   struct Dwarf_Die_s **ret)
{
	size_t first = 0, second = 0;
	bool more = true;

	*ret = NULL;
	while (more) {
		struct error *error = index_more(index, &more);
		if (error)
			return error;
	}
	if (!name_index_find(&index->names, NAME_FUNCTION, name, 0, &first) ||
	    name_index_find(&index->names, NAME_FUNCTION, name, first + 1, &second))
		return NULL;
	return entry_open(index, &index->names.list[first], ret);
}
