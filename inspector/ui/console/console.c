// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/process.h"
#include "ui/command.h"
#include "ui/console/console_line.h"
#include "ui/console/pager.h"
#include "ui/console/settings.h"
#include "ui/console/words.h"
#include "ui/record/recorder.h"
#include "ui/record/saved.h"
#include "ui/report/safe_text.h"

enum {
	/** More names than anybody completes. */
	CONSOLE_TYPES_MAX = 20000,
	/** As often we look whether the process is still there. */
	CONSOLE_WAIT_MAX_MS = 1000,
};

struct console {
	/** What the verbs see: passes everything on to `inner`, and keeps what completion needs. */
	struct inspected inspected;
	struct inspected *inner;
	const struct arguments *arguments;
	/** A person is at it. */
	bool interactive;
	bool leave;
	struct settings settings;
	/** The process has ended, and we have said so. */
	bool ended;
	struct text notice;
	struct recorder recorder;
	struct saved saved;
	/** Of the process when we attached: a process id may be given to another one. */
	uint64_t start_ticks;
	/** Of the first line that failed. */
	int status;
	/** Names of the last census or graph that can be completed. */
	char **types;
	size_t type_count;
	size_t type_capacity;
};

static void console_forget_types(struct console *console)
{
	for (size_t i = 0; i < console->type_count; i++)
		free(console->types[i]);
	console->type_count = 0;
}

static struct error *console_remember_type(struct console *console, const char *name)
{
	// What would have to be quoted or must not be shown is not offered.
	if (console->type_count == CONSOLE_TYPES_MAX || !safe_text_is_word(name))
		return NULL;
	struct error *error = array_reserve(&console->types, &console->type_capacity,
					    console->type_count + 1, sizeof(*console->types));
	if (error)
		return error;
	char *copy = strdup(name);
	if (!copy)
		return error_no_memory();
	console->types[console->type_count++] = copy;
	return NULL;
}

static struct error *console_remember_census(struct console *console, const struct census *census)
{
	struct error *error = NULL;

	console_forget_types(console);
	for (size_t i = 0; i < census->row_count && !error; i++)
		error = console_remember_type(console, census->rows[i].name);
	return error;
}

static struct error *console_census(struct inspected *inspected, bool caches,
				    struct session_look *look, struct census *ret)
{
	struct console *console = (struct console *)inspected;
	struct error *error = console->inner->ops->census(console->inner, caches, look, ret);

	return error ? error : console_remember_census(console, ret);
}

static struct error *console_facts(struct inspected *inspected, struct session_look *look,
				   struct target_facts *ret)
{
	struct console *console = (struct console *)inspected;

	return inspected_facts(console->inner, look, ret);
}

static struct error *console_call_stacks(struct inspected *inspected, struct session_look *look,
					 struct target_call_stacks *ret)
{
	return inspected_call_stacks(((struct console *)inspected)->inner, look, ret);
}

