/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_SETTINGS_H
#define UI_CONSOLE_SETTINGS_H

/*
 * What the console keeps from line to line: `set NAME VALUE`. A setting that is named like an option
 * common to verbs stands for that option on every line that does not have it itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ui/command.h"

enum setting_name {
	SETTING_PAGER,
	SETTING_COLOR,
	SETTING_LIMIT,
	SETTING_REDACT,
	SETTING_SNAPSHOT,
	SETTING_COUNT,
};

struct setting {
	const char *name;
	const char *summary;
	/** Ended by NULL; NULL for a number. */
	const char *const *choices;
};

/** Zero-initialised are those that nobody has set. */
struct settings {
	/** A number, or an index in the choices. */
	uint64_t values[SETTING_COUNT];
};

/** The one called so; NULL when there is none. */
const struct setting *setting_find(const char *name);

/** Number @a index of those there are, in the order they are shown; NULL behind the last. */
const struct setting *setting_at(size_t index);

/** What it is set to, as it would be typed; @a into has HUMAN_CHARS chars. */
const char *settings_value(const struct settings *settings, const struct setting *setting,
			   char *into);

/** ERROR_USAGE with what there is instead when there is no such setting or no such value. */
MUST_USE struct error *settings_set(struct settings *settings, const char *name, const char *value);

/** From the options the console itself was started with. */
void settings_begin(struct settings *settings, const struct arguments *arguments);

/** Adds to the options of a line those that are set and that @a command takes. A --snapshot of the line's
 *  own is that of the lines behind it, too: the graph they answer from is of it. */
void settings_apply(struct settings *settings, const struct command *command,
		    struct arguments *arguments);

#endif
