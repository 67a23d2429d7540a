// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/frames.h"

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/frame_values.h"

struct frames {
	struct py_frames_visit visit;
	/** Frames and threads that have been visited: none is on two chains, or twice on one. */
	struct addr_map seen;
};

uint64_t py_frames_field(const struct py_frames_visit *visit, addr_t at, struct py_field field)
{
	const void *bytes;
	struct py_field here = field;

	here.offset = 0;
	if (!at || !field.present)
		return 0;
	bytes = mem_window_at(visit->window, at + field.offset, field.size < 8 ? field.size : 8);
	return bytes ? py_get(bytes, here) : 0;
}

void py_frames_truncate(const struct py_frames_visit *visit, addr_t at)
{
	if (!visit->tally->truncated)
		visit->tally->truncated_at = at;
	visit->tally->truncated = true;
}

struct error *py_frames_tell(const struct py_frames_visit *visit,
			     const struct py_frame_value *value)
{
	return value->object_at ? visit->visitor->value(visit->visitor->context, value) : NULL;
}

static struct error *frames_visit_state(const struct py_frames_visit *visit, addr_t tstate_at)
{
	const struct py_layout *layout = visit->layout;
	const struct {
		struct py_field field;
		const char *name;
	} parts[] = {
		{layout->f.tstate_profileobj, "c_profileobj"},
		{layout->f.tstate_traceobj, "c_traceobj"},
		{layout->f.tstate_curexc_type, "curexc_type"},
		{layout->f.tstate_curexc_value, "curexc_value"},
		{layout->f.tstate_curexc_traceback, "curexc_traceback"},
		{layout->f.tstate_current_exception, "current_exception"},
		{layout->f.tstate_exc_type, "exc_type"},
		{layout->f.tstate_exc_value, "exc_value"},
		{layout->f.tstate_exc_traceback, "exc_traceback"},
		{layout->f.tstate_dict, "dict"},
		{layout->f.tstate_async_exc, "async_exc"},
		{layout->f.tstate_coroutine_wrapper, "coroutine_wrapper"},
		{layout->f.tstate_asyncgen_firstiter, "async_gen_firstiter"},
		{layout->f.tstate_asyncgen_finalizer, "async_gen_finalizer"},
		{layout->f.tstate_context, "context"},
		{layout->f.tstate_on_delete_data, "on_delete_data"},
		{layout->f.tstate_local_key, "threading_local_key"},
		{layout->f.tstate_local_sentinel, "threading_local_sentinel"},
		{layout->f.tstate_asyncio_loop, "asyncio_running_loop"},
	};
	struct error *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_COUNT(parts); i++)
		error = py_frames_tell(visit, &(struct py_frame_value){
						      .object_at = py_frames_field(visit, tstate_at,
										   parts[i].field),
						      .part = PY_FRAME_STATE,
						      .owns = true,
						      .name = parts[i].name,
					      });
	return error;
}

static struct error *frames_visit_frame_object(const struct py_frames_visit *visit, addr_t at)
{
	const struct py_frames_visitor *visitor = visit->visitor;
	struct py_frame frame = {.at = at};
	struct error *error = NULL;

	// Without its code it is a frame all the same.
	if (!py_code_place_of_frame_object(visit->layout, visit->window, at, &frame.place))
		frame.place = (struct py_code_place){0};
	if (visitor->frame)
		error = visitor->frame(visitor->context, &frame);
	if (!error && visitor->value)
		error = py_frame_values_of_object(visit, &frame);
	return error;
}

static struct error *frames_visit_iframe(const struct py_frames_visit *visit, addr_t at)
{
	const struct py_frames_visitor *visitor = visit->visitor;
	uint64_t owner = py_frames_field(visit, at, visit->layout->f.iframe_owner);
	struct py_frame frame = {.at = at};
	struct error *error = NULL;

