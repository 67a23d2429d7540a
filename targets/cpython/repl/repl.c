// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/repl/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "mem/clone/clone_run.h"
#include "mem/window.h"
#include "targets/cpython/repl/repl_source.h"
#include "targets/cpython/runtime.h"

/** Functions of the interpreter that are called; of alternatives the first that is there. */
enum repl_function {
	REPL_ENSURE,
	REPL_CLEAR_ERROR,
	REPL_NEW_DICT,
	REPL_SET_ITEM,
	REPL_GET_ITEM,
	REPL_BUILTINS,
	REPL_NEW_INT,
	REPL_NEW_MEMORY,
	REPL_RUN,
	REPL_CALL,
	REPL_FUNCTION_COUNT,
};

static const char *const function_names[REPL_FUNCTION_COUNT][2] = {
	[REPL_ENSURE] = {"PyGILState_Ensure"},
	[REPL_CLEAR_ERROR] = {"PyErr_Clear"},
	[REPL_NEW_DICT] = {"PyDict_New"},
	[REPL_SET_ITEM] = {"PyDict_SetItemString"},
	[REPL_GET_ITEM] = {"PyDict_GetItemString"},
	[REPL_BUILTINS] = {"PyEval_GetBuiltins"},
	[REPL_NEW_INT] = {"PyLong_FromLong"},
	[REPL_NEW_MEMORY] = {"PyMemoryView_FromMemory", "PyBuffer_FromReadWriteMemory"},
	[REPL_RUN] = {"PyRun_String", "PyRun_StringFlags"},
	[REPL_CALL] = {"PyObject_CallObject"},
};

/** Py_file_input, and PyBUF_WRITE, which PyBuffer_FromReadWriteMemory() does not look at. */
enum { FILE_INPUT = 257, BUFFER_WRITE = 0x200 };

struct target_runner {
	const struct py_layout *layout;
	struct clone_run *run;
	addr_t function_at[REPL_FUNCTION_COUNT];
	/** Our program's dictionary, and its step(). */
	addr_t dict_at;
	addr_t step_at;
	addr_t room_at;
	uint64_t timeout_ns;
};

static struct error *repl_find_functions(struct module *python, struct target_runner *repl)
{
	struct error *error = NULL;
	bool present = false;

	for (size_t i = 0; !error && i < REPL_FUNCTION_COUNT; i++) {
		error = module_symbol(python, function_names[i][0], &present,
				      &repl->function_at[i]);
		if (!error && !present && function_names[i][1])
			error = module_symbol(python, function_names[i][1], &present,
					      &repl->function_at[i]);
		if (!error && !present)
			error = error_create(ERROR_UNSUPPORTED,
					     "this interpreter has no %s(), so no code can be run "
					     "in its clone",
					     function_names[i][0]);
	}
	return error;
}

static void repl_lost(const struct clone_outcome *outcome, struct target_answer *answer)
{
	answer->state = TARGET_ANSWER_LOST;
	answer->is_interrupted = outcome->end == CLONE_INTERRUPTED;
	clone_outcome_text(outcome, answer->lost, sizeof(answer->lost));
}

/** A call of a function of the interpreter. */
struct repl_call {
	enum repl_function function;
	uint64_t args[4];
	/** It returns NULL when it fails. */
	bool must;
};

// *@a ret is 0, and the answer says why, when the clone was lost.
static struct error *repl_call(struct target_runner *repl, const struct repl_call *call,
			       uint64_t timeout_ns, struct target_answer *answer, uint64_t *ret)
{
	struct clone_outcome outcome;

	*ret = 0;
	if (answer->state == TARGET_ANSWER_LOST)
		return NULL;
	struct error *error =
		clone_run_call(repl->run, repl->function_at[call->function], call->args,
			       ARRAY_COUNT(call->args), timeout_ns, &outcome);
	if (error)
		return error;
	*ret = outcome.value;
	if (outcome.end != CLONE_RETURNED) {
		repl_lost(&outcome, answer);
		*ret = 0;
	} else if (call->must && !*ret) {
		answer->state = TARGET_ANSWER_LOST;
		snprintf(answer->lost, sizeof(answer->lost), "%s() failed in it",
			 function_names[call->function][0]);
	}
	return NULL;
}

