// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/machine/trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "cpu/cpu.h"
#include "mem/memory_left.h"
#include "mem/window.h"
#include "targets/cpython/machine/libc_gates.h"
#include "targets/cpython/machine/trial_system.h"
#include "targets/cpython/runtime.h"

enum {
	/** A collection takes some hundreds for an object; the rest is for code that it runs. */
	STEPS_PER_OBJECT = 2000,
	/** More in gc.garbage are not listed. */
	GARBAGE_MAX = 1 << 26,
	PAGE_BITS = 12,
};

static const uint64_t STEPS_MIN = 1ULL << 28;
static const uint64_t STEPS_MAX = 1ULL << 32;
static const uint64_t WRITTEN_BYTES_MAX = 1ULL << 30;

struct trial {
	const struct py_layout *layout;
	struct module_list *modules;
	const struct target_moment *moment;
	struct mem_window *window;
	struct cpu *cpu;
	struct py_trial_system system;
	/** The main interpreter. */
	addr_t interp_at;
	/** Its collector's struct _gc_runtime_state; 0 when its state is in variables. */
	addr_t gc_at;
	addr_t thread_pointer;
	/** The thread state that has the GIL, as which the trial runs; 0 when nobody has it. */
	addr_t holder_at;
	struct target_collection *result;
};

static void trial_deinit(struct trial *trial)
{
	cpu_destroy(trial->cpu);
	mem_window_destroy(trial->window);
}

PRINTF_LIKE(2, 3) static void trial_give_up(struct trial *trial, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->result->reason, sizeof(trial->result->reason), format, arguments);
	va_end(arguments);
}

static bool trial_has_given_up(const struct trial *trial)
{
	return trial->result->reason[0];
}

static addr_t trial_field(struct trial *trial, addr_t at, struct py_field field)
{
	return mem_window_word(trial->window, at + field.offset, 0);
}

static bool trial_has_stack(const struct trial *trial, addr_t pthread_at)
{
	for (size_t i = 0; pthread_at && i < trial->moment->stack_count; i++)
		if (trial->moment->stacks[i].pthread_at == pthread_at &&
		    trial->moment->stacks[i].thread_pointer)
			return true;
	return false;
}

// Who has the GIL, as nobody else could collect; otherwise the oldest thread there is.
static void trial_find_thread(struct trial *trial)
{
	const struct py_layout *layout = trial->layout;
	addr_t holder_at = py_runtime_gil_holder(layout, trial->window, trial->interp_at);
	addr_t at = trial_field(trial, trial->interp_at, layout->f.interp_tstate_head);

	for (int i = 0; at && i < PY_THREADS_MAX; i++) {
		addr_t pthread_at = trial_field(trial, at, layout->f.tstate_thread_id);

		if (trial_has_stack(trial, pthread_at) && (!holder_at || at == holder_at)) {
			trial->thread_pointer = pthread_at;
			trial->holder_at = holder_at;
		}
		at = trial_field(trial, at, layout->f.tstate_next);
	}
	if (!trial->thread_pointer)
		trial_give_up(trial, "%s",
			      holder_at ? "the thread that holds the GIL is not there"
					: "there is no thread to do it");
}

static struct error *trial_find_state(struct trial *trial)
{
	const struct py_layout *layout = trial->layout;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	_cleanup_py_gc_state_ struct py_gc_state gc = {0};
	struct error *error = py_interpreters_read(layout, trial->window, &interpreters);

	if (!error)
		error = py_gc_state_read(layout, trial->window, &interpreters, &gc);
	if (error)
		return error;
	if (interpreters.count != 1)
		trial_give_up(trial, "there are %zu interpreters", interpreters.count);
	else if (gc.collecting)
		trial_give_up(trial, "a collection is under way");
	if (trial_has_given_up(trial))
		return NULL;
	trial->interp_at = interpreters.at[0];
	if (layout->f.interp_gc.present)
		trial->gc_at = trial->interp_at + layout->f.interp_gc.offset;
	else if (layout->f.runtime_gc.present)
		trial->gc_at = layout->var.runtime + layout->f.runtime_gc.offset;
	trial_find_thread(trial);
	return mem_window_take_error(trial->window);
}

