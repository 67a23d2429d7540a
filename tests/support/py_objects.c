// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/py_objects.h"

#include <stdlib.h>
#include <string.h>

// Py_TPFLAGS_READY
enum { FLAG_READY = 1 << 12 };

static addr_t image_c_string(struct py_image *image, const char *text)
{
	addr_t at = py_image_alloc_static(image, strlen(text) + 1);

	memcpy(py_image_at(image, at), text, strlen(text) + 1);
	return at;
}

static void image_fill_type(struct py_image *image, addr_t at, const char *name, uint64_t basicsize,
			    uint64_t itemsize, uint64_t flags)
{
	const struct py_layout *layout = &image->layout;
	addr_t base = image->type[IMAGE_OBJECT];

	py_image_set(image, at, layout->f.object_refcnt, layout->has_immortals ? UINT32_MAX : 1);
	py_image_set(image, at, layout->f.object_type, image->type[IMAGE_TYPE]);
	py_image_set(image, at, layout->f.type_name, image_c_string(image, name));
	py_image_set(image, at, layout->f.type_basicsize, basicsize);
	py_image_set(image, at, layout->f.type_itemsize, itemsize);
	py_image_set(image, at, layout->f.type_flags, flags | FLAG_READY);
	py_image_set(image, at, layout->f.type_base, at == base ? 0 : base);
}

addr_t py_image_static_type(struct py_image *image, const char *name, uint64_t basicsize,
			    uint64_t itemsize, uint64_t flags)
{
	addr_t at = py_image_alloc_static(image, image->layout.size.type);

	image_fill_type(image, at, name, basicsize, itemsize, flags);
	return at;
}

void py_image_place_types(struct py_image *image)
{
	const struct fake_layout *fields = image->fields;
	const struct py_layout *layout = &image->layout;
	bool is_python2 = layout->is_python2;
	uint64_t var_head = 24, bytes_head = layout->f.bytes_data.offset + 1;
	const struct {
		enum py_image_type which;
		const char *name;
		uint64_t basicsize;
		uint64_t itemsize;
		uint64_t flags;
	} types[] = {
		{IMAGE_TYPE, "type", layout->size.heaptype, 40, PY_TYPE_TYPE | PY_TYPE_GC},
		{IMAGE_OBJECT, "object", 16, 0, 0},
		{IMAGE_STR, is_python2 ? "unicode" : "str", layout->size.unicode, 0,
		 PY_TYPE_UNICODE},
		{IMAGE_BYTES, is_python2 ? "str" : "bytes", bytes_head, 1, PY_TYPE_BYTES},
		{IMAGE_DICT, "dict", fake_layout_size(fields, "PyDictObject"), 0,
		 PY_TYPE_DICT | PY_TYPE_GC},
		{IMAGE_LIST, "list", fake_layout_size(fields, "PyListObject"), 0,
		 PY_TYPE_LIST | PY_TYPE_GC},
		{IMAGE_TUPLE, "tuple", var_head, 8, PY_TYPE_TUPLE | PY_TYPE_GC},
		{IMAGE_LONG, is_python2 ? "long" : "int", layout->f.long_digits.offset, 4,
		 PY_TYPE_LONG},
		{IMAGE_FLOAT, "float", 24, 0, 0},
		{IMAGE_SET, "set", fake_layout_size(fields, "PySetObject"), 0, PY_TYPE_GC},
		{IMAGE_FROZENSET, "frozenset", fake_layout_size(fields, "PySetObject"), 0,
		 PY_TYPE_GC},
		{IMAGE_BYTEARRAY, "bytearray", fake_layout_size(fields, "PyByteArrayObject"), 0, 0},
		{IMAGE_DEQUE, "collections.deque",
		 is_python2 ? 80 : fake_layout_size(fields, "dequeobject"), 0, PY_TYPE_GC},
		{IMAGE_ORDERED_DICT, "collections.OrderedDict",
		 fake_layout_size(fields, "_odictobject"), 0, PY_TYPE_DICT | PY_TYPE_GC},
		{IMAGE_INT2, "int", 24, 0, 0},
		{IMAGE_INSTANCE2, "instance", 40, 0, PY_TYPE_GC},
		{IMAGE_CLASS2, "classobj", 72, 0, PY_TYPE_GC},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].which < IMAGE_INT2 || is_python2)
			image_fill_type(image, image->type[types[i].which], types[i].name,
					types[i].basicsize, types[i].itemsize, types[i].flags);
}

static addr_t image_str_head(struct py_image *image, size_t bytes, uint32_t kind, size_t length,
			     bool compact, bool ascii)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_STR], bytes);

	py_image_set(image, at, layout->f.ascii_length, length);
	py_image_set(image, at, layout->f.ascii_kind, kind);
	py_image_set(image, at, layout->f.ascii_compact, compact);
	py_image_set(image, at, layout->f.ascii_ascii, ascii);
	return at;
}

