// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/type_view.h"

#include "base/cleanup.h"

enum {
	// typedef of const of typedef ...; C code has five or six.
	TYPE_CHAIN_LIMIT = 64,
	ARRAY_DIMENSIONS_LIMIT = 8,
};

struct dimensions {
	unsigned count;
	/** Elements; 0 for a flexible array. */
	uint64_t length[ARRAY_DIMENSIONS_LIMIT];
};

void type_view_cleanup(struct type_view *view)
{
	die_free(view->die);
}

struct error *type_view_step(struct dwarf_index *index, struct Dwarf_Die_s **die)
{
	struct Dwarf_Die_s *next = NULL;
	struct error *error = die_follow(index->file, *die, DIE_AT_TYPE, &next);

	if (!error && !next)
		error = die_follow(index->file, *die, DIE_AT_SIGNATURE, &next);
	if (error)
		return error;
	die_free(*die);
	*die = next;
	return NULL;
}

static bool tag_is_alias(unsigned tag)
{
	switch (tag) {
	case DIE_TAG_TYPEDEF:
	case DIE_TAG_CONST:
	case DIE_TAG_VOLATILE:
	case DIE_TAG_RESTRICT:
	case DIE_TAG_ATOMIC:
	case DIE_TAG_PACKED:
	case DIE_TAG_IMMUTABLE:
		return true;
	default:
		return false;
	}
}

bool type_view_is_struct(unsigned tag)
{
	return tag == DIE_TAG_STRUCTURE || tag == DIE_TAG_UNION;
}

// A declaration is as good as its definition elsewhere in the file; without one it stays.
static struct error *declaration_complete(struct dwarf_index *index, struct Dwarf_Die_s **die)
{
	struct Dwarf_Die_s *whole = NULL;
	const char *name = NULL;
	bool declaration = false;
	// GCC does not call it a declaration when the definition is in a type unit.
	struct error *error = die_follow(index->file, *die, DIE_AT_SIGNATURE, &whole);

	if (!error && !whole)
		error = die_has(index->file, *die, DIE_AT_DECLARATION, &declaration);
	if (!error && declaration)
		error = die_name(index->file, *die, &name);
	if (!error && name)
		error = dwarf_index_tag(index, name, &whole);
	if (error || !whole)
		return error;
	die_free(*die);
	*die = whole;
	return NULL;
}

struct error *type_view_strip(struct dwarf_index *index, struct Dwarf_Die_s **die,
			      unsigned *ret_tag)
{
	*ret_tag = 0;
	for (int i = 0; *die; i++) {
		struct error *error = die_tag(index->file, *die, ret_tag);
		if (error)
			return error;
		if (type_view_is_struct(*ret_tag) || *ret_tag == DIE_TAG_ENUMERATION)
			return declaration_complete(index, die);
		if (!tag_is_alias(*ret_tag))
			return NULL;
		if (i >= TYPE_CHAIN_LIMIT)
			return die_file_damaged(index->file, "a chain of types does not end");
		error = type_view_step(index, die);
		if (error)
			return error;
	}
	return NULL;
}

/** Elements of one dimension, 0 for a flexible array. */
static struct error *subrange_length(struct dwarf_index *index, struct Dwarf_Die_s *subrange,
				     uint64_t *ret)
{
	int64_t number = 0;
	bool present = false;
	struct error *error = die_number(index->file, subrange, DIE_AT_COUNT, &present, &number);

	if (!error && !present) {
		error = die_number(index->file, subrange, DIE_AT_UPPER_BOUND, &present, &number);
		// int a[0], which GNU C has as a flexible array, may come with an upper bound of
		// -1, in 4 or 8 bytes.
		number = !present || number == UINT32_MAX ? 0 : number + 1;
	}
	if (error)
		return error;
	if (number < 0 || number > UINT32_MAX)
		return die_file_damaged(index->file, "an array is too long");
	*ret = (uint64_t)number;
	return NULL;
}

static struct error *dimensions_read(struct dwarf_index *index, struct Dwarf_Die_s *array,
				     struct dimensions *ret)
{
	_cleanup_die_ struct Dwarf_Die_s *child = NULL;
	struct error *error = die_child(index->file, array, &child);

	*ret = (struct dimensions){0};
	while (!error && child) {
		unsigned tag = 0;
		error = die_tag(index->file, child, &tag);
		if (!error && tag == DIE_TAG_SUBRANGE) {
			if (ret->count == ARRAY_DIMENSIONS_LIMIT)
				return die_file_damaged(index->file, "too many dimensions");
			error = subrange_length(index, child, &ret->length[ret->count++]);
		}
		if (!error)
			error = die_next(index->file, &child);
	}
	if (!error && ret->count == 0)
		ret->count = 1;
	return error;
}

struct error *type_view_array_count(struct dwarf_index *index, struct Dwarf_Die_s *array,
				    uint64_t *ret)
{
	struct dimensions dimensions;
	struct error *error = dimensions_read(index, array, &dimensions);

	*ret = 1;
	for (unsigned d = 0; !error && d < dimensions.count; d++)
		if (__builtin_mul_overflow(*ret, dimensions.length[d], ret))
			return die_file_damaged(index->file, "an array is too long");
	return error;
}