static int console_compare_types(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

// Types of one name are one to complete.
static struct error *console_remember_graph(struct console *console, const struct heap *heap)
{
	size_t count = 0;
	struct error *error = NULL;

	console_forget_types(console);
	for (uint32_t i = 0; i < heap->type_count && !error; i++)
		error = console_remember_type(console, heap->types[i].name);
	if (error || !console->type_count)
		return error;
	qsort(console->types, console->type_count, sizeof(*console->types), console_compare_types);
	for (size_t i = 1; i < console->type_count; i++) {
		if (!strcmp(console->types[count], console->types[i]))
			free(console->types[i]);
		else
			console->types[++count] = console->types[i];
	}
	console->type_count = count + 1;
	return NULL;
}

static struct error *console_graph(struct inspected *inspected, const struct inspected_graph **ret)
{
	struct console *console = (struct console *)inspected;
	struct error *error = inspected_graph(console->inner, ret);

	return error ? error : console_remember_graph(console, (*ret)->heap);
}

static struct error *console_describe(struct inspected *inspected, uint32_t object,
				      size_t chars_max, struct text *into)
{
	struct console *console = (struct console *)inspected;

	return inspected_describe(console->inner, object, chars_max, into);
}

static struct error *console_annotate(struct inspected *inspected)
{
	return inspected_annotate(((struct console *)inspected)->inner);
}

static struct error *console_collect(struct inspected *inspected, struct target_collection *ret)
{
	return inspected_collect(((struct console *)inspected)->inner, ret);
}

static struct error *console_verify(struct inspected *inspected, const struct inspected_graph **ret,
				    struct target_collection *returned,
				    struct target_collection *saved)
{
	struct console *console = (struct console *)inspected;
	struct error *error = inspected_verify(console->inner, ret, returned, saved);

	return error ? error : console_remember_graph(console, (*ret)->heap);
}

static struct error *console_run_code(struct inspected *inspected, const struct target_code *code,
				      struct inspected_clone *clone, struct target_answer *ret)
{
	return inspected_run_code(((struct console *)inspected)->inner, code, clone, ret);
}

static void console_end_code(struct inspected *inspected)
{
	inspected_end_code(((struct console *)inspected)->inner);
}

static void console_forget(struct inspected *inspected)
{
	inspected_forget(((struct console *)inspected)->inner);
}

static void console_head(const struct inspected *inspected, const char *verb,
			 const struct session_look *look, const struct census *census,
			 struct report_head *ret)
{
	const struct console *console = (const struct console *)inspected;

	inspected_head(console->inner, verb, look, census, ret);
}

static void console_redact(struct inspected *inspected, bool redacts)
{
	inspected_redact(((struct console *)inspected)->inner, redacts);
}

static struct error *console_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return inspected_arguments(((struct console *)inspected)->inner, ret, ret_bytes);
}

static void console_use_snapshot(struct inspected *inspected, enum inspected_snapshot snapshot)
{
	inspected_use_snapshot(((struct console *)inspected)->inner, snapshot);
}

static const struct inspected_ops console_inspected_ops = {
	.census = console_census,
	.facts = console_facts,
	.call_stacks = console_call_stacks,
	.graph = console_graph,
	.describe = console_describe,
	.annotate = console_annotate,
	.collect = console_collect,
	.verify = console_verify,
	.run_code = console_run_code,
	.end_code = console_end_code,
	.forget = console_forget,
	.arguments = console_arguments,
	.use_snapshot = console_use_snapshot,
	.redact = console_redact,
	.head = console_head,
};

// Whether the process we attached to is still there. What cannot be told is taken for yes.
static bool console_process_lives(const struct console *console)
{
	struct process_status status;

	if (console->inner->core)
		return true;
	_cleanup_error_ struct error *error = process_status_read(console->inner->pid, &status);
	if (error)
		return error->code != ERROR_GONE;
	return !process_has_ended(&status) && status.start_ticks == console->start_ticks;
}

// True once, when the process has ended since we last looked.
static bool console_notices_end(struct console *console)
{
	if (console->ended || console_process_lives(console))
		return false;
	console->ended = true;
	return true;
}

struct recorder *console_recorder(struct console *console)
{
	return &console->recorder;
}

// Takes a point when one is due. Of what the lines saw before, for completion, it is no part.
static struct error *console_record(struct console *console)
{
	if (clock_now_ns() < recorder_due_ns(&console->recorder))
		return NULL;
	return recorder_take(&console->recorder, console->inner);
}

static void console_print_error(struct console *console, const struct error *error,
				const struct command *command)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *failed =
		command_format_error(error, command, COMMAND_IN_CONSOLE, &text);

	// Answers that are still buffered come before what went wrong after them.
	fflush(stdout);
	fputs(failed ? failed->message : text_chars(&text), stderr);
	if (!console->status)
		console->status = error_exit_status(error);
}

