/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_FRAME_VALUES_H
#define TARGETS_CPYTHON_OBJECTS_FRAME_VALUES_H

/*
 * What one frame holds, and what its variables are called. Private to frames.c, whose visit this is a
 * part of.
 */

#include "targets/cpython/objects/frames.h"

/** enum _frameowner of Include/internal/pycore_frame.h. */
enum py_frame_owner {
	PY_FRAME_OF_THREAD = 0,
	PY_FRAME_OF_GENERATOR = 1,
};

struct py_frames_visit {
	const struct py_layout *layout;
	struct mem_window *window;
	const struct py_frames_visitor *visitor;
	struct py_frames_tally *tally;
};

/** A field of the struct at @a at; 0 when absent or unreadable. */
uint64_t py_frames_field(const struct py_frames_visit *visit, addr_t at, struct py_field field);

/** Something ended at @a at before its end. */
void py_frames_truncate(const struct py_frames_visit *visit, addr_t at);

/** Hands it to the visitor unless there is no object. */
MUST_USE struct error *py_frames_tell(const struct py_frames_visit *visit,
				      const struct py_frame_value *value);

/** Up to 3.10. */
MUST_USE struct error *py_frame_values_of_object(const struct py_frames_visit *visit,
						 const struct py_frame *frame);

/** 3.11 and later, of a frame with @a owner. */
MUST_USE struct error *py_frame_values_of_iframe(const struct py_frames_visit *visit,
						 const struct py_frame *frame, uint64_t owner);

#endif
