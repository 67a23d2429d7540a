// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/cpython.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/call_stacks.h"
#include "targets/cpython/holders/holders.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/machine/trial.h"
#include "targets/cpython/references/reader.h"
#include "targets/cpython/repl/repl.h"
#include "targets/cpython/repl/repl_collect.h"
#include "targets/cpython/repl/standing.h"
#include "targets/cpython/runtime.h"
#include "targets/cpython/scan/walk.h"

struct cpython {
	struct target target;
	const struct target_process *process;
	/** The module that holds the interpreter. */
	struct module *python;
	struct py_layout layout;
	const char *foreign_malloc;
	/** For looks at the running process. */
	struct mem_window *window;
	/** For questions about single objects of one moment, that of reader_source; NULL before any. */
	struct py_reader *reader;
	const struct mem_source *reader_source;
	char version[32];
};

// Shared objects that bring a malloc of their own. (One linked into the program goes unnoticed.)
static const char *const foreign_mallocs[] = {"jemalloc", "tcmalloc", "mimalloc", "ld-musl"};

static const char *cpython_foreign_malloc(const struct module_list *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		const char *slash = strrchr(modules->list[i].path, '/');
		for (size_t j = 0; slash && j < ARRAY_COUNT(foreign_mallocs); j++)
			if (strstr(slash, foreign_mallocs[j]))
				return foreign_mallocs[j];
	}
	return NULL;
}

static struct error *cpython_probe(const struct target_process *process, int *ret_sure,
				   char *why_not, size_t why_bytes)
{
	struct module *python;
	struct error *error = py_runtime_find(process->modules, &python);

	*ret_sure = !error && python ? 100 : 0;
	if (!error && !python)
		snprintf(why_not, why_bytes,
			 "none of its %zu mapped ELF files holds a Python interpreter",
			 process->modules->count);
	return error;
}

static void cpython_close(struct target *target)
{
	struct cpython *cpython = (struct cpython *)target;

	py_reader_destroy(cpython->reader);
	mem_window_destroy(cpython->window);
	free(cpython);
}

static struct error *cpython_open(const struct target_process *process, struct target **ret)
{
	struct module *python;
	_cleanup_mem_window_ struct mem_window *window = NULL;
	_cleanup_free_ struct cpython *cpython = calloc(1, sizeof(*cpython));
	struct error *error =
		cpython ? py_runtime_find(process->modules, &python) : error_no_memory();

	if (!error && !python)
		error = error_create(ERROR_UNSUPPORTED, "there is no Python interpreter in it");
	if (!error)
		error = py_layout_load(python, process->modules, &cpython->layout);
	if (!error)
		error = mem_window_create(process->source, &window);
	if (!error)
		error = py_runtime_version(&cpython->layout, window, cpython->version,
					   sizeof(cpython->version));
	if (error)
		return error;
	cpython->process = process;
	cpython->python = python;
	cpython->window = take_ptr(window);
	cpython->foreign_malloc = cpython_foreign_malloc(process->modules);
	cpython->target = (struct target){
		.ops = &cpython_target_ops,
		.version = cpython->version[0] ? cpython->version : NULL,
		.build = cpython->layout.is_debug ? "debug" : "release",
		.debug_info = module_debug_path(python),
	};
	*ret = &cpython->target;
	cpython = NULL;
	return NULL;
}

static struct error *cpython_walk(struct target *target, const struct target_moment *moment,
				  struct heap_sink *sink, unsigned thread_count,
				  enum target_effort effort, struct target_verdict *ret)
{
	struct cpython *cpython = (struct cpython *)target;
	struct py_walk_context context = {
		.layout = &cpython->layout,
		.source = moment->source,
		.foreign_malloc = cpython->foreign_malloc,
		.modules = cpython->process->modules,
		.stacks = moment->stacks,
		.stack_count = moment->stack_count,
		.thread_pointer = moment->stack_count ? moment->stacks[0].thread_pointer : 0,
		.thread_count = thread_count,
		.process_runs = moment->source != cpython->process->source,
	};

	return py_walk(&context, sink, effort, ret);
}

static struct error *cpython_reader(struct cpython *cpython, const struct target_moment *moment,
				    struct py_reader **ret)
{
	struct error *error = NULL;

