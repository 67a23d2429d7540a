// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/objects/frames.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/code.h"
#include "targets/cpython/objects/string.h"

enum { NAME_BYTES = 128, FILE_BYTES = 512, PLACE_BYTES = 680 };

/** enum _frameowner of Include/internal/pycore_frame.h. */
enum frame_owner {
	OWNED_BY_THREAD = 0,
	OWNED_BY_GENERATOR = 1,
};

/** Include/code.h: CO_GENERATOR. */
static const uint64_t CODE_GENERATOR = 0x20;

struct frames {
	const struct py_layout *layout;
	struct mem_window *window;
	const struct py_frames_visitor *visitor;
	struct py_frames_tally *tally;
	/** Frames and threads that have been visited: none is on two chains, or twice on one. */
	struct addr_map seen;
};

// A frame of 3.11 and later, as far as it is used.
struct iframe {
	addr_t at;
	addr_t code_at;
	addr_t values_at;
	addr_t generator_at;
	uint32_t variable_count;
	uint32_t value_count;
	/** The height of the evaluation stack is not known, `value_count` is `variable_count`. */
	bool executing;
	char place[PLACE_BYTES];
};

static uint64_t frames_field(const struct frames *frames, addr_t at, struct py_field field)
{
	const void *bytes;
	struct py_field here = field;

	here.offset = 0;
	if (!at || !field.present)
		return 0;
	bytes = mem_window_at(frames->window, at + field.offset, field.size < 8 ? field.size : 8);
	return bytes ? py_get(bytes, here) : 0;
}

static void frames_truncate(struct frames *frames, addr_t at)
{
	if (!frames->tally->truncated)
		frames->tally->truncated_at = at;
	frames->tally->truncated = true;
}

static struct error *frames_tell(const struct frames *frames, const struct py_frame_value *value)
{
	return value->object_at ? frames->visitor->value(frames->visitor->context, value) : NULL;
}

// An evaluation stack that begins at @a start and whose height is not known, only its most.
static struct error *frames_tell_stack(const struct frames *frames, addr_t code_at, addr_t start,
				       const char *place)
{
	uint64_t words = frames_field(frames, code_at, frames->layout->f.code_stacksize);

	if (!frames->visitor->stack || !start || !words)
		return NULL;
	if (words > PY_FRAME_VALUES_MAX)
		words = PY_FRAME_VALUES_MAX;
	struct py_frame_stack stack = {start, start + words * sizeof(addr_t), place};
	return frames->visitor->stack(frames->visitor->context, &stack);
}

// "name at file:line"
static void frames_place(const struct frames *frames, addr_t code_at, int64_t line, char *into)
{
	char name[NAME_BYTES], file[FILE_BYTES];

	py_code_qualname(frames->layout, frames->window, code_at, name, sizeof(name));
	py_code_file(frames->layout, frames->window, code_at, file, sizeof(file));
	snprintf(into, PLACE_BYTES, "%s at %s:%" PRId64, name, file, line);
}

static struct error *frames_visit_state(const struct frames *frames, addr_t tstate_at)
{
	const struct py_layout *layout = frames->layout;
	const struct {
		struct py_field field;
		const char *part;
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
	uint64_t tid = frames_field(frames, tstate_at, layout->f.tstate_native_thread_id);
	uint64_t pthread_at = frames_field(frames, tstate_at, layout->f.tstate_thread_id);
	struct error *error = NULL;
	char name[NAME_BYTES];

	if (tid)
		snprintf(name, sizeof(name), "thread %" PRIu64, tid);
	else
		snprintf(name, sizeof(name), "thread 0x%" PRIx64, pthread_at);
	for (size_t i = 0; !error && i < ARRAY_COUNT(parts); i++)
		error = frames_tell(frames, &(struct py_frame_value){
						    .object_at = frames_field(frames, tstate_at,
									      parts[i].field),
						    .kind = HEAP_ROOT_THREAD,
						    .owns = true,
						    .name = name,
						    .part = parts[i].part,
					    });
	return error;
}

/*
 * Up to 3.10. _PyEval_EvalCode() and its like own the frame they run, and the thread's state borrows
 * it. The frame of a generator belongs to the generator, and gen_send_ex() takes no reference.
 */
static struct error *frames_visit_frame_object(const struct frames *frames, addr_t frame_at)
{
	const struct py_layout *layout = frames->layout;
	char place[PLACE_BYTES] = "?";
	addr_t code_at = 0, generator_at;
	int64_t line;
	bool is_generator = false;

