// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/runtime.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/string.h"

/** Links followed in the list of frozen objects, whose length is nowhere else. */
static const uint64_t FROZEN_MAX = 1ULL << 32;

/*
 * A module that merely uses Python imports this name, one that holds the interpreter defines it. It
 * has been exported under this name since Python 2.
 */
static const char INTERPRETER_SYMBOL[] = "PyInterpreterState_Head";

struct error *py_runtime_find(struct module_list *modules, struct module **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < modules->count; i++) {
		const struct elf_file *elf;
		addr_t address;
		uint64_t bytes;
		struct error *error = module_elf(&modules->list[i], &elf);
		if (error) {
			// Not every mapped file is one we may open, or an ELF file; the interpreter
			// is another one then.
			bool give_up = error->code == ERROR_GONE || error->code == ERROR_NO_MEMORY;
			if (give_up)
				return error;
			error_destroy(error);
			continue;
		}
		if (elf_file_symbol(elf, INTERPRETER_SYMBOL, &address, &bytes)) {
			*ret = &modules->list[i];
			return NULL;
		}
	}
	return NULL;
}

// A field of a struct at @a at, 0 when absent or unreadable.
static uint64_t runtime_field(struct mem_window *window, addr_t at, struct py_field field)
{
	const void *bytes;
	struct py_field here = field;

	here.offset = 0;
	if (!at || !field.present)
		return 0;
	bytes = mem_window_at(window, at + field.offset, field.size < 8 ? field.size : 8);
	return bytes ? py_get(bytes, here) : 0;
}

static int64_t runtime_int(struct mem_window *window, addr_t at, struct py_field field)
{
	uint64_t value = runtime_field(window, at, field);

	return field.size == 4 ? (int32_t)value : (int64_t)value;
}

// A variable of C's type int; -1 when there is none.
static int64_t runtime_int_variable(struct mem_window *window, addr_t at)
{
	int32_t value;

	return at && mem_window_read(window, at, &value, sizeof(value)) ? value : -1;
}

void py_interpreters_deinit(struct py_interpreters *interpreters)
{
	free(interpreters->at);
	*interpreters = (struct py_interpreters){0};
}

// Where the first interpreter is; 0 when there is none yet.
static bool runtime_first_interpreter(const struct py_layout *layout, struct mem_window *window,
				      addr_t *ret)
{
	*ret = 0;
	if (layout->f.runtime_interpreters.present)
		return mem_window_read(window,
				       layout->var.runtime + layout->f.runtime_interpreters.offset,
				       ret, sizeof(*ret));
	return !layout->var.interp_head ||
	       mem_window_read(window, layout->var.interp_head, ret, sizeof(*ret));
}

struct error *py_interpreters_read(const struct py_layout *layout, struct mem_window *window,
				   struct py_interpreters *ret)
{
	size_t capacity = 0;
	addr_t at;
	bool readable = runtime_first_interpreter(layout, window, &at);

	while (readable && at) {
		if (ret->count == PY_INTERPRETERS_MAX)
			return error_create(ERROR_FAILED,
					    "the list of interpreters does not end after %d: it is "
					    "damaged, or this is another build than its debug "
					    "information",
					    PY_INTERPRETERS_MAX);
		struct error *error =
			array_reserve(&ret->at, &capacity, ret->count + 1, sizeof(*ret->at));
		if (error)
			return error;
		ret->at[ret->count++] = at;
		readable =
			mem_window_read(window, at + layout->f.interp_next.offset, &at, sizeof(at));
	}
	struct error *error = mem_window_take_error(window);
	if (!error && !readable)
		error = error_create_fault(at, "cannot read the list of interpreters");
	return error;
}

static bool runtime_is_finalizing(const struct py_layout *layout, struct mem_window *window)
{
	if (layout->f.runtime_finalizing.present)
		return runtime_field(window, layout->var.runtime, layout->f.runtime_finalizing) !=
		       0;
	return layout->var.finalizing && mem_window_word(window, layout->var.finalizing, 0) != 0;
}

static bool runtime_is_unreadable(struct mem_window *window, addr_t at)
{
	return at && !mem_window_at(window, at, sizeof(addr_t));
}

// In a core file that was cut short; a running process has all of it or nothing.
static bool runtime_version_is_lost(const struct py_layout *layout, struct mem_window *window,
				    addr_t sys_at, addr_t version_at)
{
	return runtime_is_unreadable(window, sys_at) || runtime_is_unreadable(window, version_at) ||
	       runtime_is_unreadable(window, runtime_field(window, sys_at, layout->f.dict_keys));
}