addr_t py_image_str(struct py_image *image, const char *text)
{
	const struct py_layout *layout = &image->layout;
	size_t length = strlen(text);
	addr_t at, data_at;

	if (layout->is_python2) {
		uint32_t data = layout->f.bytes_data.offset;
		at = py_image_object(image, image->type[IMAGE_BYTES], data + length + 1);
		py_image_set(image, at, layout->f.var_size, length);
		data_at = at + data;
	} else {
		at = image_str_head(image, layout->size.ascii + length + 1, 1, length, true, true);
		data_at = at + layout->size.ascii;
	}
	memcpy(py_image_at(image, data_at), text, length + 1);
	return at;
}

addr_t py_image_wide_str(struct py_image *image, uint32_t kind, const void *characters,
			 size_t length)
{
	size_t head = image->layout.size.compact;
	addr_t at = image_str_head(image, head + (length + 1) * kind, kind, length, true, false);

	memcpy(py_image_at(image, at + head), characters, length * kind);
	return at;
}

addr_t py_image_loose_str(struct py_image *image, uint32_t kind, const void *characters,
			  size_t length)
{
	const struct py_layout *layout = &image->layout;
	addr_t data_at = py_image_alloc(image, (length + 1) * kind), at;

	memcpy(py_image_at(image, data_at), characters, length * kind);
	if (layout->is_python2) {
		at = py_image_object(image, image->type[IMAGE_STR], layout->size.unicode);
		py_image_set(image, at, layout->f.unicode_str, data_at);
		py_image_set(image, at, layout->f.unicode_length, length);
		return at;
	}
	at = image_str_head(image, layout->size.unicode, kind, length, false, false);
	py_image_set(image, at, layout->f.unicode_data, data_at);
	return at;
}

static uint64_t dict_slot_count(size_t count)
{
	uint64_t slots = 8;

	while (slots * 2 / 3 < count)
		slots *= 2;
	return slots;
}

static addr_t image_dict2(struct py_image *image, const struct py_image_item *items, size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t type = image->type[IMAGE_DICT];
	addr_t dict = py_image_object(image, type, fake_layout_size(image->fields, "PyDictObject"));
	uint64_t slots = dict_slot_count(count);
	addr_t table = slots == 8 ? dict + layout->f.dict_smalltable.offset
				  : py_image_alloc(image, slots * layout->size.entry);

	py_image_set(image, dict, layout->f.dict_mask, slots - 1);
	py_image_set(image, dict, layout->f.dict_table, table);
	for (size_t i = 0; i < count; i++) {
		// Not in the first slots: where a key stands is its hash's choice.
		addr_t entry = table + (slots - 1 - i) * layout->size.entry;
		py_image_set(image, entry, layout->f.entry_key, items[i].key);
		py_image_set(image, entry, layout->f.entry_value, items[i].value);
	}
	return dict;
}

static uint64_t dict_index_width(uint64_t slots)
{
	return slots <= 0xff ? 1 : slots <= 0xffff ? 2 : 4;
}

static addr_t image_dict_keys(struct py_image *image, enum py_image_dict kind, uint64_t slots,
			      size_t count, addr_t *ret_entries, bool *ret_unicode)
{
	const struct py_layout *layout = &image->layout;
	uint64_t index_bytes = slots * dict_index_width(slots), usable = slots * 2 / 3;
	bool unicode = layout->f.unicode_entry_key.present && kind != PY_IMAGE_GENERAL;
	uint64_t entry_bytes = unicode ? layout->size.unicode_entry : layout->size.entry;
	addr_t keys = py_image_alloc(image, layout->f.keys_indices.offset + index_bytes +
						    usable * entry_bytes);

	py_image_set(image, keys, layout->f.keys_refcnt, kind == PY_IMAGE_SPLIT ? 2 : 1);
	py_image_set(image, keys, layout->f.keys_usable, usable - count);
	py_image_set(image, keys, layout->f.keys_nentries, count);
	// A function of its own for each kind, as 3.10 and before tell them apart.
	if (layout->f.keys_lookup.present)
		py_image_set(image, keys, layout->f.keys_lookup, PY_IMAGE_LOOKUP_AT + 16 * kind);
	if (layout->f.keys_log2_size.present) {
		py_image_set(image, keys, layout->f.keys_log2_size,
			     (uint64_t)__builtin_ctzll(slots));
		py_image_set(image, keys, layout->f.keys_log2_index_bytes,
			     (uint64_t)__builtin_ctzll(index_bytes));
		py_image_set(image, keys, layout->f.keys_kind,
			     kind == PY_IMAGE_SPLIT ? 2
			     : unicode              ? 1
						    : 0);
	} else {
		py_image_set(image, keys, layout->f.keys_size, slots);
	}
	*ret_entries = keys + layout->f.keys_indices.offset + index_bytes;
	*ret_unicode = unicode;
	return keys;
}

