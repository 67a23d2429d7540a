// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/dict.h"

#include "targets/cpython/objects/string.h"

// A key table's header, as far as it is used.
struct keys_header {
	uint64_t refcnt;
	/** Slots of the hash index, and bytes of the index that stands before the entries. */
	uint64_t slot_count;
	uint64_t index_bytes;
	/** Entries that are or have been used, and those that still fit. */
	uint64_t entry_count;
	uint64_t usable;
	bool unicode_entries;
	uint64_t kind;
};

// The header ends where the indices begin.
static bool dict_read_keys(const struct py_layout *layout, struct mem_window *window,
			   addr_t keys_at, struct keys_header *ret)
{
	const void *keys = mem_window_at(window, keys_at, layout->f.keys_indices.offset);

	if (!keys)
		return false;
	ret->refcnt = py_get(keys, layout->f.keys_refcnt);
	ret->usable = py_get(keys, layout->f.keys_usable);
	ret->entry_count = py_get(keys, layout->f.keys_nentries);
	// Before 3.11 the function that searches the table tells its kind.
	ret->kind = layout->f.keys_kind.present     ? py_get(keys, layout->f.keys_kind)
		    : layout->f.keys_lookup.present ? py_get(keys, layout->f.keys_lookup)
						    : 0;
	ret->unicode_entries = layout->f.unicode_entry_key.present && layout->f.keys_kind.present &&
			       ret->kind != 0;
	if (layout->f.keys_log2_size.present) {
		uint64_t log2_size = py_get(keys, layout->f.keys_log2_size);
		uint64_t log2_index = py_get(keys, layout->f.keys_log2_index_bytes);
		if (log2_size > 40 || log2_index > 43)
			return false;
		ret->slot_count = 1ULL << log2_size;
		ret->index_bytes = 1ULL << log2_index;
	} else {
		// DK_IXSIZE() of Objects/dictobject.c: the narrowest signed integer that can
		// number the slots.
		ret->slot_count = py_get(keys, layout->f.keys_size);
		if (ret->slot_count > PY_DICT_ENTRIES_MAX)
			return false;
		uint64_t width = ret->slot_count <= 0xff         ? 1
				 : ret->slot_count <= 0xffff     ? 2
				 : ret->slot_count <= 0xffffffff ? 4
								 : 8;
		ret->index_bytes = ret->slot_count * width;
	}
	return true;
}

// USABLE_FRACTION() of Objects/dictobject.c, since 3.6.
static uint64_t dict_usable_fraction(uint64_t slot_count)
{
	return (slot_count << 1) / 3;
}

static uint32_t dict_entry_bytes(const struct py_layout *layout, const struct keys_header *keys)
{
	return keys->unicode_entries ? layout->size.unicode_entry : layout->size.entry;
}

void py_dict_begin(const struct py_layout *layout, struct mem_window *window, addr_t dict_at,
		   struct py_dict_cursor *ret)
{
	*ret = (struct py_dict_cursor){.layout = layout, .window = window};
	ret->key_offset = layout->f.entry_key.offset;
	ret->value_offset = layout->f.entry_value.offset;
	ret->stride = layout->size.entry;
	if (!layout->f.dict_keys.present) {
		uint64_t mask = mem_window_word(window, dict_at + layout->f.dict_mask.offset, 0);
		ret->entry_at = mem_window_word(window, dict_at + layout->f.dict_table.offset, 0);
		ret->left = mask < PY_DICT_ENTRIES_MAX ? mask + 1 : 0;
		return;
	}
	addr_t keys_at = mem_window_word(window, dict_at + layout->f.dict_keys.offset, 0);
	addr_t values_at = mem_window_word(window, dict_at + layout->f.dict_values.offset, 0);
	struct keys_header keys;
	if (!keys_at || !dict_read_keys(layout, window, keys_at, &keys))
		return;
	if (keys.unicode_entries) {
		ret->key_offset = layout->f.unicode_entry_key.offset;
		ret->value_offset = layout->f.unicode_entry_value.offset;
	}
	ret->stride = dict_entry_bytes(layout, &keys);
	ret->entry_at = keys_at + layout->f.keys_indices.offset + keys.index_bytes;
	ret->left = keys.entry_count < PY_DICT_ENTRIES_MAX ? keys.entry_count : 0;
	ret->kind = keys.kind;
	if (!values_at)
		return;
	ret->value_at = values_at + layout->f.values_values.offset;
	const void *values =
		layout->f.values_embedded.present
			? mem_window_at(window, values_at, layout->f.values_values.offset)
			: NULL;
	ret->embedded = values && py_get(values, layout->f.values_embedded);
}

