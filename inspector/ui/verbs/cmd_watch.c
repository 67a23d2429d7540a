// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdio.h>

#include "base/array.h"
#include "base/duration.h"
#include "ui/answers/record_report.h"
#include "ui/console/console.h"
#include "ui/watch/watch.h"
#include "ui/watch/watch_options.h"
#include "ui/watch/watch_report.h"

static struct error *watch_check(const struct arguments *arguments)
{
	_cleanup_watch_options_ struct watch_options options = {0};

	return watch_options_parse(arguments, false, &options);
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
				      const struct watch_options *options)
{
	struct recorder *recorder = console_recorder(context->console);
	struct error *error = NULL;

	if (options->asks)
		error = recorder_stop(recorder, "switched off");
	if (!error && options->asks && !options->is_off)
		error = recorder_start(recorder, context->inspected, &options->fleet.recorder);
	if (!error && options->asks && recorder->running)
		error = recorder_take(recorder, context->inspected);
	return error ? error : watch_tell(context, recorder);
}

// Before the first point, and not in the answer: whoever waits for it is no reader of that.
static void watch_tell_address(const char *url)
{
	fprintf(stderr, "leakinspect: metrics at %s\n", url);
}

static struct error *watch_run(struct command_context *context)
{
	_cleanup_watch_options_ struct watch_options options = {0};
	struct error *error = watch_options_parse(context->arguments, context->console, &options);

	if (error)
		return error;
	if (context->console)
		return watch_in_console(context, &options);
	if (options.is_off)
		return error_create(ERROR_USAGE, "'watch off' is for the console; here Ctrl-C ends "
						 "it");
	options.fleet.recorder.keeps_census = true;
	return watch_here(context, &options, watch_tell_address);
}

static const char watch_example_output[] =
	"TIME         RSS         VSS         PSS      OBJECTS      GARBAGE     PAUSE\n"
	"21:51:19    19.1 MiB   312.9 MiB    11.1 MiB       48,898           10   33.5 ms\n"
	"21:51:30    24.3 MiB   376.9 MiB    17.4 MiB       51,164          638    8.7 ms\n"
	"21:51:40    27.9 MiB   441.9 MiB    21.4 MiB       52,400        1,214   14.0 ms\n"
	"...\n";

static const struct command_example watch_examples[] = {
	{"watch 4711 --interval 10s | cat", "a line every ten seconds until Ctrl-C"},
	{"watch 4711", "a screen instead: the types that grow, most first"},
	{"watch 4711 -i 1m -c 60 --record night.record",
	 "an hour of it, kept for stats --record night.record"},
	{"watch 4711 -i 1s --no-stop", "what /proc tells, without a single stop"},
	{"watch 4711 --children --listen 9118", "a server and its workers, for Prometheus"},
	{"watch 4711 --when 'growth(app.Session)>100/min' --save '%p-%t.snapshot'",
	 "what there was when sessions began to pile up"},
};

const struct command command_watch = {
	.name = "watch",
	.summary = "memory, objects and garbage, measured at intervals",
	.words = "[PID...] [INTERVAL|off]",
	.words_max = FLEET_MEMBERS_MAX,
	.description =
		"Measures the process again and again: resident, virtual and proportional memory "
		"(rss, vss, pss)\n"
		"as /proc tells them, how many objects there are (objects), how many of them are "
		"in gc.garbage\n"
		"(garbage), and for how long the process stood still for it (pause). A terminal "
		"becomes a screen that\n"
		"is drawn anew in place, with the types that there are more and more of; "
		"elsewhere a line comes with\n"
		"each point. That goes on until N points are there, until Ctrl-C, or until the "
		"process has ended; then\n"
		"the change of each is summed up, and the exit status is 0.\n"
		"\n"
		"Growth is what there is more of than at the first point. Its trend: 'grows' never "
		"had fewer and had\n"
		"more at least twice, 'once' had more a single time, 'swings' goes up and down. Of "
		"the counts the\n"
		"first, the last and ten in between are compared, the younger the closer "
		"together. Of a process\n"
		"that ever has more than 65,536 types, growth by type is not told.\n"
		"\n"
		"Further PIDs are watched together with the first, and so are, with --children, "
		"its children and\n"
		"theirs that are Python: those that come later, too, and until they end. Each "
		"has rows of its own, and\n"
		"none ends the watch of another.\n"
		"\n"
		"--metrics and --listen tell the last point of each process, and stop it no more "
		"often than the\n"
		"interval says, however often somebody reads: leakinspect_objects, "
		"leakinspect_objects_growth,\n"
		"leakinspect_type_objects{type}, leakinspect_type_growth_objects{type}, "
		"leakinspect_gc_garbage_objects,\n"
		"leakinspect_pause_seconds_total, process_resident_memory_bytes, "
		"python_gc_objects_uncollectable_total\n"
		"and more, each with its pid. Whoever can reach ADDR:PORT can read them: names "
		"of types and numbers,\n"
		"no values. After --count the last point stays in FILE; however else the watch "
		"ends, no process is told\n"
		"of in it any more.\n"
		"\n"
		"--when tells when a condition becomes true, and again only after it was false. "
		"What grows by the\n"
		"minute is what came since a minute ago or a little longer; within the first "
		"minute, since the\n"
		"beginning. CMD may run for a minute and holds no point back; what it writes goes "
		"to stderr. FILE of\n"
		"--save has the counts of that very point, without another stop; --force lets it "
		"take another's place.\n"
		"\n"
		"In the console, 'watch 10s' records while you do something else, also while you "
		"do nothing; 'stats'\n"
		"shows what there is, 'watch off' ends it, 'watch' alone tells how it goes. Only "
		"a verb at work\n"
		"delays a point.\n"
		"\n"
		"A point stops the process twice, for the state of its collector and to count its "
		"objects. Where that\n"
		"would be more than --max-pause-share of the time, the next point comes later; "
		"what it came to is told.\n"
		"Memory of leakinspect is bounded: of each series some thousand points are kept, "
		"and of those in\n"
		"between the lowest and the highest.\n"
		"\n"
		"With --json there is one document at the end: 'series' with name, unit (bytes, "
		"count, ns), count,\n"
		"piece_ms (what it is thinned to), first, last, change, min, max and points "
		"(time_ms since 1970,\n"
		"value), 'recording' with from_ms, to_ms, recorded_ms, points, inexact, "
		"pause_share, ended and program,\n"
		"and 'types' with name, count, instances (as a change), per_minute, size (as a "
		"change) and trend. Of\n"
		"several processes these are the first's, types have a pid, and 'processes' has "
		"each: pid, child, points,\n"
		"rss, rss_change, objects, objects_change, garbage, pause_share, ended, program. "
		"With --when there is\n"
		"'triggers': time_ms, pid, condition, value, saved, exit. What wants to follow "
		"reads FILE of --record:\n"
		"a JSON object on each line, written at once.",
	.options = watch_option_table,
	.snapshot_option = &watch_option_table[WATCH_SAVE],
	.option_count = ARRAY_COUNT(watch_option_table),
	.examples = watch_examples,
	.example_count = ARRAY_COUNT(watch_examples),
	.example_output = watch_example_output,
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE |
		 COMMAND_GOES_ON | COMMAND_WANTS_PROCESS,
	.check = watch_check,
	.run = watch_run,
};
