// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/command.h"

enum {
	/** getopt_long()'s value of an option: its index in the set, above all characters. */
	ARGUMENTS_CODE = 256,
	/** More than all options of all verbs together. */
	ARGUMENTS_SET_MAX = 256,
};

/** The options of one parse in getopt's own form. */
struct arguments_set {
	const struct command_option *options[ARGUMENTS_SET_MAX];
	/** Where its value goes; NULL when it is only skipped. */
	struct arguments_value *values[ARGUMENTS_SET_MAX];
	struct option longs[ARGUMENTS_SET_MAX + 1];
	size_t count;
	/** "+" or "", ":", and the letters, each with ":" when it takes an argument. */
	char shorts[2 * ARGUMENTS_SET_MAX + 3];
	size_t short_length;
};

static void arguments_set_add(struct arguments_set *set, const struct command_option *option,
			      struct arguments_value *value)
{
	bool takes = option->word != COMMAND_FLAG;

	if (set->count == ARGUMENTS_SET_MAX)
		return;
	set->options[set->count] = option;
	set->values[set->count] = value;
	set->longs[set->count] = (struct option){.name = option->name,
						 .has_arg = takes ? required_argument : no_argument,
						 .val = ARGUMENTS_CODE + (int)set->count};
	set->count++;
	if (!option->letter)
		return;
	set->shorts[set->short_length++] = option->letter;
	if (takes)
		set->shorts[set->short_length++] = ':';
}

static void arguments_set_start(struct arguments_set *set, const char *prefix)
{
	memset(set, 0, sizeof(*set));
	set->short_length = strlen(prefix);
	memcpy(set->shorts, prefix, set->short_length);
}

static int arguments_set_index(const struct arguments_set *set, int code)
{
	if (code >= ARGUMENTS_CODE)
		return code - ARGUMENTS_CODE;
	for (size_t i = 0; i < set->count; i++)
		if (set->options[i]->letter == code)
			return (int)i;
	return -1;
}

// The set of a verb. A common option that it does not take is not in it, and so is refused.
static void arguments_set_of(struct arguments_set *set, const struct command *command,
			     struct arguments *arguments)
{
	// "+" would end the options at the first word; ":" tells a missing argument apart.
	arguments_set_start(set, ":");
	for (size_t i = 0; i < ARGUMENTS_COMMON_COUNT; i++)
		if (!command || command_takes_common(command, (enum arguments_common)i))
			arguments_set_add(set, &command_options_common[i], &arguments->common[i]);
	for (size_t i = 0; command && i < command->option_count; i++)
		arguments_set_add(set, &command->options[i], &arguments->options[i]);
}

static struct error *arguments_number(const struct command_option *option, const char *text,
				      uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return error_create(ERROR_USAGE, "--%s wants a number from 0, not '%s'",
				    option->name, text);
	return NULL;
}

static struct error *arguments_choice(const struct command_option *option, const char *text,
				      uint64_t *ret)
{
	_cleanup_text_ struct text list = {0};
	struct error *error = NULL;

	for (size_t i = 0; option->choices[i]; i++) {
		if (!strcmp(option->choices[i], text)) {
			*ret = i;
			return NULL;
		}
		if (!error)
			error = text_appendf(&list, "%s%s", i ? ", " : "", option->choices[i]);
	}
	if (error)
		return error;
	return error_create(ERROR_USAGE, "--%s wants one of %s, not '%s'", option->name,
			    text_chars(&list), text);
}

static struct error *arguments_take(const struct command_option *option, const char *text,
				    struct arguments_value *value)
{
	struct error *error = NULL;

	if (value->count && !option->repeatable && option->word != COMMAND_FLAG)
		return error_create(ERROR_USAGE, "--%s was given twice", option->name);
	value->count++;
	if (option->word == COMMAND_FLAG)
		return NULL;
	if (option->word == COMMAND_NUMBER)
		error = arguments_number(option, text, &value->number);
	else if (option->word == COMMAND_CHOICE)
		error = arguments_choice(option, text, &value->number);
	if (!error)
		error = array_reserve(&value->texts, &value->capacity, value->count,
				      sizeof(*value->texts));
	if (error)
		return error;
	value->text = text;
	value->texts[value->count - 1] = text;
	return NULL;
}

