/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_DIE_H
#define DEBUG_DIE_H

/*
 * The tree of debugging information entries (DIEs) of one file: units, children, attributes. die.c
 * is the only file that includes libdwarf, and hides how its versions differ. What the entries mean
 * is dwarf_types.c's business. What needs no libdwarf is in die_value.c.
 *
 * Strings live as long as the file is open.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** DWARF 5, table 7.3; those that are asked about. */
enum die_tag {
	DIE_TAG_ARRAY = 0x01,
	DIE_TAG_ENUMERATION = 0x04,
	DIE_TAG_PARAMETER = 0x05,
	DIE_TAG_BLOCK = 0x0b,
	DIE_TAG_MEMBER = 0x0d,
	DIE_TAG_POINTER = 0x0f,
	DIE_TAG_REFERENCE = 0x10,
	DIE_TAG_STRUCTURE = 0x13,
	DIE_TAG_TYPEDEF = 0x16,
	DIE_TAG_UNION = 0x17,
	DIE_TAG_INLINED = 0x1d,
	DIE_TAG_SUBRANGE = 0x21,
	DIE_TAG_BASE_TYPE = 0x24,
	DIE_TAG_CONST = 0x26,
	DIE_TAG_PACKED = 0x2d,
	DIE_TAG_SUBPROGRAM = 0x2e,
	DIE_TAG_VARIABLE = 0x34,
	DIE_TAG_VOLATILE = 0x35,
	DIE_TAG_RESTRICT = 0x37,
	DIE_TAG_ATOMIC = 0x47,
	DIE_TAG_IMMUTABLE = 0x4b,
};

/** DWARF 5, table 7.5. */
enum die_attribute {
	DIE_AT_LOCATION = 0x02,
	DIE_AT_BYTE_SIZE = 0x0b,
	DIE_AT_BIT_OFFSET = 0x0c,
	DIE_AT_BIT_SIZE = 0x0d,
	DIE_AT_UPPER_BOUND = 0x2f,
	DIE_AT_ABSTRACT_ORIGIN = 0x31,
	DIE_AT_COUNT = 0x37,
	DIE_AT_DATA_MEMBER_LOCATION = 0x38,
	DIE_AT_DECL_FILE = 0x3a,
	DIE_AT_DECLARATION = 0x3c,
	DIE_AT_ENCODING = 0x3e,
	DIE_AT_SPECIFICATION = 0x47,
	DIE_AT_TYPE = 0x49,
	DIE_AT_RANGES = 0x55,
	DIE_AT_SIGNATURE = 0x69,
	DIE_AT_DATA_BIT_OFFSET = 0x6b,
};

/** DWARF 5, table 7.11. */
enum die_encoding {
	DIE_ENCODING_FLOAT = 0x04,
	DIE_ENCODING_COMPLEX_FLOAT = 0x03,
	DIE_ENCODING_SIGNED = 0x05,
	DIE_ENCODING_SIGNED_CHAR = 0x06,
};

struct die_file;

/** One entry: libdwarf's own struct, which nobody else looks into. */
struct Dwarf_Die_s;

/** Takes NULL. */
void die_free(struct Dwarf_Die_s *die);
void die_cleanup(struct Dwarf_Die_s **die);
#define _cleanup_die_ CLEANUP(die_cleanup)

/**
 * Opens @a path and reads the headers of its units. ERROR_UNSUPPORTED when it is no ELF file, has
 * no DWARF, or only a skeleton whose entries are in .dwo files; ERROR_FAILED when it is damaged.
 */
MUST_USE struct error *die_file_open(const char *path, struct die_file **ret);
/** Takes NULL. Every die of the file must have been freed. */
void die_file_close(struct die_file *file);

const char *die_file_path(const struct die_file *file);

/** What die_file_open() refuses before libdwarf sees it. */
MUST_USE struct error *die_file_check(const char *path);

/** "The debug information in PATH is damaged or ... (@a what)". */
MUST_USE struct error *die_file_damaged(const struct die_file *file, const char *what);

/** Compile and partial units in the order of the file, then type units. */
size_t die_file_unit_count(const struct die_file *file);

/** The root of unit @a number; the caller frees it. */
MUST_USE struct error *die_file_unit(const struct die_file *file, size_t number,
				     struct Dwarf_Die_s **ret);

/** The entry at @a offset of .debug_info (or .debug_types); the caller frees it. */
MUST_USE struct error *die_at(const struct die_file *file, uint64_t offset, bool in_info,
			      struct Dwarf_Die_s **ret);

/** A second handle of @a die (NULL: NULL); the caller frees it. */
MUST_USE struct error *die_copy(const struct die_file *file, struct Dwarf_Die_s *die,
				struct Dwarf_Die_s **ret);

