// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/size.h"

#include "targets/cpython/objects/dict.h"

// No object has as many items; larger counts are nonsense and must not overflow.
static const uint64_t ITEMS_MAX = 1ULL << 40;

static uint64_t size_items(uint64_t count)
{
	return count < ITEMS_MAX ? count : ITEMS_MAX;
}

static uint64_t size_var_count(const struct py_layout *layout, const void *object)
{
	int64_t size = py_get_signed(object, layout->f.var_size);

	return size_items(size < 0 ? -(uint64_t)size : (uint64_t)size);
}

static uint64_t size_long_digits(const struct py_layout *layout, const void *object)
{
	// Objects/longobject.c: from 3.12 on the digit count stands above three bits of sign and
	// flags in lv_tag (NON_SIZE_BITS), and room for one digit is always there.
	if (layout->f.long_tag.present)
		return size_items(py_get(object, layout->f.long_tag) >> 3);
	return size_var_count(layout, object);
}

static uint64_t size_str_own(const struct py_layout *layout, const struct py_type *type,
			     const void *object)
{
	uint64_t length = size_items(py_get(object, layout->f.ascii_length));
	uint64_t kind = py_get(object, layout->f.ascii_kind);

	if (!py_get(object, layout->f.ascii_compact))
		return type->basicsize;
	if (py_get(object, layout->f.ascii_ascii))
		return layout->size.ascii + length + 1;
	return layout->size.compact + (length + 1) * kind;
}

uint64_t py_size_own(const struct py_layout *layout, const struct py_type *type, const void *object)
{
	uint64_t digits;

	switch (type->shape) {
	case PY_SHAPE_STR:
		return size_str_own(layout, type, object);
	case PY_SHAPE_LONG:
		digits = size_long_digits(layout, object);
		return type->basicsize + (digits ? digits : 1) * layout->size.digit;
	case PY_SHAPE_PLAIN:
	case PY_SHAPE_BYTES2:
	case PY_SHAPE_TYPE:
		if (type->itemsize)
			return type->basicsize + size_var_count(layout, object) * type->itemsize;
		return type->basicsize;
	case PY_SHAPE_UNICODE2:
	case PY_SHAPE_LIST:
	case PY_SHAPE_DICT:
	case PY_SHAPE_ORDERED_DICT:
	case PY_SHAPE_SET:
	case PY_SHAPE_DEQUE:
	case PY_SHAPE_BYTEARRAY:
	case PY_SHAPE_INSTANCE2:
		break;
	}
	return type->basicsize;
}

// unicode_sizeof_impl() of Objects/unicodeobject.c: blocks for the data of a string that is not
// compact, for the cached wchar_t (before 3.12) and for the cached UTF-8.
static uint64_t size_str(const struct py_layout *layout, struct mem_window *window,
			 const struct py_type *type, addr_t at, const void *object, uint64_t own)
{
	uint64_t length = size_items(py_get(object, layout->f.ascii_length));
	uint64_t kind = py_get(object, layout->f.ascii_kind);
	bool compact = py_get(object, layout->f.ascii_compact);
	bool ascii = py_get(object, layout->f.ascii_ascii);
	uint64_t size = compact ? own : layout->size.unicode;
	addr_t data_at = at + (ascii ? layout->size.ascii : layout->size.compact);
	uint64_t wstr_length = length;

	// The rest of a compact ASCII string is characters and no such fields.
	if (compact && ascii) {
		addr_t wstr =
			layout->f.ascii_wstr.present ? py_get(object, layout->f.ascii_wstr) : 0;
		if (wstr && wstr != data_at)
			size += (length + 1) * sizeof(wchar_t);
		return size;
	}
	size_t head_bytes = compact ? layout->size.compact : layout->size.unicode;
	const void *head = mem_window_at(window, at, head_bytes);
	if (!head)
		return size;
	if (!compact) {
		data_at = py_get(head, layout->f.unicode_data);
		if (data_at)
			size += (length + 1) * kind;
	}
	if (layout->f.ascii_wstr.present) {
		addr_t wstr = py_get(head, layout->f.ascii_wstr);
		if (layout->f.compact_wstr_length.present)
			wstr_length = size_items(py_get(head, layout->f.compact_wstr_length));
		if (wstr && (kind == 0 || wstr != data_at))
			size += (wstr_length + 1) * sizeof(wchar_t);
	}
	addr_t utf8 = py_get(head, layout->f.compact_utf8);
	if (utf8 && utf8 != data_at)
		size += size_items(py_get(head, layout->f.compact_utf8_length)) + 1;
	return size;
}

