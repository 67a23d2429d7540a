// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"

#include "base/text.h"
#include "ui/console/console.h"
#include "ui/console/settings.h"

static void set_show(FILE *out, const struct settings *settings, const struct setting *setting)
{
	char value[HUMAN_CHARS];

	fprintf(out, "%-8s  %-5s  %s\n", setting->name, settings_value(settings, setting, value),
		setting->summary);
}

static struct error *set_run(struct command_context *context)
{
	const struct arguments *arguments = context->arguments;
	struct settings *settings = console_settings(context->console);
	const struct setting *setting;

	if (arguments->word_count == 2)
		return settings_set(settings, arguments->words[0], arguments->words[1]);
	if (arguments->word_count == 1 && !setting_find(arguments->words[0]))
		return settings_set(settings, arguments->words[0], "");
	for (size_t i = 0; (setting = setting_at(i)); i++)
		if (!arguments->word_count || setting == setting_find(arguments->words[0]))
			set_show(context->out, settings, setting);
	return NULL;
}

static const struct command_example set_examples[] = {
	{"set", "all settings"},
};

const struct command command_set = {
	.name = "set",
	.summary = "what holds for all lines: pager, color, limit, redact, snapshot",
	.words = "[NAME [VALUE]]",
	.word = COMMAND_SETTING,
	.words_max = 2,
	.description =
		"Without words: all settings, with NAME that one, with VALUE it is set for the "
		"lines to come. What\n"
		"an option on a line says holds for that line, but for --snapshot, which sets "
		"snapshot.\n"
		"\n"
		"pager: on or off. Answers longer than the screen are shown by $PAGER, or by less; "
		"q and Ctrl-C\n"
		"come back.\n"
		"color: on or off. limit: rows of an answer, as -n. redact: on or off, as "
		"--redact. snapshot: copy\n"
		"or clone, as --snapshot.",
	.examples = set_examples,
	.example_count = ARRAY_COUNT(set_examples),
	// clang-format off
	.example_output =
		"pager     on     show an answer longer than the screen in $PAGER, or less\n"
		"color     on     bold headings, unless NO_COLOR forbids them\n"
		"limit     0      at most so many rows, as -n; 0 is all of them\n"
		"redact    off    types and sizes, but no values of the process, as --redact\n"
		"snapshot  copy   what is read, as --snapshot\n",
	// clang-format on
	.flags = COMMAND_IN_CONSOLE,
	.run = set_run,
};