static struct error *repl_zero(struct target_runner *repl, addr_t at, size_t bytes)
{
	static const char zeros[128];

	if (!at || !bytes || bytes > sizeof(zeros))
		return NULL;
	return clone_run_write(repl->run, at, zeros, bytes);
}

static struct error *repl_zero_field(struct target_runner *repl, addr_t at, struct py_field field)
{
	return field.present && at ? repl_zero(repl, at + field.offset, field.size) : NULL;
}

static struct error *repl_clear_breaker(const struct py_layout *layout, struct mem_window *window,
					struct target_runner *repl, addr_t tstate_at)
{
	const struct py_field field = layout->f.tstate_eval_breaker;
	uint64_t breaker = mem_window_word(window, tstate_at + field.offset, 0);

	breaker &= ~layout->gil_drop_bit;
	return clone_run_write(repl->run, tstate_at + field.offset, &breaker, sizeof(breaker));
}

// Mutexes that another thread had, and conditions that threads waited for that are no more: glibc's
// pthread_cond_signal() may wait for those.
static struct error *repl_free_gil(const struct py_layout *layout, struct mem_window *window,
				   struct target_runner *repl, addr_t interp_at)
{
	addr_t gil_at = py_runtime_gil(layout, window, interp_at);
	const struct py_field fields[] = {layout->f.gil_mutex, layout->f.gil_cond,
					  layout->f.gil_switch_mutex, layout->f.gil_switch_cond};
	const struct {
		addr_t at;
		size_t bytes;
	} variables[] = {
		{layout->var.gil_mutex, layout->var_size.gil_mutex},
		{layout->var.gil_cond, layout->var_size.gil_cond},
		{layout->var.gil_switch_mutex, layout->var_size.gil_switch_mutex},
		{layout->var.gil_switch_cond, layout->var_size.gil_switch_cond},
	};
	struct error *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_COUNT(fields); i++)
		error = repl_zero_field(repl, gil_at, fields[i]);
	for (size_t i = 0; !error && i < ARRAY_COUNT(variables); i++)
		error = repl_zero(repl, variables[i].at, variables[i].bytes);
	return error;
}

/*
 * Python 2's GIL is a semaphore, given back after the current thread was set to none and taken before it
 * is set to one (PyEval_SaveThread(), PyEval_RestoreThread()): between the two nobody would give it back.
 * A sem_t of glibc's is its value and, above, how many wait (sysdeps/nptl/internaltypes.h).
 */
static struct error *repl_free_lock(const struct py_layout *layout, struct mem_window *window,
				    struct target_runner *repl)
{
	static const uint64_t one = 1;

	if (!layout->var.interpreter_lock || !layout->var.current_tstate)
		return NULL;
	addr_t lock_at = mem_window_word(window, layout->var.interpreter_lock, 0);
	if (!lock_at || mem_window_word(window, layout->var.current_tstate, 1))
		return NULL;
	return clone_run_write(repl->run, lock_at, &one, sizeof(one));
}

static struct error *repl_free_interpreter(const struct py_layout *layout,
					   struct mem_window *window, struct target_runner *repl,
					   addr_t interp_at)
{
	struct error *error = repl_free_gil(layout, window, repl, interp_at);
	addr_t at = interp_at + layout->f.interp_tstate_head.offset;

	if (!error)
		error = repl_zero_field(repl, interp_at, layout->f.interp_gil_drop);
	if (error || !layout->gil_drop_bit)
		return error;
	at = mem_window_word(window, at, 0);
	for (size_t i = 0; !error && at && i < PY_THREADS_MAX; i++) {
		error = repl_clear_breaker(layout, window, repl, at);
		at = mem_window_word(window, at + layout->f.tstate_next.offset, 0);
	}
	return error;
}

