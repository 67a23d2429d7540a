// SPDX-License-Identifier: GPL-3.0-or-later
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ui/command.h"

static bool options_is_number(const char *word)
{
	return *word && word[strspn(word, "0123456789")] == '\0';
}

static struct error *options_pid(const char *word, pid_t *ret)
{
	errno = 0;
	unsigned long long number = strtoull(word, NULL, 10);

	if (!options_is_number(word) || number == 0 || number > INT_MAX || errno)
		return error_create(ERROR_USAGE, "'%s' is no process id", word);
	*ret = (pid_t)number;
	return NULL;
}

// A core file whose name is a number takes a "./" before it.
static struct error *options_target(const char *word, struct options *options)
{
	if (options_is_number(word))
		return options_pid(word, &options->pid);
	if (access(word, F_OK) != 0)
		return error_create(ERROR_USAGE, "'%s' is neither a process id nor a file", word);
	options->core = word;
	return NULL;
}

// Takes TARGET off the words, or the argument of -p.
static struct error *options_take_target(struct options *options)
{
	struct arguments *arguments = &options->arguments;

	if (arguments_has(arguments, ARGUMENTS_PID))
		return options_pid(arguments->common[ARGUMENTS_PID].text, &options->pid);
	if (arguments->word_count == 0)
		return error_create(ERROR_USAGE, "%s wants a TARGET: a process id or a core file",
				    options->command->name);
	struct error *error = options_target(arguments->words[0], options);
	arguments->word_count--;
	// With the NULL behind the last.
	memmove(arguments->words, arguments->words + 1,
		(arguments->word_count + 1) * sizeof(*arguments->words));
	return error;
}

static struct error *options_without_verb(int argc, char *const *argv, struct options *ret)
{
	struct error *error = arguments_parse(NULL, argc, argv, &ret->arguments);

	if (error)
		return error;
	if (arguments_has(&ret->arguments, ARGUMENTS_VERSION))
		ret->command = &command_version;
	else if (arguments_has(&ret->arguments, ARGUMENTS_HELP))
		ret->command = &command_help;
	else
		return error_create(ERROR_USAGE, "a verb is missing: leakinspect VERB TARGET");
	// `leakinspect --help` is for the overview and not for the help of help.
	ret->arguments.common[ARGUMENTS_HELP].count = 0;
	return NULL;
}

static struct error *options_find_verb(const char *word, struct options *ret)
{
	if (options_is_number(word))
		return error_create(ERROR_USAGE,
				    "'%s' is no verb, and the verb comes first: leakinspect types "
				    "%s",
				    word, word);
	return command_find(word, COMMAND_IN_SHELL, &ret->command);
}

struct error *options_parse(int argc, char *const *argv, struct options *ret)
{
	_cleanup_free_ char **words = NULL;
	int verb = argc;
	struct error *error = arguments_find_verb(argc, argv, &verb);

	if (error)
		return error;
	if (verb >= argc)
		return options_without_verb(argc, argv, ret);
	error = options_find_verb(argv[verb], ret);
	if (error)
		return error;
	words = calloc((size_t)argc, sizeof(*words));
	if (!words)
		return error_no_memory();
	for (int i = 0; i < argc - 1; i++)
		words[i] = argv[i < verb ? i : i + 1];
	error = arguments_parse(ret->command, argc - 1, words, &ret->arguments);
	if (error || arguments_has(&ret->arguments, ARGUMENTS_HELP) ||
	    arguments_has(&ret->arguments, ARGUMENTS_VERSION))
		return error;
	if (ret->command->flags & COMMAND_INSPECTS)
		error = options_take_target(ret);
	return error ? error : command_check(ret->command, &ret->arguments);
}

void options_deinit(struct options *options)
{
	arguments_deinit(&options->arguments);
}