static struct error *trial_create_cpu(struct trial *trial, uint64_t object_count)
{
	struct py_libc_gates gates = {0};
	uint64_t left = memory_left_bytes("") / 2;
	uint64_t bytes = left < WRITTEN_BYTES_MAX ? left : WRITTEN_BYTES_MAX;
	uint64_t steps = STEPS_MAX;
	struct mem_source *source = trial->moment->source;
	struct error *error = cpu_create(source, &trial->cpu);

	if (error)
		return error;
	if (object_count < STEPS_MAX / STEPS_PER_OBJECT - STEPS_MIN / STEPS_PER_OBJECT)
		steps = STEPS_MIN + object_count * STEPS_PER_OBJECT;
	cpu_set_limits(trial->cpu, steps, bytes >> PAGE_BITS);
	cpu_set_thread_pointer(trial->cpu, trial->thread_pointer);
	error = py_libc_gates_find(trial->modules, source, trial->thread_pointer, &gates);
	if (!error)
		error = py_libc_gates_add(&gates, trial->cpu);
	if (!error)
		error = py_trial_system_set_up(trial->modules, source, trial->cpu, &trial->system);
	return error;
}

static struct error *trial_call_at(struct trial *trial, addr_t at, const uint64_t *args,
				   size_t arg_count, uint64_t *ret)
{
	char text[120];
	enum cpu_outcome outcome = cpu_call(trial->cpu, at, args, arg_count, ret);
	trial->result->steps += cpu_steps(trial->cpu);
	struct error *error = interrupt_check();
	if (error || outcome == CPU_RETURNED)
		return error;
	if (outcome == CPU_SYSTEM_CALL && trial->system.waits)
		trial_give_up(trial, "it would wait for another thread");
	else if (outcome == CPU_SYSTEM_CALL && trial->system.refused != UINT64_MAX)
		trial_give_up(trial, "it makes system call %llu",
			      (unsigned long long)trial->system.refused);
	else
		trial_give_up(trial, "%s", cpu_describe(trial->cpu, outcome, text, sizeof(text)));
	return NULL;
}

static struct error *trial_call(struct trial *trial, struct module *python, const char *name,
				uint64_t *ret)
{
	bool present = false;
	addr_t at = 0;
	struct error *error = module_symbol(python, name, &present, &at);

	if (error)
		return error;
	if (!present) {
		trial_give_up(trial, "there is no %s()", name);
		return NULL;
	}
	return trial_call_at(trial, at, NULL, 0, ret);
}

// gc.collect() collects also when the collector is disabled; PyGC_Collect() does not from 3.8 on.
static void trial_enable(struct trial *trial)
{
	const struct py_layout *layout = trial->layout;
	int32_t enabled = 1;

	if (!trial->gc_at || !layout->f.gc_enabled.present)
		return;
	if (!cpu_write(trial->cpu, trial->gc_at + layout->f.gc_enabled.offset, &enabled,
		       sizeof(enabled)))
		trial_give_up(trial, "the collector cannot be enabled");
}

// gc.garbage as the cpu has it: how many it has and where. None when there is no list.
static uint64_t trial_garbage(struct trial *trial, addr_t *ret_items_at)
{
	const struct py_layout *layout = trial->layout;
	addr_t at =
		trial->gc_at ? trial->gc_at + layout->f.gc_garbage.offset : layout->var.gc_garbage;
	addr_t list_at = 0;
	int64_t count = 0;

	*ret_items_at = 0;
	if (!at || !cpu_read(trial->cpu, at, &list_at, sizeof(list_at)) || !list_at ||
	    !cpu_read(trial->cpu, list_at + layout->f.var_size.offset, &count, sizeof(count)) ||
	    !cpu_read(trial->cpu, list_at + layout->f.list_items.offset, ret_items_at,
		      sizeof(*ret_items_at)))
		return 0;
	return count < 0 || count > GARBAGE_MAX ? 0 : (uint64_t)count;
}