/*
 * Threads that waited for the GIL had asked for it. Whoever holds it would hand it over, and wait until
 * one of them has taken it (drop_gil() in Python/ceval_gil.c): for ever, as there are none.
 */
static struct error *repl_nobody_waits(const struct py_layout *layout, struct target_runner *repl)
{
	_cleanup_mem_window_ struct mem_window *window = NULL;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	struct error *error = mem_window_create(clone_run_source(repl->run), &window);

	if (!error)
		error = py_interpreters_read(layout, window, &interpreters);
	if (!error)
		error = repl_free_lock(layout, window, repl);
	if (!error)
		error = repl_zero(repl, layout->var.gil_drop, sizeof(int32_t));
	if (!error)
		error = repl_zero_field(repl, layout->var.runtime, layout->f.runtime_gil_drop);
	for (size_t i = 0; !error && i < interpreters.count; i++)
		error = repl_free_interpreter(layout, window, repl, interpreters.at[i]);
	return error;
}

static struct error *repl_set_int(struct target_runner *repl, addr_t at, int32_t value)
{
	return at ? clone_run_write(repl->run, at, &value, sizeof(value)) : NULL;
}

/*
 * No collection comes by itself for a long time: what is asked is what one that is called for finds.
 * gc.isenabled() tells what it told; the count of young objects is below 0 instead. Until our program is
 * loaded it is disabled as well, as one may be due already (from 3.12 on they are announced).
 */
static struct error *repl_defer_collections(const struct py_layout *layout,
					    struct target_runner *repl, addr_t *ret_enabled_at,
					    int32_t *ret_enabled)
{
	enum { COUNT = -(1 << 24) };
	_cleanup_mem_window_ struct mem_window *window = NULL;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	_cleanup_py_gc_state_ struct py_gc_state gc = {0};
	struct error *error = mem_window_create(clone_run_source(repl->run), &window);

	if (!error)
		error = py_interpreters_read(layout, window, &interpreters);
	if (!error)
		error = py_gc_state_read(layout, window, &interpreters, &gc);
	*ret_enabled_at = gc.enabled_at;
	*ret_enabled = (int32_t)gc.enabled;
	if (!error && gc.list_count)
		error = repl_set_int(repl, gc.lists[0].count_at, COUNT);
	return error ? error : repl_set_int(repl, gc.enabled_at, 0);
}

// A name in the room, for functions that take one.
static struct error *repl_put_text(struct target_runner *repl, const char *text)
{
	return clone_run_write(repl->run, repl->room_at + REPL_ASKED_AT, text, strlen(text) + 1);
}

static struct error *repl_set_name(struct target_runner *repl, const char *name, uint64_t value,
				   struct target_answer *answer)
{
	const struct repl_call set = {
		REPL_SET_ITEM, {repl->dict_at, repl->room_at + REPL_ASKED_AT, value}, false};
	uint64_t failed;

	if (answer->state == TARGET_ANSWER_LOST)
		return NULL;
	struct error *error = repl_put_text(repl, name);
	return error ? error : repl_call(repl, &set, repl->timeout_ns, answer, &failed);
}