	if (py_code_of_frame_object(layout, frames->window, frame_at, &code_at, &line)) {
		frames_place(frames, code_at, line, place);
		is_generator = !layout->f.frame_generator.present &&
			       frames_field(frames, code_at, layout->f.code_flags) & CODE_GENERATOR;
	}
	generator_at = frames_field(frames, frame_at, layout->f.frame_generator);
	struct error *error = frames_tell(frames, &(struct py_frame_value){
							  .object_at = frame_at,
							  .kind = HEAP_ROOT_FRAME,
							  .owns = !generator_at && !is_generator,
							  .name = place,
							  .part = "frame",
							  .generator_at = generator_at,
						  });
	return error ? error
		     : frames_tell_stack(frames, code_at,
					 frames_field(frames, frame_at, layout->f.frame_valuestack),
					 place);
}

// False where it cannot be read, or says nonsense of itself.
static bool iframe_read(const struct frames *frames, addr_t at, uint64_t owner, struct iframe *ret)
{
	const struct py_layout *layout = frames->layout;
	int64_t line;

	*ret = (struct iframe){.at = at, .values_at = at + layout->f.iframe_values.offset};
	if (!py_code_of_iframe(layout, frames->window, at, &ret->code_at, &line))
		return false;
	uint64_t variables = frames_field(frames, ret->code_at, layout->f.code_nlocalsplus);
	int32_t top = (int32_t)frames_field(frames, at, layout->f.iframe_stacktop);
	if (variables > PY_FRAME_VALUES_MAX || top > PY_FRAME_VALUES_MAX ||
	    frames->tally->value_count > PY_FRAME_VALUES_TOTAL_MAX)
		return false;
	ret->variable_count = (uint32_t)variables;
	ret->executing = top < 0;
	ret->value_count = top < 0 ? ret->variable_count : (uint32_t)top;
	if (owner == OWNED_BY_GENERATOR)
		ret->generator_at = at - layout->f.generator_iframe.offset;
	frames_place(frames, ret->code_at, line, ret->place);
	return true;
}

static void iframe_variable_name(const struct frames *frames, const struct iframe *iframe,
				 uint32_t index, char *into)
{
	const struct py_layout *layout = frames->layout;
	addr_t names_at = frames_field(frames, iframe->code_at, layout->f.code_localsplusnames);
	addr_t name_at = names_at && index < frames_field(frames, names_at, layout->f.var_size)
				 ? mem_window_word(frames->window,
						   names_at + layout->f.tuple_items.offset +
							   index * sizeof(addr_t),
						   0)
				 : 0;

	if (!name_at || !py_string_read(layout, frames->window, name_at, into, NAME_BYTES))
		snprintf(into, NAME_BYTES, "?");
}

static struct error *iframe_visit_values(struct frames *frames, const struct iframe *iframe)
{
	struct error *error = NULL;
	char variable[NAME_BYTES];

	for (uint32_t i = 0; !error && i < iframe->value_count; i++) {
		addr_t value_at = iframe->values_at + i * sizeof(addr_t), object_at;
		if (!mem_window_read(frames->window, value_at, &object_at, sizeof(object_at))) {
			frames_truncate(frames, value_at);
			break;
		}
		frames->tally->value_count++;
		if (!object_at)
			continue;
		bool is_variable = i < iframe->variable_count;
		if (is_variable)
			iframe_variable_name(frames, iframe, i, variable);
		error = frames_tell(frames, &(struct py_frame_value){
						    .object_at = object_at,
						    .kind = HEAP_ROOT_FRAME,
						    .owns = true,
						    .name = iframe->place,
						    .part = is_variable ? variable : "stack",
						    .generator_at = iframe->generator_at,
					    });
	}
	return error;
}

static struct error *iframe_visit_stack(const struct frames *frames, const struct iframe *iframe)
{
	addr_t start = iframe->values_at + iframe->variable_count * sizeof(addr_t);

	return iframe->executing ? frames_tell_stack(frames, iframe->code_at, start, iframe->place)
				 : NULL;
}

// What a frame holds beside its variables. Its globals and builtins are borrowed from the function.
static struct error *iframe_visit_specials(const struct frames *frames, const struct iframe *iframe)
{
	const struct py_layout *layout = frames->layout;
	const struct {
		addr_t object_at;
		const char *part;
	} parts[] = {
		{frames_field(frames, iframe->at, layout->f.iframe_function), "function"},
		{iframe->code_at, "code"},
		{frames_field(frames, iframe->at, layout->f.iframe_locals), "locals"},
		{frames_field(frames, iframe->at, layout->f.iframe_object), "frame"},
	};
	struct error *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_COUNT(parts); i++)
		error = frames_tell(frames, &(struct py_frame_value){
						    .object_at = parts[i].object_at,
						    .kind = HEAP_ROOT_FRAME,
						    .owns = true,
						    .name = iframe->place,
						    .part = parts[i].part,
					    });
	return error;
}

