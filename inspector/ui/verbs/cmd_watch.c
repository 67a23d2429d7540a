// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/answers/record_report.h"
#include "ui/console/console.h"
#include "ui/record/recorder.h"

enum watch_option {
	WATCH_INTERVAL,
	WATCH_COUNT,
	WATCH_RECORD,
	WATCH_MAX_PAUSE_SHARE,
	WATCH_NO_STOP,
};

static const struct command_option watch_options[] = {
	[WATCH_INTERVAL] = {.name = "interval",
			    .letter = 'i',
			    .word = COMMAND_TEXT,
			    .argument = "TIME",
			    .summary = "from one point to the next, as 500ms, 10s, 5m or 1h; 10s "
				       "unless given"},
	[WATCH_COUNT] = {.name = "count",
			 .letter = 'c',
			 .word = COMMAND_NUMBER,
			 .argument = "N",
			 .summary = "end after N points"},
	[WATCH_RECORD] = {.name = "record",
			  .letter = 'r',
			  .word = COMMAND_FILE,
			  .argument = "FILE",
			  .summary = "append each point to FILE, for stats --record"},
	[WATCH_MAX_PAUSE_SHARE] = {.name = "max-pause-share",
				   .word = COMMAND_TEXT,
				   .argument = "PERCENT",
				   .summary = "wait longer where the process would stand still for "
					      "more of the time; 0.1% unless given"},
	[WATCH_NO_STOP] = {.name = "no-stop",
			   .summary = "never stop the process: rss, vss and pss alone"},
};

/** The process is looked at so often while the next point is waited for: it may have ended. */
static const uint64_t watch_look_ns = 250 * 1000 * 1000;
static const uint64_t watch_interval_min_ns = 50 * 1000 * 1000;

static struct error *watch_parse_share(const char *text, double *ret)
{
	char *end = NULL;
	double percent = text[strspn(text, "0123456789.%")] ? -1 : strtod(text, &end);

	if (percent > 0 && percent <= 100 && end != text && (!*end || !strcmp(end, "%"))) {
		*ret = percent / 100;
		return NULL;
	}
	return error_create(ERROR_USAGE,
			    "--max-pause-share wants a part of the time above 0, up to 100%%, as "
			    "0.1%%, not '%s'",
			    text);
}

static struct error *watch_parse(const struct arguments *arguments, struct recorder_options *ret)
{
	const struct arguments_value *values = arguments->options;
	const char *interval = values[WATCH_INTERVAL].text;
	struct error *error = NULL;

	*ret = (struct recorder_options){
		.interval_ns = UINT64_C(10000000000),
		.pause_share_max = 0.001,
		.points_max = values[WATCH_COUNT].number,
		.no_stop = values[WATCH_NO_STOP].count,
		.path = values[WATCH_RECORD].text,
	};
	if (interval && arguments->word_count)
		return error_create(ERROR_USAGE, "watch wants one interval: '%s' or '%s'?",
				    interval, arguments->words[0]);
	if (arguments->word_count)
		interval = arguments->words[0];
	if (interval && strcmp(interval, "off") != 0 &&
	    (!duration_parse(interval, &ret->interval_ns) ||
	     ret->interval_ns < watch_interval_min_ns))
		return error_create(ERROR_USAGE,
				    "'%s' is no interval from 50ms to a year, such as 10s or 5m",
				    interval);
	if (values[WATCH_COUNT].count && !ret->points_max)
		return error_create(ERROR_USAGE, "--count wants a number from 1");
	if (values[WATCH_MAX_PAUSE_SHARE].text)
		error = watch_parse_share(values[WATCH_MAX_PAUSE_SHARE].text,
					  &ret->pause_share_max);
	return error;
}

static struct error *watch_check(const struct arguments *arguments)
{
	struct recorder_options options;

	return watch_parse(arguments, &options);
}

static bool watch_is_off(const struct arguments *arguments)
{
	return arguments->word_count && !strcmp(arguments->words[0], "off");
}

static struct error *watch_report_notes(struct report *report, const struct recorder *recorder)
{
	char interval[DURATION_CHARS], asked[DURATION_CHARS], count[HUMAN_CHARS];
	struct error *error = NULL;

	if (recorder->longest_interval_ns)
		error = report_note(
			report,
			"points came up to %s apart and not %s, as a point stops the process and "
			"it may stand still for %.3g %% of the time (--max-pause-share)",
			duration_format(recorder->longest_interval_ns, interval),
			duration_format(recorder->options.interval_ns, asked),
			recorder->options.pause_share_max * 100);
	if (!error && recorder->failed_count)
		error = report_note(report, "%s point%s without objects and garbage: %s",
				    human_count((int64_t)recorder->failed_count, count),
				    recorder->failed_count == 1 ? "" : "s", recorder->failure);
	return error;
}

