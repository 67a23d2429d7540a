// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

static struct error *version_run(struct command_context *context)
{
	fprintf(context->out, "leakinspect %s\n", LEAKINSPECT_VERSION);
	return NULL;
}

const struct command command_version = {
	.name = "version",
	.summary = "the version of leakinspect",
	.words = "",
	.description = "Prints the version of leakinspect.",
	.flags = COMMAND_EVERYWHERE,
	.run = version_run,
};