static struct error *repl_set_numbers(struct target_runner *repl, struct target_answer *answer)
{
	static const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"KIND_AT", REPL_KIND_AT},
		{"NAME_BYTES_AT", REPL_NAME_BYTES_AT},
		{"CODE_BYTES_AT", REPL_CODE_BYTES_AT},
		{"STATE_AT", REPL_STATE_AT},
		{"STATUS_AT", REPL_STATUS_AT},
		{"VALUE_BYTES_AT", REPL_VALUE_BYTES_AT},
		{"TYPE_BYTES_AT", REPL_TYPE_BYTES_AT},
		{"OUTPUT_BYTES_AT", REPL_OUTPUT_BYTES_AT},
		{"ASKED_AT", REPL_ASKED_AT},
		{"VALUE_AT", REPL_VALUE_AT},
		{"VALUE_BYTES", REPL_VALUE_BYTES},
		{"TYPE_AT", REPL_TYPE_AT},
		{"TYPE_BYTES", REPL_TYPE_BYTES},
		{"OUTPUT_AT", REPL_OUTPUT_AT},
		{"OUTPUT_BYTES", REPL_OUTPUT_BYTES},
	};
	struct error *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_COUNT(numbers); i++) {
		const struct repl_call make = {REPL_NEW_INT, {numbers[i].value}, true};
		uint64_t number;
		error = repl_call(repl, &make, repl->timeout_ns, answer, &number);
		if (!error)
			error = repl_set_name(repl, numbers[i].name, number, answer);
	}
	return error;
}

// The dictionary that our program is run in.
static struct error *repl_make_names(struct target_runner *repl, struct target_answer *answer)
{
	static const struct repl_call dict = {REPL_NEW_DICT, {0}, true};
	static const struct repl_call builtins = {REPL_BUILTINS, {0}, true};
	const struct repl_call memory = {
		REPL_NEW_MEMORY, {repl->room_at, REPL_ROOM_BYTES, BUFFER_WRITE}, true};
	uint64_t value = 0;
	struct error *error = repl_call(repl, &dict, repl->timeout_ns, answer, &repl->dict_at);

	if (!error)
		error = repl_call(repl, &builtins, repl->timeout_ns, answer, &value);
	if (!error)
		error = repl_set_name(repl, "__builtins__", value, answer);
	if (!error)
		error = repl_call(repl, &memory, repl->timeout_ns, answer, &value);
	if (!error)
		error = repl_set_name(repl, "memory", value, answer);
	return error ? error : repl_set_numbers(repl, answer);
}

static struct error *repl_load(struct target_runner *repl, struct target_answer *answer)
{
	const struct repl_call run = {
		REPL_RUN,
		{repl->room_at + REPL_ASKED_AT, FILE_INPUT, repl->dict_at, repl->dict_at},
		true};
	const struct repl_call get = {
		REPL_GET_ITEM, {repl->dict_at, repl->room_at + REPL_ASKED_AT}, true};
	uint64_t value;
	struct error *error = repl_put_text(repl, repl_source);

	if (!error)
		error = repl_call(repl, &run, repl->timeout_ns, answer, &value);
	if (!error)
		error = repl_put_text(repl, "step");
	return error ? error : repl_call(repl, &get, repl->timeout_ns, answer, &repl->step_at);
}

static struct error *repl_enter(struct target_runner *repl, struct target_answer *answer)
{
	static const struct repl_call ensure = {REPL_ENSURE, {0}, false};
	static const struct repl_call clear = {REPL_CLEAR_ERROR, {0}, false};
	uint64_t value;
	struct error *error = repl_call(repl, &ensure, repl->timeout_ns, answer, &value);

	if (!error)
		error = repl_call(repl, &clear, repl->timeout_ns, answer, &value);
	if (!error && answer->state != TARGET_ANSWER_LOST)
		error = repl_make_names(repl, answer);
	if (!error && answer->state != TARGET_ANSWER_LOST)
		error = repl_load(repl, answer);
	return error;
}

struct error *py_repl_create(const struct py_layout *layout, struct module *python,
			     struct clone_run *run, uint64_t timeout_ns, struct target_runner **ret,
			     struct target_answer *ret_answer)
{
	_cleanup_free_ struct target_runner *repl = calloc(1, sizeof(*repl));

