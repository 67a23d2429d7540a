// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/duration.h"
#include "ui/answers/change_rows.h"
#include "ui/answers/type_pattern.h"
#include "ui/console/console.h"
#include "ui/record/saved.h"

enum diff_option { DIFF_SORT, DIFF_FILTER, DIFF_GROWS };

enum diff_sort { DIFF_BY_INSTANCES, DIFF_BY_REFS, DIFF_BY_SIZE, DIFF_BY_NAME };

static const char *const diff_sorts[] = {
	[DIFF_BY_INSTANCES] = "instances",
	[DIFF_BY_REFS] = "refs",
	[DIFF_BY_SIZE] = "size",
	[DIFF_BY_NAME] = "name",
	NULL,
};

static const struct command_option diff_options[] = {
	[DIFF_SORT] = {.name = "sort",
		       .letter = 's',
		       .word = COMMAND_CHOICE,
		       .argument = "KEY",
		       .choices = diff_sorts,
		       .summary = "what the rows are sorted by"},
	[DIFF_FILTER] = {.name = "filter",
			 .letter = 'f',
			 .word = COMMAND_TYPE,
			 .argument = "PATTERN",
			 .summary = "only types whose name has PATTERN in it; with *, ? or [ the "
				    "whole name must match"},
	[DIFF_GROWS] = {.name = "grows",
			.summary = "only types that grow: never fewer, and more at least twice; of "
				   "three snapshots and more"},
};

enum { DIFF_SNAPSHOTS_MAX = 1000 };

static const char diff_now[] = "now";

/** The moments that are compared, in their order. */
struct diff {
	struct command_context *context;
	/** Those that were read or taken for this. */
	struct snapshot *own;
	size_t own_count;
	const struct snapshot **list;
	size_t count;
	/** The process that was looked at, last; NULL when all moments are of earlier. */
	struct inspected *inspected;
	bool opened;
	struct session_look look;
	struct changes changes;
	/** Of the changes, in the order they are shown. */
	const struct change_row **rows;
	size_t row_count;
};

static void diff_deinit(struct diff *diff)
{
	if (diff->opened)
		diff->context->opener->close(diff->context->opener, diff->inspected);
	for (size_t i = 0; i < diff->own_count; i++)
		snapshot_deinit(&diff->own[i]);
	changes_deinit(&diff->changes);
	free(diff->own);
	free(diff->list);
	free(diff->rows);
}

static bool diff_is_pid(const char *word)
{
	return *word && strlen(word) < 10 && word[strspn(word, "0123456789")] == '\0' &&
	       access(word, F_OK) != 0;
}

static struct error *diff_take_now(struct diff *diff)
{
	struct snapshot *snapshot = &diff->own[diff->own_count++];

	diff->list[diff->count++] = snapshot;
	return snapshot_take(diff->inspected, &diff->look, snapshot);
}

static struct error *diff_open(struct diff *diff, const char *word)
{
	const struct arguments *arguments = diff->context->arguments;
	struct inspected_opener *opener = diff->context->opener;
	struct error *error = opener->open(opener, (pid_t)strtol(word, NULL, 10), &diff->inspected);

	diff->opened = !error;
	if (!error && arguments_has(arguments, ARGUMENTS_SNAPSHOT))
		inspected_use_snapshot(
			diff->inspected,
			(enum inspected_snapshot)arguments->common[ARGUMENTS_SNAPSHOT].number);
	return error;
}

// A word is a snapshot that the console keeps, a file, a process, or the moment.
static struct error *diff_add(struct diff *diff, const char *word)
{
	struct console *console = diff->context->console;
	const struct saved_one *saved = console ? saved_find(console_saved(console), word) : NULL;
	struct error *error = NULL;

