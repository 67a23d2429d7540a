// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/repl/repl_collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/repl/repl.h"

static const char collect_code[] = "__import__('gc').collect()";

// Everything that is unreachable is put into gc.garbage, behind what is there: gc.DEBUG_SAVEALL.
static const char save_code[] =
	"(lambda gc, before: (gc.set_debug(gc.DEBUG_SAVEALL), gc.collect(), ' '.join("
	"[hex(id(thing)).rstrip('L') for thing in gc.garbage[before:]]))[2])"
	"(__import__('gc'), len(__import__('gc').garbage))";

static void collect_refuse(struct target_collection *collection,
			   const struct target_answer *answer)
{
	collection->done = false;
	if (answer->state == TARGET_ANSWER_LOST)
		snprintf(collection->reason, sizeof(collection->reason), "%s", answer->lost);
	else
		snprintf(collection->reason, sizeof(collection->reason), "it failed: %.*s",
			 (int)(sizeof(collection->reason) - 16), text_chars(&answer->output));
}

static struct error *collect_parse(const char *words, struct target_collection *ret)
{
	size_t capacity = 0;
	struct error *error = NULL;
	char *end;

	for (const char *at = words; !error; at = end) {
		// A quote stands at both ends.
		at += strspn(at, "' \"");
		addr_t address = strtoull(at, &end, 16);
		if (end == at)
			break;
		error = array_reserve(&ret->garbage, &capacity, ret->garbage_count + 1,
				      sizeof(*ret->garbage));
		if (!error)
			ret->garbage[ret->garbage_count++] = address;
	}
	return error;
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
	struct error *error = py_repl_run(runner, &code, &answer);

	if (error)
		return error;
	if (answer.state != TARGET_ANSWER_DONE) {
		collect_refuse(ret, &answer);
		return NULL;
	}
	if (saves && answer.is_cut) {
		snprintf(ret->reason, sizeof(ret->reason), "there are too many objects to be listed");
		return NULL;
	}
	ret->done = true;
	if (saves)
		return collect_parse(text_chars(&answer.value), ret);
	ret->returned = strtoll(text_chars(&answer.value), NULL, 10);
	return NULL;
}