void py_dict_begin_keys(const struct py_layout *layout, struct mem_window *window, addr_t keys_at,
			struct py_dict_cursor *ret)
{
	struct keys_header keys;

	*ret = (struct py_dict_cursor){.layout = layout, .window = window};
	if (!keys_at || !dict_read_keys(layout, window, keys_at, &keys))
		return;
	ret->kind = keys.kind;
	ret->key_offset = keys.unicode_entries ? layout->f.unicode_entry_key.offset
					       : layout->f.entry_key.offset;
	ret->stride = dict_entry_bytes(layout, &keys);
	ret->entry_at = keys_at + layout->f.keys_indices.offset + keys.index_bytes;
	ret->left = keys.entry_count < PY_DICT_ENTRIES_MAX ? keys.entry_count : 0;
}

bool py_dict_next(struct py_dict_cursor *cursor, addr_t *ret_key, addr_t *ret_value)
{
	while (cursor->left > 0) {
		addr_t entry_at = cursor->entry_at, key, value;
		addr_t value_at =
			cursor->value_at ? cursor->value_at : entry_at + cursor->value_offset;
		// Behind the end of what can be read there are no entries, whatever their number.
		if (!mem_window_read(cursor->window, entry_at + cursor->key_offset, &key,
				     sizeof(key)) ||
		    !mem_window_read(cursor->window, value_at, &value, sizeof(value))) {
			cursor->left = 0;
			return false;
		}
		cursor->left--;
		cursor->entry_at += cursor->stride;
		if (cursor->value_at)
			cursor->value_at += sizeof(addr_t);
		if (!key || !value)
			continue;
		*ret_key = key;
		*ret_value = value;
		return true;
	}
	return false;
}

addr_t py_dict_find(const struct py_layout *layout, struct mem_window *window, addr_t dict_at,
		    const char *key)
{
	struct py_dict_cursor cursor;
	addr_t key_at, value_at;

	if (!dict_at)
		return 0;
	py_dict_begin(layout, window, dict_at, &cursor);
	if (cursor.left > PY_DICT_FIND_MAX)
		cursor.left = PY_DICT_FIND_MAX;
	while (py_dict_next(&cursor, &key_at, &value_at))
		if (py_string_equals(layout, window, key_at, key))
			return value_at;
	return 0;
}

uint64_t py_dict_keys_bytes(const struct py_layout *layout, struct mem_window *window,
			    addr_t keys_at)
{
	struct keys_header keys;

	if (!dict_read_keys(layout, window, keys_at, &keys))
		return 0;
	return layout->size.keys + keys.index_bytes +
	       dict_usable_fraction(keys.slot_count) * dict_entry_bytes(layout, &keys);
}

void py_dict_keys_rest(const struct py_layout *layout, struct mem_window *window, addr_t keys_at,
		       addr_t *ret_start, addr_t *ret_end)
{
	struct py_dict_cursor cursor;

	py_dict_begin_keys(layout, window, keys_at, &cursor);
	*ret_start = cursor.entry_at + cursor.left * cursor.stride;
	*ret_end = keys_at + py_dict_keys_bytes(layout, window, keys_at);
	if (!cursor.entry_at || *ret_end < *ret_start)
		*ret_end = *ret_start;
}

bool py_dict_owned_bytes(const struct py_layout *layout, struct mem_window *window, addr_t dict_at,
			 const void *dict, uint64_t *ret)
{
	*ret = 0;
	if (!layout->f.dict_keys.present) {
		if (py_get(dict, layout->f.dict_table) !=
		    dict_at + layout->f.dict_smalltable.offset)
			*ret = (py_get(dict, layout->f.dict_mask) + 1) * layout->size.entry;
		return true;
	}
	struct keys_header keys;
	if (!dict_read_keys(layout, window, py_get(dict, layout->f.dict_keys), &keys))
		return false;
	if (py_get(dict, layout->f.dict_values)) {
		// From 3.11 on shared keys are shorter than their slots would allow.
		uint64_t value_count = layout->f.values_values.present
					       ? keys.entry_count + keys.usable
					       : dict_usable_fraction(keys.slot_count);
		*ret += value_count * sizeof(addr_t);
	}
	if (keys.refcnt == 1)
		*ret += layout->size.keys + keys.index_bytes +
			dict_usable_fraction(keys.slot_count) * dict_entry_bytes(layout, &keys);
	return true;
}