	if (diff->inspected)
		return error_create(ERROR_USAGE, "what is there now comes last, and once");
	if (saved) {
		diff->list[diff->count++] = &saved->snapshot;
		return NULL;
	}
	if (console && !strcmp(word, diff_now)) {
		diff->inspected = diff->context->inspected;
		return diff_take_now(diff);
	}
	if (!console && diff_is_pid(word)) {
		error = diff_open(diff, word);
		return error ? error : diff_take_now(diff);
	}
	if (console && access(word, F_OK) != 0)
		return error_create(ERROR_FAILED,
				    "'%s' is neither kept here nor a file; 'save %s' keeps one",
				    word, word);
	diff->list[diff->count++] = &diff->own[diff->own_count];
	return snapshot_read(word, &diff->own[diff->own_count++]);
}

static struct error *diff_alloc(struct diff *diff, size_t word_count)
{
	diff->own = calloc(word_count + 2, sizeof(*diff->own));
	diff->list = calloc(word_count + 2, sizeof(*diff->list));
	return diff->own && diff->list ? NULL : error_no_memory();
}

// Fewer than two words of a console mean: and what is there now; none: what was kept last.
static struct error *diff_collect(struct diff *diff)
{
	const struct arguments *arguments = diff->context->arguments;
	struct console *console = diff->context->console;
	struct error *error = diff_alloc(diff, arguments->word_count);

	if (!error && console && !arguments->word_count) {
		const struct saved *saved = console_saved(console);
		if (!saved->count)
			return error_create(ERROR_FAILED, "nothing is kept here yet: 'save' keeps "
							  "what there is");
		diff->list[diff->count++] = &saved->list[saved->count - 1].snapshot;
	}
	for (size_t i = 0; i < arguments->word_count && !error; i++)
		error = diff_add(diff, arguments->words[i]);
	if (!error && console && diff->count < 2)
		error = diff_add(diff, diff_now);
	return error;
}

static int64_t diff_key(const struct change_row *row, enum diff_sort sort)
{
	switch (sort) {
	case DIFF_BY_INSTANCES:
		return row->count;
	case DIFF_BY_REFS:
		return row->refs;
	case DIFF_BY_SIZE:
		return row->size_bytes;
	case DIFF_BY_NAME:
		break;
	}
	return 0;
}

static int diff_compare(const void *a, const void *b, void *sort)
{
	const struct change_row *left = *(const struct change_row *const *)a;
	const struct change_row *right = *(const struct change_row *const *)b;
	int64_t left_key = diff_key(left, *(enum diff_sort *)sort);
	int64_t right_key = diff_key(right, *(enum diff_sort *)sort);

	if (left_key != right_key)
		return left_key < right_key ? 1 : -1;
	return strcmp(left->name, right->name);
}

static struct error *diff_select(struct diff *diff)
{
	const struct arguments_value *values = diff->context->arguments->options;
	enum diff_sort sort = (enum diff_sort)values[DIFF_SORT].number;

	diff->rows = calloc(diff->changes.row_count + 1, sizeof(*diff->rows));
	if (!diff->rows)
		return error_no_memory();
	for (size_t i = 0; i < diff->changes.row_count; i++) {
		const struct change_row *row = &diff->changes.rows[i];
		if (type_pattern_matches(values[DIFF_FILTER].text, row->name) &&
		    (!values[DIFF_GROWS].count || row->trend == CHANGE_TREND_GROWS))
			diff->rows[diff->row_count++] = row;
	}
	// The order they come in has bytes as its second key: it stays where nothing else is asked for.
	if (values[DIFF_SORT].count)
		qsort_r(diff->rows, diff->row_count, sizeof(*diff->rows), diff_compare, &sort);
	return NULL;
}

static struct error *diff_compare_all(struct diff *diff)
{
	const struct census **censuses = calloc(diff->count + 1, sizeof(const void *));

	if (!censuses)
		return error_no_memory();
	for (size_t i = 0; i < diff->count; i++)
		censuses[i] = &diff->list[i]->census;
	struct error *error = changes_find(censuses, diff->count, &diff->changes);
	free(censuses);
	return error ? error : diff_select(diff);
}