	*ret = NULL;
	*ret_answer = (struct target_answer){0};
	if (!repl)
		return error_no_memory();
	repl->layout = layout;
	repl->run = run;
	repl->room_at = clone_run_room(run);
	repl->timeout_ns = timeout_ns;
	addr_t enabled_at = 0;
	int32_t enabled = 0;
	struct error *error = repl_find_functions(python, repl);
	if (!error)
		error = repl_nobody_waits(layout, repl);
	if (!error)
		error = repl_defer_collections(layout, repl, &enabled_at, &enabled);
	if (!error)
		error = repl_enter(repl, ret_answer);
	if (!error && ret_answer->state != TARGET_ANSWER_LOST)
		error = repl_set_int(repl, enabled_at, enabled);
	if (!error && ret_answer->state != TARGET_ANSWER_LOST)
		*ret = take_ptr(repl);
	return error;
}

void py_repl_destroy(struct target_runner *runner)
{
	free(runner);
}

const struct py_layout *py_repl_layout(const struct target_runner *runner)
{
	return runner->layout;
}

struct clone_run *py_repl_clone(const struct target_runner *runner)
{
	return runner->run;
}

static struct error *repl_put_number(struct target_runner *repl, addr_t at, uint64_t number)
{
	char digits[REPL_NUMBER_BYTES + 1];

	snprintf(digits, sizeof(digits), "%0*llu", REPL_NUMBER_BYTES, (unsigned long long)number);
	return clone_run_write(repl->run, repl->room_at + at, digits, REPL_NUMBER_BYTES);
}

// What is no number, the clone having written there itself, is 0.
static struct error *repl_get_number(struct target_runner *repl, addr_t at, uint64_t *ret)
{
	char digits[REPL_NUMBER_BYTES + 1] = "";
	struct error *error =
		clone_run_read(repl->run, repl->room_at + at, digits, REPL_NUMBER_BYTES);

	*ret = strtoull(digits, NULL, 10);
	return error;
}

static struct error *repl_get_text(struct target_runner *repl, addr_t at, size_t bytes,
				   struct text *into)
{
	_cleanup_free_ char *chars = malloc(bytes + 1);

	if (!chars)
		return error_no_memory();
	struct error *error = clone_run_read(repl->run, repl->room_at + at, chars, bytes);
	return error ? error : text_append(into, chars, bytes);
}

static struct error *repl_ask(struct target_runner *repl, const struct target_code *code)
{
	static const char kinds[] = {[TARGET_CODE_EXPRESSION] = 'e',
				     [TARGET_CODE_PROGRAM] = 'p',
				     [TARGET_CODE_LINES] = 'l'};
	size_t name_bytes = strlen(code->name);
	addr_t asked_at = repl->room_at + REPL_ASKED_AT;
	static const addr_t answers[] = {REPL_STATE_AT, REPL_STATUS_AT, REPL_VALUE_BYTES_AT,
					 REPL_TYPE_BYTES_AT, REPL_OUTPUT_BYTES_AT};

	if (name_bytes + code->bytes > REPL_ASKED_BYTES)
		return error_create(ERROR_USAGE, "code of more than %d bytes is not run",
				    REPL_ASKED_BYTES);
	struct error *error =
		clone_run_write(repl->run, repl->room_at + REPL_KIND_AT, &kinds[code->kind], 1);
	if (!error)
		error = repl_put_number(repl, REPL_NAME_BYTES_AT, name_bytes);
	if (!error)
		error = repl_put_number(repl, REPL_CODE_BYTES_AT, code->bytes);
	if (!error && name_bytes)
		error = clone_run_write(repl->run, asked_at, code->name, name_bytes);
	if (!error && code->bytes)
		error = clone_run_write(repl->run, asked_at + name_bytes, code->text, code->bytes);
	for (size_t i = 0; !error && i < ARRAY_COUNT(answers); i++)
		error = repl_put_number(repl, answers[i], 0);
	return error;
}