/** Where it is: the arguments of die_at(). */
MUST_USE struct error *die_offset(const struct die_file *file, struct Dwarf_Die_s *die,
				  uint64_t *ret, bool *ret_in_info);

/** Where the root of its unit is, in the same section. */
MUST_USE struct error *die_unit_offset(const struct die_file *file, struct Dwarf_Die_s *die,
				       uint64_t *ret);

/** An enum die_tag, or another one's number. */
MUST_USE struct error *die_tag(const struct die_file *file, struct Dwarf_Die_s *die, unsigned *ret);

/** DW_AT_name; *@a ret is NULL when it has none. */
MUST_USE struct error *die_name(const struct die_file *file, struct Dwarf_Die_s *die,
				const char **ret);

MUST_USE struct error *die_has(const struct die_file *file, struct Dwarf_Die_s *die,
			       enum die_attribute attribute, bool *ret);

/** A constant, data forms taken as unsigned; *@a present false when there is none or it is no
 *  constant (the bound of a variable-length array is an expression). */
MUST_USE struct error *die_number(const struct die_file *file, struct Dwarf_Die_s *die,
				  enum die_attribute attribute, bool *present, int64_t *ret);

/** Bytes of an expression, which are the file's; *@a ret is NULL when there is none, or a list in
 *  its place. */
MUST_USE struct error *die_expression(const struct die_file *file, struct Dwarf_Die_s *die,
				      enum die_attribute attribute, const unsigned char **ret,
				      size_t *ret_bytes);

/** Address @a number of those that the unit of @a die keeps in .debug_addr. */
MUST_USE struct error *die_indexed_address(const struct die_file *file, struct Dwarf_Die_s *die,
					   uint64_t number, addr_t *ret);

/**
 * An expression that is nothing but one address (DW_OP_addr, DW_OP_addrx), with a constant added or
 * not. *@a present false for all else: a location list, a register, a thread-local.
 */
MUST_USE struct error *die_address(const struct die_file *file, struct Dwarf_Die_s *die,
				   enum die_attribute attribute, bool *present, addr_t *ret);

/** An offset: a constant, or in DWARF 2 the expression DW_OP_plus_uconst. */
MUST_USE struct error *die_member_offset(const struct die_file *file, struct Dwarf_Die_s *die,
					 bool *present, uint64_t *ret);

/** Bytes of an address in the unit of @a die. */
MUST_USE struct error *die_address_bytes(const struct die_file *file, struct Dwarf_Die_s *die,
					 unsigned *ret);

/** Code from `start` on, ending before `end`: addresses of the ELF file. */
struct die_range {
	addr_t start;
	addr_t end;
};

/** Zero-initialised is empty and valid. */
struct die_ranges {
	struct die_range *list;
	size_t count;
	size_t capacity;
};

void die_ranges_deinit(struct die_ranges *ranges);
#define _cleanup_ranges_ CLEANUP(die_ranges_deinit)
/** An empty range is left out. */
MUST_USE struct error *die_ranges_add(const struct die_file *file, struct die_ranges *ranges,
				      addr_t start, addr_t end);

/** DW_AT_low_pc and where DW_AT_high_pc says that it ends (0 when it does not); *@a present false
 *  when there is no DW_AT_low_pc. */
MUST_USE struct error *die_low_pc(const struct die_file *file, struct Dwarf_Die_s *die,
				  bool *present, addr_t *ret, addr_t *ret_end);

/** Appends what DW_AT_ranges lists, if it is there. Before DWARF 5 a list counts from @a base, the
 *  DW_AT_low_pc of its unit. */
MUST_USE struct error *die_range_list(const struct die_file *file, struct Dwarf_Die_s *die,
				      addr_t base, struct die_ranges *into);

/** Appends all code of @a die, whichever way it is given. */
MUST_USE struct error *die_code_ranges(const struct die_file *file, struct Dwarf_Die_s *die,
				       addr_t base, struct die_ranges *into);

/** The entry that a reference leads to, in whichever unit; *@a ret is NULL when there is no such
 *  attribute. The caller frees it. */
MUST_USE struct error *die_follow(const struct die_file *file, struct Dwarf_Die_s *die,
				  enum die_attribute attribute, struct Dwarf_Die_s **ret);

/** The first child; *@a ret is NULL when there is none. The caller frees it. */
MUST_USE struct error *die_child(const struct die_file *file, struct Dwarf_Die_s *die,
				 struct Dwarf_Die_s **ret);

/** Frees *@a die and replaces it by its next sibling, NULL after the last. Siblings go forward in
 *  the file, so that a loop over them ends whatever the file says. */
MUST_USE struct error *die_next(const struct die_file *file, struct Dwarf_Die_s **die);

#endif