	if (!cpython->reader || cpython->reader_source != moment->source) {
		py_reader_destroy(take_ptr(cpython->reader));
		cpython->reader_source = moment->source;
		error = py_reader_create(&cpython->layout, cpython->process->modules, moment,
					 &cpython->reader);
	}
	*ret = cpython->reader;
	return error;
}

static struct error *cpython_references(struct target *target, const struct target_moment *moment,
					addr_t at, enum target_telling telling,
					struct target_references *ret)
{
	struct py_reader *reader;
	struct error *error = cpython_reader((struct cpython *)target, moment, &reader);

	*ret = (struct target_references){0};
	return error ? error : py_reader_references(reader, at, telling, ret);
}

static struct error *cpython_describe(struct target *target, const struct target_moment *moment,
				      addr_t at, enum target_telling telling, size_t chars_max,
				      struct text *into)
{
	struct py_reader *reader;
	struct error *error = cpython_reader((struct cpython *)target, moment, &reader);

	return error ? error : py_reader_describe(reader, at, telling, chars_max, into);
}

static struct error *cpython_annotate(struct target *target, const struct target_moment *moment,
				      struct heap *heap, unsigned thread_count)
{
	struct cpython *cpython = (struct cpython *)target;

	return py_holders_annotate(&cpython->layout, cpython->process->modules, moment, heap,
				   thread_count);
}

static struct error *cpython_collect(struct target *target, const struct target_moment *moment,
				     uint64_t object_count, struct target_collection *ret)
{
	struct cpython *cpython = (struct cpython *)target;

	return py_trial_collect(&cpython->layout, cpython->process->modules, moment, object_count,
				ret);
}

static void cpython_forget(struct target *target)
{
	struct cpython *cpython = (struct cpython *)target;

	py_reader_destroy(take_ptr(cpython->reader));
}

// What is read of a running process may be anything; then the stop will show it.
static bool cpython_is_calm(struct target *target)
{
	struct cpython *cpython = (struct cpython *)target;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	_cleanup_py_gc_state_ struct py_gc_state gc = {0};

	mem_window_clear(cpython->window);
	_cleanup_error_ struct error *error =
		py_interpreters_read(&cpython->layout, cpython->window, &interpreters);
	if (!error)
		error = py_gc_state_read(&cpython->layout, cpython->window, &interpreters, &gc);
	return error || !gc.collecting;
}

static struct error *cpython_facts(struct target *target, struct target_facts *ret)
{
	struct cpython *cpython = (struct cpython *)target;
	_cleanup_mem_window_ struct mem_window *window = NULL;
	struct error *error = mem_window_create(cpython->process->source, &window);

	return error ? error : py_runtime_facts(&cpython->layout, window, ret);
}

static struct error *cpython_call_stacks(struct target *target, struct target_call_stacks *ret)
{
	struct cpython *cpython = (struct cpython *)target;
	_cleanup_mem_window_ struct mem_window *window = NULL;
	struct error *error = mem_window_create(cpython->process->source, &window);

	*ret = (struct target_call_stacks){0};
	return error ? error : py_call_stacks(&cpython->layout, window, ret);
}

static struct error *cpython_standing(struct target *target, const struct target_moment *moment,
				      struct target_standing *ret)
{
	struct cpython *cpython = (struct cpython *)target;

	return py_standing(&cpython->layout, cpython->python, moment, ret);
}

static struct error *cpython_runner_create(struct target *target, struct clone_run *run,
					   uint64_t timeout_ns, struct target_runner **ret,
					   struct target_answer *ret_answer)
{
	struct cpython *cpython = (struct cpython *)target;

	return py_repl_create(&cpython->layout, cpython->python, run, timeout_ns, ret, ret_answer);
}

const struct target_ops cpython_target_ops = {
	.name = "cpython",
	.probe = cpython_probe,
	.open = cpython_open,
	.walk = cpython_walk,
	.references = cpython_references,
	.describe = cpython_describe,
	.annotate = cpython_annotate,
	.forget = cpython_forget,
	.collect = cpython_collect,
	.is_calm = cpython_is_calm,
	.facts = cpython_facts,
	.call_stacks = cpython_call_stacks,
	.standing = cpython_standing,
	.runner_create = cpython_runner_create,
	.runner_run = py_repl_run,
	.runner_collect = py_repl_collect,
	.runner_destroy = py_repl_destroy,
	.close = cpython_close,
};
