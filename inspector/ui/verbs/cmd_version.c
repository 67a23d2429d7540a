// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"

static struct error *version_run(struct command_context *context)
{
	fprintf(context->out, "leakinspect %s\n", LEAKINSPECT_VERSION);
	return NULL;
}

static const struct command_example version_examples[] = {
	{"version", "the version"},
};

const struct command command_version = {
	.name = "version",
	.summary = "the version of leakinspect",
	.words = "",
	.description = "Prints the version of leakinspect.",
	.examples = version_examples,
	.example_count = ARRAY_COUNT(version_examples),
	// clang-format off
	.example_output =
		"leakinspect 0.1.0\n",
	// clang-format on
	.flags = COMMAND_EVERYWHERE,
	.run = version_run,
};
