/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_COMMAND_H
#define UI_COMMAND_H

/*
 * The table of verbs. A verb is one file cmd_VERB.c and one struct command; whoever needs to know
 * what there is (argv, the console, help, completion, the man page) reads this table, and a new verb
 * adds its line to it and nothing anywhere else.
 *
 * A verb asks the inspected process through ui/inspected.h, answers through ui/report.h, prints
 * nothing else, and never exits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "ui/arguments.h"
#include "ui/inspected.h"
#include "ui/report/report.h"

struct console;

/** What an option or a word of a verb is, for checks and for completion. */
enum command_word {
	/** For options: takes no argument. */
	COMMAND_FLAG,
	COMMAND_TEXT,
	/** A number from 0. */
	COMMAND_NUMBER,
	/** One of the choices. */
	COMMAND_CHOICE,
	COMMAND_FILE,
	/** The name of a type of the inspected process. */
	COMMAND_TYPE,
	/** The name of a verb. */
	COMMAND_VERB,
	/** A process id. */
	COMMAND_PID,
	/** A setting of the console, and behind it a value of that. */
	COMMAND_SETTING,
};

struct command_option {
	/** Without the dashes. */
	const char *name;
	/** The short form, or 0. */
	char letter;
	enum command_word word;
	/** What help calls the argument; NULL for a flag. */
	const char *argument;
	/** For COMMAND_CHOICE, ended by NULL; the first is the default, unless there is none. */
	const char *const *choices;
	/** May be given more than once. */
	bool repeatable;
	/** NULL for what only our own scripts use: not in help, completion or the man page. */
	const char *summary;
	/** Of choices: when it is not given, none of them holds. */
	bool has_no_default;
};

struct command_example {
	/** Behind "leakinspect ", the target being 4711; as typed for verbs of the console alone. */
	const char *words;
	const char *summary;
};

enum command_flags {
	/** Asks a process: takes TARGET, and -p. */
	COMMAND_INSPECTS = 1 << 0,
	/** Answers with a report: takes --json, -o, --force, -n. */
	COMMAND_REPORTS = 1 << 1,
	COMMAND_IN_SHELL = 1 << 2,
	COMMAND_IN_CONSOLE = 1 << 3,
	COMMAND_EVERYWHERE = COMMAND_IN_SHELL | COMMAND_IN_CONSOLE,
	/** Writes a file of its own kind: -o names that file and must be given, the report tells of
	 *  it, and there is no -n. */
	COMMAND_WRITES_FILE = 1 << 4,
	/** Reads the heap, or has other verbs read it: takes --snapshot. */
	COMMAND_READS_HEAP = 1 << 5,
	/** Shows what it has as it goes, until it is asked to stop: no sign of life, no -n. */
	COMMAND_GOES_ON = 1 << 6,
	/** Prints as it goes, or what it prints depends on whether that is a terminal: never through a
	 *  pager. */
	COMMAND_PRINTS_ITSELF = 1 << 7,
	/** Runs code and shows what it writes, of which nothing can be kept back: has no --redact. */
	COMMAND_RUNS_CODE = 1 << 8,
	/** Wants a process that runs: a core file will not do. */
	COMMAND_WANTS_PROCESS = 1 << 9,
};

/** What a verb is given to run. */
struct command_context {
	const struct arguments *arguments;
	/** NULL unless COMMAND_INSPECTS. */
	struct inspected *inspected;
	/** Opens further processes; NULL in a console, which is for one. */
	struct inspected_opener *opener;
	/** NULL unless COMMAND_REPORTS. The verb begins it and fills it; command_run() ends it. */
	struct report *report;
	/** No values are to be told. What inspected_describe() and heap_label() say keeps to it by itself;
	 *  who has texts of the process from elsewhere leaves them out. */
	bool redacts;
	/** For the verbs that do not report. */
	FILE *out;
	/** What is answered is for a terminal, now or when it is whole. */
	bool on_terminal;
	/** The console this runs in, or NULL. */
	struct console *console;
	/** The process's exit status when there was no error; 0 unless the verb sets it. */
	int exit_status;
};