static struct error *byte_size(struct dwarf_index *index, struct Dwarf_Die_s *die, unsigned tag,
			       bool *present, uint64_t *ret)
{
	int64_t number = 0;
	unsigned address_bytes = 0;
	struct error *error = die_number(index->file, die, DIE_AT_BYTE_SIZE, present, &number);

	*ret = (uint64_t)number;
	if (error || *present)
		return error;
	if (tag == DIE_TAG_POINTER || tag == DIE_TAG_REFERENCE) {
		error = die_address_bytes(index->file, die, &address_bytes);
		*present = !error;
		*ret = address_bytes;
	}
	return error;
}

/** Size of what is left of @a view, which is used up; absent for void, functions,
 *  incomplete types. */
struct error *type_view_bytes(struct dwarf_index *index, struct type_view *view, bool *present,
			      uint64_t *ret)
{
	uint64_t times = 1, bytes = 0;

	*present = false;
	for (int i = 0; i < TYPE_CHAIN_LIMIT; i++) {
		struct dimensions dimensions;
		unsigned tag = 0;
		struct error *error = type_view_strip(index, &view->die, &tag);
		if (error || !view->die)
			return error;
		if (tag != DIE_TAG_ARRAY) {
			error = byte_size(index, view->die, tag, present, &bytes);
			if (!error && *present && __builtin_mul_overflow(bytes, times, ret))
				return die_file_damaged(index->file, "a type is too large");
			return error;
		}
		error = dimensions_read(index, view->die, &dimensions);
		if (!error)
			error = type_view_step(index, &view->die);
		if (error)
			return error;
		for (unsigned d = view->dimension; d < dimensions.count; d++)
			if (__builtin_mul_overflow(times, dimensions.length[d], &times))
				return die_file_damaged(index->file, "an array is too long");
		view->dimension = 0;
	}
	return die_file_damaged(index->file, "a chain of types does not end");
}

static enum layout_kind encoding_kind(int64_t encoding)
{
	switch (encoding) {
	case DIE_ENCODING_FLOAT:
		return LAYOUT_FLOAT;
	case DIE_ENCODING_SIGNED:
	case DIE_ENCODING_SIGNED_CHAR:
		return LAYOUT_SIGNED;
	case DIE_ENCODING_COMPLEX_FLOAT:
		return LAYOUT_OTHER;
	default:
		return LAYOUT_UNSIGNED;
	}
}

static struct error *type_kind(struct dwarf_index *index, struct Dwarf_Die_s *die, unsigned tag,
			       enum layout_kind *ret)
{
	int64_t encoding = 0;
	bool present = false;
	struct error *error;

	switch (tag) {
	case DIE_TAG_STRUCTURE:
	case DIE_TAG_UNION:
		*ret = LAYOUT_STRUCT;
		return NULL;
	case DIE_TAG_ARRAY:
		*ret = LAYOUT_ARRAY;
		return NULL;
	case DIE_TAG_POINTER:
	case DIE_TAG_REFERENCE:
		*ret = LAYOUT_POINTER;
		return NULL;
	case DIE_TAG_ENUMERATION:
	case DIE_TAG_BASE_TYPE:
		// An enum has an encoding of its own since GCC 8; without one C takes unsigned int
		// unless a value is negative.
		error = die_number(index->file, die, DIE_AT_ENCODING, &present, &encoding);
		*ret = encoding_kind(encoding);
		return error;
	default:
		*ret = LAYOUT_OTHER;
		return NULL;
	}
}

/** @a view is used up. */
struct error *type_view_describe(struct dwarf_index *index, struct type_view *view, bool *present,
				 struct type_view_description *ret)
{
	struct dimensions dimensions;
	unsigned tag = 0;
	struct error *error = type_view_strip(index, &view->die, &tag);

	*ret = (struct type_view_description){.kind = LAYOUT_OTHER};
	*present = view->die != NULL;
	if (error || !view->die)
		return error;
	error = type_kind(index, view->die, tag, &ret->kind);
	if (!error && tag == DIE_TAG_ARRAY) {
		error = dimensions_read(index, view->die, &dimensions);
		if (!error && view->dimension < dimensions.count)
			ret->element_count = dimensions.length[view->dimension];
	}
	return error ? error : type_view_bytes(index, view, present, &ret->bytes);
}

/** Moves @a view to its element @a index; *@a present false when it is no array or has no such. */
struct error *type_view_to_element(struct dwarf_index *index, struct type_view *view,
				   uint32_t number, bool *present, uint64_t *offset)
{
	struct dimensions dimensions;
	unsigned tag = 0;
	uint64_t stride = 0, distance = 0;
	struct error *error = type_view_strip(index, &view->die, &tag);

	*present = false;
	if (error || !view->die || tag != DIE_TAG_ARRAY)
		return error;
	error = dimensions_read(index, view->die, &dimensions);
	if (error)
		return error;
	unsigned d = view->dimension;
	// Any element of a flexible array is as good as another.
	if (dimensions.length[d] && number >= dimensions.length[d])
		return NULL;
	view->dimension++;
	if (view->dimension == dimensions.count) {
		error = type_view_step(index, &view->die);
		view->dimension = 0;
		if (error)
			return error;
	}
	_cleanup_view_ struct type_view copy = {.dimension = view->dimension};
	error = die_copy(index->file, view->die, &copy.die);
	if (!error)
		error = type_view_bytes(index, &copy, present, &stride);
	if (error || !*present)
		return error;
	if (__builtin_mul_overflow(stride, number, &distance) ||
	    __builtin_add_overflow(*offset, distance, offset))
		return die_file_damaged(index->file, "an array is too long");
	return NULL;
}