struct error *py_runtime_version(const struct py_layout *layout, struct mem_window *window,
				 char *into, size_t bytes)
{
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	struct error *error = py_interpreters_read(layout, window, &interpreters);
	char text[64] = "";

	if (error)
		return error;
	if (runtime_is_finalizing(layout, window))
		return error_create(ERROR_UNSUPPORTED,
				    "this Python is finalizing: its objects are being torn down; "
				    "attach earlier");
	// The main interpreter is the oldest, at the end of the list.
	addr_t main_at = interpreters.count ? interpreters.at[interpreters.count - 1] : 0;
	addr_t sys_at = runtime_field(window, main_at, layout->f.interp_sysdict);
	addr_t version_at = py_dict_find(layout, window, sys_at, "version");
	// "3.11.2 (main, ...) [GCC ...]"
	if (!version_at || !py_string_read(layout, window, version_at, text, sizeof(text))) {
		if (runtime_version_is_lost(layout, window, sys_at, version_at)) {
			into[0] = '\0';
			return mem_window_take_error(window);
		}
		// Unless it is the process that is no longer.
		error = mem_window_take_error(window);
		return error ? error
			     : error_create(ERROR_UNSUPPORTED,
					    "this Python is not initialised yet, or is no longer; "
					    "wait until it runs and attach again");
	}
	snprintf(into, bytes, "%.*s", (int)strcspn(text, " "), text);
	return mem_window_take_error(window);
}

void py_gc_state_deinit(struct py_gc_state *state)
{
	free(state->lists);
	*state = (struct py_gc_state){0};
}

static struct error *gc_state_add(const struct py_layout *layout, struct mem_window *window,
				  addr_t generation_at, bool permanent, struct py_gc_state *state)
{
	addr_t head_at = generation_at + layout->f.generation_head.offset;
	struct error *error = array_reserve(&state->lists, &state->list_capacity,
					    state->list_count + 1, sizeof(*state->lists));

	if (error)
		return error;
	state->lists[state->list_count++] = (struct py_gc_list){
		.head_at = head_at,
		.next = runtime_field(window, head_at, layout->f.gc_next),
		.prev = runtime_field(window, head_at, layout->f.gc_prev),
		.threshold = runtime_int(window, generation_at, layout->f.generation_threshold),
		.count = runtime_int(window, generation_at, layout->f.generation_count),
		.count_at = generation_at + layout->f.generation_count.offset,
		.permanent = permanent,
	};
	return NULL;
}

static struct error *gc_state_add_array(const struct py_layout *layout, struct mem_window *window,
					addr_t at, uint32_t count, struct py_gc_state *state)
{
	for (uint32_t i = 0; i < count && i < PY_GENERATIONS_MAX; i++) {
		struct error *error = gc_state_add(
			layout, window, at + (addr_t)i * layout->size.generation, false, state);
		if (error)
			return error;
	}
	return NULL;
}

// A struct _gc_runtime_state (3.7 and later), one for all or one for each interpreter.
static struct error *gc_state_add_runtime(const struct py_layout *layout, struct mem_window *window,
					  addr_t gc_at, struct py_gc_state *state)
{
	struct error *error = NULL;

	if (layout->f.gc_young.present)
		error = gc_state_add(layout, window, gc_at + layout->f.gc_young.offset, false,
				     state);
	if (!error && layout->f.gc_old.present)
		error = gc_state_add_array(layout, window, gc_at + layout->f.gc_old.offset,
					   layout->f.gc_old.element_count, state);
	if (!error && layout->f.gc_generations.present)
		error = gc_state_add_array(layout, window, gc_at + layout->f.gc_generations.offset,
					   layout->f.gc_generations.element_count, state);
	if (!error && layout->f.gc_permanent.present)
		error = gc_state_add(layout, window, gc_at + layout->f.gc_permanent.offset, true,
				     state);
	if (runtime_field(window, gc_at, layout->f.gc_collecting))
		state->collecting = true;
	return error;
}

static void gc_state_read_flags(const struct py_layout *layout, struct mem_window *window,
				addr_t gc_at, struct py_gc_state *state)
{
	state->enabled = runtime_int(window, gc_at, layout->f.gc_enabled);
	if (layout->f.gc_enabled.present)
		state->enabled_at = gc_at + layout->f.gc_enabled.offset;
	state->debug = runtime_int(window, gc_at, layout->f.gc_debug);
	state->garbage_at = runtime_field(window, gc_at, layout->f.gc_garbage);
	state->callbacks_at = runtime_field(window, gc_at, layout->f.gc_callbacks);
	if (layout->f.gc_stats.present && layout->size.generation_stats) {
		state->stats_at = gc_at + layout->f.gc_stats.offset;
		state->stats_count = layout->f.gc_stats.element_count;
	}
}

