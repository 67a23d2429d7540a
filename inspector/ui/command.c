// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/console/console.h"
#include "ui/console/pager.h"
#include "ui/help.h"
#include "ui/nearest.h"
#include "ui/output.h"
#include "ui/progress.h"
#include "ui/report/safe_text.h"

// A line for each, so that verbs come and go in a line.
// clang-format off
const struct command *const commands[] = {
	&command_attach,
	&command_types,
	&command_info,
	&command_suspects,
	&command_threads,
	&command_cycles,
	&command_garbage,
	&command_show,
	&command_refs,
	&command_referrers,
	&command_path,
	&command_retained,
	&command_graph,
	&command_export,
	&command_snapshot,
	&command_diff,
	&command_load,
	&command_watch,
	&command_stats,
	&command_eval,
	&command_repl,
	&command_help,
	&command_version,
	&command_save,
	&command_refresh,
	&command_set,
	&command_quit,
	&command_exit,
	NULL,
};
// clang-format on

// In the order of enum inspected_snapshot.
const char *const command_snapshot_choices[] = {"copy", "clone", NULL};

const struct command_option command_options_common[ARGUMENTS_COMMON_COUNT] = {
	[ARGUMENTS_JSON] = {.name = "json", .summary = "answer with one JSON document"},
	[ARGUMENTS_OUTPUT] = {.name = "output",
			      .letter = 'o',
			      .word = COMMAND_FILE,
			      .argument = "FILE",
			      .summary = "write the answer to FILE, which must not exist"},
	[ARGUMENTS_FORCE] = {.name = "force", .summary = "let -o overwrite FILE"},
	[ARGUMENTS_LIMIT] = {.name = "limit",
			     .letter = 'n',
			     .word = COMMAND_NUMBER,
			     .argument = "N",
			     .summary = "at most N rows, the rest summed up; 0 is all of them"},
	[ARGUMENTS_PID] = {.name = "pid",
			   .letter = 'p',
			   .word = COMMAND_PID,
			   .argument = "PID",
			   .summary = "the process, instead of TARGET"},
	[ARGUMENTS_SNAPSHOT] =
		{.name = "snapshot",
		 .word = COMMAND_CHOICE,
		 .argument = "KIND",
		 .choices = command_snapshot_choices,
		 .summary = "what is read: the process while it stands still, or a frozen "
			    "clone of it while it runs on"},
	[ARGUMENTS_REDACT] = {.name = "redact",
			      .summary = "no values: types, sizes, and names that code has"},
	[ARGUMENTS_NO_COLOR] = {.name = "no-color",
				.summary = "no bold headings; the same as NO_COLOR=1"},
	[ARGUMENTS_QUIET] = {.name = "quiet",
			     .letter = 'q',
			     .summary = "the answer alone, and what makes it less than whole"},
	[ARGUMENTS_VERBOSE] = {.name = "verbose",
			       .letter = 'v',
			       .summary = "tell where the answer comes from"},
	[ARGUMENTS_HELP] = {.name = "help", .letter = 'h', .summary = "show this help"},
	[ARGUMENTS_VERSION] = {.name = "version", .summary = "show the version of leakinspect"},
};

bool command_takes_common(const struct command *command, enum arguments_common common)
{
	switch (common) {
	case ARGUMENTS_JSON:
	case ARGUMENTS_OUTPUT:
	case ARGUMENTS_FORCE:
		return command->flags & COMMAND_REPORTS;
	case ARGUMENTS_LIMIT:
		return command->flags & COMMAND_REPORTS &&
		       !(command->flags & (COMMAND_WRITES_FILE | COMMAND_GOES_ON));
	case ARGUMENTS_PID:
		return command->flags & COMMAND_INSPECTS;
	case ARGUMENTS_SNAPSHOT:
		return command->flags & COMMAND_READS_HEAP;
	case ARGUMENTS_REDACT:
		return command->flags & COMMAND_INSPECTS && !(command->flags & COMMAND_RUNS_CODE);
	case ARGUMENTS_NO_COLOR:
	case ARGUMENTS_QUIET:
	case ARGUMENTS_VERBOSE:
	case ARGUMENTS_HELP:
	case ARGUMENTS_VERSION:
	case ARGUMENTS_COMMON_COUNT:
		break;
	}
	return true;
}

static const struct command *command_nearest(const char *name, unsigned place)
{
	const struct command *nearest = NULL;
	size_t best = nearest_bound(name);

	for (size_t i = 0; commands[i]; i++) {
		size_t distance = nearest_distance(name, commands[i]->name);
		bool starts = strlen(name) >= 2 && !strncmp(name, commands[i]->name, strlen(name));

		if (starts)
			distance = 1;
		if (!(commands[i]->flags & place) || distance > best ||
		    (nearest && distance == best))
			continue;
		nearest = commands[i];
		best = distance;
	}
	return nearest;
}

struct error *command_find(const char *name, unsigned place, const struct command **ret)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) != 0)
			continue;
		if (commands[i]->flags & place) {
			*ret = commands[i];
			return NULL;
		}
		return error_create(ERROR_USAGE, "'%s' is a verb of the %s only", name,
				    place == COMMAND_IN_SHELL ? "console" : "command line");
	}
	const struct command *nearest = command_nearest(name, place);
	if (nearest)
		return error_create(ERROR_USAGE, "there is no verb '%s'; did you mean '%s'?", name,
				    nearest->name);
	return error_create(ERROR_USAGE, "there is no verb '%s'", name);
}

