// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/console/console.h"
#include "ui/report/safe_text.h"

enum attach_option { ATTACH_COMMAND };

static const struct command_option attach_options[] = {
	[ATTACH_COMMAND] = {.name = "command",
			    .letter = 'c',
			    .word = COMMAND_TEXT,
			    .argument = "LINE",
			    .repeatable = true,
			    .summary = "run this line of the console and leave; may be repeated"},
};

/** No more of the command line than this, in bytes: a script behind -c has thousands. */
enum { ATTACH_COMMAND_LINE_MAX = 160 };

static struct error *attach_command_line(struct inspected *inspected, struct text *into)
{
	_cleanup_free_ char *block = NULL;
	size_t bytes = 0;
	struct error *error = inspected_arguments(inspected, &block, &bytes);

	if (error)
		return error;
	// Also where a process has given itself another title and filled up with NULs.
	while (bytes && !block[bytes - 1])
		bytes--;
	for (size_t i = 0; i < bytes; i++)
		if (!block[i])
			block[i] = ' ';
	bool cut = bytes > ATTACH_COMMAND_LINE_MAX;
	if (cut)
		block[ATTACH_COMMAND_LINE_MAX] = '\0';
	if (bytes)
		error = safe_text_terminal(into, block, NULL);
	if (!error && cut)
		error = text_append(into, "...", 3);
	return error;
}

static struct error *attach_banner_text(struct inspected *inspected, const struct report_head *head,
					struct text *into)
{
	char pause[HUMAN_CHARS];
	_cleanup_text_ struct text raw = {0};
	_cleanup_text_ struct text target = {0};
	struct error *error =
		inspected->core
			? text_appendf(&target, "reading core file %s: ", inspected->core)
			: text_appendf(&target, "attached to process %d: ", (int)inspected->pid);

	if (!error)
		error = safe_text_terminal(into, text_chars(&target), NULL);
	if (!error)
		error = attach_command_line(inspected, into);
	if (!error)
		error = text_appendf(&raw, "%s %s, %s build, described by %s",
				     head->runtime ? head->runtime : "unknown runtime",
				     head->version ? head->version : "(version unknown)",
				     head->build ? head->build : "unknown",
				     head->debug_info ? head->debug_info : "nothing");
	if (!error)
		error = text_appendf(into, "\n");
	if (!error)
		error = safe_text_terminal(into, text_chars(&raw), NULL);
	if (!error && inspected->core)
		error = text_appendf(into, "\n'help' lists the verbs, Ctrl-D leaves.\n");
	else if (!error)
		error = text_appendf(into,
				     "\nIt stood still for %s and runs again. "
				     "'help' lists the verbs, Ctrl-D leaves.\n",
				     human_duration_ns(head->pause_ns, pause));
	return error;
}

// A first look: it proves that the process can be read, and how short a stop is.
static struct error *attach_banner(const struct command_context *context)
{
	_cleanup_text_ struct text text = {0};
	struct target_facts facts = {0};
	struct session_look look = {0};
	struct report_head head;
	struct error *error = inspected_facts(context->inspected, &look, &facts);

	if (error)
		return error;
	target_facts_deinit(&facts);
	inspected_head(context->inspected, "attach", &look, NULL, &head);
	error = attach_banner_text(context->inspected, &head, &text);
	if (!error)
		fputs(text_chars(&text), context->out);
	return error;
}

static struct error *attach_run(struct command_context *context)
{
	const struct arguments_value *lines = &context->arguments->options[ATTACH_COMMAND];
	const struct console_options options = {
		.lines = lines->count ? lines->texts : NULL,
		.line_count = lines->count,
		.arguments = context->arguments,
	};
	struct error *error = NULL;

	if (console_is_interactive(&options) && !arguments_has(context->arguments, ARGUMENTS_QUIET))
		error = attach_banner(context);
	if (!error)
		error = console_run(context->inspected, &options, &context->exit_status);
	return error;
}

static const struct command_example attach_examples[] = {
	{"attach 4711 -c 'types -q -n 1' -c 'cycles -q'", "two answers from one attach"},
	{"attach 4711", "a console for process 4711"},
};

const struct command command_attach = {
	.name = "attach",
	.summary = "a console in which the other verbs stand without TARGET",
	.words = "",
	.description =
		"Opens a console: the same verbs, without leakinspect and TARGET. The process is "
		"stopped only\n"
		"while a verb reads it, and runs between the lines.\n"
		"\n"
		"With -c, and when stdin is no terminal, the lines are run one after the other, "
		"also "
		"behind one\n"
		"that failed, and the exit status is that of the first that failed. A console with "
		"a "
		"person at\n"
		"it ends with 0.\n"
		"\n"
		"Words are separated by blanks; '...' and \"...\" keep them together, # begins a "
		"comment. The Tab\n"
		"key completes verbs, options, files, settings, and names of types once a verb has "
		"counted them.\n"
		"Answers longer than the screen are shown by $PAGER, or less; set tells what else "
		"there is to set.\n"
		"Lines are kept in $XDG_STATE_HOME/leakinspect/history. Ctrl-C ends a verb or the "
		"pager and not the\n"
		"console.",
	.options = attach_options,
	.option_count = ARRAY_COUNT(attach_options),
	.examples = attach_examples,
	.example_count = ARRAY_COUNT(attach_examples),
	// clang-format off
	.example_output =
		"TYPE               COUNT  TRACKED      SIZE     REFS\n"
		"str               20,545        0   1.6 MiB   56,489\n"
		"(127 more types)  30,151   13,260   9.2 MiB   48,834\n"
		"total             50,696   13,260  10.7 MiB  105,323\n"
		"STATE          COUNT  OBJECTS      SIZE  SHAPE                         FINALIZERS\n"
		"uncollectable    500    1,000  54.7 KiB  Parent.child -> Child.parent  leak_demo.Child legacy, ...\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_IN_SHELL,
	.run = attach_run,
};
