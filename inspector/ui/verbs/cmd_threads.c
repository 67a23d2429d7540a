// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/thread_words.h"
#include "ui/report/text_lines.h"

static const struct report_column threads_call_columns[] = {
	{.key = "function", .unit = REPORT_TEXT},
	{.key = "file", .unit = REPORT_TEXT},
	{.key = "line", .unit = REPORT_NUMBER},
	{.key = "qualname", .unit = REPORT_TEXT},
};

enum { CALL_COLUMN_COUNT = ARRAY_COUNT(threads_call_columns) };

// The calls of a thread as a traceback has them: the outermost first.
static const struct target_call *threads_call(const struct target_call_stacks *stacks,
					      const struct target_call_stack *stack, size_t number)
{
	return &stacks->calls[stack->first + stack->count - 1 - number];
}

static struct error *threads_report_row(const struct command_context *context,
					const struct target_call_stacks *stacks,
					const struct target_call_stack *stack)
{
	_cleanup_free_ struct report_cell *calls =
		calloc(stack->count * CALL_COLUMN_COUNT + 1, sizeof(*calls));
	const struct target_thread *thread = &stack->thread;
	char name[THREAD_NAME_BYTES];

	if (!calls)
		return error_no_memory();
	for (size_t i = 0; i < stack->count; i++) {
		const struct target_call *call = threads_call(stacks, stack, i);
		const struct target_function *function = &stacks->functions[call->function];
		struct report_cell *cells = &calls[i * CALL_COLUMN_COUNT];

		cells[0].text = function->name;
		cells[1].text = function->file;
		cells[2] = (struct report_cell){.number = call->line, .absent = call->line <= 0};
		cells[3] = (struct report_cell){.text = function->qualified_name,
						.absent = !function->qualified_name};
	}
	thread_words_name(context->inspected->pid, thread, context->redacts, name);
	const struct report_cell cells[] = {
		{.number = thread->tid, .absent = thread->tid <= 0},
		{.text = name, .absent = !*name},
		{.number = thread->holds_gil},
		{.number = thread->interpreter},
		{.members = calls, .count = stack->count},
		{.number = (int64_t)stack->left_out},
	};
	return report_row(context->report, cells);
}