struct error *command_check(const struct command *command, const struct arguments *arguments)
{
	if (arguments->word_count < command->words_min)
		return error_create(ERROR_USAGE, "%s wants %s", command->name, command->words);
	if (arguments->word_count > command->words_max)
		return error_create(ERROR_USAGE, "%s: '%s' is one word too many", command->name,
				    arguments->words[command->words_max]);
	if (command->flags & COMMAND_WRITES_FILE && !arguments_has(arguments, ARGUMENTS_OUTPUT))
		return error_create(ERROR_USAGE, "%s wants -o FILE: the file it writes",
				    command->name);
	return command->check ? command->check(arguments) : NULL;
}

static bool command_is_on_terminal(const struct output *output)
{
	return output->is_held || isatty(fileno(output->stream));
}

static bool command_wants_color(const struct output *output, const struct arguments *arguments)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return !arguments_has(arguments, ARGUMENTS_NO_COLOR) && !(no_color && *no_color) &&
	       terminal && strcmp(terminal, "dumb") != 0 && command_is_on_terminal(output);
}

static struct error *command_make_report(const struct arguments *arguments,
					 const struct output *output, struct report **ret)
{
	FILE *out = output->stream;
	const struct report_style style = {
		.color = command_wants_color(output, arguments),
		.quiet = arguments_has(arguments, ARGUMENTS_QUIET),
		.verbose = arguments_has(arguments, ARGUMENTS_VERBOSE),
	};

	if (arguments_has(arguments, ARGUMENTS_JSON))
		return report_json_create(out, ret);
	return report_text_create(out, &style, ret);
}

static struct error *command_answer(const struct command *command, struct command_context *context)
{
	_cleanup_progress_ struct progress *progress = NULL;
	bool reports = command->flags & COMMAND_REPORTS;

	if (reports && !(command->flags & COMMAND_GOES_ON) &&
	    !arguments_has(context->arguments, ARGUMENTS_QUIET))
		progress = progress_start(command->name);
	struct error *error = command->run(context);
	progress_stop(take_ptr(progress));
	if (!error && reports)
		error = report_end(context->report);
	return error;
}

// What cannot be done with a core file.
static struct error *command_check_core(const struct command *command,
					const struct arguments *arguments, const char *core)
{
	if (command->flags & COMMAND_WANTS_PROCESS)
		return error_create(ERROR_USAGE,
				    "%s wants a process that runs, and '%s' is a core file",
				    command->name, core);
	if (arguments_has(arguments, ARGUMENTS_SNAPSHOT) &&
	    arguments->common[ARGUMENTS_SNAPSHOT].number == INSPECTED_CLONE)
		return error_create(
			ERROR_USAGE,
			"--snapshot clone wants a process that runs, and '%s' is a core "
			"file",
			core);
	return NULL;
}

struct error *command_run(const struct command *command, const struct arguments *arguments,
			  struct inspected *inspected, struct inspected_opener *opener,
			  struct console *console, int *ret_status)
{
	_cleanup_output_ struct output output = {0};
	_cleanup_report_ struct report *report = NULL;
	struct command_context context = {
		.arguments = arguments,
		.inspected = inspected,
		.opener = opener,
		.console = console,
	};
	bool aside = arguments_has(arguments, ARGUMENTS_HELP) ||
		     arguments_has(arguments, ARGUMENTS_VERSION);
	bool reports = !aside && command->flags & COMMAND_REPORTS;
	bool to_file = reports && !(command->flags & COMMAND_WRITES_FILE);
	// Before the process is stopped: that an answer cannot be written should cost it nothing.
	const char *path = to_file ? arguments->common[ARGUMENTS_OUTPUT].text : NULL;
	struct error *error = inspected && inspected->core && !aside
				      ? command_check_core(command, arguments, inspected->core)
				      : NULL;
	if (error)
		return error;
	bool held = !path && console && console_wants_pager(console) &&
		    (aside || !(command->flags & (COMMAND_PRINTS_ITSELF | COMMAND_GOES_ON)));
	error = held ? output_hold(&output)
		     : output_open(path, to_file && arguments_has(arguments, ARGUMENTS_FORCE),
				   &output);

	if (!error && reports)
		error = command_make_report(arguments, &output, &report);
	if (error)
		return error;
	context.report = report;
	context.out = output.stream;
	context.redacts = arguments_has(arguments, ARGUMENTS_REDACT);
	if (context.redacts && command->flags & COMMAND_RUNS_CODE && !aside)
		return error_create(ERROR_FAILED,
				    "%s shows what code writes, of which nothing can be kept back: "
				    "not with --redact",
				    command->name);
	if (inspected)
		inspected_redact(inspected, context.redacts);
	context.on_terminal = command_is_on_terminal(&output);
	if (inspected && arguments_has(arguments, ARGUMENTS_SNAPSHOT))
		inspected_use_snapshot(
			inspected,
			(enum inspected_snapshot)arguments->common[ARGUMENTS_SNAPSHOT].number);
	if (arguments_has(arguments, ARGUMENTS_VERSION))
		error = command_version.run(&context);
	else if (aside)
		help_command(context.out, command, console ? COMMAND_IN_CONSOLE : COMMAND_IN_SHELL);
	else
		error = command_answer(command, &context);
	if (!error)
		error = output_commit(&output);
	if (!error && held)
		error = pager_show(output.held, output.held_bytes);
	*ret_status = context.exit_status;
	return error;
}

struct error *command_format_error(const struct error *error, const struct command *command,
				   unsigned place, struct text *into)
{
	struct error *failed = text_appendf(into, "leakinspect: ");

	// A message quotes paths and names of the process: a newline in one forges no line of ours.
	if (!failed)
		failed = safe_text_terminal(into, error->message, NULL);
	if (!failed && error->code == ERROR_USAGE)
		failed = text_appendf(into, "\ntry '%shelp%s%s'",
				      place == COMMAND_IN_SHELL ? "leakinspect " : "",
				      command ? " " : "", command ? command->name : "");
	return failed ? failed : text_appendf(into, "\n");
}
