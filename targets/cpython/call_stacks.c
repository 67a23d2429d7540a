// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/call_stacks.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/code.h"
#include "targets/cpython/objects/frames.h"

enum { NAME_BYTES = 1024, FILE_BYTES = 4096 };

/** The line of a function that was asked for last: most threads of a pool wait at the same place. */
struct known_line {
	int64_t offset;
	int32_t line;
};

struct call_stacks {
	const struct py_layout *layout;
	struct mem_window *window;
	const struct py_interpreters *interpreters;
	struct target_call_stacks *into;
	/** Code object to its number among the functions. */
	struct addr_map functions;
	/** By function. */
	struct known_line *lines;
	size_t line_capacity;
};

static struct error *stacks_copy(const char *text, char **ret)
{
	*ret = strdup(text);
	return *ret ? NULL : error_no_memory();
}

static struct error *stacks_name_function(const struct call_stacks *stacks, addr_t code_at,
					  struct target_function *ret)
{
	const struct py_layout *layout = stacks->layout;
	char name[NAME_BYTES], file[FILE_BYTES];

	py_code_name(layout, stacks->window, code_at, name, sizeof(name));
	py_code_file(layout, stacks->window, code_at, file, sizeof(file));
	struct error *error = stacks_copy(name, &ret->name);
	if (!error)
		error = stacks_copy(file, &ret->file);
	if (error || !layout->f.code_qualname.present)
		return error;
	py_code_qualname(layout, stacks->window, code_at, name, sizeof(name));
	return stacks_copy(name, &ret->qualified_name);
}

// The number of the function whose code is at @a code_at, 0 (of no code) included.
static struct error *stacks_function(struct call_stacks *stacks, addr_t code_at, uint32_t *ret)
{
	struct target_call_stacks *into = stacks->into;
	// An address that no code object has stands for none.
	addr_t key = code_at ? code_at : 1;

	if (addr_map_get(&stacks->functions, key, ret))
		return NULL;
	struct error *error = array_reserve(&into->functions, &into->function_capacity,
					    into->function_count + 1, sizeof(*into->functions));
	if (!error)
		error = array_reserve(&stacks->lines, &stacks->line_capacity,
				      into->function_count + 1, sizeof(*stacks->lines));
	if (error)
		return error;
	// It is in the list before it has its names, so that a failure frees those it got.
	*ret = (uint32_t)into->function_count++;
	into->functions[*ret] = (struct target_function){0};
	stacks->lines[*ret] = (struct known_line){.offset = INT64_MIN};
	error = stacks_name_function(stacks, code_at, &into->functions[*ret]);
	return error ? error : addr_map_put(&stacks->functions, key, *ret);
}

static struct error *stacks_thread(void *context, const struct py_frames_thread *thread)
{
	struct call_stacks *stacks = context;
	struct target_call_stacks *into = stacks->into;
	addr_t interpreter_at = stacks->interpreters->at[thread->interpreter];
	addr_t holder_at = py_runtime_gil_holder(stacks->layout, stacks->window, interpreter_at);
	struct error *error =
		array_reserve(&into->list, &into->capacity, into->count + 1, sizeof(*into->list));

	if (error)
		return error;
	into->list[into->count++] = (struct target_call_stack){
		.thread = py_runtime_thread(stacks->layout, stacks->window, stacks->interpreters,
					    thread->interpreter, thread->tstate_at, holder_at),
		.first = into->call_count,
	};
	return NULL;
}

static struct error *stacks_frame(void *context, const struct py_frame *frame)
{
	struct call_stacks *stacks = context;
	struct target_call_stacks *into = stacks->into;
	struct target_call_stack *stack = &into->list[into->count - 1];
	uint32_t function = 0;

	if (stack->count == TARGET_CALLS_MAX || into->call_count == TARGET_CALLS_TOTAL_MAX) {
		stack->left_out++;
		return NULL;
	}
	struct error *error = array_reserve(&into->calls, &into->call_capacity,
					    into->call_count + 1, sizeof(*into->calls));
	if (!error)
		error = stacks_function(stacks, frame->place.code_at, &function);
	if (error)
		return error;
	struct known_line *known = &stacks->lines[function];
	if (known->offset != frame->place.offset)
		*known = (struct known_line){
			.offset = frame->place.offset,
			.line = (int32_t)py_code_line(stacks->layout, stacks->window,
						      frame->place.code_at, frame->place.offset),
		};
	into->calls[into->call_count++] =
		(struct target_call){.function = function, .line = known->line};
	stack->count++;
	return NULL;
}

struct error *py_call_stacks(const struct py_layout *layout, struct mem_window *window,
			     struct target_call_stacks *ret)
{
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	struct call_stacks stacks = {
		.layout = layout,
		.window = window,
		.interpreters = &interpreters,
		.into = ret,
	};
	const struct py_frames_visitor visitor = {
		.context = &stacks,
		.thread = stacks_thread,
		.frame = stacks_frame,
	};
	struct py_frames_tally tally = {0};

	*ret = (struct target_call_stacks){0};
	struct error *error = py_interpreters_read(layout, window, &interpreters);
	if (!error)
		error = py_frames_visit(layout, window, &interpreters, &visitor, &tally);
	if (!error) {
		ret->interpreter_count = (uint32_t)interpreters.count;
		ret->is_truncated = tally.truncated;
	}
	addr_map_deinit(&stacks.functions);
	free(stacks.lines);
	return error;
}
