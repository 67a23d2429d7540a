/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_CODE_H
#define TARGETS_CPYTHON_OBJECTS_CODE_H

/*
 * What a code object tells of itself: its name, its file, and which line an instruction is on.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"

/** Tables of lines are read this far, in bytes; none of a real function is longer. */
enum { PY_CODE_TABLE_BYTES_MAX = 1 << 20 };

/** co_name into @a into (of @a bytes, NUL-terminated), "?" when it cannot be read. */
void py_code_name(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		  char *into, size_t bytes);

/** co_qualname, or co_name where there is none. */
void py_code_qualname(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		      char *into, size_t bytes);

/** co_filename, "?" when it cannot be read. */
void py_code_file(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		  char *into, size_t bytes);

/** co_firstlineno; 0 when it cannot be read. */
int64_t py_code_first_line(const struct py_layout *layout, struct mem_window *window,
			   addr_t code_at);

/**
 * The line of the instruction @a offset bytes into the code; the first line when @a offset is
 * negative (nothing ran yet) or the table does not tell.
 */
int64_t py_code_line(const struct py_layout *layout, struct mem_window *window, addr_t code_at,
		     int64_t offset);

/** What a running function executes: its code object, and how many bytes into the instructions; below 0
 *  when nothing ran yet. */
struct py_code_place {
	addr_t code_at;
	int64_t offset;
};

/** The place that the frame object at @a frame_at, or the _PyInterpreterFrame at @a iframe_at (3.11 and
 *  later), stands on; false when there is none. */
bool py_code_place_of_frame_object(const struct py_layout *layout, struct mem_window *window,
				   addr_t frame_at, struct py_code_place *ret);
bool py_code_place_of_iframe(const struct py_layout *layout, struct mem_window *window,
			     addr_t iframe_at, struct py_code_place *ret);

/** The line that the frame object at @a frame_at stands on, and its code object; false when there is
 *  none. */
bool py_code_of_frame_object(const struct py_layout *layout, struct mem_window *window,
			     addr_t frame_at, addr_t *ret_code, int64_t *ret_line);

#endif