// How all stops went so far.
static void watch_head(const struct command_context *context, const struct recorder *recorder,
		       struct report_head *ret)
{
	inspected_head(context->inspected, "watch", recorder->stops ? &recorder->look : NULL, NULL,
		       ret);
	ret->stops = recorder->stops;
	ret->consistent = true;
	ret->pause_ns = recorder->pause_ns;
	ret->pause_total_ns = recorder->pause_total_ns;
	ret->unreadable = recorder->unreadable;
	ret->truncated = recorder->truncated;
}

enum watch_column {
	WATCH_TIME,
	WATCH_VALUES,
	WATCH_COLUMNS = WATCH_VALUES + RECORDER_SERIES_COUNT
};

static const struct report_column watch_columns[WATCH_COLUMNS] = {
	[WATCH_TIME] = {.key = "time", .unit = REPORT_TEXT},
	[WATCH_VALUES + RECORDER_RSS] = {.key = "rss", .unit = REPORT_BYTES},
	[WATCH_VALUES + RECORDER_VSS] = {.key = "vss", .unit = REPORT_BYTES},
	[WATCH_VALUES + RECORDER_PSS] = {.key = "pss", .unit = REPORT_BYTES},
	[WATCH_VALUES + RECORDER_OBJECTS] = {.key = "objects", .unit = REPORT_COUNT},
	[WATCH_VALUES + RECORDER_GARBAGE] = {.key = "garbage", .unit = REPORT_COUNT},
	[WATCH_VALUES + RECORDER_PAUSE] = {.key = "pause", .unit = REPORT_DURATION},
};

static struct error *watch_report_point(struct report *report, const struct recorder *recorder)
{
	struct report_cell cells[WATCH_COLUMNS] = {0};
	char time[32];

	cells[WATCH_TIME].text = record_report_clock(recorder->time_ms, false, time);
	for (size_t i = 0; i < RECORDER_SERIES_COUNT; i++) {
		cells[WATCH_VALUES + i].number = recorder->values[i];
		cells[WATCH_VALUES + i].absent = recorder->values[i] == SERIES_ABSENT;
	}
	return report_row(report, cells);
}

// Until the next point is due, the process has ended, or somebody asks us to stop.
static void watch_wait(const struct recorder *recorder)
{
	for (;;) {
		uint64_t now_ns = clock_now_ns(), due_ns = recorder_due_ns(recorder);

		if (now_ns >= due_ns || interrupt_pending() || !recorder_process_lives(recorder))
			return;
		uint64_t wait_ns =
			due_ns - now_ns < watch_look_ns ? due_ns - now_ns : watch_look_ns;
		poll(NULL, 0, (int)((wait_ns + 999999) / 1000000));
	}
}

// One point after the other. That somebody asked us to stop is a good end.
static struct error *watch_go_on(struct recorder *recorder, struct inspected *inspected,
				 struct report *report)
{
	struct error *error = watch_report_point(report, recorder);

	while (!error && recorder->running) {
		uint64_t before = recorder->point_count;

		watch_wait(recorder);
		if (interrupt_pending())
			break;
		error = recorder_take(recorder, inspected);
		if (!error && recorder->point_count > before)
			error = watch_report_point(report, recorder);
	}
	if (error && error->code == ERROR_INTERRUPTED)
		error_destroy(take_ptr(error));
	if (error)
		return error;
	if (interrupt_pending())
		interrupt_clear();
	return recorder_stop(recorder, RECORDER_INTERRUPTED);
}

static struct error *watch_here(struct command_context *context,
				const struct recorder_options *options)
{
	_cleanup_recorder_ struct recorder recorder = {0};
	const struct record_report_style style = record_report_style_for(context->on_terminal);
	struct report_head head;
	struct error *error = recorder_start(&recorder, context->inspected, options);

	// The first point before a word is said: what does not work at all leaves no table.
	if (!error)
		error = recorder_take(&recorder, context->inspected);
	if (error)
		return error;
	watch_head(context, &recorder, &head);
	error = report_begin(context->report, &head);
	if (!error)
		error = report_live(context->report, watch_columns,
				    options->no_stop ? WATCH_VALUES + RECORDER_OBJECTS
						     : WATCH_COLUMNS);
	if (!error)
		error = watch_go_on(&recorder, context->inspected, context->report);
	if (error)
		return error;
	watch_head(context, &recorder, &head);
	error = report_amend(context->report, &head);
	if (!error)
		error = record_report_series(context->report, &recorder.record, &style);
	if (!error)
		error = record_report_recording(context->report, &recorder.record, false);
	return error ? error : watch_report_notes(context->report, &recorder);
}

static struct error *watch_tell(struct command_context *context, const struct recorder *recorder)
{
	struct report *report = context->report;
	char interval[DURATION_CHARS];
	struct report_head head;

