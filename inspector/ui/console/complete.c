// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/complete.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "ui/console/settings.h"

// Adds PREFIX+@candidate when it continues @word.
static struct error *complete_add(struct completion *completion, const char *prefix,
				  const char *candidate, const char *word)
{
	_cleanup_text_ struct text text = {0};
	struct error *error = text_appendf(&text, "%s%s", prefix, candidate);

	if (error || strncmp(text_chars(&text), word, strlen(word)) != 0)
		return error;
	error = array_reserve(&completion->list, &completion->capacity, completion->count + 1,
			      sizeof(*completion->list));
	if (!error)
		completion->list[completion->count++] = take_ptr(text.chars);
	return error;
}

static struct error *complete_verbs(const struct complete_question *question, const char *word,
				    struct completion *ret)
{
	struct error *error = NULL;

	for (size_t i = 0; commands[i] && !error; i++)
		if (commands[i]->flags & question->place)
			error = complete_add(ret, "", commands[i]->name, word);
	return error;
}

// A setting's name; behind one, a value of it.
static struct error *complete_setting(const struct complete_question *question,
				      struct completion *ret)
{
	size_t before = question->before_count;
	bool is_done = before > 1 && setting_find(question->before[before - 2]);
	const struct setting *setting = before ? setting_find(question->before[before - 1]) : NULL;
	struct error *error = NULL;

	if (setting) {
		for (size_t i = 0; setting->choices && setting->choices[i] && !error; i++)
			error = complete_add(ret, "", setting->choices[i], question->word);
		return error;
	}
	for (size_t i = 0; !is_done && !error && (setting = setting_at(i)); i++)
		error = complete_add(ret, "", setting->name, question->word);
	return error;
}

// A word of a kind; @prefix ("--sort=") is what stands before it in the same word.
static struct error *complete_kind(const struct complete_question *question, enum command_word kind,
				   const struct command_option *option, const char *prefix,
				   struct completion *ret)
{
	struct error *error = NULL;

	switch (kind) {
	case COMMAND_CHOICE:
		for (size_t i = 0; option->choices[i] && !error; i++)
			error = complete_add(ret, prefix, option->choices[i], question->word);
		break;
	case COMMAND_TYPE:
		for (size_t i = 0; i < question->type_count && !error; i++)
			error = complete_add(ret, prefix, question->types[i], question->word);
		break;
	case COMMAND_VERB:
		error = complete_verbs(question, question->word, ret);
		break;
	case COMMAND_SETTING:
		error = complete_setting(question, ret);
		break;
	case COMMAND_FILE:
	case COMMAND_PID:
		ret->other = kind;
		break;
	case COMMAND_FLAG:
	case COMMAND_TEXT:
	case COMMAND_NUMBER:
		break;
	}
	return error;
}

static bool complete_takes(const struct complete_question *question, const struct command *command,
			   enum arguments_common common)
{
	if (question->place == COMMAND_IN_CONSOLE &&
	    (common == ARGUMENTS_PID || common == ARGUMENTS_VERSION))
		return false;
	return command ? command_takes_common(command, common)
		       : common == ARGUMENTS_HELP || common == ARGUMENTS_VERSION;
}

static struct error *complete_option_names(const struct complete_question *question,
					   const struct command *command, struct completion *ret)
{
	struct error *error = NULL;

	for (size_t i = 0; command && i < command->option_count && !error; i++)
		if (command->options[i].summary)
			error = complete_add(ret, "--", command->options[i].name, question->word);
	for (size_t i = 0; i < ARGUMENTS_COMMON_COUNT && !error; i++)
		if (complete_takes(question, command, (enum arguments_common)i))
			error = complete_add(ret, "--", command_options_common[i].name,
					     question->word);
	return error;
}

static bool complete_is_option(const struct command_option *option, const char *name, size_t length)
{
	if (length == 2 && name[0] == '-' && name[1] == option->letter)
		return true;
	return length > 2 && !strncmp(name, "--", 2) && strlen(option->name) == length - 2 &&
	       !strncmp(option->name, name + 2, length - 2);
}

// The option written as the first @length characters of @name, or NULL.
static const struct command_option *complete_option(const struct command *command, const char *name,
						    size_t length)
{
	for (size_t i = 0; command && i < command->option_count; i++)
		if (complete_is_option(&command->options[i], name, length))
			return &command->options[i];
	for (size_t i = 0; i < ARGUMENTS_COMMON_COUNT; i++)
		if (complete_is_option(&command_options_common[i], name, length))
			return &command_options_common[i];
	return NULL;
}

/** What the words before tell of the next. */
struct complete_state {
	const struct command *command;
	/** The option whose argument comes next, or NULL. */
	const struct command_option *open;
	/** Words that are no option: behind the verb. */
	size_t words;
	bool has_pid;
	/** There is no such verb: nothing can be told of what follows. */
	bool lost;
};

static const struct command *complete_command(const struct complete_question *question,
					      const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (commands[i]->flags & question->place && !strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static struct complete_state complete_read(const struct complete_question *question)
{
	struct complete_state state = {0};

	for (size_t i = 0; i < question->before_count && !state.lost; i++) {
		const char *word = question->before[i];
		if (state.open) {
			state.open = NULL;
		} else if (word[0] == '-' && word[1]) {
			const struct command_option *option =
				complete_option(state.command, word, strcspn(word, "="));
			if (option == &command_options_common[ARGUMENTS_PID])
				state.has_pid = true;
			if (option && option->word != COMMAND_FLAG && !strchr(word, '='))
				state.open = option;
		} else if (!state.command) {
			state.command = complete_command(question, word);
			state.lost = !state.command;
		} else {
			state.words++;
		}
	}
	return state;
}

struct error *complete_words(const struct complete_question *question, struct completion *ret)
{
	struct complete_state state = complete_read(question);
	const char *word = question->word;
	size_t name_length = strcspn(word, "=");

	if (state.lost)
		return NULL;
	if (state.open)
		return complete_kind(question, state.open->word, state.open, "", ret);
	if (word[0] == '-' && word[name_length]) {
		_cleanup_text_ struct text prefix = {0};
		const struct command_option *option =
			complete_option(state.command, word, name_length);
		struct error *error = text_append(&prefix, word, name_length + 1);
		if (error || !option)
			return error;
		return complete_kind(question, option->word, option, text_chars(&prefix), ret);
	}
	if (word[0] == '-')
		return complete_option_names(question, state.command, ret);
	if (!state.command)
		return complete_verbs(question, word, ret);
	if (question->place == COMMAND_IN_SHELL && state.command->flags & COMMAND_INSPECTS &&
	    !state.has_pid && state.words == 0)
		return complete_kind(question, COMMAND_PID, NULL, "", ret);
	return complete_kind(question, state.command->word, NULL, "", ret);
}

void completion_deinit(struct completion *completion)
{
	for (size_t i = 0; i < completion->count; i++)
		free(completion->list[i]);
	free(completion->list);
	*completion = (struct completion){0};
}
