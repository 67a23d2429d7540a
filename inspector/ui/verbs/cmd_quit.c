// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"
#include "ui/console/console.h"

static struct error *quit_run(struct command_context *context)
{
	console_leave(context->console);
	return NULL;
}

static const struct command_example quit_examples[] = {
	{"quit", "back to the shell"},
};

const struct command command_quit = {
	.name = "quit",
	.summary = "leave the console; the process goes on",
	.words = "",
	.description = "Leaves the console, as Ctrl-D does. The process goes on as before.",
	.examples = quit_examples,
	.example_count = ARRAY_COUNT(quit_examples),
	.flags = COMMAND_IN_CONSOLE,
	.run = quit_run,
};

static const struct command_example exit_examples[] = {
	{"exit", "back to the shell"},
};

const struct command command_exit = {
	.name = "exit",
	.summary = "the same as quit",
	.words = "",
	.description = "Leaves the console, as Ctrl-D does. The process goes on as before.",
	.examples = exit_examples,
	.example_count = ARRAY_COUNT(exit_examples),
	.flags = COMMAND_IN_CONSOLE,
	.run = quit_run,
};