// What runs keeps its generator alive, but owns no reference to it: the caller does.
static struct error *iframe_visit_generator(struct frames *frames, const struct iframe *iframe)
{
	struct error *error = frames_tell(frames, &(struct py_frame_value){
							  .object_at = iframe->generator_at,
							  .kind = HEAP_ROOT_FRAME,
							  .owns = false,
							  .name = iframe->place,
							  .part = "generator",
							  .generator_at = iframe->generator_at,
						  });

	// What is below the stack's top its own traversal visits.
	if (!error && iframe->executing)
		error = iframe_visit_values(frames, iframe);
	return error ? error : iframe_visit_stack(frames, iframe);
}

static struct error *frames_visit_iframe(struct frames *frames, addr_t at)
{
	const struct py_layout *layout = frames->layout;
	uint64_t owner = frames_field(frames, at, layout->f.iframe_owner);
	struct iframe iframe;

	// Those of frame objects are seen by the objects' traversal; those on C's stack mark where C has
	// called Python, and borrow what they have.
	if (owner != OWNED_BY_THREAD && owner != OWNED_BY_GENERATOR)
		return NULL;
	if (!iframe_read(frames, at, owner, &iframe)) {
		frames_truncate(frames, at);
		return NULL;
	}
	if (owner == OWNED_BY_GENERATOR && layout->f.generator_iframe.present)
		return iframe_visit_generator(frames, &iframe);
	struct error *error = iframe_visit_specials(frames, &iframe);
	if (!error)
		error = iframe_visit_values(frames, &iframe);
	return error ? error : iframe_visit_stack(frames, &iframe);
}

static addr_t frames_first(const struct frames *frames, addr_t tstate_at)
{
	const struct py_layout *layout = frames->layout;

	if (layout->f.tstate_current_frame.present)
		return frames_field(frames, tstate_at, layout->f.tstate_current_frame);
	if (layout->f.cframe_current.present)
		return frames_field(frames,
				    frames_field(frames, tstate_at, layout->f.tstate_cframe),
				    layout->f.cframe_current);
	return frames_field(frames, tstate_at, layout->f.tstate_frame);
}

// Whether @a at is met for the first time; the chain ends where it is not.
static struct error *frames_see(struct frames *frames, addr_t at, bool *ret)
{
	uint32_t ignored;

	*ret = !addr_map_get(&frames->seen, at, &ignored);
	return *ret ? addr_map_put(&frames->seen, at, 0) : NULL;
}

static struct error *frames_visit_thread(struct frames *frames, addr_t tstate_at)
{
	const struct py_layout *layout = frames->layout;
	bool objects = !layout->f.iframe_previous.present;
	struct py_field link = objects ? layout->f.frame_back : layout->f.iframe_previous;
	struct error *error = frames_visit_state(frames, tstate_at);
	addr_t at = frames_first(frames, tstate_at), next;
	bool is_new;

	frames->tally->thread_count++;
	for (; !error && at; at = next) {
		error = frames_see(frames, at, &is_new);
		// The link is read first: without it there is no frame here.
		if (error || !is_new || frames->tally->frame_count == PY_FRAMES_MAX ||
		    !link.present ||
		    !mem_window_read(frames->window, at + link.offset, &next, sizeof(next))) {
			frames_truncate(frames, at);
			break;
		}
		frames->tally->frame_count++;
		error = objects ? frames_visit_frame_object(frames, at)
				: frames_visit_iframe(frames, at);
	}
	return error;
}

struct error *py_frames_visit(const struct py_layout *layout, struct mem_window *window,
			      const struct py_interpreters *interpreters,
			      const struct py_frames_visitor *visitor, struct py_frames_tally *ret)
{
	struct frames frames = {layout, window, visitor, ret, {0}};
	struct error *error = NULL;
	bool is_new;

	*ret = (struct py_frames_tally){0};
	for (size_t i = 0; !error && i < interpreters->count; i++) {
		addr_t at =
			frames_field(&frames, interpreters->at[i], layout->f.interp_tstate_head);
		for (; !error && at; at = frames_field(&frames, at, layout->f.tstate_next)) {
			error = frames_see(&frames, at, &is_new);
			if (error || !is_new || ret->thread_count == PY_THREADS_MAX) {
				frames_truncate(&frames, at);
				break;
			}
			error = frames_visit_thread(&frames, at);
		}
	}
	addr_map_deinit(&frames.seen);
	return error ? error : mem_window_take_error(window);
}
