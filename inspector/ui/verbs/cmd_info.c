// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "mem/process.h"
#include "ui/answers/thread_words.h"

/** Everything that `info` tells, gathered before a word of it is reported. */
struct info {
	struct target_facts facts;
	/** Of a core file nobody knows it. */
	struct process_status status;
	bool has_status;
	char *argument_block;
	const char **arguments;
	size_t argument_count;
	size_t argument_capacity;
	/** What is told instead of them when values are not; owned, as is each. */
	char **lengths;
};

static void info_deinit(struct info *info)
{
	target_facts_deinit(&info->facts);
	for (size_t i = 0; info->lengths && i < info->argument_count; i++)
		free(info->lengths[i]);
	free(info->lengths);
	free(info->argument_block);
	free(info->arguments);
}

// A process that gives itself another title fills the rest of its arguments with NULs: more than one
// empty argument at the end is that.
static void info_drop_padding(struct info *info)
{
	size_t count = info->argument_count;

	while (count && !*info->arguments[count - 1])
		count--;
	if (info->argument_count - count > 1)
		info->argument_count = count;
}

static struct error *info_read_arguments(struct inspected *inspected, struct info *info)
{
	size_t bytes = 0;
	struct error *error = inspected_arguments(inspected, &info->argument_block, &bytes);

	for (size_t at = 0; at < bytes && !error; at += strlen(info->argument_block + at) + 1) {
		error = array_reserve(&info->arguments, &info->argument_capacity,
				      info->argument_count + 1, sizeof(*info->arguments));
		if (!error)
			info->arguments[info->argument_count++] = info->argument_block + at;
	}
	info_drop_padding(info);
	return error;
}

// Passwords stand in command lines, and a title that a process gives itself may be anything.
static struct error *info_redact_arguments(struct info *info)
{
	info->lengths = calloc(info->argument_count + 1, sizeof(*info->lengths));
	if (!info->lengths)
		return error_no_memory();
	for (size_t i = 0; i < info->argument_count; i++) {
		if (asprintf(&info->lengths[i], "<%zu bytes>", strlen(info->arguments[i])) < 0) {
			info->lengths[i] = NULL;
			return error_no_memory();
		}
	}
	return NULL;
}

// -1 is how a target says that its runtime does not tell.
static struct report_cell info_number(int64_t number)
{
	return (struct report_cell){.number = number, .absent = number < 0};
}

static struct error *info_report_process(struct report *report, const struct info *info)
{
	static const struct report_column columns[] = {
		{.key = "argv", .unit = REPORT_TEXTS},
		{.key = "interpreters", .unit = REPORT_COUNT},
		{.key = "ref_total", .title = "references", .unit = REPORT_COUNT},
	};
	const struct report_cell cells[] = {
		{.texts = info->lengths ? (const char *const *)info->lengths : info->arguments,
		 .count = info->argument_count},
		{.number = info->facts.interpreter_count},
		info_number(info->facts.ref_total),
	};
	// Only debug builds of the runtime keep that sum.
	size_t count = ARRAY_COUNT(columns) - (info->facts.ref_total < 0);

	return report_object(report, NULL, columns, count, cells);
}

static struct error *info_report_memory(struct report *report, const struct info *info)
{
	static const struct report_column columns[] = {
		{.key = "rss", .title = "resident", .unit = REPORT_BYTES},
		{.key = "vss", .title = "virtual", .unit = REPORT_BYTES},
	};
	const struct report_cell cells[] = {
		{.number = (int64_t)info->status.rss_bytes, .absent = !info->has_status},
		{.number = (int64_t)info->status.vss_bytes, .absent = !info->has_status},
	};

	return report_object(report, "memory", columns, ARRAY_COUNT(columns), cells);
}

static struct error *info_report_gc(struct report *report, const struct info *info)
{
	static const struct report_column columns[] = {
		{.key = "enabled", .unit = REPORT_BOOL},
		{.key = "debug", .title = "debug flags", .unit = REPORT_NUMBER},
		{.key = "thresholds", .unit = REPORT_NUMBERS},
		{.key = "counts", .unit = REPORT_NUMBERS},
		{.key = "garbage", .title = "in gc.garbage", .unit = REPORT_COUNT},
		{.key = "frozen", .unit = REPORT_COUNT},
	};
	const struct target_facts *facts = &info->facts;
	const struct report_cell cells[] = {
		info_number(facts->gc_enabled),
		info_number(facts->gc_debug),
		{.numbers = facts->thresholds, .count = facts->generation_count},
		{.numbers = facts->counts, .count = facts->generation_count},
		info_number(facts->garbage_count),
		info_number(facts->frozen_count),
	};

	return report_object(report, "gc", columns, ARRAY_COUNT(columns), cells);
}

