// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/repl/repl_collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "mem/clone/clone_run.h"
#include "mem/window.h"
#include "targets/cpython/repl/repl.h"
#include "targets/cpython/runtime.h"

static const char collect_code[] = "__import__('gc').collect()";

// Everything that is unreachable is put into the collector's list, behind what is there.
static const char save_code[] =
	"(lambda gc: (gc.set_debug(gc.DEBUG_SAVEALL), gc.collect())[1])(__import__('gc'))";

/** More are not listed. */
static const uint64_t SAVED_MAX = 1ULL << 26;

static void collect_refuse(struct target_collection *collection, const struct target_answer *answer)
{
	collection->done = false;
	if (answer->state == TARGET_ANSWER_LOST)
		snprintf(collection->reason, sizeof(collection->reason), "%s", answer->lost);
	else
		snprintf(collection->reason, sizeof(collection->reason), "it failed: %.*s",
			 (int)(sizeof(collection->reason) - 16), text_chars(&answer->output));
}

// The collector's own list, which gc.garbage is unless the program has put something else there.
static struct error *collect_read_list(struct target_runner *runner, addr_t *ret_items_at,
				       uint64_t *ret_count)
{
	const struct py_layout *layout = py_repl_layout(runner);
	_cleanup_mem_window_ struct mem_window *window = NULL;
	_cleanup_py_interpreters_ struct py_interpreters interpreters = {0};
	_cleanup_py_gc_state_ struct py_gc_state gc = {0};
	struct error *error = mem_window_create(clone_run_source(py_repl_clone(runner)), &window);

	*ret_items_at = *ret_count = 0;
	if (!error)
		error = py_interpreters_read(layout, window, &interpreters);
	if (!error)
		error = py_gc_state_read(layout, window, &interpreters, &gc);
	if (error || !gc.garbage_at)
		return error;
	*ret_items_at = mem_window_word(window, gc.garbage_at + layout->f.list_items.offset, 0);
	*ret_count = mem_window_word(window, gc.garbage_at + layout->f.var_size.offset, 0);
	return mem_window_take_error(window);
}

static struct error *collect_list(struct target_runner *runner, uint64_t before,
				  struct target_collection *ret)
{
	addr_t items_at;
	uint64_t count;
	struct error *error = collect_read_list(runner, &items_at, &count);

	if (error || count <= before)
		return error;
	if (count - before > SAVED_MAX) {
		ret->done = false;
		snprintf(ret->reason, sizeof(ret->reason),
			 "there are too many objects to be listed");
		return NULL;
	}
	ret->garbage = calloc(count - before, sizeof(*ret->garbage));
	if (!ret->garbage)
		return error_no_memory();
	ret->garbage_count = count - before;
	return clone_run_read(py_repl_clone(runner), items_at + before * sizeof(addr_t),
			      ret->garbage, ret->garbage_count * sizeof(addr_t));
}

struct error *py_repl_collect(struct target_runner *runner, bool saves, uint64_t timeout_ns,
			      struct target_collection *ret)
{
	_cleanup_target_answer_ struct target_answer answer = {0};
	const char *text = saves ? save_code : collect_code;
	const struct target_code code = {
		.kind = TARGET_CODE_EXPRESSION,
		.name = "<collect>",
		.text = text,
		.bytes = strlen(text),
		.timeout_ns = timeout_ns,
	};
	addr_t items_at;
	uint64_t before = 0;
	struct error *error = saves ? collect_read_list(runner, &items_at, &before) : NULL;

	if (!error)
		error = py_repl_run(runner, &code, &answer);
	if (error)
		return error;
	if (answer.state != TARGET_ANSWER_DONE) {
		collect_refuse(ret, &answer);
		return NULL;
	}
	ret->done = true;
	ret->returned = strtoll(text_chars(&answer.value), NULL, 10);
	return saves ? collect_list(runner, before, ret) : NULL;
}
