/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_DWARF_OBJECTS_H
#define DEBUG_DWARF_OBJECTS_H

/*
 * The structs of objects from DWARF (debug/object_members.h tells what is asked): from the address
 * of a function to its entry (code_index), to the types of its variables (function_scope), to the
 * one that fits and its members (object_struct). dwarf_types.c's own.
 */

#include "debug/code_index.h"
#include "debug/elf_file.h"
#include "debug/object_answers.h"
#include "debug/object_struct.h"

/** With @a index and code.file set and the rest zero it is empty and valid. */
struct dwarf_objects {
	/** Not owned. */
	struct dwarf_index *index;
	struct code_index code;
	struct object_base base;
	/** For its symbols; NULL until needed. */
	struct elf_file *elf;
	/** What was answered. */
	struct object_answers answers;
};

void dwarf_objects_deinit(struct dwarf_objects *objects);

/** As layout_object(). */
MUST_USE struct error *dwarf_objects_find(struct dwarf_objects *objects,
					  const struct layout_object *object, bool *present,
					  const struct object_members **ret);

#endif