static struct error *console_check(const struct console *console, const struct command *command,
				   const struct arguments *arguments)
{
	if (arguments_has(arguments, ARGUMENTS_HELP) || arguments_has(arguments, ARGUMENTS_VERSION))
		return NULL;
	if (arguments_has(arguments, ARGUMENTS_PID) && console->inner->core)
		return error_create(ERROR_USAGE,
				    "this console is for '%s'; leave it to inspect another",
				    console->inner->core);
	if (arguments_has(arguments, ARGUMENTS_PID))
		return error_create(ERROR_USAGE,
				    "this console is for process %d; leave it to inspect another",
				    (int)console->inner->pid);
	struct error *error = command_check(command, arguments);
	if (error || !(command->flags & COMMAND_INSPECTS) || console_process_lives(console))
		return error;
	return error_create(ERROR_GONE,
			    "process %d has ended, there is nothing left to inspect; quit leaves",
			    (int)console->inner->pid);
}

static struct error *console_run_words(struct console *console, const struct words *words,
				       const struct command **ret_command)
{
	_cleanup_arguments_ struct arguments arguments = {0};
	int status = 0;
	struct error *error = command_find(words->list[0], COMMAND_IN_CONSOLE, ret_command);

	if (!error)
		error = arguments_parse(*ret_command, (int)words->count, words->list, &arguments);
	if (!error)
		error = console_check(console, *ret_command, &arguments);
	if (error)
		return error;
	static const enum arguments_common inherited[] = {ARGUMENTS_QUIET, ARGUMENTS_VERBOSE};
	for (size_t i = 0; i < ARRAY_COUNT(inherited); i++)
		arguments.common[inherited[i]].count +=
			console->arguments->common[inherited[i]].count;
	settings_apply(&console->settings, *ret_command, &arguments);
	error = command_run(*ret_command, &arguments, &console->inspected, NULL, console, &status);
	if (!error && !console->status)
		console->status = status;
	return error;
}

static void console_run_line(struct console *console, const char *line)
{
	_cleanup_words_ struct words words = {0};
	const struct command *command = NULL;
	_cleanup_error_ struct error *unrecorded = console_record(console);
	_cleanup_error_ struct error *error = words_split(line, &words);

	if (unrecorded)
		console_print_error(console, unrecorded, NULL);

	if (!error && words.count)
		error = console_run_words(console, &words, &command);
	if (error)
		console_print_error(console, error, command);
}

static bool console_goes_on(const struct console *console)
{
	return !console->leave && !interrupt_pending();
}

// At most this long until something is to be done for the recording, in milliseconds.
static int console_wait_ms(void *closure)
{
	const struct console *console = closure;
	uint64_t due_ns = recorder_due_ns(&console->recorder), now_ns = clock_now_ns();

	if (due_ns <= now_ns)
		return 0;
	uint64_t wait_ms = (due_ns - now_ns + 999999) / 1000000;
	return wait_ms < CONSOLE_WAIT_MAX_MS ? (int)wait_ms : CONSOLE_WAIT_MAX_MS;
}

// Records until there is something to read.
static void console_await_stdin(struct console *console)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	while (console->recorder.running && !interrupt_pending() &&
	       poll(&input, 1, console_wait_ms(console)) <= 0) {
		_cleanup_error_ struct error *error = console_record(console);
		if (error)
			console_print_error(console, error, NULL);
	}
}

static struct error *console_run_stdin(struct console *console)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	// What is in a buffer of ours nobody could wait for.
	setvbuf(stdin, NULL, _IONBF, 0);
	while (console_goes_on(console)) {
		console_await_stdin(console);
		if (interrupt_pending())
			break;
		errno = 0;
		if (getline(&line, &size, stdin) < 0) {
			if (errno && errno != EINTR)
				return error_create_os(errno, "cannot read stdin");
			break;
		}
		console_run_line(console, line);
	}
	return interrupt_check();
}

