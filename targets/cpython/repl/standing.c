// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/repl/standing.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "mem/window.h"
#include "targets/cpython/runtime.h"

static void standing_say(struct target_standing *standing, enum target_footing footing,
			 const char *reason)
{
	standing->footing = footing;
	snprintf(standing->reason, sizeof(standing->reason), "%s", reason);
}

// Whether a symbol is the evaluation loop, or a part that the compiler cut off it.
static bool symbol_is_loop(const char *name)
{
	static const char *const loops[] = {"_PyEval_EvalFrameDefault", "PyEval_EvalFrameEx"};

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		size_t length = strlen(loops[i]);
		if (!strncmp(name, loops[i], length) && (!name[length] || name[length] == '.'))
			return true;
	}
	return false;
}

static struct error *standing_of_counter(struct module *python, addr_t program_counter,
					 struct target_standing *ret)
{
	const char *name = NULL;
	uint64_t distance;

	if (program_counter < python->start || program_counter >= python->end) {
		standing_say(ret, TARGET_FOOTING_NONE,
			     "the thread that holds the GIL was in other code than Python's");
		return NULL;
	}
	struct error *error = module_symbol_at(python, program_counter, &name, &distance);
	if (error)
		return error;
	if (name && symbol_is_loop(name))
		standing_say(ret, TARGET_FOOTING_FIRM, "");
	else
		standing_say(ret, TARGET_FOOTING_LOOSE,
			     "the thread that holds the GIL was in the middle of an operation");
	return NULL;
}

static const struct target_stack *standing_stack(const struct target_moment *moment,
						 const struct target_thread *thread)
{
	for (size_t i = 0; i < moment->stack_count; i++)
		if (thread->tid ? moment->stacks[i].tid == thread->tid
				: moment->stacks[i].pthread_at == thread->pthread_at)
			return &moment->stacks[i];
	return NULL;
}

// With the GIL free, the oldest thread of the main interpreter: mostly the main thread.
static void standing_without_holder(const struct target_facts *facts,
				    const struct target_moment *moment, struct target_standing *ret)
{
	standing_say(ret, TARGET_FOOTING_FIRM, "");
	for (size_t i = 0; i < facts->thread_count; i++) {
		const struct target_stack *stack = standing_stack(moment, &facts->threads[i]);
		if (stack && facts->threads[i].interpreter == 0)
			ret->tid = stack->tid;
	}
}

static struct error *standing_judge(const struct target_facts *facts, struct module *python,
				    const struct target_moment *moment, struct target_standing *ret)
{
	const struct target_thread *holder = NULL;

	for (size_t i = 0; i < facts->thread_count; i++)
		if (facts->threads[i].holds_gil &&
		    (!holder || facts->threads[i].interpreter < holder->interpreter))
			holder = &facts->threads[i];
	if (!holder) {
		standing_without_holder(facts, moment, ret);
		return NULL;
	}
	const struct target_stack *stack = standing_stack(moment, holder);
	if (!stack || holder->interpreter) {
		standing_say(ret, TARGET_FOOTING_NONE,
			     stack ? "another interpreter than the main one was running"
				   : "the thread that holds the GIL was not found");
		return NULL;
	}
	ret->tid = stack->tid;
	return standing_of_counter(python, stack->program_counter, ret);
}

struct error *py_standing(const struct py_layout *layout, struct module *python,
			  const struct target_moment *moment, struct target_standing *ret)
{
	_cleanup_mem_window_ struct mem_window *window = NULL;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	_cleanup_py_gc_state_ struct py_gc_state gc = {0};
	struct target_facts facts = {0};

	*ret = (struct target_standing){0};
	// Symbols are read from files when first asked for.
	if (!moment->stack_count)
		return standing_of_counter(python, layout->gil_ensure_at, ret);
	struct error *error = mem_window_create(moment->source, &window);
	if (!error)
		error = py_interpreters_read(layout, window, &interpreters);
	if (!error)
		error = py_gc_state_read(layout, window, &interpreters, &gc);
	if (!error)
		error = py_runtime_threads(layout, window, &interpreters, &facts);
	if (!error)
		error = standing_judge(&facts, python, moment, ret);
	if (!error && gc.collecting)
		standing_say(ret, TARGET_FOOTING_NONE, "a collection was under way");
	target_facts_deinit(&facts);
	return error;
}
