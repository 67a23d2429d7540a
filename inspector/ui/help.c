// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/help.h"

#include <string.h>

#include "ui/command.h"

enum {
	HELP_OPTION_WIDTH = 22,
	HELP_VERB_WIDTH = 10,
};

// "types [OPTIONS] TARGET [WORDS]", as the place wants it.
static void help_usage(FILE *out, const struct command *command, unsigned place)
{
	bool shell = place == COMMAND_IN_SHELL;

	bool options = command->flags & COMMAND_REPORTS;

	for (size_t i = 0; i < command->option_count; i++)
		options = options || command->options[i].summary;
	fprintf(out, "%s%s%s", shell ? "leakinspect " : "", command->name,
		options ? " [OPTIONS]" : "");
	if (shell && command->flags & COMMAND_INSPECTS)
		fprintf(out, " TARGET");
	if (*command->words)
		fprintf(out, " %s", command->words);
}

static void help_choices(FILE *out, const struct command_option *option)
{
	fprintf(out, ": %s%s", option->choices[0], option->has_no_default ? "" : " (unless given)");
	for (size_t i = 1; option->choices[i]; i++)
		fprintf(out, "%s%s", option->choices[i + 1] ? ", " : " or ", option->choices[i]);
}

static void help_option(FILE *out, const struct command_option *option)
{
	char form[80];

	snprintf(form, sizeof(form), "%c%c%c --%s%s%s", option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ', option->letter ? ',' : ' ', option->name,
		 option->argument ? " " : "", option->argument ? option->argument : "");
	fprintf(out, "  %-*s  %s", HELP_OPTION_WIDTH, form, option->summary);
	if (option->choices)
		help_choices(out, option);
	fprintf(out, "\n");
}

// Whether help shows this common option: -p and --version mean nothing in the console.
static bool help_shows_common(const struct command *command, enum arguments_common common,
			      unsigned place)
{
	if (place == COMMAND_IN_CONSOLE && (common == ARGUMENTS_PID || common == ARGUMENTS_VERSION))
		return false;
	return command_takes_common(command, common);
}

// An example as it is typed there: in the console without the target.
static void help_example_words(FILE *out, const char *words, unsigned place)
{
	static const char target[] = " 4711";
	const char *at = place == COMMAND_IN_CONSOLE ? strstr(words, target) : NULL;

	fprintf(out, "  %s", place == COMMAND_IN_SHELL ? "leakinspect " : "");
	if (at)
		fprintf(out, "%.*s%s\n", (int)(at - words), words, at + strlen(target));
	else
		fprintf(out, "%s\n", words);
}

void help_overview(FILE *out, unsigned place)
{
	if (place == COMMAND_IN_SHELL)
		fprintf(out,
			"Inspects running CPython processes: what fills their memory, and why.\n\n"
			"usage: leakinspect VERB [OPTIONS] TARGET [WORDS]\n\n"
			"TARGET is a process id or a core file.\n\n");
	fprintf(out, "verbs:\n");
	for (size_t i = 0; commands[i]; i++)
		if (commands[i]->flags & place)
			fprintf(out, "  %-*s  %s\n", HELP_VERB_WIDTH, commands[i]->name,
				commands[i]->summary);
	fprintf(out, "\n%shelp VERB tells more.\n",
		place == COMMAND_IN_SHELL ? "leakinspect " : "");
}

static void help_output(FILE *out, const char *output)
{
	for (const char *line = output; line && *line; line += strcspn(line, "\n") + 1)
		fprintf(out, "%s%.*s\n", *line == '\n' ? "" : "        ", (int)strcspn(line, "\n"),
			line);
}

