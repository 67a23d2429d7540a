/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_LAYOUT_H
#define DEBUG_LAYOUT_H

/*
 * SEAM 2: where a struct's members lie and where a variable is, whoever knows it: DWARF, a saved
 * layout, in tests a table. "Absent" (that version has no such member) is an answer and not an
 * error; errors are debug information that cannot be read.
 *
 * Not thread-safe: layouts are filled before any walk begins.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum layout_kind {
	LAYOUT_UNSIGNED,
	LAYOUT_SIGNED,
	LAYOUT_POINTER,
	LAYOUT_FLOAT,
	LAYOUT_STRUCT, /* or union */
	LAYOUT_ARRAY,
	LAYOUT_OTHER,
};

struct layout_member {
	/** From the start of the type that was asked about, in bytes. */
	uint32_t offset_bytes;
	/** Of the member; of the whole array for an array. */
	uint32_t size_bytes;
	/** A bit-field occupies `bit_count` bits from bit `bit_offset` (counted from the least
	 *  significant bit of the little-endian word at `offset_bytes`); bit_count is
	 *  0 otherwise. */
	uint8_t bit_offset;
	uint8_t bit_count;
	enum layout_kind kind;
	/** Elements of an array, 0 if not an array or of unknown length. */
	uint32_t element_count;
};

struct layout_variable {
	/** As in the ELF file, before relocation. */
	addr_t address;
	uint32_t size_bytes;
	enum layout_kind kind;
};

/** See debug/object_members.h, which tells what is answered. */
struct layout_object {
	/** Address in the ELF file of a function that works on it; 0 to ask by name. */
	addr_t function;
	/** The struct's or typedef's, NULL when there is a function. */
	const char *name;
	const char *base;
	/** 0 when asked by name. */
	uint64_t size_bytes;
};

struct object_members;
struct layout_source;

struct layout_source_ops {
	struct error *(*type_size)(struct layout_source *source, const char *type, bool *present,
				   uint64_t *ret);
	struct error *(*member)(struct layout_source *source, const char *type, const char *path,
				bool *present, struct layout_member *ret);
	struct error *(*variable)(struct layout_source *source, const char *name, const char *type,
				  bool *present, struct layout_variable *ret);
	void (*destroy)(struct layout_source *source);
	/** NULL: all are absent. */
	struct error *(*object)(struct layout_source *source, const struct layout_object *object,
				bool *present, const struct object_members **ret);
};

/** Implementations embed this as their first member. */
struct layout_source {
	const struct layout_source_ops *ops;
	/** What it is and whence, for messages ("DWARF of /usr/lib/debug/..."); owned by the
	 *  source. */
	const char *origin;
};

/** Size in bytes of @a type: a typedef's name, or a struct's or union's tag, no "struct " before
 *  it. */
MUST_USE static inline struct error *
layout_type_size(struct layout_source *source, const char *type, bool *present, uint64_t *ret)
{
	return source->ops->type_size(source, type, present, ret);
}

/**
 * The member at the dotted @a path within @a type: "ob_base.ob_type", "gc.generations[0].head".
 * Typedefs, qualifiers (const, volatile, restrict, atomic) and anonymous structs and unions are
 * looked through; pointers are not followed. An element beyond an array's declared length is
 * absent; a flexible array (`[]` or `[0]`) has every element. A path that is none is ERROR_USAGE.
 */
MUST_USE static inline struct error *layout_member(struct layout_source *source, const char *type,
						   const char *path, bool *present,
						   struct layout_member *ret)
{
	return source->ops->member(source, type, path, present, ret);
}

/**
 * The static or global variable @a name. Where several share it, @a type decides: the name of the
 * typedef or tag that the variable has, points to, or is an array of. NULL takes the first. One
 * without an address of its own (thread-local, optimised away) is absent.
 */
MUST_USE static inline struct error *layout_variable(struct layout_source *source, const char *name,
						     const char *type, bool *present,
						     struct layout_variable *ret)
{
	return source->ops->variable(source, name, type, present, ret);
}

/** The struct of @a object and its members that point to others. It lives as long as @a source. */
MUST_USE static inline struct error *layout_object(struct layout_source *source,
						   const struct layout_object *object,
						   bool *present, const struct object_members **ret)
{
	*present = false;
	return source->ops->object ? source->ops->object(source, object, present, ret) : NULL;
}

/** Takes NULL. */
static inline void layout_source_destroy(struct layout_source *source)
{
	if (source)
		source->ops->destroy(source);
}

#endif