static struct error *diff_begin(const struct diff *diff)
{
	const struct snapshot *last = diff->list[diff->count - 1];
	const struct record_process *process = &last->process;
	struct report_head head = {
		.verb = "diff",
		.pid = process->pid,
		.runtime = process->runtime[0] ? process->runtime : NULL,
		.version = process->version[0] ? process->version : NULL,
		.build = process->build[0] ? process->build : NULL,
		.consistent = true,
	};

	if (diff->inspected)
		inspected_head(diff->inspected, "diff", &diff->look, &last->census, &head);
	return report_begin(diff->context->report, &head);
}

// What is left out of the table, in one row; @a title is for people.
static struct error *diff_report_sum(struct report *report, const char *key, const char *title,
				     const struct change_row *const *rows, size_t count)
{
	struct change_row sum = {.name = title};
	struct report_cell cells[CHANGE_COLUMNS];

	for (size_t i = 0; i < count; i++) {
		sum.count += rows[i]->count;
		sum.refs += rows[i]->refs;
		sum.size_bytes += rows[i]->size_bytes;
		sum.last_count += rows[i]->last_count;
	}
	change_cells(&sum, cells);
	return report_object(report, key, change_columns, CHANGE_COLUMNS - 1, cells);
}

static struct error *diff_report_types(const struct diff *diff)
{
	struct report *report = diff->context->report;
	size_t limit = arguments_limit(diff->context->arguments);
	size_t shown = diff->row_count < limit ? diff->row_count : limit;
	size_t left = diff->row_count - shown;
	// A trend takes three.
	size_t columns = diff->count > 2 ? CHANGE_COLUMNS : CHANGE_COLUMNS - 1;
	char title[64];
	struct error *error = report_table(report, "types", change_columns, columns);

	for (size_t i = 0; i < shown && !error; i++) {
		struct report_cell cells[CHANGE_COLUMNS];
		change_cells(diff->rows[i], cells);
		error = report_row(report, cells);
	}
	snprintf(title, sizeof(title), "(%zu more type%s)", left, left == 1 ? "" : "s");
	if (!error && left)
		error = diff_report_sum(report, "rest", title, diff->rows + shown, left);
	return error || !diff->row_count
		       ? error
		       : diff_report_sum(report, "total", "total", diff->rows, diff->row_count);
}

// A core file does not tell.
static bool diff_knows_rss(const struct snapshot *first, const struct snapshot *last)
{
	return first->rss_bytes && last->rss_bytes;
}

static struct error *diff_report_people(const struct diff *diff)
{
	const struct snapshot *first = diff->list[0], *last = diff->list[diff->count - 1];
	struct report *report = diff->context->report;
	char refs[HUMAN_CHARS], change[HUMAN_CHARS], bytes[HUMAN_CHARS], apart[DURATION_CHARS];
	int64_t rss = (int64_t)last->rss_bytes - (int64_t)first->rss_bytes;
	int64_t refs_change = change_of_refs(first, last), ms = last->time_ms - first->time_ms;
	bool has_rss = diff_knows_rss(first, last);
	struct error *error = report_note(
		report, "%s references in all (%s), %s%s; resident memory %s%s; %s apart",
		human_count(snapshot_refs(last), refs),
		last->ref_total >= 0 ? "the interpreter's own total" : "to objects on the heap",
		refs_change < 0 ? "" : "+", human_count(refs_change, change),
		rss < 0 || !has_rss ? "" : "+", has_rss ? human_bytes(rss, bytes) : "not known",
		duration_format((uint64_t)llabs(ms) * 1000000, apart));

	for (size_t i = 0; i < diff->count && !error; i++)
		if (!diff->list[i]->exact)
			error = report_note(report,
					    "number %zu of these is not exact: its moment was not "
					    "a consistent one, or not all of it could be read",
					    i + 1);
	for (size_t i = 1; i < diff->count && !error; i++)
		if (!snapshot_is_of_same(diff->list[0], diff->list[i])) {
			error = report_note(report,
					    "these are of more than one process: what is new may "
					    "be what another program has");
			break;
		}
	return error;
}

