// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"
#include "ui/console/console.h"

static struct error *quit_run(struct command_context *context)
{
	console_leave(context->console);
	return NULL;
}

const struct command command_quit = {
	.name = "quit",
	.summary = "leave the console; the process goes on",
	.words = "",
	.description = "Leaves the console, as Ctrl-D does. The process goes on as before.",
	.flags = COMMAND_IN_CONSOLE,
	.run = quit_run,
};

const struct command command_exit = {
	.name = "exit",
	.summary = "the same as quit",
	.words = "",
	.description = "Leaves the console, as Ctrl-D does. The process goes on as before.",
	.flags = COMMAND_IN_CONSOLE,
	.run = quit_run,
};
