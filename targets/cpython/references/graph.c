// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "targets/cpython/objects/code.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/frames.h"
#include "targets/cpython/objects/string.h"

enum {
	/** Static objects lead to others: so many steps away from the heap at most. */
	ROUNDS_MAX = 1000,
	MODULES_MAX = 1 << 20,
	NAME_BYTES_MAX = 256,
	FILE_BYTES_MAX = 512,
	THREAD_BYTES_MAX = 32,
	FRAME_BYTES_MAX = NAME_BYTES_MAX + FILE_BYTES_MAX + 64,
	/** gc.DEBUG_SAVEALL. */
	DEBUG_SAVEALL = 32,
};

// One round: who was referred to and is not known yet. *@a ret_found tells whether there was any.
static struct error *graph_round(struct py_pass *pass, struct py_scan *scan, bool *ret_found)
{
	_cleanup_free_ addr_t *unknown = NULL;
	size_t count = 0;
	struct error *error = heap_sink_unknown(pass->sink, &unknown, &count);

	*ret_found = false;
	for (size_t i = 0; !error && i < count; i++) {
		if (py_scan_referred_at(scan, unknown[i]))
			*ret_found = true;
		error = i % 4096 == 4095 ? interrupt_check() : NULL;
	}
	return error;
}

static struct error *graph_follow_unknown(struct py_pass *pass)
{
	struct py_scan *scan;
	struct error *error = py_pass_create_scan(pass, PY_SCAN_REPORT, &scan);
	bool found = true;

	if (error)
		return error;
	scan->sink = pass->sink;
	for (int round = 0; !error && found && round < ROUNDS_MAX; round++) {
		error = graph_round(pass, scan, &found);
		// What the next round asks about has to be in the sink.
		struct error *failure = py_scan_finish(scan);
		if (error)
			error_destroy(failure);
		else
			error = failure;
	}
	py_scan_destroy(scan);
	return error;
}

static struct error *graph_root(struct py_pass *pass, addr_t at, enum heap_root_kind kind,
				const char *name)
{
	struct heap_root root = {.object_at = at, .kind = kind, .name = name};

	return at ? heap_sink_roots(pass->sink, &root, 1) : NULL;
}

static struct error *graph_modules(struct py_pass *pass, struct mem_window *window,
				   addr_t modules_at)
{
	struct py_dict_cursor cursor;
	addr_t key_at, value_at;
	struct error *error = NULL;

	if (!modules_at)
		return NULL;
	py_dict_begin(pass->layout, window, modules_at, &cursor);
	if (cursor.left > MODULES_MAX)
		cursor.left = MODULES_MAX;
	while (!error && py_dict_next(&cursor, &key_at, &value_at)) {
		char name[NAME_BYTES_MAX];
		bool named = py_string_read(pass->layout, window, key_at, name, sizeof(name));
		error = graph_root(pass, value_at, HEAP_ROOT_MODULE, named ? name : "?");
	}
	return error;
}

static struct error *graph_roots(struct py_pass *pass, struct mem_window *window,
				 const struct py_interpreters *interpreters,
				 const struct py_gc_state *gc)
{
	const struct py_layout *layout = pass->layout;
	struct error *error = graph_root(pass, gc->garbage_at, HEAP_ROOT_GARBAGE, "gc.garbage");

	for (size_t i = 0; !error && i < interpreters->count; i++) {
		addr_t sys_at = mem_window_word(
			window, interpreters->at[i] + layout->f.interp_sysdict.offset, 0);
		addr_t modules_at = py_dict_find(layout, window, sys_at, "modules");
		error = graph_root(pass, sys_at, HEAP_ROOT_INTERPRETER, "sys.__dict__");
		if (!error)
			error = graph_root(pass, modules_at, HEAP_ROOT_INTERPRETER, "sys.modules");
		if (!error)
			error = graph_modules(pass, window, modules_at);
		if (!error && layout->f.interp_interned.present)
			error = graph_root(pass,
					   mem_window_word(window,
							   interpreters->at[i] +
								   layout->f.interp_interned.offset,
							   0),
					   HEAP_ROOT_INTERNED, "interned strings");
	}
	if (!error && layout->var.interned)
		error = graph_root(pass, mem_window_word(window, layout->var.interned, 0),
				   HEAP_ROOT_INTERNED, "interned strings");
	return error;
}

/** Whose values are told: what is composed of it once stands for all of them. */
struct graph_frames {
	struct py_pass *pass;
	struct mem_window *window;
	char thread[THREAD_BYTES_MAX];
	/** "thread 4711 in handle() at web.py:42" */
	char frame[FRAME_BYTES_MAX];
};

// The kernel's id of a thread that the runtime knows by its pthread_self() alone; 0 when nobody does.
static pid_t graph_thread_id(const struct py_pass *pass, uint64_t pthread_at)
{
	for (size_t i = 0; i < pass->stack_count; i++)
		if (pass->stacks[i].pthread_at == pthread_at)
			return pass->stacks[i].tid;
	return 0;
}

