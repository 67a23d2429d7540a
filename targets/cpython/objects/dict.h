/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_DICT_H
#define TARGETS_CPYTHON_OBJECTS_DICT_H

/*
 * Dicts of every version from the outside: the entries of one (split, combined, Python 2's single
 * table), and the bytes a dict owns beside its own struct. Reads through a window, so it is for the
 * few (a type's __dict__, sys) and, for the key table's header, for every dict of the heap.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"

/** More entries than any real dict has; a walk of a corrupt one ends here. */
static const uint64_t PY_DICT_ENTRIES_MAX = 1ULL << 32;

/** Entries that a search looks at: far more than a class or a module has. */
enum { PY_DICT_FIND_MAX = 1 << 20 };

struct py_dict_cursor {
	const struct py_layout *layout;
	struct mem_window *window;
	addr_t entry_at;
	/** Split dict: the next value's place; 0 when the value stands in the entry. */
	addr_t value_at;
	uint64_t left;
	uint32_t stride;
	uint32_t key_offset;
	uint32_t value_offset;
	/** Tells apart the kinds of key tables, whatever the number means in this version. */
	uint64_t kind;
	/** The values are those of an instance, which has them within itself (3.13). */
	bool embedded;
};

/** Begins at the first entry of the dict at @a dict_at; an unreadable one has none. */
void py_dict_begin(const struct py_layout *layout, struct mem_window *window, addr_t dict_at,
		   struct py_dict_cursor *ret);

/** Only the keys of a key table (of a class's instances, say): `value_offset` is meaningless. */
void py_dict_begin_keys(const struct py_layout *layout, struct mem_window *window, addr_t keys_at,
			struct py_dict_cursor *ret);

/** The next key and value, both addresses of objects; false at the end, or where an entry
 *  cannot be read. Empty slots are skipped. */
bool py_dict_next(struct py_dict_cursor *cursor, addr_t *ret_key, addr_t *ret_value);

/** The value under the string @a key (ASCII), 0 when there is none. Linear, and at
 *  most PY_DICT_FIND_MAX entries far: for small dicts. */
addr_t py_dict_find(const struct py_layout *layout, struct mem_window *window, addr_t dict_at,
		    const char *key);

/** Bytes that a dict's struct, copied to @a dict from @a dict_at, owns beside itself as dict.__sizeof__
 *  counts them; false when its key table cannot be read. */
bool py_dict_owned_bytes(const struct py_layout *layout, struct mem_window *window, addr_t dict_at,
			 const void *dict, uint64_t *ret);

/** The part of the key table at @a keys_at behind the entries in use, where anything may stand. */
void py_dict_keys_rest(const struct py_layout *layout, struct mem_window *window, addr_t keys_at,
		       addr_t *ret_start, addr_t *ret_end);

/** Bytes of the key table at @a keys_at, as _PyDict_KeysSize() has it; 0 when unreadable. */
uint64_t py_dict_keys_bytes(const struct py_layout *layout, struct mem_window *window,
			    addr_t keys_at);

#endif
