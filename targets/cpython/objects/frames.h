/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_FRAMES_H
#define TARGETS_CPYTHON_OBJECTS_FRAMES_H

/*
 * What running functions and the states of threads hold: references that no object has, and that no
 * type's traversal visits.
 *
 * Up to 3.10 every running function has a frame object, which has its values as its own references:
 * told here is the frame object, of which C's stack owns a reference (a generator's frame is the
 * generator's, and nobody else owns it). From 3.11 on a running function is a struct on the thread's
 * stack of frames; what it holds is told here.
 *
 * A generator's frame (3.11 and later) is part of the generator. Its traversal visits the frame's
 * function, code and locals object always, but the variables and the evaluation stack only below
 * `stacktop`, which is -1 while it runs: then, and only then, its variables are told here, with
 * `generator_at` set. So nothing is told twice.
 *
 * Of a function that is in the middle of an instruction (the innermost one, and each that has called
 * C) the evaluation stack's height is on C's stack or in a register: only its variables are told; words
 * on the evaluation stack in use may be references all the same (py_frame_stack).
 */

#include "heap/sink.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/runtime.h"

enum {
	/** Frames that are followed in all. A recursion limit that is higher is not usual. */
	PY_FRAMES_MAX = 1 << 20,
	/** Variables and evaluation stack of one frame, in words, and of all frames. */
	PY_FRAME_VALUES_MAX = 1 << 16,
	PY_FRAME_VALUES_TOTAL_MAX = 1 << 24,
};

/** One reference. Texts are valid during the call. */
struct py_frame_value {
	addr_t object_at;
	/** HEAP_ROOT_FRAME or HEAP_ROOT_THREAD. */
	enum heap_root_kind kind;
	/** The object's reference count has it in it. */
	bool owns;
	/** "handle at /srv/shop/web.py:42" (the line it is on now), "thread 4711". */
	const char *name;
	/** "cart" (a variable), "function", "code", "locals", "frame", "stack", "generator"; of a
	 *  thread "dict", "async_exc" ... as CPython calls it. */
	const char *part;
	/** The generator that runs in this frame; 0 for none. */
	addr_t generator_at;
};

/** An evaluation stack whose height nobody tells: above the height its words are stale. Its end is what
 *  the function needs at most. */
struct py_frame_stack {
	addr_t start;
	addr_t end;
	/** As above. */
	const char *name;
};

/** Who is told. A failure ends the visit and is handed on. */
struct py_frames_visitor {
	void *context;
	struct error *(*value)(void *context, const struct py_frame_value *value);
	/** NULL when it does not want to know. */
	struct error *(*stack)(void *context, const struct py_frame_stack *stack);
};

struct py_frames_tally {
	size_t thread_count;
	size_t frame_count;
	/** Words looked at. */
	size_t value_count;
	/** A chain ended at something unreadable, at itself, or at a limit; the first such place. */
	bool truncated;
	addr_t truncated_at;
};

/** Visits all threads of all interpreters. The window must show one moment. */
MUST_USE struct error *py_frames_visit(const struct py_layout *layout, struct mem_window *window,
				       const struct py_interpreters *interpreters,
				       const struct py_frames_visitor *visitor,
				       struct py_frames_tally *ret);

#endif