static struct error *repl_read_output(struct target_runner *repl, struct target_answer *answer)
{
	_cleanup_text_ struct text raw = {0};
	uint64_t bytes;
	size_t at = 0;
	struct error *error = repl_get_number(repl, REPL_OUTPUT_BYTES_AT, &bytes);

	answer->is_cut = bytes > REPL_OUTPUT_BYTES;
	if (answer->is_cut)
		bytes = REPL_OUTPUT_BYTES;
	if (!error)
		error = repl_get_text(repl, REPL_OUTPUT_AT, bytes, &raw);
	while (!error && at + 1 + REPL_NUMBER_BYTES < raw.length) {
		const char *piece = raw.chars + at;
		char digits[REPL_NUMBER_BYTES + 1] = "";
		memcpy(digits, piece + 1, REPL_NUMBER_BYTES);
		size_t length = strtoull(digits, NULL, 10);
		at += 1 + REPL_NUMBER_BYTES;
		if (!length || length > raw.length - at)
			break;
		error = array_reserve(&answer->pieces, &answer->piece_capacity,
				      answer->piece_count + 1, sizeof(*answer->pieces));
		if (!error)
			error = text_append(&answer->output, raw.chars + at, length);
		if (!error)
			answer->pieces[answer->piece_count++] =
				(struct target_piece){length, *piece == 'e'};
		at += length;
	}
	return error;
}

static struct error *repl_read_value(struct target_runner *repl, struct target_answer *answer)
{
	uint64_t value_bytes, type_bytes = 0;
	struct error *error = repl_get_number(repl, REPL_VALUE_BYTES_AT, &value_bytes);

	if (!error)
		error = repl_get_number(repl, REPL_TYPE_BYTES_AT, &type_bytes);
	if (value_bytes > REPL_VALUE_BYTES) {
		answer->is_cut = true;
		value_bytes = REPL_VALUE_BYTES;
	}
	if (type_bytes > REPL_TYPE_BYTES)
		type_bytes = REPL_TYPE_BYTES;
	if (!error)
		error = repl_get_text(repl, REPL_VALUE_AT, value_bytes, &answer->value);
	return error ? error : repl_get_text(repl, REPL_TYPE_AT, type_bytes, &answer->type);
}

static struct error *repl_read_state(struct target_runner *repl, struct target_answer *answer)
{
	uint64_t status = 0;
	char state;
	struct error *error = clone_run_read(repl->run, repl->room_at + REPL_STATE_AT, &state, 1);

	if (!error)
		error = repl_get_number(repl, REPL_STATUS_AT, &status);
	answer->status = (int)(status & 255);
	switch (state) {
	case 'd':
		answer->state = TARGET_ANSWER_DONE;
		return error ? error : repl_read_value(repl, answer);
	case 'm':
		answer->state = TARGET_ANSWER_MORE;
		break;
	case 'x':
		answer->state = TARGET_ANSWER_LEFT;
		break;
	default:
		answer->state = TARGET_ANSWER_RAISED;
	}
	return error;
}

struct error *py_repl_run(struct target_runner *runner, const struct target_code *code,
			  struct target_answer *ret)
{
	// What goes wrong beyond all that our program catches stays pending, and would hit the next one.
	static const struct repl_call clear = {REPL_CLEAR_ERROR, {0}, false};
	const struct repl_call step = {REPL_CALL, {runner->step_at}, false};
	uint64_t value, cleared;

	*ret = (struct target_answer){0};
	struct error *error = repl_ask(runner, code);
	if (!error)
		error = repl_call(runner, &step, code->timeout_ns, ret, &value);
	if (error)
		return error;
	if (ret->state == TARGET_ANSWER_LOST) {
		// What it wrote by then, as far as that is still there.
		error_destroy(repl_read_output(runner, ret));
		return NULL;
	}
	error = repl_read_output(runner, ret);
	if (!error)
		error = repl_read_state(runner, ret);
	return error || value ? error
			      : repl_call(runner, &clear, runner->timeout_ns, ret, &cleared);
}
