// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"

static struct error *refresh_run(struct command_context *context)
{
	inspected_forget(context->inspected);
	return NULL;
}

static const struct command_example refresh_examples[] = {
	{"refresh", "what the next verb answers is of then"},
};

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
	.examples = refresh_examples,
	.example_count = ARRAY_COUNT(refresh_examples),
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_IN_CONSOLE,
	.run = refresh_run,
};
