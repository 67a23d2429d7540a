/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ARGUMENTS_H
#define UI_ARGUMENTS_H

/*
 * The words of one verb, checked against its table of options: the same for argv and for a line of
 * the console. Options may stand anywhere among the words; "--" ends them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct command;

enum { ARGUMENTS_OPTIONS_MAX = 16 };

enum arguments_common {
	ARGUMENTS_JSON,
	ARGUMENTS_OUTPUT,
	ARGUMENTS_FORCE,
	ARGUMENTS_LIMIT,
	ARGUMENTS_PID,
	ARGUMENTS_SNAPSHOT,
	ARGUMENTS_REDACT,
	ARGUMENTS_NO_COLOR,
	ARGUMENTS_QUIET,
	ARGUMENTS_VERBOSE,
	ARGUMENTS_HELP,
	ARGUMENTS_VERSION,
	ARGUMENTS_COMMON_COUNT,
};

/** What was given for one option. */
struct arguments_value {
	/** How often; 0 is not at all. */
	size_t count;
	/** The last one; NULL for a flag and when not given. */
	const char *text;
	/** Its number, or its index in the choices (0, the default, when not given). */
	uint64_t number;
	/** All of them, in order. */
	const char **texts;
	size_t capacity;
};

/** Zero-initialised is empty and valid. Texts point into the words that were parsed. */
struct arguments {
	struct arguments_value common[ARGUMENTS_COMMON_COUNT];
	/** By index in the verb's table. */
	struct arguments_value options[ARGUMENTS_OPTIONS_MAX];
	/** What is no option, in order, ended by NULL; NULL when there is none. */
	char **words;
	size_t word_count;
	size_t word_capacity;
};

/**
 * Takes @a count words (the first is skipped, as in argv; all live as long as @a ret) for
 * @a command; @a command NULL takes the common options alone. ERROR_USAGE with a sentence for what
 * is wrong. How many words there may be is the caller's to check: the target may be one of them.
 */
MUST_USE struct error *arguments_parse(const struct command *command, int count, char *const *words,
				       struct arguments *ret);

/**
 * Where the verb stands among @a count words of a command line, when options of any verb may stand
 * before it; @a count when there is none.
 */
MUST_USE struct error *arguments_find_verb(int count, char *const *words, int *ret);

void arguments_deinit(struct arguments *arguments);
#define _cleanup_arguments_ CLEANUP(arguments_deinit)

/** Whether a common option was given. */
static inline bool arguments_has(const struct arguments *arguments, enum arguments_common common)
{
	return arguments->common[common].count > 0;
}

/** How many rows at most; SIZE_MAX when not limited (not given, or 0). */
size_t arguments_limit(const struct arguments *arguments);

#endif
