// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/frames.h"
#include "targets/cpython/objects/string.h"

enum {
	/** Static objects lead to others: so many steps away from the heap at most. */
	ROUNDS_MAX = 1000,
	MODULES_MAX = 1 << 20,
	NAME_BYTES_MAX = 256,
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

static struct error *graph_frame_value(void *context, const struct py_frame_value *value)
{
	struct py_pass *pass = context;
	char name[2 * NAME_BYTES_MAX];

	snprintf(name, sizeof(name), "%s: %s", value->name, value->part);
	struct heap_root root = {
		.object_at = value->object_at,
		.kind = value->kind,
		.owns = value->owns,
		.name = name,
	};
	return heap_sink_roots(pass->sink, &root, 1);
}

static struct error *graph_frames(struct py_pass *pass, struct mem_window *window,
				  const struct py_interpreters *interpreters)
{
	const struct py_frames_visitor visitor = {.context = pass, .value = graph_frame_value};
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
