// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/code.h"

#include <stdio.h>

#include "targets/cpython/objects/string.h"

// A table of lines, read byte by byte; past its end, or where it cannot be read, there is nothing.
struct code_table {
	struct mem_window *window;
	addr_t at;
	addr_t end;
};

static bool table_next(struct code_table *table, uint8_t *ret)
{
	return table->at < table->end && mem_window_read(table->window, table->at++, ret, 1);
}

static bool table_open(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		       struct py_field field, struct code_table *ret)
{
	struct py_string_span span;
	addr_t bytes_at = mem_window_word(window, code_at + field.offset, 0);

	if (!bytes_at || !py_string_locate(layout, window, bytes_at, &span) || !span.is_bytes ||
	    span.length > PY_CODE_TABLE_BYTES_MAX)
		return false;
	*ret = (struct code_table){window, span.at, span.at + span.length};
	return true;
}

// Objects/lnotab_notes.txt: pairs of increments of address and line. The line's has a sign in 3.6 and
// later.
static int64_t code_line_lnotab(const struct py_layout *layout, struct code_table *table,
				int64_t line, int64_t offset)
{
	int64_t address = 0;
	uint8_t address_step, line_step;

	while (table_next(table, &address_step) && table_next(table, &line_step)) {
		address += address_step;
		if (address > offset)
			break;
		line += layout->is_python2 ? (int64_t)line_step : (int8_t)line_step;
	}
	return line;
}

// 3.10 (PEP 626): pairs of a range's length and the difference of its line to the last one's; -128 is
// a range without a line.
static int64_t code_line_ranges(struct code_table *table, int64_t first, int64_t offset)
{
	int64_t end = 0, line = first;
	uint8_t length, step;

	while (table_next(table, &length) && table_next(table, &step)) {
		bool has_line = (int8_t)step != -128;
		if (has_line)
			line += (int8_t)step;
		end += length;
		if (offset < end)
			return has_line ? line : first;
	}
	return first;
}

// Six bits to a byte, the lowest first; bit 6 says that more follow.
static uint64_t table_varint(struct code_table *table)
{
	uint64_t value = 0;
	uint8_t byte = 0;

	for (unsigned shift = 0; shift < 60 && table_next(table, &byte); shift += 6) {
		value |= (uint64_t)(byte & 63) << shift;
		if (!(byte & 64))
			break;
	}
	return value;
}

static int64_t table_signed_varint(struct code_table *table)
{
	uint64_t value = table_varint(table);

	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

// Objects/locations.md, 3.11 and later: entries that begin with a byte with bit 7 set, four bits of
// form and three of length. Nobody asks for columns.
static int64_t code_line_locations(struct code_table *table, int64_t first, int64_t offset)
{
	enum { ONE_LINE0 = 10, NO_COLUMNS = 13, LONG_FORM = 14, NO_LOCATION = 15, UNIT_BYTES = 2 };
	int64_t end = 0, line = first;
	uint8_t byte;

	while (table_next(table, &byte)) {
		if (!(byte & 0x80))
			continue;
		unsigned form = byte >> 3 & 15;
		end += (int64_t)((byte & 7) + 1) * UNIT_BYTES;
		if (form == LONG_FORM || form == NO_COLUMNS)
			line += table_signed_varint(table);
		else if (form >= ONE_LINE0 && form < NO_COLUMNS)
			line += form - ONE_LINE0;
		if (offset < end)
			return form == NO_LOCATION ? first : line;
	}
	return first;
}

static int64_t code_int(struct mem_window *window, addr_t at, struct py_field field)
{
	const void *bytes =
		field.present ? mem_window_at(window, at + field.offset, sizeof(int32_t)) : NULL;
	int32_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return value;
}

int64_t py_code_first_line(const struct py_layout *layout, struct mem_window *window,
			   addr_t code_at)
{
	return code_int(window, code_at, layout->f.code_firstlineno);
}

int64_t py_code_line(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		     int64_t offset)
{
	int64_t first = py_code_first_line(layout, window, code_at);
	struct code_table table;

	if (offset < 0)
		return first;
	if (layout->f.code_linetable.present) {
		if (!table_open(layout, window, code_at, layout->f.code_linetable, &table))
			return first;
		return layout->f.code_instructions.present
			       ? code_line_locations(&table, first, offset)
			       : code_line_ranges(&table, first, offset);
	}
	if (layout->f.code_lnotab.present &&
	    table_open(layout, window, code_at, layout->f.code_lnotab, &table))
		return code_line_lnotab(layout, &table, first, offset);
	return first;
}

static bool code_string(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
			struct py_field field, char *into, size_t bytes)
{
	addr_t text_at = field.present ? mem_window_word(window, code_at + field.offset, 0) : 0;

	if (text_at && py_string_read(layout, window, text_at, into, bytes))
		return true;
	snprintf(into, bytes, "?");
	return false;
}

void py_code_name(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		  char *into, size_t bytes)
{
	code_string(layout, window, code_at, layout->f.code_name, into, bytes);
}

void py_code_qualname(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		      char *into, size_t bytes)
{
	if (!code_string(layout, window, code_at, layout->f.code_qualname, into, bytes))
		code_string(layout, window, code_at, layout->f.code_name, into, bytes);
}

void py_code_file(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		  char *into, size_t bytes)
{
	code_string(layout, window, code_at, layout->f.code_filename, into, bytes);
}

bool py_code_place_of_iframe(const struct py_layout *layout, struct mem_window *window,
			     addr_t iframe_at, struct py_code_place *ret)
{
	if (!layout->f.iframe_code.present || !layout->f.iframe_instruction.present ||
	    !layout->f.code_instructions.present)
		return false;
	addr_t code_at = mem_window_word(window, iframe_at + layout->f.iframe_code.offset, 0);
	addr_t instruction_at =
		mem_window_word(window, iframe_at + layout->f.iframe_instruction.offset, 0);
	if (!code_at)
		return false;
	*ret = (struct py_code_place){
		.code_at = code_at,
		.offset = (int64_t)(instruction_at - code_at - layout->f.code_instructions.offset),
	};
	return true;
}

bool py_code_place_of_frame_object(const struct py_layout *layout, struct mem_window *window,
				   addr_t frame_at, struct py_code_place *ret)
{
	if (layout->f.frame_iframe.present) {
		addr_t iframe_at =
			mem_window_word(window, frame_at + layout->f.frame_iframe.offset, 0);
		return iframe_at && py_code_place_of_iframe(layout, window, iframe_at, ret);
	}
	if (!layout->f.frame_code.present)
		return false;
	int64_t offset = code_int(window, frame_at, layout->f.frame_lasti);
	*ret = (struct py_code_place){
		.code_at = mem_window_word(window, frame_at + layout->f.frame_code.offset, 0),
		// 3.10 counts instructions, those before bytes.
		.offset = layout->f.code_linetable.present ? offset * 2 : offset,
	};
	return ret->code_at != 0;
}

bool py_code_of_frame_object(const struct py_layout *layout, struct mem_window *window,
			     addr_t frame_at, addr_t *ret_code, int64_t *ret_line)
{
	struct py_code_place place;

	if (!py_code_place_of_frame_object(layout, window, frame_at, &place))
		return false;
	*ret_code = place.code_at;
	*ret_line = py_code_line(layout, window, place.code_at, place.offset);
	return true;
}
