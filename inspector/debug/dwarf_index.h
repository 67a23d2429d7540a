/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_DWARF_INDEX_H
#define DEBUG_DWARF_INDEX_H

/*
 * Names to DIEs: the top-level types and variables of all units, indexed unit by unit until a name
 * is found. So an answer does not depend on what was asked before: it is always the one of the
 * first unit, in the order of the file, that has one.
 */

#include "debug/die.h"
#include "debug/name_index.h"

struct dwarf_index {
	/** Not owned. */
	const struct die_file *file;
	struct name_index names;
	size_t units_done;
	/** Why indexing stopped for good. */
	struct error *damage;
};

/** With @a file set and the rest zero the index is empty and valid. */
void dwarf_index_deinit(struct dwarf_index *index);

/** The typedef or completely defined tag @a name; of both in one unit the typedef. The caller frees
 *  *@a ret, which is NULL when there is none. */
MUST_USE struct error *dwarf_index_type(struct dwarf_index *index, const char *name,
					struct Dwarf_Die_s **ret);

/** The completely defined tag @a name, as above. */
MUST_USE struct error *dwarf_index_tag(struct dwarf_index *index, const char *name,
				       struct Dwarf_Die_s **ret);

/** The next variable @a name that has a location, as above; *@a cursor is 0 at first. */
MUST_USE struct error *dwarf_index_variable(struct dwarf_index *index, const char *name,
					    size_t *cursor, struct Dwarf_Die_s **ret);

/** The function @a name, as above, if no other has its name; all units are read for it. */
MUST_USE struct error *dwarf_index_function(struct dwarf_index *index, const char *name,
					    struct Dwarf_Die_s **ret);

enum {
	/** The definition, its declaration, and with LTO the abstract instance of either. */
	ORIGIN_STEPS_LIMIT = 4,
};

/** The DIE that has the name and type of variable @a die where it has none itself: with LTO, or
 *  when it was declared before it was defined. The caller frees *@a ret, NULL when there
 *  is none. */
MUST_USE struct error *dwarf_index_origin(const struct die_file *file, struct Dwarf_Die_s *die,
					  struct Dwarf_Die_s **ret);

#endif
