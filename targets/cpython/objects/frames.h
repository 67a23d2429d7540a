/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_FRAMES_H
#define TARGETS_CPYTHON_OBJECTS_FRAMES_H

/*
 * Which functions run in which thread, and what they and the states of threads hold: references that
 * no object has, and that no type's traversal visits.
 *
 * Up to 3.10 every running function has a frame object, which has its values as its own references:
 * told here is the frame object, of which C's stack owns a reference (a generator's frame is the
 * generator's, and nobody else owns it). From 3.11 on a running function is a struct on the thread's
 * stack of frames; what it holds is told here.
 *
 * A generator's frame (3.11 and later) is part of the generator. Its traversal visits the frame's
 * function, code and locals object always, but the variables and the evaluation stack only below
 * `stacktop`, which is -1 while it runs: then, and only then, its variables are told as owned here, with
 * `generator_at` set. So no reference is told twice.
 *
 * What an object (a frame object, a generator) owns is told all the same, as not owned: for the names
 * of variables.
 *
 * Of a function that is in the middle of an instruction (the innermost one, and each that has called
 * C) the evaluation stack's height is on C's stack or in a register: only its variables are told; words
 * on the evaluation stack in use may be references all the same (py_frame_stack).
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/objects/code.h"
#include "targets/cpython/runtime.h"

enum {
	/** Frames that are followed in all. A recursion limit that is higher is not usual. */
	PY_FRAMES_MAX = 1 << 20,
	/** Variables and evaluation stack of one frame, in words, and of all frames. */
	PY_FRAME_VALUES_MAX = 1 << 16,
	PY_FRAME_VALUES_TOTAL_MAX = 1 << 24,
};

/** A thread that has a state in the runtime. */
struct py_frames_thread {
	addr_t tstate_at;
	/** Index into the interpreters that were given. */
	size_t interpreter;
};

/** A running function. */
struct py_frame {
	/** The frame object, or the struct (3.11 and later). */
	addr_t at;
	struct py_code_place place;
};

enum py_frame_part {
	/** Variables, by name. */
	PY_FRAME_LOCAL,
	/** The object in it is a cell. */
	PY_FRAME_CELL,
	PY_FRAME_FREE,
	/** On the evaluation stack. */
	PY_FRAME_STACK,
	/** "function", "code", "locals", "frame", "generator". */
	PY_FRAME_SPECIAL,
	/** Of a thread's state: "dict", "async_exc" ... as CPython calls it. */
	PY_FRAME_STATE,
};

/** One reference, of the frame or the thread that was told last. Texts are valid during the call. */
struct py_frame_value {
	addr_t object_at;
	enum py_frame_part part;
	/** The object's reference count has it in it, and no object owns it. */
	bool owns;
	/** "" for the evaluation stack. */
	const char *name;
	/** The generator that runs in this frame; 0 for none. */
	addr_t generator_at;
};

/** An evaluation stack whose height nobody tells: above the height its words are stale. Its end is what
 *  the function needs at most. */
struct py_frame_stack {
	addr_t start;
	addr_t end;
};

/** Who is told; NULL for what it does not want to know. A failure ends the visit and is handed on. */
struct py_frames_visitor {
	void *context;
	struct error *(*thread)(void *context, const struct py_frames_thread *thread);
	/** The functions that run in that thread, the innermost first. */
	struct error *(*frame)(void *context, const struct py_frame *frame);
	struct error *(*value)(void *context, const struct py_frame_value *value);
	struct error *(*stack)(void *context, const struct py_frame_stack *stack);
};

struct py_frames_tally {
	size_t thread_count;
	/** With those that C has put between (3.12 and later), which are not told. */
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