static struct error *info_report_thread(const struct command_context *context,
					const struct target_thread *thread)
{
	char name[THREAD_NAME_BYTES];

	thread_words_name(context->inspected->pid, thread, context->redacts, name);
	const struct report_cell cells[] = {
		{.number = thread->tid, .absent = thread->tid <= 0},
		{.text = name, .absent = !*name},
		{.number = thread->holds_gil},
		{.number = thread->interpreter},
	};
	return report_row(context->report, cells);
}

static struct error *info_report_threads(const struct command_context *context,
					 const struct info *info)
{
	struct report *report = context->report;
	size_t limit = arguments_limit(context->arguments);
	static const struct report_column one_interpreter[] = {
		{.key = "tid", .unit = REPORT_NUMBER},
		{.key = "name", .unit = REPORT_TEXT},
		{.key = "gil", .title = "holds the gil", .unit = REPORT_BOOL},
		{.key = "interpreter", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	};
	static const struct report_column more_interpreters[] = {
		{.key = "tid", .unit = REPORT_NUMBER},
		{.key = "name", .unit = REPORT_TEXT},
		{.key = "gil", .title = "holds the gil", .unit = REPORT_BOOL},
		{.key = "interpreter", .unit = REPORT_NUMBER},
	};
	size_t count = info->facts.thread_count;
	size_t shown = count < limit ? count : limit;
	struct error *error = report_table(report, "threads",
					   info->facts.interpreter_count > 1 ? more_interpreters
									     : one_interpreter,
					   ARRAY_COUNT(one_interpreter));

	for (size_t i = 0; i < shown && !error; i++)
		error = info_report_thread(context, &info->facts.threads[i]);
	if (!error && shown < count)
		error = report_note(report, "(%zu more threads)", count - shown);
	return error;
}

static int info_compare_threads(const void *a, const void *b)
{
	return thread_words_compare(a, b);
}

static struct error *info_run(struct command_context *context)
{
	CLEANUP(info_deinit) struct info info = {0};
	struct report *report = context->report;
	struct session_look look = {0};
	struct report_head head;
	struct error *error = inspected_facts(context->inspected, &look, &info.facts);

	info.has_status = !context->inspected->core;
	if (!error && info.has_status)
		error = process_status_read(context->inspected->pid, &info.status);
	if (!error)
		error = info_read_arguments(context->inspected, &info);
	if (!error && context->redacts)
		error = info_redact_arguments(&info);
	if (error)
		return error;
	// The main thread first, as a rule; the runtime has the youngest first.
	qsort(info.facts.threads, info.facts.thread_count, sizeof(*info.facts.threads),
	      info_compare_threads);
	inspected_head(context->inspected, "info", &look, NULL, &head);
	error = report_begin(report, &head);
	if (!error)
		error = info_report_process(report, &info);
	if (!error)
		error = info_report_memory(report, &info);
	if (!error)
		error = info_report_gc(report, &info);
	if (!error)
		error = info_report_threads(context, &info);
	return error;
}

static const struct command_example info_examples[] = {
	{"info 4711", "what the process is, and how its collector is set"},
};

const struct command command_info = {
	.name = "info",
	.summary = "the process, its threads, its collector and its memory",
	.words = "",
	.description =
		"Stops the process for a moment and tells what it is: its command line and memory, "
		"the state\n"
		"of its garbage collector (enabled, debug flags, threshold and count of each "
		"generation,\n"
		"objects in gc.garbage, objects set aside by gc.freeze()), the threads that run "
		"Python code,\n"
		"and which of them holds the global interpreter lock. A debug build of CPython "
		"also "
		"tells the\n"
		"sum of all reference counts.\n"
		"\n"
		"A core file has the beginning of the command line alone, cut at blanks, and tells "
		"neither memory\n"
		"nor names of threads.",
	.examples = info_examples,
	.example_count = ARRAY_COUNT(info_examples),
	// clang-format off
	.example_output =
		"process 4711: cpython 3.11.2, release build\n"
		"\n"
		"argv          demo/leak_demo --port 8000\n"
		"interpreters  1\n"
		"\n"
		"memory\n"
		"  resident  23.8 MiB\n"
		"  virtual   240.9 MiB\n"
		"\n"
		"gc\n"
		"  enabled        yes\n"
		"  debug flags    0\n"
		"  thresholds     700, 10, 10\n"
		"  counts         230, 7, 2\n"
		"  in gc.garbage  758\n"
		"  frozen         0\n"
		"\n"
		"threads\n"
		" TID  NAME       HOLDS THE GIL\n"
		"4711  leak_demo  no\n"
		"\n"
		"the process stood still for 179 us\n"
		"everything was read\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = info_run,
};
