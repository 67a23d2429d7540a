// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

static struct error *refresh_run(struct command_context *context)
{
	inspected_forget(context->inspected);
	return NULL;
}

const struct command command_refresh = {
	.name = "refresh",
	.summary = "look at the process again: the next verb reads it anew",
	.words = "",
	.description =
		"The verbs that follow references (cycles, garbage, refs, referrers, show, export) "
		"read the\n"
		"process once and answer from what they read then, so that addresses mean the same "
		"from one\n"
		"answer to the next; each tells how old that is. After refresh the next of them "
		"reads anew.",
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_IN_CONSOLE,
	.run = refresh_run,
};