addr_t py_image_dict(struct py_image *image, enum py_image_dict kind,
		     const struct py_image_item *items, size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t entries, values = 0;
	bool unicode;

	if (layout->is_python2)
		return image_dict2(image, items, count);
	addr_t keys =
		image_dict_keys(image, kind, dict_slot_count(count), count, &entries, &unicode);
	if (kind == PY_IMAGE_SPLIT) {
		values = py_image_alloc(image, layout->f.values_values.offset + (count + 8) * 8);
		for (size_t i = 0; i < count; i++)
			*py_image_word(image, values + layout->f.values_values.offset + i * 8) =
				items[i].value;
	}
	for (size_t i = 0; i < count; i++) {
		addr_t entry =
			entries + i * (unicode ? layout->size.unicode_entry : layout->size.entry);
		py_image_set(image, entry,
			     unicode ? layout->f.unicode_entry_key : layout->f.entry_key,
			     items[i].key);
		if (kind != PY_IMAGE_SPLIT)
			py_image_set(image, entry,
				     unicode ? layout->f.unicode_entry_value
					     : layout->f.entry_value,
				     items[i].value);
	}
	addr_t dict = py_image_object(image, image->type[IMAGE_DICT],
				      fake_layout_size(image->fields, "PyDictObject"));
	py_image_set(image, dict, layout->f.dict_keys, keys);
	py_image_set(image, dict, layout->f.dict_values, values);
	return dict;
}

addr_t py_image_dict_keys(const struct py_image *image, addr_t dict)
{
	return py_image_get(image, dict,
			    image->layout.is_python2 ? image->layout.f.dict_table
						     : image->layout.f.dict_keys);
}

addr_t py_image_slotted_class(struct py_image *image, const char *module, const char *name,
			      uint64_t basicsize, uint64_t flags, const struct py_image_slot *slots,
			      size_t slot_count)
{
	const struct py_layout *layout = &image->layout;
	size_t slot_bytes = slot_count * layout->size.memberdef;
	addr_t at =
		py_image_object(image, image->type[IMAGE_TYPE], layout->size.heaptype + slot_bytes);
	struct py_image_item item = {py_image_str(image, "__module__"),
				     py_image_str(image, module)};
	addr_t name_at = py_image_str(image, name);

	image_fill_type(image, at, name, basicsize, 0, flags | PY_TYPE_HEAP);
	py_image_set(image, at, layout->f.object_refcnt, 1);
	py_image_set(image, at, layout->f.type_dict,
		     py_image_dict(image, PY_IMAGE_COMBINED, &item, 1));
	py_image_set(image, at, layout->f.heaptype_name, name_at);
	if (layout->f.heaptype_qualname.present)
		py_image_set(image, at, layout->f.heaptype_qualname, name_at);
	py_image_set(image, at, layout->f.var_size, slot_count);
	for (size_t i = 0; i < slot_count; i++) {
		addr_t slot = at + layout->size.heaptype + i * layout->size.memberdef;
		py_image_set(image, slot, layout->f.memberdef_name,
			     image_c_string(image, slots[i].name));
		py_image_set(image, slot, layout->f.memberdef_type, slots[i].type);
		py_image_set(image, slot, layout->f.memberdef_offset, slots[i].offset);
	}
	py_image_track(image, at);
	return at;
}

addr_t py_image_class(struct py_image *image, const char *module, const char *name,
		      uint64_t basicsize, uint64_t flags)
{
	return py_image_slotted_class(image, module, name, basicsize, flags, NULL, 0);
}

addr_t py_image_list(struct py_image *image, const addr_t *items, size_t count)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_LIST],
				    fake_layout_size(image->fields, "PyListObject"));
	addr_t items_at = py_image_alloc(image, (count + 1) * sizeof(addr_t));

	for (size_t i = 0; i < count; i++)
		*py_image_word(image, items_at + i * sizeof(addr_t)) = items[i];
	py_image_set(image, at, layout->f.list_items, items_at);
	py_image_set(image, at, layout->f.var_size, count);
	py_image_set(image, at, layout->f.list_allocated, count + 1);
	py_image_track(image, at);
	return at;
}

addr_t py_image_tuple(struct py_image *image, const addr_t *items, size_t count)
{
	const struct py_layout *layout = &image->layout;
	uint32_t head = layout->f.tuple_items.offset;
	addr_t at = py_image_object(image, image->type[IMAGE_TUPLE], head + count * sizeof(addr_t));

	for (size_t i = 0; i < count; i++)
		*py_image_word(image, at + head + i * sizeof(addr_t)) = items[i];
	py_image_set(image, at, layout->f.var_size, count);
	py_image_track(image, at);
	return at;
}
