// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"
#include "ui/console/complete.h"
#include "ui/help.h"

enum help_option { HELP_MAN, HELP_COMPLETE };

static const struct command_option help_options[] = {
	[HELP_MAN] = {.name = "man"},
	[HELP_COMPLETE] = {.name = "complete"},
};

// Answers completion.bash: a candidate per line; "@file" and "@pid" are for the shell to list.
static struct error *help_complete(FILE *out, const struct arguments *arguments)
{
	_cleanup_completion_ struct completion completion = {0};
	size_t before = arguments->word_count ? arguments->word_count - 1 : 0;
	const struct complete_question question = {
		.place = COMMAND_IN_SHELL,
		.before = arguments->words,
		.before_count = before,
		.word = arguments->word_count ? arguments->words[before] : "",
	};
	struct error *error = complete_words(&question, &completion);

	if (error)
		return error;
	for (size_t i = 0; i < completion.count; i++)
		fprintf(out, "%s\n", completion.list[i]);
	if (completion.other != COMMAND_FLAG)
		fprintf(out, "%s\n", completion.other == COMMAND_PID ? "@pid" : "@file");
	return NULL;
}

static struct error *help_run(struct command_context *context)
{
	const struct arguments *arguments = context->arguments;
	unsigned place = context->console ? COMMAND_IN_CONSOLE : COMMAND_IN_SHELL;
	const struct command *command;

	if (arguments->options[HELP_COMPLETE].count)
		return help_complete(context->out, arguments);
	if (arguments->options[HELP_MAN].count) {
		help_manual(context->out);
		return NULL;
	}
	if (arguments->word_count == 0) {
		help_overview(context->out, place);
		return NULL;
	}
	if (arguments->word_count > 1)
		return error_create(ERROR_USAGE, "help: '%s' is one word too many",
				    arguments->words[1]);
	struct error *error = command_find(arguments->words[0], COMMAND_EVERYWHERE, &command);
	if (!error)
		help_command(context->out, command,
			     command->flags & place ? place : command->flags & COMMAND_EVERYWHERE);
	return error;
}

static const struct command_example help_examples[] = {
	{"help version", "all about one verb"},
};

const struct command command_help = {
	.name = "help",
	.summary = "what verbs there are, or all about one",
	.words = "[VERB]",
	.word = COMMAND_VERB,
	// More than one are for --complete alone.
	.words_max = COMMAND_WORDS_ANY,
	.description = "Without VERB: all verbs in a line each. With it: its usage, options and "
		       "examples.",
	.options = help_options,
	.option_count = ARRAY_COUNT(help_options),
	.examples = help_examples,
	.example_count = ARRAY_COUNT(help_examples),
	// clang-format off
	.example_output =
		"usage: leakinspect version\n"
		"\n"
		"Prints the version of leakinspect.\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_EVERYWHERE,
	.run = help_run,
};