static struct error *graph_name_thread(void *context, const struct py_frames_thread *thread)
{
	struct graph_frames *frames = context;
	const struct py_layout *layout = frames->pass->layout;
	uint64_t pthread_at = mem_window_word(
		frames->window, thread->tstate_at + layout->f.tstate_thread_id.offset, 0);
	const void *tid_at =
		layout->f.tstate_native_thread_id.present
			? mem_window_at(frames->window,
					thread->tstate_at +
						layout->f.tstate_native_thread_id.offset,
					sizeof(uint64_t))
			: NULL;
	uint64_t tid = 0;

	if (tid_at)
		memcpy(&tid, tid_at, sizeof(tid));
	if (!tid)
		tid = (uint64_t)graph_thread_id(frames->pass, pthread_at);
	if (tid)
		snprintf(frames->thread, sizeof(frames->thread), "thread %" PRIu64, tid);
	else
		snprintf(frames->thread, sizeof(frames->thread), "thread 0x%" PRIx64, pthread_at);
	return NULL;
}

static struct error *graph_name_frame(void *context, const struct py_frame *frame)
{
	struct graph_frames *frames = context;
	const struct py_layout *layout = frames->pass->layout;
	addr_t code_at = frame->place.code_at;
	char name[NAME_BYTES_MAX], file[FILE_BYTES_MAX];

	if (!code_at) {
		snprintf(frames->frame, sizeof(frames->frame), "%s in ?", frames->thread);
		return NULL;
	}
	py_code_qualname(layout, frames->window, code_at, name, sizeof(name));
	py_code_file(layout, frames->window, code_at, file, sizeof(file));
	// "<module>" and "<lambda>" are no names of functions.
	bool is_function = *name && name[strlen(name) - 1] != '>';
	snprintf(frames->frame, sizeof(frames->frame), "%s in %s%s at %s:%" PRId64, frames->thread,
		 name, is_function ? "()" : "", file,
		 py_code_line(layout, frames->window, code_at, frame->place.offset));
	return NULL;
}

static struct error *graph_frame_value(void *context, const struct py_frame_value *value)
{
	static const char *const words[] = {
		[PY_FRAME_LOCAL] = "local variable ",
		[PY_FRAME_CELL] = "cell variable ",
		[PY_FRAME_FREE] = "free variable ",
		[PY_FRAME_STACK] = "evaluation stack",
		[PY_FRAME_SPECIAL] = "",
		[PY_FRAME_STATE] = "",
	};
	const struct graph_frames *frames = context;
	bool is_state = value->part == PY_FRAME_STATE;
	char part[NAME_BYTES_MAX];

	snprintf(part, sizeof(part), "%s%s", words[value->part], value->name);
	struct heap_root root = {
		.object_at = value->object_at,
		.kind = is_state ? HEAP_ROOT_THREAD : HEAP_ROOT_FRAME,
		.owns = value->owns,
		.name = is_state ? frames->thread : frames->frame,
		.part = part,
	};
	return heap_sink_roots(frames->pass->sink, &root, 1);
}

static struct error *graph_frames(struct py_pass *pass, struct mem_window *window,
				  const struct py_interpreters *interpreters)
{
	struct graph_frames frames = {.pass = pass, .window = window};
	const struct py_frames_visitor visitor = {
		.context = &frames,
		.thread = graph_name_thread,
		.frame = graph_name_frame,
		.value = graph_frame_value,
	};
	struct py_frames_tally tally = {0};
	struct error *error = py_frames_visit(pass->layout, window, interpreters, &visitor, &tally);

	if (error || !tally.truncated)
		return error;
	struct heap_problem problem = {
		.kind = HEAP_PROBLEM_TRUNCATED,
		.at = tally.truncated_at,
		.text = "a chain of running functions could not be followed to its end",
	};
	return heap_sink_problem(pass->sink, &problem);
}

struct error *py_graph_complete(struct py_pass *pass, struct mem_window *window,
				const struct py_interpreters *interpreters,
				const struct py_gc_state *gc)
{
	struct heap_collector collector = {
		.enabled = gc->enabled != 0,
		.saves_all = gc->debug > 0 && gc->debug & DEBUG_SAVEALL,
		.garbage_at = gc->garbage_at,
		.calls_back = py_gc_state_calls_back(pass->layout, window, gc),
		.collector_count =
			pass->layout->f.interp_gc.present ? (uint32_t)interpreters->count : 1,
	};
	struct error *error = graph_roots(pass, window, interpreters, gc);

	if (!error)
		error = graph_frames(pass, window, interpreters);
	if (!error)
		error = heap_sink_collector(pass->sink, &collector);
	if (!error)
		error = graph_follow_unknown(pass);
	return error;
}
