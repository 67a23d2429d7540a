// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/record_report.h"
#include "ui/chart/chart_svg.h"
#include "ui/chart/sparkline.h"
#include "ui/console/console.h"
#include "ui/output.h"
#include "ui/record/record_file.h"
#include "ui/record/recorder.h"

enum stats_option { STATS_GRAPH, STATS_FILE, STATS_RECORD, STATS_PROCESS };

static const struct command_option stats_options[] = {
	[STATS_GRAPH] = {.name = "graph",
			 .letter = 'g',
			 .summary = "draw the series NAME as a line chart, an SVG file"},
	[STATS_FILE] = {.name = "file",
			.letter = 'f',
			.word = COMMAND_FILE,
			.argument = "FILE",
			.summary = "of -g: the file to write; NAME.svg unless given"},
	[STATS_RECORD] = {.name = "record",
			  .letter = 'r',
			  .word = COMMAND_FILE,
			  .argument = "FILE",
			  .summary = "what watch --record FILE has written"},
	[STATS_PROCESS] = {.name = "process",
			   .word = COMMAND_NUMBER,
			   .argument = "PID",
			   .summary = "of several processes in FILE this one; the last unless "
				      "given"},
};

/** Columns of the shape of one series. */
enum { STATS_TREND_COLUMNS = 72 };

/** What is told of, and where it comes from. */
struct stats {
	struct record_file file;
	const struct record *record;
	bool running;
	/** Other processes of the file. */
	size_t others;
};

static void stats_deinit(struct stats *stats)
{
	record_file_deinit(&stats->file);
}

static struct error *stats_check(const struct arguments *arguments)
{
	const struct arguments_value *values = arguments->options;

	if (values[STATS_GRAPH].count && !arguments->word_count)
		return error_create(ERROR_USAGE, "stats -g wants NAME: the series to draw");
	if (values[STATS_FILE].count && !values[STATS_GRAPH].count)
		return error_create(ERROR_USAGE,
				    "-f is the file of a chart: stats -g NAME -f FILE");
	if (values[STATS_PROCESS].count && !values[STATS_RECORD].count)
		return error_create(ERROR_USAGE, "--process is for stats --record FILE");
	return NULL;
}

static struct error *stats_read(const struct arguments *arguments, struct stats *ret)
{
	const struct arguments_value *process = &arguments->options[STATS_PROCESS];
	const char *path = arguments->options[STATS_RECORD].text;
	struct error *error = record_file_read(path, &ret->file);

	if (error)
		return error;
	for (size_t i = 0; i < ret->file.record_count; i++)
		if (!process->count ||
		    (uint64_t)ret->file.records[i]->process.pid == process->number)
			ret->record = ret->file.records[i];
	if (!ret->record)
		return error_create(ERROR_FAILED, "'%s' has nothing of a process %s", path,
				    process->text);
	ret->others = ret->file.record_count - 1;
	return NULL;
}

static struct error *stats_open(const struct command_context *context, struct stats *ret)
{
	if (context->arguments->options[STATS_RECORD].count)
		return stats_read(context->arguments, ret);
	if (!context->console)
		return error_create(ERROR_USAGE, "stats wants --record FILE, which watch --record "
						 "has written; in the console 'watch' records");
	const struct recorder *recorder = console_recorder(context->console);
	ret->record = &recorder->record;
	ret->running = recorder->running;
	return NULL;
}

static struct error *stats_find(const struct record *record, const char *name,
				const struct record_series **ret)
{
	_cleanup_text_ struct text names = {0};
	struct error *error = NULL;

	*ret = record_find(record, name);
	if (*ret)
		return NULL;
	if (!record->series_count)
		return error_create(ERROR_FAILED, "nothing has been recorded: 'watch 10s' begins");
	for (size_t i = 0; i < record->series_count && !error; i++)
		error = text_appendf(&names, "%s%s", i ? ", " : "", record->series[i].name);
	return error ? error
		     : error_create(ERROR_USAGE, "there is no series '%s'; there are %s", name,
				    text_chars(&names));
}