	// Those of frame objects are seen by the objects' traversal; those on C's stack mark where C has
	// called Python, and borrow what they have.
	if (owner != PY_FRAME_OF_THREAD && owner != PY_FRAME_OF_GENERATOR)
		return NULL;
	if (!py_code_place_of_iframe(visit->layout, visit->window, at, &frame.place)) {
		py_frames_truncate(visit, at);
		return NULL;
	}
	if (visitor->frame)
		error = visitor->frame(visitor->context, &frame);
	if (!error && visitor->value)
		error = py_frame_values_of_iframe(visit, &frame, owner);
	return error;
}

static addr_t frames_first(const struct py_frames_visit *visit, addr_t tstate_at)
{
	const struct py_layout *layout = visit->layout;

	if (layout->f.tstate_current_frame.present)
		return py_frames_field(visit, tstate_at, layout->f.tstate_current_frame);
	if (layout->f.cframe_current.present)
		return py_frames_field(visit,
				       py_frames_field(visit, tstate_at, layout->f.tstate_cframe),
				       layout->f.cframe_current);
	return py_frames_field(visit, tstate_at, layout->f.tstate_frame);
}

// Whether @a at is met for the first time; the chain ends where it is not.
static struct error *frames_see(struct frames *frames, addr_t at, bool *ret)
{
	uint32_t ignored;

	*ret = !addr_map_get(&frames->seen, at, &ignored);
	return *ret ? addr_map_put(&frames->seen, at, 0) : NULL;
}

static struct error *frames_visit_chain(struct frames *frames, addr_t first)
{
	const struct py_frames_visit *visit = &frames->visit;
	bool objects = !visit->layout->f.iframe_previous.present;
	struct py_field link =
		objects ? visit->layout->f.frame_back : visit->layout->f.iframe_previous;
	struct error *error = NULL;
	bool is_new;

	for (addr_t at = first, next; !error && at; at = next) {
		error = frames_see(frames, at, &is_new);
		// The link is read first: without it there is no frame here.
		if (error || !is_new || visit->tally->frame_count == PY_FRAMES_MAX ||
		    !link.present ||
		    !mem_window_read(visit->window, at + link.offset, &next, sizeof(next))) {
			py_frames_truncate(visit, at);
			break;
		}
		visit->tally->frame_count++;
		error = objects ? frames_visit_frame_object(visit, at)
				: frames_visit_iframe(visit, at);
	}
	return error;
}

static struct error *frames_visit_thread(struct frames *frames,
					 const struct py_frames_thread *thread)
{
	const struct py_frames_visitor *visitor = frames->visit.visitor;
	struct error *error = NULL;

	frames->visit.tally->thread_count++;
	if (visitor->thread)
		error = visitor->thread(visitor->context, thread);
	if (!error && visitor->value)
		error = frames_visit_state(&frames->visit, thread->tstate_at);
	return error ? error
		     : frames_visit_chain(frames, frames_first(&frames->visit, thread->tstate_at));
}

struct error *py_frames_visit(const struct py_layout *layout, struct mem_window *window,
			      const struct py_interpreters *interpreters,
			      const struct py_frames_visitor *visitor, struct py_frames_tally *ret)
{
	struct frames frames = {.visit = {layout, window, visitor, ret}};
	const struct py_frames_visit *visit = &frames.visit;
	struct error *error = NULL;
	bool is_new;

	*ret = (struct py_frames_tally){0};
	for (size_t i = 0; !error && i < interpreters->count; i++) {
		addr_t at =
			py_frames_field(visit, interpreters->at[i], layout->f.interp_tstate_head);
		for (; !error && at; at = py_frames_field(visit, at, layout->f.tstate_next)) {
			error = frames_see(&frames, at, &is_new);
			if (error || !is_new || ret->thread_count == PY_THREADS_MAX) {
				py_frames_truncate(visit, at);
				break;
			}
			error = frames_visit_thread(&frames, &(struct py_frames_thread){at, i});
		}
	}
	addr_map_deinit(&frames.seen);
	return error ? error : mem_window_take_error(window);
}