static uint64_t size_deque_blocks(const struct py_layout *layout, const void *object)
{
	uint64_t per_block = layout->f.deque_block_data.element_count;

	if (!layout->f.deque_leftindex.present || !per_block)
		return 0;
	uint64_t items = layout->f.deque_len.present
				 ? size_items(py_get(object, layout->f.deque_len))
				 : size_var_count(layout, object);
	uint64_t left = size_items(py_get(object, layout->f.deque_leftindex));
	return (left + items + per_block - 1) / per_block * layout->size.deque_block;
}

static uint64_t size_type(const struct py_layout *layout, struct mem_window *window, addr_t at,
			  const void *object, uint64_t own)
{
	if (layout->is_python2)
		return own;
	if (!(py_get(object, layout->f.type_flags) & PY_TYPE_HEAP))
		return layout->size.type;
	addr_t keys_at =
		layout->f.heaptype_cached_keys.present
			? mem_window_word(window, at + layout->f.heaptype_cached_keys.offset, 0)
			: 0;
	return layout->size.heaptype + (keys_at ? py_dict_keys_bytes(layout, window, keys_at) : 0);
}

// From the struct's beginning, whatever a subclass adds to it.
static uint64_t size_long(const struct py_layout *layout, const void *object)
{
	uint64_t digits = size_long_digits(layout, object);

	if (digits < layout->long_digits_min)
		digits = layout->long_digits_min;
	return layout->f.long_digits.offset + digits * layout->size.digit;
}

uint64_t py_size_of(const struct py_layout *layout, struct mem_window *window,
		    const struct py_type *type, addr_t at, const void *object, uint64_t own)
{
	uint64_t size = own, owned;

	switch (type->shape) {
	case PY_SHAPE_STR:
		size = size_str(layout, window, type, at, object, own);
		break;
	case PY_SHAPE_UNICODE2:
		size = layout->size.unicode +
		       (size_items(py_get(object, layout->f.unicode_length)) + 1) *
			       layout->size.py_unicode;
		break;
	case PY_SHAPE_BYTES2:
		// PyStringObject_SIZE and not tp_basicsize, for subclasses too.
		size = layout->f.bytes_data.offset + 1 + size_var_count(layout, object);
		break;
	case PY_SHAPE_LONG:
		size = size_long(layout, object);
		break;
	case PY_SHAPE_LIST:
		size += size_items(py_get(object, layout->f.list_allocated)) * sizeof(addr_t);
		break;
	case PY_SHAPE_DICT:
		if (py_dict_owned_bytes(layout, window, at, object, &owned))
			size += owned;
		break;
	case PY_SHAPE_ORDERED_DICT:
		// odict_sizeof(): the table of nodes, and the nodes.
		if (py_dict_owned_bytes(layout, window, at, object, &owned))
			size += owned;
		size += size_items(py_get(object, layout->f.odict_fast_nodes_size)) *
				sizeof(addr_t) +
			size_items(py_get(object, layout->f.dict_used)) * layout->size.odict_node;
		break;
	case PY_SHAPE_SET:
		if (py_get(object, layout->f.set_table) != at + layout->f.set_smalltable.offset)
			size += (size_items(py_get(object, layout->f.set_mask)) + 1) *
				layout->size.set_entry;
		break;
	case PY_SHAPE_DEQUE:
		size += size_deque_blocks(layout, object);
		break;
	case PY_SHAPE_BYTEARRAY:
		size += size_items(py_get(object, layout->f.bytearray_alloc));
		break;
	case PY_SHAPE_TYPE:
		size = size_type(layout, window, at, object, own);
		break;
	case PY_SHAPE_PLAIN:
	case PY_SHAPE_INSTANCE2:
		break;
	}
	return size + type->presize;
}
