// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/fake_inspected.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/text.h"
#include "mem/process.h"
#include "ui/console/words.h"

static struct error *fake_graph(struct inspected *inspected, const struct inspected_graph **ret)
{
	struct fake_inspected *fake = (struct fake_inspected *)inspected;

	fake->graph_count++;
	if (fake->gone)
		return error_create(ERROR_GONE, "process 4711 has ended");
	*ret = &fake->graph;
	return NULL;
}

// The arrays that are the test's are copied: whoever asks frees them.
static void *fake_copy(const void *list, size_t count, size_t size)
{
	void *copy = calloc(count + 1, size);

	assert_non_null(copy);
	if (count)
		memcpy(copy, list, count * size);
	return copy;
}

static char *fake_copy_text(const char *text)
{
	return text ? fake_copy(text, strlen(text), 1) : NULL;
}

static struct error *fake_call_stacks(struct inspected *inspected, struct session_look *look,
				      struct target_call_stacks *ret)
{
	struct fake_inspected *fake = (struct fake_inspected *)inspected;

	if (fake->gone)
		return error_create(ERROR_GONE, "process 4711 has ended");
	*look = (struct session_look){.stops = 1, .consistent = true, .pause_ns = 1000};
	*ret = fake->stacks;
	ret->list = fake_copy(ret->list, ret->count, sizeof(*ret->list));
	ret->calls = fake_copy(ret->calls, ret->call_count, sizeof(*ret->calls));
	ret->functions = fake_copy(ret->functions, ret->function_count, sizeof(*ret->functions));
	for (size_t i = 0; i < ret->function_count; i++) {
		struct target_function *function = &ret->functions[i];
		function->name = fake_copy_text(function->name);
		function->qualified_name = fake_copy_text(function->qualified_name);
		function->file = fake_copy_text(function->file);
	}
	return NULL;
}

static struct error *fake_describe(struct inspected *inspected, uint32_t object, size_t chars_max,
				   struct text *into)
{
	struct fake_inspected *fake = (struct fake_inspected *)inspected;
	const struct heap *heap = fake->graph.heap;

	if (fake->unreadable_at && heap->at[object] >= fake->unreadable_at)
		return error_create_fault(heap->at[object], "cannot read");
	return text_appendf(into, "<%.*s>", (int)chars_max - 2, heap_type_name(heap, object));
}

// A heap from text has its leaks in it already.
static struct error *fake_annotate(struct inspected *inspected)
{
	((struct fake_inspected *)inspected)->annotate_count++;
	return NULL;
}

static struct error *fake_collect(struct inspected *inspected, struct target_collection *ret)
{
	struct fake_inspected *fake = (struct fake_inspected *)inspected;

	fake->collect_count++;
	*ret = fake->collection;
	if (ret->garbage_count) {
		ret->garbage = calloc(ret->garbage_count, sizeof(*ret->garbage));
		assert_non_null(ret->garbage);
		memcpy(ret->garbage, fake->collection.garbage,
		       ret->garbage_count * sizeof(*ret->garbage));
	}
	return NULL;
}

static struct error *fake_verify(struct inspected *inspected, const struct inspected_graph **ret,
				 struct target_collection *returned,
				 struct target_collection *saved)
{
	struct error *error = fake_graph(inspected, ret);

	*returned = *saved = (struct target_collection){0};
	if (!error)
		error = fake_collect(inspected, returned);
	return error ? error : fake_collect(inspected, saved);
}

static struct error *fake_run_code(struct inspected *inspected, const struct target_code *code,
				   struct inspected_clone *clone, struct target_answer *ret)
{
	struct fake_inspected *fake = (struct fake_inspected *)inspected;
	const char *output = fake->answer_output ? fake->answer_output : "";
	const char *value = fake->answer_value ? fake->answer_value : "";

	*clone = (struct inspected_clone){.is_new = true, .stops = 1};
	*ret = fake->answer;
	snprintf(fake->code, sizeof(fake->code), "%.*s", (int)code->bytes, code->text);
	ret->pieces = calloc(1, sizeof(*ret->pieces));
	assert_non_null(ret->pieces);
	ret->pieces[0].bytes = strlen(output);
	ret->piece_count = ret->piece_capacity = 1;
	struct error *error = text_append(&ret->output, output, strlen(output));
	if (!error)
		error = text_append(&ret->value, value, strlen(value));
	return error ? error : text_append(&ret->type, "int", strlen("int"));
}