	inspected_head(context->inspected, "watch", NULL, NULL, &head);
	struct error *error = report_begin(report, &head);
	if (!error)
		error = record_report_recording(report, &recorder->record, recorder->running);
	if (!error && recorder->running)
		error = report_note(report, "recording every %s%s%s; 'watch off' ends it",
				    duration_format(recorder->options.interval_ns, interval),
				    recorder->writer ? " into " : "",
				    recorder->writer ? record_writer_path(recorder->writer) : "");
	else if (!error)
		error = report_note(report, "nothing is recorded now; 'watch 10s' begins");
	return error ? error : watch_report_notes(report, recorder);
}

// The console takes the further points while its person thinks.
static struct error *watch_in_console(struct command_context *context,
				      const struct recorder_options *options)
{
	struct recorder *recorder = console_recorder(context->console);
	const struct arguments *arguments = context->arguments;
	bool asks = !arguments->word_count;
	struct error *error = NULL;

	for (size_t i = 0; i < ARRAY_COUNT(watch_options); i++)
		asks = asks && !arguments->options[i].count;
	if (!asks)
		error = recorder_stop(recorder, "switched off");
	if (!error && !asks && !watch_is_off(arguments))
		error = recorder_start(recorder, context->inspected, options);
	if (!error && !asks && recorder->running)
		error = recorder_take(recorder, context->inspected);
	return error ? error : watch_tell(context, recorder);
}

static struct error *watch_run(struct command_context *context)
{
	struct recorder_options options;
	struct error *error = watch_parse(context->arguments, &options);

	if (error)
		return error;
	if (context->console)
		return watch_in_console(context, &options);
	if (watch_is_off(context->arguments))
		return error_create(ERROR_USAGE, "'watch off' is for the console; here Ctrl-C ends "
						 "it");
	return watch_here(context, &options);
}

static const char watch_example_output[] =
	"TIME         RSS         VSS         PSS      OBJECTS      GARBAGE     PAUSE\n"
	"21:51:19    19.1 MiB   312.9 MiB    11.1 MiB       48,898           10   33.5 ms\n"
	"21:51:30    24.3 MiB   376.9 MiB    17.4 MiB       51,164          638    8.7 ms\n"
	"21:51:40    27.9 MiB   441.9 MiB    21.4 MiB       52,400        1,214   14.0 ms\n"
	"...\n";

static const struct command_example watch_examples[] = {
	{"watch 4711 --interval 10s", "a line every ten seconds until Ctrl-C"},
	{"watch 4711 -i 1m -c 60 --record night.record",
	 "an hour of it, kept for stats --record night.record"},
	{"watch 4711 -i 1s --no-stop", "what /proc tells, without a single stop"},
};

const struct command command_watch = {
	.name = "watch",
	.summary = "memory, objects and garbage, measured at intervals",
	.words = "[INTERVAL|off]",
	.words_max = 1,
	.description =
		"Measures the process again and again: resident, virtual and proportional memory "
		"(rss, vss, pss)\n"
		"as /proc tells them, how many objects there are (objects), how many of them are "
		"in gc.garbage\n"
		"(garbage), and for how long the process stood still for it (pause). From the "
		"shell a line comes\n"
		"with each point, until N points are there, until Ctrl-C, or until the process "
		"has ended; then the\n"
		"change of each is summed up, and the exit status is 0.\n"
		"\n"
		"In the console, 'watch 10s' records while you do something else, also while you "
		"do nothing; 'stats'\n"
		"shows what there is, 'watch off' ends it, 'watch' alone tells how it goes. Only "
		"a verb at work\n"
		"delays a point.\n"
		"\n"
		"A point stops the process twice, for the state of its collector and to count its "
		"objects. Where that\n"
		"would be more than --max-pause-share of the time, the next point comes later. "
		"Memory of\n"
		"leakinspect is bounded: of each series some thousand points are kept, and of "
		"those in between the\n"
		"lowest and the highest.\n"
		"\n"
		"With --json there is one document at the end: 'series' with name, unit (bytes, "
		"count, ns), count,\n"
		"piece_ms (what it is thinned to), first, last, change, min, max and points "
		"(time_ms since 1970,\n"
		"value), and 'recording' with from_ms, to_ms, recorded_ms, points, inexact, "
		"pause_share, ended and\n"
		"program. What wants to follow reads FILE of --record: a JSON object on each line, "
		"written at once.",
	.options = watch_options,
	.option_count = ARRAY_COUNT(watch_options),
	.examples = watch_examples,
	.example_count = ARRAY_COUNT(watch_examples),
	.example_output = watch_example_output,
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE |
		 COMMAND_GOES_ON | COMMAND_WANTS_PROCESS,
	.check = watch_check,
	.run = watch_run,
};