static struct error *threads_report_rows(const struct command_context *context,
					 const struct target_call_stacks *stacks, size_t shown)
{
	static const struct report_column columns[] = {
		{.key = "tid", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "name", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "gil", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
		{.key = "interpreter", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "stack",
		 .unit = REPORT_OBJECTS,
		 .reader = REPORT_FOR_PROGRAMS,
		 .members = threads_call_columns,
		 .member_count = CALL_COLUMN_COUNT},
		{.key = "left_out", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	struct error *error =
		report_table(context->report, "threads", columns, ARRAY_COUNT(columns));

	for (size_t i = 0; i < shown && !error; i++)
		error = threads_report_row(context, stacks, &stacks->list[i]);
	return error;
}

static struct error *threads_add_repeats(struct text_lines *lines, size_t repeats)
{
	return repeats ? text_lines_add(lines, "    (the same line %zu more time%s)", repeats,
					repeats == 1 ? "" : "s")
		       : NULL;
}

// As tracebacks are written, the innermost call with a mark; recursion of one line is one line.
static struct error *threads_add_calls(const struct target_call_stacks *stacks,
				       const struct target_call_stack *stack,
				       struct text_lines *lines)
{
	enum { REPEATS_SHOWN = 2 };
	size_t repeats = 0, shown = 0;
	struct error *error = NULL;

	for (size_t i = 0; i < stack->count && !error; i++) {
		const struct target_call *call = threads_call(stacks, stack, i);
		const struct target_call *before = i ? threads_call(stacks, stack, i - 1) : NULL;
		const struct target_function *function = &stacks->functions[call->function];
		bool is_innermost = i + 1 == stack->count;
		bool is_same =
			before && before->function == call->function && before->line == call->line;

		shown = is_same ? shown + 1 : 0;
		if (shown > REPEATS_SHOWN && !is_innermost) {
			repeats++;
			continue;
		}
		error = threads_add_repeats(lines, repeats);
		repeats = 0;
		if (!error)
			error = text_lines_add(lines, "%s File \"%s\", line %" PRId32 ", in %s",
					       is_innermost ? ">" : " ", function->file, call->line,
					       function->name);
	}
	return error;
}

static struct error *threads_report_stack(const struct command_context *context,
					  const struct target_call_stacks *stacks,
					  const struct target_call_stack *stack)
{
	_cleanup_text_lines_ struct text_lines lines = {0};
	_cleanup_text_ struct text title = {0};
	const struct target_thread *thread = &stack->thread;
	char name[THREAD_NAME_BYTES], left_out[HUMAN_CHARS];
	struct error *error = NULL;

	thread_words_name(context->inspected->pid, thread, context->redacts, name);
	if (thread->tid > 0)
		error = text_appendf(&title, "thread %d%s%s", (int)thread->tid, *name ? " " : "",
				     name);
	else
		error = text_appendf(&title, "a thread that is no longer");
	if (!error && stacks->interpreter_count > 1)
		error = text_appendf(&title, ", interpreter %" PRIu32, thread->interpreter);
	if (!error && thread->holds_gil)
		error = text_appendf(&title, ", has the GIL");
	if (!error && stack->left_out)
		error = text_lines_add(&lines, "  (%s outer calls left out)",
				       human_count((int64_t)stack->left_out, left_out));
	if (!error)
		error = threads_add_calls(stacks, stack, &lines);
	if (!error && !stack->count)
		error = text_lines_add(&lines, "  no Python function runs in it");
	if (!error)
		error = report_heading(context->report, "%s", text_chars(&title));
	return error ? error : text_lines_report(&lines, context->report);
}

static int threads_compare(const void *a, const void *b)
{
	return thread_words_compare(&((const struct target_call_stack *)a)->thread,
				    &((const struct target_call_stack *)b)->thread);
}

static struct error *threads_run(struct command_context *context)
{
	_cleanup_target_call_stacks_ struct target_call_stacks stacks = {0};
	size_t limit = arguments_limit(context->arguments);
	struct session_look look = {0};
	struct report_head head;
	struct error *error = inspected_call_stacks(context->inspected, &look, &stacks);

	if (error)
		return error;
	if (stacks.count)
		qsort(stacks.list, stacks.count, sizeof(*stacks.list), threads_compare);
	size_t shown = stacks.count < limit ? stacks.count : limit;
	inspected_head(context->inspected, "threads", &look, NULL, &head);
	head.truncated = stacks.is_truncated;
	error = report_begin(context->report, &head);
	if (!error)
		error = threads_report_rows(context, &stacks, shown);
	for (size_t i = 0; i < shown && !error; i++)
		error = threads_report_stack(context, &stacks, &stacks.list[i]);
	if (!error && shown < stacks.count)
		error = report_note(context->report, "(%zu more threads)", stacks.count - shown);
	return error;
}

static const struct command_example threads_examples[] = {
	{"threads 4711", "what each thread is doing"},
	{"threads 4711 --json", "the same for programs: file, line and function of each call"},
};

const struct command command_threads = {
	.name = "threads",
	.summary = "the Python stack of every thread, and who has the GIL",
	.words = "",
	.description =
		"Stops the process for a moment and tells which Python functions run in each "
		"thread, as a\n"
		"traceback does: the outermost first, the innermost, which is marked, last. Of "
		"each call the file,\n"
		"the line it is on and the function's name; which thread holds the global "
		"interpreter lock; with\n"
		"more than one interpreter, to which one the thread belongs. A thread that runs "
		"C code is on the\n"
		"line that called it. A generator or coroutine that runs is a call like any "
		"other.\n"
		"\n"
		"  thread 4711 python3.11, has the GIL\n"
		"    File \"/srv/shop.py\", line 19, in <module>\n"
		"  > File \"/srv/shop.py\", line 18, in main\n"
		"\n"
		"Of a thread the 4,096 innermost calls are told, and how many outer ones are "
		"left out. A line that\n"
		"calls itself again and again is shown three times, and how often more. JSON has "
		"each call.",
	.examples = threads_examples,
	.example_count = ARRAY_COUNT(threads_examples),
	.flags = COMMAND_INSPECTS | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = threads_run,
};
