/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef OPTIONS_H
#define OPTIONS_H

/*
 * The command line: which verb, about which process, with which options.
 */

#include <sys/types.h>

#include "base/error.h"
#include "ui/arguments.h"

struct command;

/** Zero-initialised is empty and valid. */
struct options {
	/** Set as soon as it is known, also when something else is wrong. */
	const struct command *command;
	/** TARGET is not among its words. */
	struct arguments arguments;
	/** 0 when no process is asked: the verb needs none, only its help is wanted, or it is a core file. */
	pid_t pid;
	/** The path of the core file, one of the words of argv; NULL for none. */
	const char *core;
};

/** ERROR_USAGE for words that are wrong. A target that is a file is taken for a core file. */
MUST_USE struct error *options_parse(int argc, char *const *argv, struct options *ret);

void options_deinit(struct options *options);
#define _cleanup_options_ CLEANUP(options_deinit)

#endif