struct error *py_gc_state_read(const struct py_layout *layout, struct mem_window *window,
			       const struct py_interpreters *interpreters, struct py_gc_state *ret)
{
	struct error *error = NULL;

	if (layout->f.interp_gc.present) {
		for (size_t i = interpreters->count; !error && i-- > 0;) {
			addr_t gc_at = interpreters->at[i] + layout->f.interp_gc.offset;
			error = gc_state_add_runtime(layout, window, gc_at, ret);
			if (i == interpreters->count - 1)
				gc_state_read_flags(layout, window, gc_at, ret);
		}
	} else if (layout->f.runtime_gc.present) {
		addr_t gc_at = layout->var.runtime + layout->f.runtime_gc.offset;
		error = gc_state_add_runtime(layout, window, gc_at, ret);
		gc_state_read_flags(layout, window, gc_at, ret);
	} else {
		error = gc_state_add_array(layout, window, layout->var.generations,
					   layout->var_size.generations / layout->size.generation,
					   ret);
		ret->collecting = runtime_int_variable(window, layout->var.collecting) > 0;
		ret->enabled = runtime_int_variable(window, layout->var.gc_enabled);
		ret->enabled_at = layout->var.gc_enabled;
		ret->debug = runtime_int_variable(window, layout->var.gc_debug);
		if (layout->var.gc_garbage)
			ret->garbage_at = mem_window_word(window, layout->var.gc_garbage, 0);
		// Python 2 has none, and may have something else of that name.
		if (layout->var.gc_callbacks && !layout->is_python2)
			ret->callbacks_at = mem_window_word(window, layout->var.gc_callbacks, 0);
		ret->stats_at = layout->size.generation_stats ? layout->var.gc_stats : 0;
		if (ret->stats_at)
			ret->stats_count =
				layout->var_size.gc_stats / layout->size.generation_stats;
	}
	return error ? error : mem_window_take_error(window);
}

static int64_t runtime_list_length(const struct py_layout *layout, struct mem_window *window,
				   addr_t list_at)
{
	return list_at ? runtime_int(window, list_at, layout->f.var_size) : 0;
}

bool py_gc_state_calls_back(const struct py_layout *layout, struct mem_window *window,
			    const struct py_gc_state *state)
{
	return runtime_list_length(layout, window, state->callbacks_at) > 0;
}

addr_t py_runtime_gil(const struct py_layout *layout, struct mem_window *window, addr_t interp_at)
{
	if (layout->f.interp_gil.present)
		return layout->f.interp_gil.is_pointer
			       ? runtime_field(window, interp_at, layout->f.interp_gil)
			       : interp_at + layout->f.interp_gil.offset;
	return layout->f.runtime_gil.present ? layout->var.runtime + layout->f.runtime_gil.offset
					     : 0;
}

addr_t py_runtime_gil_holder(const struct py_layout *layout, struct mem_window *window,
			     addr_t interp_at)
{
	addr_t gil_at = py_runtime_gil(layout, window, interp_at);

	if (gil_at)
		return runtime_int(window, gil_at, layout->f.gil_locked) > 0
			       ? runtime_field(window, gil_at, layout->f.gil_last_holder)
			       : 0;
	if (layout->var.gil_locked)
		return runtime_int_variable(window, layout->var.gil_locked) > 0
			       ? mem_window_word(window, layout->var.gil_last_holder, 0)
			       : 0;
	return layout->var.current_tstate ? mem_window_word(window, layout->var.current_tstate, 0)
					  : 0;
}

struct target_thread py_runtime_thread(const struct py_layout *layout, struct mem_window *window,
				       const struct py_interpreters *interpreters, size_t number,
				       addr_t tstate_at, addr_t holder_at)
{
	return (struct target_thread){
		.pthread_at = runtime_field(window, tstate_at, layout->f.tstate_thread_id),
		.tid = (pid_t)runtime_field(window, tstate_at, layout->f.tstate_native_thread_id),
		.holds_gil = tstate_at == holder_at,
		.interpreter = (uint32_t)(interpreters->count - 1 - number),
	};
}

struct error *py_runtime_threads(const struct py_layout *layout, struct mem_window *window,
				 const struct py_interpreters *interpreters,
				 struct target_facts *facts)
{
	size_t capacity = 0;