// A collection appends to gc.garbage.
static struct error *trial_read_garbage(struct trial *trial, uint64_t before)
{
	struct target_collection *result = trial->result;
	addr_t items_at;
	uint64_t count = trial_garbage(trial, &items_at);
	size_t capacity = 0;

	if (count <= before)
		return NULL;
	struct error *error = array_reserve(&result->garbage, &capacity, count - before,
					    sizeof(*result->garbage));
	if (error)
		return error;
	result->garbage_count = count - before;
	if (!cpu_read(trial->cpu, items_at + before * sizeof(addr_t), result->garbage,
		      result->garbage_count * sizeof(addr_t)))
		trial_give_up(trial, "gc.garbage cannot be read afterwards");
	return NULL;
}

// Between getting the GIL and saying who has it, or the other way round, a thread has it and is not the
// current one. Before Python 3.5 who has it is known by that alone.
static struct error *trial_become_current(struct trial *trial, struct module *python)
{
	static const char *const asks[] = {"PyThreadState_GetUnchecked",
					   "_PyThreadState_UncheckedGet"};
	uint64_t current = 1, ignored;
	struct error *error = NULL;
	bool present = false;
	addr_t at;

	for (size_t i = 0; !error && !present && i < ARRAY_COUNT(asks); i++) {
		error = module_symbol(python, asks[i], &present, &at);
		if (!error && present)
			error = trial_call_at(trial, at, NULL, 0, &current);
	}
	if (error || current || trial_has_given_up(trial))
		return error;
	error = module_symbol(python, "PyThreadState_Swap", &present, &at);
	return error || !present ? error : trial_call_at(trial, at, &trial->holder_at, 1, &ignored);
}

static struct error *trial_run(struct trial *trial, uint64_t object_count)
{
	struct module *python;
	uint64_t returned = 0, ignored;
	addr_t items_at;
	struct error *error = py_runtime_find(trial->modules, &python);

	if (!error && !python)
		trial_give_up(trial, "the interpreter is gone");
	if (error || trial_has_given_up(trial))
		return error;
	error = trial_create_cpu(trial, object_count);
	if (!error)
		error = trial->holder_at ? trial_become_current(trial, python)
					 : trial_call(trial, python, "PyGILState_Ensure", &ignored);
	if (error || trial_has_given_up(trial))
		return error;
	trial_enable(trial);
	uint64_t before = trial_garbage(trial, &items_at);
	error = trial_call(trial, python, "PyGC_Collect", &returned);
	if (!error && !trial_has_given_up(trial))
		error = trial_read_garbage(trial, before);
	trial->result->returned = (int64_t)returned;
	return error;
}

struct error *py_trial_collect(const struct py_layout *layout, struct module_list *modules,
			       const struct target_moment *moment, uint64_t object_count,
			       struct target_collection *ret)
{
	CLEANUP(trial_deinit)
	struct trial trial = {
		.layout = layout,
		.modules = modules,
		.moment = moment,
		.result = ret,
	};

	*ret = (struct target_collection){0};
	if (!cpu_is_supported()) {
		trial_give_up(&trial, "this machine's code cannot be run");
		return NULL;
	}
	struct error *error = mem_window_create(moment->source, &trial.window);
	if (!error)
		error = trial_find_state(&trial);
	if (!error && !trial_has_given_up(&trial))
		error = trial_run(&trial, object_count);
	ret->done = !error && !trial_has_given_up(&trial);
	if (!ret->done)
		ret->returned = 0;
	return error;
}
