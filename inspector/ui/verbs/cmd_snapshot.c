// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "ui/console/console.h"
#include "ui/output.h"
#include "ui/record/saved.h"

// What was kept, and under which name; @a key is "file" or "name".
static struct error *snapshot_report(struct command_context *context, const char *verb,
				     const char *key, const char *name,
				     const struct session_look *look,
				     const struct snapshot *snapshot)
{
	const struct report_column columns[] = {
		{.key = key, .unit = REPORT_TEXT},        {.key = "types", .unit = REPORT_COUNT},
		{.key = "objects", .unit = REPORT_COUNT}, {.key = "size", .unit = REPORT_BYTES},
		{.key = "refs", .unit = REPORT_COUNT},    {.key = "rss", .unit = REPORT_BYTES},
	};
	const struct census *census = &snapshot->census;
	const struct report_cell cells[] = {
		{.text = name},
		{.number = (int64_t)census->row_count},
		{.number = (int64_t)census->total.count},
		{.number = (int64_t)census->total.size_bytes},
		{.number = (int64_t)census->total.refs},
		{.number = (int64_t)snapshot->rss_bytes, .absent = !snapshot->rss_bytes},
	};
	struct report_head head;

	inspected_head(context->inspected, verb, look, census, &head);
	struct error *error = report_begin(context->report, &head);
	return error ? error
		     : report_object(context->report, NULL, columns, ARRAY_COUNT(columns), cells);
}

static struct error *snapshot_run(struct command_context *context)
{
	const char *path = context->arguments->common[ARGUMENTS_OUTPUT].text;
	_cleanup_output_ struct output output = {0};
	_cleanup_snapshot_ struct snapshot snapshot = {0};
	struct session_look look;
	struct error *error =
		output_open(path, arguments_has(context->arguments, ARGUMENTS_FORCE), &output);

	if (!error)
		error = snapshot_take(context->inspected, &look, &snapshot);
	if (error)
		return error;
	error = snapshot_write(output.stream, &snapshot);
	if (error)
		return error_prefix(error, "'%s'", path);
	error = output_commit(&output);
	return error ? error : snapshot_report(context, "snapshot", "file", path, &look, &snapshot);
}

static struct error *save_run(struct command_context *context)
{
	const struct arguments *arguments = context->arguments;
	struct snapshot snapshot = {0};
	const struct saved_one *saved;
	struct session_look look;
	struct error *error = snapshot_take(context->inspected, &look, &snapshot);

	if (error)
		return error;
	error = saved_add(console_saved(context->console),
			  arguments->word_count ? arguments->words[0] : NULL, &snapshot, &saved);
	if (error)
		return error;
	error = snapshot_report(context, "save", "name", saved->name, &look, &saved->snapshot);
	return error ? error
		     : report_note(context->report, "'diff %s' tells what has changed since",
				   saved->name);
}

static const struct command_example snapshot_examples[] = {
	{"snapshot 4711 -o before.snap", "how many objects of each type there are, for later"},
};

const struct command command_snapshot = {
	.name = "snapshot",
	.summary = "how many objects of each type there are, in a file for diff",
	.words = "",
	.description =
		"Counts the objects of the process as types does, and writes what it found into "
		"the file of -o:\n"
		"for each type how many objects there are, their size and references, some ten "
		"kilobytes of JSON.\n"
		"The verb diff compares such files with each other and with a process.\n"
		"\n"
		"The file is there when it is whole, and not before.",
	.examples = snapshot_examples,
	.example_count = ARRAY_COUNT(snapshot_examples),
	// clang-format off
	.example_output =
		"...\n"
		"file     before.snap\n"
		"types    128\n"
		"objects  50,090\n"
		"size     10.7 MiB\n"
		"refs     102,133\n"
		"rss      24.1 MiB\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_WRITES_FILE |
		 COMMAND_EVERYWHERE,
	.run = snapshot_run,
};

static struct error *save_check(const struct arguments *arguments)
{
	if (arguments->word_count && strlen(arguments->words[0]) >= SAVED_NAME_CHARS)
		return error_create(ERROR_USAGE, "a name has fewer than %d characters",
				    SAVED_NAME_CHARS);
	if (arguments->word_count && !strcmp(arguments->words[0], "now"))
		return error_create(ERROR_USAGE, "'now' is what diff calls the moment it looks");
	return NULL;
}

static const struct command_example save_examples[] = {
	{"save before", "keeps how many objects of each type there are under that name"},
	{"save", "the same, under the next number"},
};

const struct command command_save = {
	.name = "save",
	.summary = "how many objects of each type there are, kept for diff",
	.words = "[NAME]",
	.words_max = 1,
	.description =
		"Counts the objects of the process and keeps, until the console is left, how many "
		"of each type there\n"
		"are. 'diff NAME' tells what has changed since; 'diff' alone compares with what "
		"was kept last. One of\n"
		"the same name is replaced. The verb snapshot keeps them in files.",
	.examples = save_examples,
	.example_count = ARRAY_COUNT(save_examples),
	// clang-format off
	.example_output =
		"...\n"
		"name     before\n"
		"types    128\n"
		"objects  50,090\n"
		"...\n"
		"'diff before' tells what has changed since\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_IN_CONSOLE,
	.check = save_check,
	.run = save_run,
};