static void fake_end_code(struct inspected *inspected)
{
	((struct fake_inspected *)inspected)->end_count++;
}

static void fake_use_snapshot(struct inspected *inspected, enum inspected_snapshot snapshot)
{
	((struct fake_inspected *)inspected)->snapshot = snapshot;
}

static void fake_redact(struct inspected *inspected, bool redacts)
{
	((struct fake_inspected *)inspected)->redacts = redacts;
}

static struct error *fake_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return process_arguments(inspected->pid, ret, ret_bytes);
}

static void fake_forget(struct inspected *inspected)
{
	((struct fake_inspected *)inspected)->forget_count++;
}

static void fake_head(const struct inspected *inspected, const char *verb,
		      const struct session_look *look, const struct census *census,
		      struct report_head *ret)
{
	*ret = (struct report_head){
		.verb = verb,
		.pid = 4711,
		.runtime = "cpython",
		.version = "3.11.2",
		.stops = look ? look->stops : 0,
		.consistent = look && look->consistent,
	};
}

void fake_inspected_init(struct fake_inspected *fake, const char *heap_text)
{
	static const struct inspected_ops ops = {
		.call_stacks = fake_call_stacks,
		.graph = fake_graph,
		.describe = fake_describe,
		.annotate = fake_annotate,
		.collect = fake_collect,
		.verify = fake_verify,
		.run_code = fake_run_code,
		.end_code = fake_end_code,
		.arguments = fake_arguments,
		.forget = fake_forget,
		.use_snapshot = fake_use_snapshot,
		.redact = fake_redact,
		.head = fake_head,
	};

	*fake = (struct fake_inspected){
		.inspected = {.ops = &ops, .pid = getpid()},
		.graph = {.look = {.stops = 1, .consistent = true}},
		.collection = {.reason = "it is made of text"},
	};
	struct error *error = heap_text_parse(heap_text, &fake->graph.heap);
	if (error)
		fail_msg("%s", error->message);
}

void fake_inspected_deinit(struct fake_inspected *fake)
{
	heap_destroy(fake->graph.heap);
	fake->graph.heap = NULL;
}

// What a verb prints goes to stdout: that is another file for a while.
static struct error *fake_inspected_capture(struct fake_inspected *fake,
					    const struct command *command,
					    const struct arguments *arguments, char **ret_text)
{
	char *text = NULL;
	size_t size = 0;
	int status;

	fflush(stdout);
	int before = dup(STDOUT_FILENO);
	_cleanup_file_ FILE *file = tmpfile();
	assert_non_null(file);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	struct error *error =
		command_run(command, arguments, &fake->inspected, NULL, NULL, &status);
	fflush(stdout);
	assert_true(dup2(before, STDOUT_FILENO) >= 0);
	close(before);
	rewind(file);
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	if (ret_text)
		*ret_text = text;
	else
		free(text);
	return error;
}

struct error *fake_inspected_run(struct fake_inspected *fake, const char *line, char **ret_text)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_arguments_ struct arguments arguments = {0};
	const struct command *command;
	struct error *error = words_split(line, &words);

	if (ret_text)
		*ret_text = NULL;
	if (!error)
		error = command_find(words.list[0], COMMAND_EVERYWHERE, &command);
	if (!error)
		error = arguments_parse(command, (int)words.count, words.list, &arguments);
	if (!error)
		error = command_check(command, &arguments);
	return error ? error : fake_inspected_capture(fake, command, &arguments, ret_text);
}

json_t *fake_inspected_json(struct fake_inspected *fake, const char *line)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_text_ struct text with_json = {0};

	assert_null(text_appendf(&with_json, "%s --json", line));
	struct error *error = fake_inspected_run(fake, text_chars(&with_json), &text);
	if (error)
		fail_msg("%s: %s", line, error->message);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}
