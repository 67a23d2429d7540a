/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_WATCH_OPTIONS_H
#define UI_WATCH_WATCH_OPTIONS_H

/*
 * What `watch` can be asked for: its options, and what they come to.
 */

#include "ui/alarms/trigger.h"
#include "ui/arguments.h"
#include "ui/command.h"
#include "ui/watch/fleet.h"

enum watch_option {
	WATCH_INTERVAL,
	WATCH_COUNT,
	WATCH_RECORD,
	WATCH_MAX_PAUSE_SHARE,
	WATCH_NO_STOP,
	WATCH_TYPES,
	WATCH_CHILDREN,
	WATCH_METRICS,
	WATCH_LISTEN,
	WATCH_TOP,
	WATCH_WHEN,
	WATCH_RUN,
	WATCH_SAVE,
	WATCH_OPTION_COUNT,
};

/** From this one on they are for the shell alone. */
enum { WATCH_FIRST_OF_SHELL = WATCH_TYPES };

extern const struct command_option watch_option_table[WATCH_OPTION_COUNT];

enum {
	/** A bit for each in fleet_member.held. */
	WATCH_TRIGGERS_MAX = 32,
	WATCH_TOP_MAX = 500,
};

struct watch_options {
	struct fleet_options fleet;
	/** Beside TARGET. */
	pid_t pids[FLEET_MEMBERS_MAX];
	size_t pid_count;
	/** "watch off". */
	bool is_off;
	/** A word or an option was given. */
	bool asks;
	bool types;
	/** Types in metrics and in the table, most at a time. */
	size_t top;
	/** NULL where that is not wanted. */
	const char *metrics;
	const char *listen;
	const char *run;
	const char *save;
	struct trigger triggers[WATCH_TRIGGERS_MAX];
	size_t trigger_count;
};

/** Names of its files: %p is @a pid, %t the local time. ERROR_USAGE for another %. The caller frees *@a ret. */
MUST_USE struct error *watch_file_name(const char *pattern, int pid, int64_t time_ms, char **ret);

/** ERROR_USAGE for what makes no sense. In a console, numbers are intervals and not processes. Texts are
 *  those of @a arguments. The caller deinits, after an error too. */
MUST_USE struct error *watch_options_parse(const struct arguments *arguments, bool in_console,
					   struct watch_options *ret);

void watch_options_deinit(struct watch_options *options);
#define _cleanup_watch_options_ CLEANUP(watch_options_deinit)

#endif