// What getopt_long() found wrong. It leaves the letter in optopt, or 0 and the word behind optind.
static struct error *arguments_wrong(const struct arguments_set *set, const struct command *command,
				     int code, const char *word)
{
	const char *verb = command ? command->name : "leakinspect";

	if (code == ':') {
		int index = arguments_set_index(set, optopt);
		if (index >= 0)
			return error_create(ERROR_USAGE, "--%s wants %s", set->options[index]->name,
					    set->options[index]->argument);
	}
	if (optopt >= ARGUMENTS_CODE)
		return error_create(ERROR_USAGE, "--%s takes no argument",
				    set->options[optopt - ARGUMENTS_CODE]->name);
	if (optopt)
		return error_create(ERROR_USAGE, "%s has no option '-%c'", verb, optopt);

	size_t length = strcspn(word, "=");
	size_t matches = 0;
	for (size_t i = 0; length > 2 && i < set->count; i++)
		matches += !strncmp(set->options[i]->name, word + 2, length - 2);
	if (matches > 1)
		return error_create(ERROR_USAGE, "'%.*s' may be more than one option of %s",
				    (int)length, word, verb);
	return error_create(ERROR_USAGE, "%s has no option '%.*s'", verb, (int)length, word);
}

static struct error *arguments_add_word(struct arguments *arguments, char *word)
{
	struct error *error = array_reserve(&arguments->words, &arguments->word_capacity,
					    arguments->word_count + 2, sizeof(*arguments->words));

	if (error)
		return error;
	arguments->words[arguments->word_count++] = word;
	arguments->words[arguments->word_count] = NULL;
	return NULL;
}

// getopt_long() reorders the array it is given: that is this copy.
static struct error *arguments_copy(int count, char *const *words, char ***ret)
{
	char **copy = calloc((size_t)count + 1, sizeof(*copy));

	if (!copy)
		return error_no_memory();
	memcpy(copy, words, (size_t)count * sizeof(*copy));
	*ret = copy;
	return NULL;
}

static bool arguments_is_choice(const struct command_option *option, const char *text)
{
	for (size_t i = 0; option->choices[i]; i++)
		if (!strcmp(option->choices[i], text))
			return true;
	return false;
}

// Of a verb that saves snapshots, --snapshot tells a kind or a file.
static struct error *arguments_take_for(const struct command *command,
					const struct command_option *option, const char *text,
					struct arguments_value *value, struct arguments *arguments)
{
	const struct command_option *other = command ? command->snapshot_option : NULL;

	if (!other || option != &command_options_common[ARGUMENTS_SNAPSHOT] ||
	    arguments_is_choice(option, text))
		return arguments_take(option, text, value);
	return arguments_take(other, text, &arguments->options[other - command->options]);
}

struct error *arguments_parse(const struct command *command, int count, char *const *words,
			      struct arguments *ret)
{
	_cleanup_free_ char **copy = NULL;
	struct arguments_set set;
	struct error *error = arguments_copy(count, words, &copy);
	int code;

	if (error)
		return error;
	arguments_set_of(&set, command, ret);
	opterr = 0;
	// 0 and not 1: glibc's way to start afresh, also after a scan that ended half-way.
	optind = 0;
	while ((code = getopt_long(count, copy, set.shorts, set.longs, NULL)) != -1) {
		if (code == '?' || code == ':')
			return arguments_wrong(&set, command, code, copy[optind - 1]);
		int index = arguments_set_index(&set, code);
		error = arguments_take_for(command, set.options[index], optarg, set.values[index],
					   ret);
		if (error)
			return error;
	}
	for (int i = optind; i < count && !error; i++)
		error = arguments_add_word(ret, copy[i]);
	return error;
}

struct error *arguments_find_verb(int count, char *const *words, int *ret)
{
	_cleanup_free_ char **copy = NULL;
	struct arguments unused = {0};
	struct arguments_set set;
	struct error *error = arguments_copy(count, words, &copy);

	if (error)
		return error;
	arguments_set_of(&set, NULL, &unused);
	// "+": stops at the first word that is neither an option nor the argument of one.
	memmove(set.shorts + 1, set.shorts, set.short_length + 1);
	set.shorts[0] = '+';
	for (size_t i = 0; commands[i]; i++)
		for (size_t j = 0; j < commands[i]->option_count; j++)
			arguments_set_add(&set, &commands[i]->options[j], NULL);
	opterr = 0;
	optind = 0;
	// An option that nobody knows is complained about once the verb is known.
	while (getopt_long(count, copy, set.shorts, set.longs, NULL) != -1)
		continue;
	*ret = optind < count ? optind : count;
	return NULL;
}

void arguments_deinit(struct arguments *arguments)
{
	for (size_t i = 0; i < ARGUMENTS_COMMON_COUNT; i++)
		free(arguments->common[i].texts);
	for (size_t i = 0; i < ARGUMENTS_OPTIONS_MAX; i++)
		free(arguments->options[i].texts);
	free(arguments->words);
	*arguments = (struct arguments){0};
}

size_t arguments_limit(const struct arguments *arguments)
{
	uint64_t limit = arguments->common[ARGUMENTS_LIMIT].number;

	return limit == 0 || limit > SIZE_MAX ? SIZE_MAX : (size_t)limit;
}