static struct error *stats_begin(struct command_context *context, const struct stats *stats)
{
	const struct record_process *process = &stats->record->process;
	const struct record_file *file = &stats->file;
	const struct report_head head = {
		.verb = "stats",
		.pid = process->pid         ? process->pid
		       : context->inspected ? context->inspected->pid
					    : 0,
		.runtime = process->runtime[0] ? process->runtime : NULL,
		.version = process->version[0] ? process->version : NULL,
		.build = process->build[0] ? process->build : NULL,
		.consistent = true,
		.unreadable = file->unreadable,
		.truncated = file->truncated,
		.problem_texts = (const char *const *)file->problem_texts,
		.problem_text_count = file->problem_text_count,
	};

	return report_begin(context->report, &head);
}

static struct error *stats_report_points(struct report *report, const struct record_series *series,
					 size_t limit)
{
	static const struct report_column columns[] = {
		{.key = "time", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
		{.key = "time_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "value", .unit = REPORT_FIGURE},
		{.key = "change", .unit = REPORT_FIGURE, .reader = REPORT_FOR_PEOPLE},
	};
	enum report_unit unit = record_report_unit(series->unit);
	size_t skipped = series->count > limit ? series->count - limit : 0;
	int64_t before = skipped ? series->points[skipped - 1].value : SERIES_ABSENT;
	struct error *error = report_table(report, "points", columns, ARRAY_COUNT(columns));

	for (size_t i = skipped; i < series->count && !error; i++) {
		const struct series_point *point = &series->points[i];
		int64_t change = 0;
		bool changes = before != SERIES_ABSENT && point->value != SERIES_ABSENT &&
			       !__builtin_sub_overflow(point->value, before, &change);
		char time[32];
		const struct report_cell cells[] = {
			{.text = record_report_clock(point->time_ms, true, time)},
			{.number = point->time_ms},
			{.number = point->value,
			 .unit = unit,
			 .absent = point->value == SERIES_ABSENT},
			{.number = change, .unit = unit, .is_change = true, .absent = !changes},
		};

		before = point->value;
		error = report_row(report, cells);
	}
	if (!error && skipped)
		error = report_note(report, "(%zu earlier points)", skipped);
	return error;
}

// What a series is called by who has not read the manual.
static const char *stats_title(const char *name)
{
	static const char *const titles[][2] = {
		{"rss", "Resident memory (rss)"},
		{"vss", "Virtual memory (vss)"},
		{"pss", "Proportional resident memory (pss)"},
		{"objects", "Objects"},
		{"garbage", "Objects in gc.garbage"},
		{"pause", "Pause for each point"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(titles); i++)
		if (!strcmp(titles[i][0], name))
			return titles[i][1];
	return name;
}

static struct error *stats_draw(const struct command_context *context, const struct stats *stats,
				const struct record_series *series)
{
	const struct arguments *arguments = context->arguments;
	static const struct report_column columns[] = {
		{.key = "file", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
	};
	_cleanup_output_ struct output output = {0};
	_cleanup_text_ struct text title = {0}, path = {0};
	struct error *error = text_appendf(&title, "%s of process %d", stats_title(series->name),
					   stats->record->process.pid);

	if (!error && arguments->options[STATS_FILE].text)
		error = text_appendf(&path, "%s", arguments->options[STATS_FILE].text);
	else if (!error)
		error = text_appendf(&path, "%s.svg", series->name);
	if (!error)
		error = output_open(text_chars(&path), arguments_has(arguments, ARGUMENTS_FORCE),
				    &output);
	if (error)
		return error;
	const struct chart chart = {
		.title = text_chars(&title),
		.note = stats->record->process.program,
		.unit = series->unit,
		.points = series->points,
		.count = series->count,
	};
	error = chart_svg_write(&chart, output.stream);
	if (!error)
		error = output_commit(&output);
	const struct report_cell cells[] = {{.text = text_chars(&path)}};
	if (!error)
		error = report_object(context->report, "chart", columns, ARRAY_COUNT(columns),
				      cells);
	return error ? error : report_note(context->report, "wrote %s", text_chars(&path));
}

static struct error *stats_report_trend(struct report *report, const struct record_series *series,
					bool blocks)
{
	_cleanup_text_ struct text trend = {0};
	struct error *error = sparkline_append(series->points, series->count, STATS_TREND_COLUMNS,
					       blocks, &trend);

	return error ? error : report_note(report, "%s", text_chars(&trend));
}

static struct error *stats_report(struct command_context *context, const struct stats *stats,
				  const struct record_series *only)
{
	struct record_report_style style = record_report_style_for(context->on_terminal);
	struct report *report = context->report;
	bool draws = context->arguments->options[STATS_GRAPH].count;
	struct error *error = NULL;

	style.only = only;
	if (only && !draws)
		error = stats_report_points(report, only, arguments_limit(context->arguments));
	if (!error)
		error = record_report_series(report, stats->record, &style);
	if (!error && only && style.sparklines)
		error = stats_report_trend(report, only, style.blocks);
	if (!error)
		error = record_report_recording(report, stats->record, stats->running);
	if (!error && draws)
		error = stats_draw(context, stats, only);
	if (!error && stats->others)
		error = report_note(report, "%zu other process%s in this file (--process PID)",
				    stats->others, stats->others == 1 ? "" : "es");
	if (!error && !stats->record->point_count)
		error = report_note(report, "no point yet%s",
				    context->console ? ": 'watch 10s' begins to record" : "");
	return error;
}

static struct error *stats_run(struct command_context *context)
{
	CLEANUP(stats_deinit) struct stats stats = {0};
	const struct record_series *only = NULL;
	struct error *error = stats_open(context, &stats);

	if (!error && context->arguments->word_count)
		error = stats_find(stats.record, context->arguments->words[0], &only);
	if (!error)
		error = stats_begin(context, &stats);
	return error ? error : stats_report(context, &stats, only);
}

static const char stats_example_output[] =
	"SERIES   POINTS      FIRST       LAST      CHANGE        MIN        MAX\n"
	"rss          65   19.1 MiB   33.2 MiB   +14.1 MiB   19.1 MiB   33.2 MiB\n"
	"...\n"
	"objects      65     48,898     53,988      +5,090     48,898     53,988\n"
	"garbage      65         10      2,520      +2,510         10      2,520\n";

static const struct command_example stats_examples[] = {
	{"stats --record night.record",
	 "each series: first, last, change, as of a demo under load"},
	{"stats --record night.record rss -n 20", "the last twenty points of one"},
	{"stats --record night.record -g rss -f rss.svg", "its line chart, for a browser"},
};

const struct command command_stats = {
	.name = "stats",
	.summary = "what watch has recorded: series, points, and charts",
	.words = "[NAME]",
	.words_max = 1,
	.description =
		"Tells what 'watch' has recorded in this console, or, with --record, what watch "
		"--record has\n"
		"written: for each series how many points there are, the first, the last, the "
		"change between them,\n"
		"the lowest and the highest, and on a terminal its shape. With NAME all points of "
		"one series (-n N:\n"
		"the last N of them), with -g NAME a line chart of it as an SVG file that any "
		"browser shows.\n"
		"\n"
		"The series: rss, vss and pss are the resident, virtual and proportional memory "
		"of the process,\n"
		"objects the number of its objects, garbage how many of them are in gc.garbage, "
		"pause for how long\n"
		"the process stood still for a point. A gap in a chart is where nothing was "
		"recorded.\n"
		"\n"
		"Of a file that was cut off or damaged the lines that make sense are told, and "
		"the others counted.\n"
		"In JSON: 'series' and 'recording' as in watch; with NAME 'points' (time_ms "
		"since 1970, value); with\n"
		"-g 'chart' (file).",
	.options = stats_options,
	.option_count = ARRAY_COUNT(stats_options),
	.examples = stats_examples,
	.example_count = ARRAY_COUNT(stats_examples),
	.example_output = stats_example_output,
	.flags = COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.check = stats_check,
	.run = stats_run,
};