void help_command(FILE *out, const struct command *command, unsigned place)
{
	fprintf(out, "usage: ");
	help_usage(out, command, place);
	fprintf(out, "\n\n%s\n\noptions:\n", command->description);
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].summary)
			help_option(out, &command->options[i]);
	for (size_t i = 0; i < ARGUMENTS_COMMON_COUNT; i++)
		if (help_shows_common(command, (enum arguments_common)i, place))
			help_option(out, &command_options_common[i]);
	if (command->example_count)
		fprintf(out, "\nexamples:\n");
	for (size_t i = 0; i < command->example_count; i++) {
		help_example_words(out, command->examples[i].words, place);
		fprintf(out, "      %s\n", command->examples[i].summary);
		help_output(out, i ? NULL : command->example_output);
	}
}

// Text in man(7): a backslash and a dash are commands of its own, and so is a dot or a quote that
// begins a line.
static void help_roff_part(FILE *out, const char *text, const char *end)
{
	bool line_start = true;

	for (; text < end; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fprintf(out, "\\&");
		if (*text == '\\')
			fprintf(out, "\\e");
		else if (*text == '-')
			fprintf(out, "\\-");
		else
			fputc(*text, out);
		line_start = *text == '\n';
	}
}

static void help_roff(FILE *out, const char *text)
{
	help_roff_part(out, text, text + strlen(text));
}

// What is indented is output of ours, and stays as it is.
static void help_roff_paragraph(FILE *out, const char *text, const char *end)
{
	bool is_output = !strncmp(text, "  ", 2);

	fprintf(out, ".PP\n%s", is_output ? ".EX\n" : "");
	help_roff_part(out, text, end);
	fprintf(out, "\n%s", is_output ? ".EE\n" : "");
}

static void help_roff_paragraphs(FILE *out, const char *text)
{
	const char *end;

	while ((end = strstr(text, "\n\n"))) {
		help_roff_paragraph(out, text, end);
		text = end + 2;
	}
	help_roff_paragraph(out, text, text + strlen(text));
}

static void help_roff_option(FILE *out, const struct command_option *option)
{
	fprintf(out, ".TP\n");
	if (option->letter)
		fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
	fprintf(out, "\\fB\\-\\-");
	help_roff(out, option->name);
	fprintf(out, "\\fR");
	if (option->argument)
		fprintf(out, " \\fI%s\\fR", option->argument);
	fprintf(out, "\n");
	help_roff(out, option->summary);
	if (option->choices)
		help_choices(out, option);
	fprintf(out, ".\n");
}

static void help_roff_command(FILE *out, const struct command *command)
{
	unsigned place = command->flags & COMMAND_IN_SHELL ? COMMAND_IN_SHELL : COMMAND_IN_CONSOLE;

	fprintf(out, ".SS ");
	help_usage(out, command, place);
	fprintf(out, "%s\n", place == COMMAND_IN_CONSOLE ? " (in the console)" : "");
	help_roff_paragraphs(out, command->description);
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].summary)
			help_roff_option(out, &command->options[i]);
	for (size_t i = 0; i < command->example_count; i++) {
		fprintf(out, ".PP\n.EX\n");
		if (place == COMMAND_IN_SHELL)
			help_roff(out, "leakinspect ");
		help_roff(out, command->examples[i].words);
		fprintf(out, "\n.EE\n.RS\n");
		help_roff(out, command->examples[i].summary);
		fprintf(out, ".\n");
		if (i == 0 && command->example_output) {
			fprintf(out, ".PP\n.EX\n");
			help_roff(out, command->example_output);
			fprintf(out, ".EE\n");
		}
		fprintf(out, ".RE\n");
	}
}

void help_manual(FILE *out)
{
	fprintf(out, ".SH VERBS\n");
	for (size_t i = 0; commands[i]; i++)
		help_roff_command(out, commands[i]);
	fprintf(out,
		".SH COMMON OPTIONS\n"
		"Of verbs that answer with a report, and where it makes sense of the others.\n");
	for (size_t i = 0; i < ARGUMENTS_COMMON_COUNT; i++)
		help_roff_option(out, &command_options_common[i]);
}