	for (size_t i = 0; i < interpreters->count; i++) {
		addr_t interp_at = interpreters->at[i];
		addr_t holder_at = py_runtime_gil_holder(layout, window, interp_at);
		addr_t at = runtime_field(window, interp_at, layout->f.interp_tstate_head);
		for (; at; at = runtime_field(window, at, layout->f.tstate_next)) {
			if (facts->thread_count == PY_THREADS_MAX)
				return error_create(ERROR_FAILED,
						    "the list of threads does not end after %d",
						    PY_THREADS_MAX);
			struct error *error =
				array_reserve(&facts->threads, &capacity, facts->thread_count + 1,
					      sizeof(*facts->threads));
			if (error)
				return error;
			facts->threads[facts->thread_count++] =
				py_runtime_thread(layout, window, interpreters, i, at, holder_at);
		}
	}
	return NULL;
}

static int64_t runtime_frozen_count(const struct py_layout *layout, struct mem_window *window,
				    const struct py_gc_state *gc)
{
	int64_t count = -1;

	for (size_t i = 0; i < gc->list_count; i++) {
		const struct py_gc_list *list = &gc->lists[i];
		if (!list->permanent)
			continue;
		if (count < 0)
			count = 0;
		addr_t seen = 0;
		for (addr_t at = list->next; at && at != list->head_at; count++) {
			if ((uint64_t)count == FROZEN_MAX || at == seen)
				return -1;
			// A loop comes by one it met at a power of two again (R. P. Brent, 1980).
			if ((count & (count - 1)) == 0)
				seen = at;
			at = runtime_field(window, at, layout->f.gc_next);
		}
	}
	return count;
}

int64_t py_runtime_ref_total(const struct py_layout *layout, struct mem_window *window,
			     const struct py_interpreters *interpreters)
{
	int64_t total = -1;

	if (layout->var.ref_total)
		return (int64_t)mem_window_word(window, layout->var.ref_total, 0);
	for (size_t i = 0; layout->f.interp_reftotal.present && i < interpreters->count; i++)
		total = (total < 0 ? 0 : total) +
			runtime_int(window, interpreters->at[i], layout->f.interp_reftotal);
	return total;
}

int64_t py_runtime_hidden_refs(const struct py_layout *layout, struct mem_window *window)
{
	addr_t dict_at =
		layout->var.interned ? mem_window_word(window, layout->var.interned, 0) : 0;

	return 2 * runtime_int(window, dict_at, layout->f.dict_used);
}

// As gc.get_stats() has them.
static void runtime_gc_stats(const struct py_layout *layout, struct mem_window *window,
			     const struct py_gc_state *gc, struct target_facts *ret)
{
	for (uint32_t i = 0; i < gc->stats_count && i < TARGET_GENERATIONS_MAX; i++) {
		addr_t at = gc->stats_at + (addr_t)i * layout->size.generation_stats;

		ret->stats[ret->stats_count++] = (struct target_gc_stats){
			.collections = runtime_int(window, at, layout->f.stats_collections),
			.collected = runtime_int(window, at, layout->f.stats_collected),
			.uncollectable = runtime_int(window, at, layout->f.stats_uncollectable),
		};
	}
}

struct error *py_runtime_facts(const struct py_layout *layout, struct mem_window *window,
			       struct target_facts *ret)
{
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	_cleanup_py_gc_state_ struct py_gc_state gc = {0};
	struct error *error = py_interpreters_read(layout, window, &interpreters);

	*ret = (struct target_facts){0};
	if (!error)
		error = py_gc_state_read(layout, window, &interpreters, &gc);
	if (!error)
		error = py_runtime_threads(layout, window, &interpreters, ret);
	if (error) {
		target_facts_deinit(ret);
		return error;
	}
	ret->interpreter_count = (uint32_t)interpreters.count;
	ret->gc_enabled = gc.enabled;
	ret->gc_debug = gc.debug;
	for (size_t i = 0; i < gc.list_count && ret->generation_count < PY_GENERATIONS_MAX; i++) {
		if (gc.lists[i].permanent)
			break;
		ret->thresholds[ret->generation_count] = gc.lists[i].threshold;
		ret->counts[ret->generation_count++] = gc.lists[i].count;
	}
	runtime_gc_stats(layout, window, &gc, ret);
	ret->garbage_count = runtime_list_length(layout, window, gc.garbage_at);
	ret->frozen_count = runtime_frozen_count(layout, window, &gc);
	ret->ref_total = py_runtime_ref_total(layout, window, &interpreters);
	error = mem_window_take_error(window);
	if (error)
		target_facts_deinit(ret);
	return error;
}
