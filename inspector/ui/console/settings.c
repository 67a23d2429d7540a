// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"

// The first is what is there unless something is set.
static const char *const settings_on_off[] = {"on", "off", NULL};
static const char *const settings_off_on[] = {"off", "on", NULL};
static const struct setting settings_table[SETTING_COUNT] = {
	[SETTING_PAGER] = {.name = "pager",
			   .choices = settings_on_off,
			   .summary = "show an answer longer than the screen in $PAGER, or less"},
	[SETTING_COLOR] = {.name = "color",
			   .choices = settings_on_off,
			   .summary = "bold headings, unless NO_COLOR forbids them"},
	[SETTING_LIMIT] = {.name = "limit",
			   .summary = "at most so many rows, as -n; 0 is all of them"},
	[SETTING_REDACT] = {.name = "redact",
			    .choices = settings_off_on,
			    .summary =
				    "types and sizes, but no values of the process, as --redact"},
	[SETTING_SNAPSHOT] = {.name = "snapshot",
			      .choices = command_snapshot_choices,
			      .summary = "what is read, as --snapshot"},
};

const struct setting *setting_at(size_t index)
{
	return index < SETTING_COUNT ? &settings_table[index] : NULL;
}

const struct setting *setting_find(const char *name)
{
	const struct setting *setting;

	for (size_t i = 0; (setting = setting_at(i)); i++)
		if (!strcmp(setting->name, name))
			return setting;
	return NULL;
}

const char *settings_value(const struct settings *settings, const struct setting *setting,
			   char *into)
{
	uint64_t value = settings->values[setting - settings_table];

	if (setting->choices)
		return setting->choices[value];
	snprintf(into, HUMAN_CHARS, "%" PRIu64, value);
	return into;
}

static struct error *settings_unknown(const char *name)
{
	_cleanup_text_ struct text names = {0};
	const struct setting *setting;
	struct error *error = NULL;

	for (size_t i = 0; !error && (setting = setting_at(i)); i++)
		error = text_appendf(&names, "%s%s", i ? ", " : "", setting->name);
	if (error)
		return error;
	return error_create(ERROR_USAGE, "there is no setting '%s'; there are %s", name,
			    text_chars(&names));
}

static struct error *settings_choose(const struct setting *setting, const char *value,
				     uint64_t *ret)
{
	_cleanup_text_ struct text choices = {0};
	struct error *error = NULL;

	for (size_t i = 0; setting->choices[i]; i++) {
		if (!strcmp(setting->choices[i], value)) {
			*ret = i;
			return NULL;
		}
		if (!error)
			error = text_appendf(&choices, "%s%s", i ? " or " : "",
					     setting->choices[i]);
	}
	if (error)
		return error;
	return error_create(ERROR_USAGE, "%s is %s, not '%s'", setting->name, text_chars(&choices),
			    value);
}

static struct error *settings_number(const struct setting *setting, const char *value,
				     uint64_t *ret)
{
	char *end;

	errno = 0;
	uint64_t number = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno)
		return error_create(ERROR_USAGE, "%s is a number from 0, not '%s'", setting->name,
				    value);
	*ret = number;
	return NULL;
}

struct error *settings_set(struct settings *settings, const char *name, const char *value)
{
	const struct setting *setting = setting_find(name);

	if (!setting)
		return settings_unknown(name);
	uint64_t *into = &settings->values[setting - settings_table];
	return setting->choices ? settings_choose(setting, value, into)
				: settings_number(setting, value, into);
}

void settings_begin(struct settings *settings, const struct arguments *arguments)
{
	*settings = (struct settings){0};
	settings->values[SETTING_COLOR] = arguments_has(arguments, ARGUMENTS_NO_COLOR);
	settings->values[SETTING_SNAPSHOT] = arguments->common[ARGUMENTS_SNAPSHOT].number;
	settings->values[SETTING_REDACT] = arguments_has(arguments, ARGUMENTS_REDACT);
}

static void settings_give(const struct command *command, enum arguments_common common,
			  uint64_t number, struct arguments *arguments)
{
	if (!command_takes_common(command, common) || arguments_has(arguments, common))
		return;
	arguments->common[common].count = 1;
	arguments->common[common].number = number;
}

void settings_apply(struct settings *settings, const struct command *command,
		    struct arguments *arguments)
{
	uint64_t *values = settings->values;

	if (values[SETTING_COLOR])
		settings_give(command, ARGUMENTS_NO_COLOR, 0, arguments);
	if (values[SETTING_LIMIT])
		settings_give(command, ARGUMENTS_LIMIT, values[SETTING_LIMIT], arguments);
	// Whoever cannot keep anything back is to refuse.
	if (values[SETTING_REDACT])
		arguments->common[ARGUMENTS_REDACT].count = 1;
	if (arguments_has(arguments, ARGUMENTS_SNAPSHOT))
		values[SETTING_SNAPSHOT] = arguments->common[ARGUMENTS_SNAPSHOT].number;
	// The default, too: it may have been something else before.
	settings_give(command, ARGUMENTS_SNAPSHOT, values[SETTING_SNAPSHOT], arguments);
}
