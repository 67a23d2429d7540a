// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/string.h"

static uint64_t string_field(struct mem_window *window, addr_t at, struct py_field field)
{
	const void *bytes = mem_window_at(window, at + field.offset, field.size);
	struct py_field here = field;

	here.offset = 0;
	return bytes ? py_get(bytes, here) : 0;
}

bool py_string_locate(const struct py_layout *layout, struct mem_window *window, addr_t at,
		      struct py_string_span *ret)
{
	addr_t type_at = mem_window_word(window, at + layout->f.object_type.offset, 0);
	uint64_t flags = type_at ? string_field(window, type_at, layout->f.type_flags) : 0;

	if (flags & PY_TYPE_BYTES) {
		*ret = (struct py_string_span){at + layout->f.bytes_data.offset,
					       string_field(window, at, layout->f.var_size), 1,
					       true};
		return true;
	}
	if (!(flags & PY_TYPE_UNICODE))
		return false;
	if (layout->f.unicode_str.present) {
		*ret = (struct py_string_span){string_field(window, at, layout->f.unicode_str),
					       string_field(window, at, layout->f.unicode_length),
					       layout->size.py_unicode, false};
		return true;
	}
	uint32_t kind = (uint32_t)string_field(window, at, layout->f.ascii_kind);
	addr_t data_at;
	if (!string_field(window, at, layout->f.ascii_compact))
		data_at = string_field(window, at, layout->f.unicode_data);
	else if (string_field(window, at, layout->f.ascii_ascii))
		data_at = at + layout->size.ascii;
	else
		data_at = at + layout->size.compact;
	// PyUnicode_Kind: 1, 2 and 4 are the width in bytes, 0 is a string not made ready.
	*ret = (struct py_string_span){data_at, string_field(window, at, layout->f.ascii_length),
				       kind, false};
	return data_at != 0 && (kind == 1 || kind == 2 || kind == 4);
}

size_t py_string_encode(uint32_t c, char *into)
{
	if (c < 0x80) {
		into[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		into[0] = (char)(0xc0 | c >> 6);
		into[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		into[0] = (char)(0xe0 | c >> 12);
		into[1] = (char)(0x80 | (c >> 6 & 0x3f));
		into[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	into[0] = (char)(0xf0 | (c >> 18 & 7));
	into[1] = (char)(0x80 | (c >> 12 & 0x3f));
	into[2] = (char)(0x80 | (c >> 6 & 0x3f));
	into[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

bool py_string_read(const struct py_layout *layout, struct mem_window *window, addr_t at,
		    char *into, size_t bytes)
{
	struct py_string_span span;
	size_t used = 0;

	into[0] = '\0';
	if (!py_string_locate(layout, window, at, &span))
		return false;
	bool is_text = span.width > 1 || !layout->is_python2;
	for (uint64_t i = 0; i < span.length; i++) {
		char encoded[4];
		uint32_t c = 0;
		if (!mem_window_read(window, span.at + i * span.width, &c, span.width)) {
			into[0] = '\0';
			return false;
		}
		// A lone surrogate or a byte of a Python 2 str goes out as it is: what prints it
		// has to cope with any bytes.
		size_t length = is_text ? py_string_encode(c, encoded) : 1;
		if (!is_text)
			encoded[0] = (char)c;
		if (used + length >= bytes)
			break;
		memcpy(into + used, encoded, length);
		used += length;
	}
	into[used] = '\0';
	return true;
}

bool py_string_equals(const struct py_layout *layout, struct mem_window *window, addr_t at,
		      const char *text)
{
	struct py_string_span span;

	if (!py_string_locate(layout, window, at, &span) || span.length != strlen(text))
		return false;
	for (uint64_t i = 0; i < span.length; i++) {
		uint32_t c = 0;
		if (!mem_window_read(window, span.at + i * span.width, &c, span.width) ||
		    c != (unsigned char)text[i])
			return false;
	}
	return true;
}

bool py_c_string_read(struct mem_window *window, addr_t at, char *into, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (!mem_window_read(window, at + i, &into[i], 1))
			break;
		if (!into[i])
			return true;
	}
	into[0] = '\0';
	return false;
}