static struct error *console_run_given(struct console *console,
				       const struct console_options *options)
{
	for (size_t i = 0; i < options->line_count && console_goes_on(console); i++)
		console_run_line(console, options->lines[i]);
	return interrupt_check();
}

static void console_complete(void *closure, struct complete_question *question)
{
	const struct console *console = closure;

	question->types = console->types;
	question->type_count = console->type_count;
}

static const char *console_notice(void *closure)
{
	struct console *console = closure;
	_cleanup_error_ struct error *unrecorded = console_record(console);
	struct error *error = NULL;

	console->notice.length = 0;
	if (!unrecorded && console_notices_end(console)) {
		// The next point may not be due yet: the record ends here all the same.
		unrecorded = recorder_stop(&console->recorder, RECORDER_ENDED);
		error = text_appendf(&console->notice, "process %d has ended%s",
				     (int)console->inner->pid, unrecorded ? "\n" : "");
	}
	if (unrecorded && !error)
		error = command_format_error(unrecorded, NULL, COMMAND_IN_CONSOLE,
					     &console->notice);
	// It ends with a line of its own.
	size_t length = console->notice.length;
	if (length && console->notice.chars[length - 1] == '\n')
		console->notice.chars[length - 1] = '\0';
	error_destroy(error);
	return length ? console->notice.chars : NULL;
}

static const struct console_line_ops console_line_ops = {
	.complete = console_complete,
	.notice = console_notice,
	.wait_ms = console_wait_ms,
};

static struct error *console_run_terminal(struct console *console)
{
	char prompt[48];

	if (console->inner->core)
		snprintf(prompt, sizeof(prompt), "leakinspect core> ");
	else
		snprintf(prompt, sizeof(prompt), "leakinspect %d> ", (int)console->inner->pid);
	_cleanup_error_ struct error *no_history =
		console_line_open(prompt, &console_line_ops, console);
	if (no_history)
		console_print_error(console, no_history, NULL);
	while (!console->leave) {
		_cleanup_free_ char *line = console_line_read();
		if (!line)
			break;
		console_run_line(console, line);
		if (interrupt_pending() == SIGINT)
			interrupt_clear();
	}
	_cleanup_error_ struct error *unsaved = console_line_close();
	if (unsaved)
		console_print_error(console, unsaved, NULL);
	// The person has seen what failed.
	console->status = 0;
	return interrupt_check();
}

bool console_is_interactive(const struct console_options *options)
{
	return !options->lines && isatty(STDIN_FILENO);
}

struct saved *console_saved(struct console *console)
{
	return &console->saved;
}

struct settings *console_settings(struct console *console)
{
	return &console->settings;
}

bool console_wants_pager(const struct console *console)
{
	return console->interactive && console->settings.values[SETTING_PAGER] == 0 &&
	       pager_is_possible();
}

void console_leave(struct console *console)
{
	console->leave = true;
}

struct error *console_run(struct inspected *inspected, const struct console_options *options,
			  int *ret_status)
{
	struct console console = {
		.inspected = {.ops = &console_inspected_ops,
			      .pid = inspected->pid,
			      .core = inspected->core},
		.inner = inspected,
		.arguments = options->arguments,
	};
	struct process_status status = {0};
	struct error *error = inspected->core ? NULL : process_status_read(inspected->pid, &status);

	if (error)
		return error;
	console.start_ticks = status.start_ticks;
	console.interactive = console_is_interactive(options);
	settings_begin(&console.settings, options->arguments);
	if (options->lines)
		error = console_run_given(&console, options);
	else if (console.interactive)
		error = console_run_terminal(&console);
	else
		error = console_run_stdin(&console);
	_cleanup_error_ struct error *unrecorded =
		recorder_stop(&console.recorder, "the console was left");
	if (unrecorded)
		console_print_error(&console, unrecorded, NULL);
	recorder_deinit(&console.recorder);
	saved_deinit(&console.saved);
	text_deinit(&console.notice);
	console_forget_types(&console);
	free(console.types);
	*ret_status = console.status;
	return error;
}
