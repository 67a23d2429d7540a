/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_CODE_INDEX_H
#define DEBUG_CODE_INDEX_H

/*
 * Addresses to functions: which top-level subprogram has the code at an address. What the units say
 * of their own code leads to the unit; of a unit the functions are read once, when first asked for.
 * (.debug_aranges would lead to it as well, but clang does not write it.)
 */

#include "debug/die.h"

struct code_unit;
struct code_function;
struct code_place;

struct code_index {
	/** Not owned. */
	const struct die_file *file;
	/** In address order: the code of all units. */
	struct code_place *places;
	size_t place_count;
	/** One for each unit of the file; NULL until the first question. */
	struct code_unit *units;
	/** The functions of a unit stand together, in address order. */
	struct code_function *functions;
	size_t function_count;
	size_t function_capacity;
	/** Why reading stopped for good. */
	struct error *damage;
};

/** With @a file set and the rest zero the index is empty and valid. */
void code_index_deinit(struct code_index *index);

/** The subprogram with code at @a address (of the ELF file): the concrete one where there are an
 *  abstract and a concrete one. The caller frees *@a ret, NULL when there is none. */
MUST_USE struct error *code_index_function(struct code_index *index, addr_t address,
					   struct Dwarf_Die_s **ret);

#endif