static struct error *diff_report(const struct diff *diff)
{
	static const struct report_column columns[] = {
		{.key = "sys_refcount", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "change", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "rss_change", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "snapshots", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "exact", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
		{.key = "from_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "to_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct snapshot *first = diff->list[0], *last = diff->list[diff->count - 1];
	bool exact = true;

	for (size_t i = 0; i < diff->count; i++)
		exact &= diff->list[i]->exact;
	const struct report_cell cells[] = {
		{.number = snapshot_refs(last)},
		{.number = change_of_refs(first, last)},
		{.number = (int64_t)last->rss_bytes - (int64_t)first->rss_bytes,
		 .absent = !diff_knows_rss(first, last)},
		{.number = (int64_t)diff->count},
		{.number = exact},
		{.number = first->time_ms},
		{.number = last->time_ms},
	};
	struct error *error = diff_begin(diff);
	if (!error)
		error = diff_report_types(diff);
	if (!error)
		error = report_object(diff->context->report, NULL, columns, ARRAY_COUNT(columns),
				      cells);
	return error ? error : diff_report_people(diff);
}

static struct error *diff_run(struct command_context *context)
{
	CLEANUP(diff_deinit) struct diff diff = {.context = context};
	struct error *error;

	if (!context->console && context->arguments->word_count < 2)
		return error_create(ERROR_USAGE, "diff wants two snapshots at least, or one and a "
						 "process id: diff before.snap 4711");
	error = diff_collect(&diff);
	if (!error)
		error = diff_compare_all(&diff);
	return error ? error : diff_report(&diff);
}

static const struct command_example diff_examples[] = {
	{"diff before.snap 4711 -n 3", "what has changed since the snapshot"},
	{"diff night1.snap night2.snap night3.snap --grows", "what only grew"},
};

const struct command command_diff = {
	.name = "diff",
	.summary = "what there is more of: between snapshots, or since one",
	.words = "[SNAPSHOT...] [PID]",
	.word = COMMAND_FILE,
	.words_max = DIFF_SNAPSHOTS_MAX,
	.description =
		"Compares snapshots (files of the verb snapshot) in the order they are given, "
		"the last of which may\n"
		"be a process as it is now: for each type that changed how many instances there "
		"are more, how many\n"
		"references to them, how much they take, and how many there are now. In the "
		"console a word is also\n"
		"the name of what 'save' keeps, and 'now' the process; 'diff' alone compares "
		"with what was kept\n"
		"last.\n"
		"\n"
		"Of three snapshots and more the trend is told: a type grows when there were "
		"never fewer and at\n"
		"least twice more; once is one rise (something was filled or loaded); it swings "
		"when there were\n"
		"fewer, too; it shrinks; it is steady when only sizes or references changed.\n"
		"\n"
		"In JSON: 'types' with name, instances, refs, size (changes), now, trend; "
		"'sys_refcount', 'change',\n"
		"'rss_change' in bytes, 'snapshots' (how many), 'exact', 'from_ms' and 'to_ms' "
		"since 1970.",
	.options = diff_options,
	.option_count = ARRAY_COUNT(diff_options),
	.examples = diff_examples,
	.example_count = ARRAY_COUNT(diff_examples),
	// clang-format off
	.example_output =
		"...\n"
		"TYPE             INSTANCES     REFS        SIZE     NOW\n"
		"str                 +2,800   +5,186  +162.1 KiB  22,738\n"
		"frame               +2,200   +2,400  +292.2 KiB   2,200\n"
		"tuple               +1,198   +1,798   +68.6 KiB   9,700\n"
		"(35 more types)     +7,594  +20,916    +2.6 MiB  24,965\n"
		"total              +13,792  +30,300    +3.1 MiB  59,603\n"
		"\n"
		"132,381 references in all (to objects on the heap), +30,300; resident memory +3.4 MiB; "
		"345 ms apart\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = diff_run,
};
