// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/function_scope.h"

#include "base/cleanup.h"
#include "debug/dwarf_index.h"

struct scope {
	/** In .debug_info, where all code is described. */
	uint64_t at;
	unsigned depth;
};

/** The source file of a function: its number in the tables of the unit. */
struct home {
	uint64_t unit_at;
	int64_t file;
};

/** A queue: each scope once, whichever way it was come to. */
struct scopes {
	const struct die_file *file;
	struct scope list[SCOPES_LIMIT];
	size_t count;
	size_t variable_count;
	/** Of the function that was asked about. */
	struct home home;
};

static struct error *scope_add(struct scopes *scopes, struct Dwarf_Die_s *die, unsigned depth)
{
	uint64_t at = 0;
	bool in_info = false;
	struct error *error = die_offset(scopes->file, die, &at, &in_info);

	if (error || !in_info || depth > SCOPE_DEPTH_LIMIT || scopes->count == SCOPES_LIMIT)
		return error;
	for (size_t i = 0; i < scopes->count; i++)
		if (scopes->list[i].at == at)
			return NULL;
	scopes->list[scopes->count++] = (struct scope){at, depth};
	return NULL;
}

/** The type of @a variable, or that of its origin; *@a ret is NULL when neither has one. */
static struct error *variable_type(const struct die_file *file, struct Dwarf_Die_s *variable,
				   struct Dwarf_Die_s **ret)
{
	_cleanup_die_ struct Dwarf_Die_s *origin = NULL;
	struct error *error = die_follow(file, variable, DIE_AT_TYPE, ret);

	for (int i = 0; !error && !*ret && i < ORIGIN_STEPS_LIMIT; i++) {
		struct Dwarf_Die_s *next = NULL;
		error = dwarf_index_origin(file, origin ? origin : variable, &next);
		if (error || !next)
			return error;
		die_free(origin);
		origin = next;
		error = die_follow(file, origin, DIE_AT_TYPE, ret);
	}
	return error;
}

/** Where the definition of @a function (or of what is inlined) stands; file 0 when nobody says. */
static struct error *home_of(const struct die_file *file, struct Dwarf_Die_s *function,
			     struct home *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *die = NULL;
	struct error *error = die_copy(file, function, &die);

	*ret = (struct home){0};
	for (int i = 0; !error && i < ORIGIN_STEPS_LIMIT; i++) {
		struct Dwarf_Die_s *next = NULL;
		bool present = false;
		error = die_number(file, die, DIE_AT_DECL_FILE, &present, &ret->file);
		if (!error && present)
			return die_unit_offset(file, die, &ret->unit_at);
		if (!error)
			error = dwarf_index_origin(file, die, &next);
		if (error || !next)
			return error;
		die_free(die);
		die = next;
	}
	return error;
}

static struct error *inlined_add(struct scopes *scopes, struct Dwarf_Die_s *die, unsigned depth)
{
	struct home home;
	struct error *error = home_of(scopes->file, die, &home);

	if (error || home.unit_at != scopes->home.unit_at || home.file != scopes->home.file)
		return error;
	return scope_add(scopes, die, depth);
}

static struct error *child_look(struct scopes *scopes, struct Dwarf_Die_s *die, unsigned depth,
				const struct function_scope_visitor *visitor)
{
	_cleanup_die_ struct Dwarf_Die_s *type = NULL;
	unsigned tag = 0;
	struct error *error = die_tag(scopes->file, die, &tag);

	if (error)
		return error;
	switch (tag) {
	case DIE_TAG_BLOCK:
		return scope_add(scopes, die, depth + 1);
	case DIE_TAG_INLINED:
		return inlined_add(scopes, die, depth + 1);
	case DIE_TAG_PARAMETER:
	case DIE_TAG_VARIABLE:
		if (++scopes->variable_count > SCOPE_VARIABLES_LIMIT)
			return NULL;
		error = variable_type(scopes->file, die, &type);
		return error || !type ? error : visitor->variable(visitor->context, &type);
	default:
		return NULL;
	}
}

static struct error *scope_walk(struct scopes *scopes, const struct scope *scope,
				const struct function_scope_visitor *visitor)
{
	_cleanup_die_ struct Dwarf_Die_s *die = NULL;
	_cleanup_die_ struct Dwarf_Die_s *origin = NULL;
	_cleanup_die_ struct Dwarf_Die_s *child = NULL;
	struct error *error = die_at(scopes->file, scope->at, true, &die);

	if (!error)
		error = dwarf_index_origin(scopes->file, die, &origin);
	if (!error && origin)
		error = scope_add(scopes, origin, scope->depth);
	if (!error)
		error = die_child(scopes->file, die, &child);
	while (!error && child) {
		error = child_look(scopes, child, scope->depth, visitor);
		if (!error)
			error = die_next(scopes->file, &child);
	}
	return error;
}

struct error *function_scope_walk(const struct die_file *file, struct Dwarf_Die_s *function,
				  const struct function_scope_visitor *visitor)
{
	struct scopes scopes = {.file = file};
	struct error *error = home_of(file, function, &scopes.home);

	if (!error)
		error = scope_add(&scopes, function, 0);

	for (size_t i = 0; !error && i < scopes.count; i++) {
		const struct scope scope = scopes.list[i];
		error = scope_walk(&scopes, &scope, visitor);
	}
	return error;
}