enum { COMMAND_WORDS_ANY = 100000 };

struct command {
	const char *name;
	/** One line, without a full stop. */
	const char *summary;
	/** The words behind TARGET as the usage shows them, "" when there are none. */
	const char *words;
	enum command_word word;
	size_t words_min;
	size_t words_max;
	/** Paragraphs for help and the man page, separated by empty lines. */
	const char *description;
	/** At most ARGUMENTS_OPTIONS_MAX; the verb finds a value by its index here. */
	const struct command_option *options;
	size_t option_count;
	const struct command_example *examples;
	size_t example_count;
	/** What the first example printed in a real run, process 4711 being the demo's, in lines; "..." for
	 *  what was left out. NULL where that is not shown. */
	const char *example_output;
	/** The option of the verb that --snapshot FILE stands for, where FILE is no kind of snapshot; NULL
	 *  where that is an error. */
	const struct command_option *snapshot_option;
	unsigned flags;
	/** ERROR_USAGE for wrong words that the table does not tell; before the process is looked at.
	 *  NULL when there are none. */
	struct error *(*check)(const struct arguments *arguments);
	struct error *(*run)(struct command_context *context);
};

/** All verbs in the order help shows them, ended by NULL. */
extern const struct command *const commands[];

/** Of --snapshot, in the order of enum inspected_snapshot; NULL ends them. */
extern const char *const command_snapshot_choices[];

/** The options every verb has; those of COMMAND_REPORTS and of COMMAND_INSPECTS. */
extern const struct command_option command_options_common[ARGUMENTS_COMMON_COUNT];

/** Whether @a command takes this common option. */
bool command_takes_common(const struct command *command, enum arguments_common common);

/** The verb called @a name that may stand at @a place (COMMAND_IN_SHELL or COMMAND_IN_CONSOLE).
 *  ERROR_USAGE with the nearest name when there is none. */
MUST_USE struct error *command_find(const char *name, unsigned place, const struct command **ret);

/** ERROR_USAGE unless @a command takes these words (without TARGET) with these options. */
MUST_USE struct error *command_check(const struct command *command,
				     const struct arguments *arguments);

/**
 * Runs @a command, or shows its help or our version when the arguments say so: opens where the answer goes, makes the report, and puts the answer there whole or
 * not at all. @a opener and @a console are NULL where there is none. @a ret_status is for a verb that did its work and
 * has something to tell by its exit status.
 */
MUST_USE struct error *command_run(const struct command *command, const struct arguments *arguments,
				   struct inspected *inspected, struct inspected_opener *opener,
				   struct console *console, int *ret_status);

/** Appends @a error as every error of ours is shown, in lines ended by a newline, with a hint at the
 *  help of @a command (may be NULL) after a wrong usage. */
MUST_USE struct error *command_format_error(const struct error *error,
					    const struct command *command, unsigned place,
					    struct text *into);

extern const struct command command_attach;
extern const struct command command_cycles;
extern const struct command command_eval;
extern const struct command command_diff;
extern const struct command command_exit;
extern const struct command command_export;
extern const struct command command_garbage;
extern const struct command command_graph;
extern const struct command command_help;
extern const struct command command_info;
extern const struct command command_load;
extern const struct command command_path;
extern const struct command command_quit;
extern const struct command command_referrers;
extern const struct command command_refresh;
extern const struct command command_refs;
extern const struct command command_repl;
extern const struct command command_retained;
extern const struct command command_save;
extern const struct command command_set;
extern const struct command command_show;
extern const struct command command_snapshot;
extern const struct command command_stats;
extern const struct command command_suspects;
extern const struct command command_threads;
extern const struct command command_types;
extern const struct command command_version;
extern const struct command command_watch;

#endif
