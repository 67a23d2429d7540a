// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/duration.h"
#include "base/interrupt.h"
#include "ui/load/load_garbage.h"
#include "ui/load/load_report.h"
#include "ui/load/scoreboard.h"
#include "ui/load/url_hunt.h"
#include "ui/load/urls.h"

enum load_option {
	LOAD_ITERATIONS,
	LOAD_PER,
	LOAD_URLS,
	LOAD_BISECT,
	LOAD_PAGE_ID,
	LOAD_SETTLE,
	LOAD_FAIL_ON,
	LOAD_SCOREBOARD,
	LOAD_LEAK_LOG,
	LOAD_MEMORY_LOG,
};

static const char *const load_reasons[] = {"growth", NULL};

static const struct command_option load_options[] = {
	[LOAD_ITERATIONS] = {.name = "iterations",
			     .letter = 'N',
			     .word = COMMAND_NUMBER,
			     .argument = "N",
			     .summary = "run the command N times, the first being the warm-up; 4 "
					"unless given"},
	[LOAD_PER] = {.name = "per",
		      .word = COMMAND_NUMBER,
		      .argument = "N",
		      .summary = "the command makes N requests: changes are told per request, too"},
	[LOAD_URLS] = {.name = "urls",
		       .word = COMMAND_FILE,
		       .argument = "FILE",
		       .summary = "a block of iterations for each URL in FILE, which stands for "
				  "{url} in the command; then the URLs by what they leak"},
	[LOAD_BISECT] = {.name = "bisect",
			 .summary = "of many URLs find those that leak by halves, a group of them "
				    "in each run"},
	[LOAD_PAGE_ID] = {.name = "pageid",
			  .word = COMMAND_TEXT,
			  .argument = "ID",
			  .summary = "what the load is called in reports and logs"},
	[LOAD_SETTLE] = {.name = "settle",
			 .word = COMMAND_TEXT,
			 .argument = "TIME",
			 .summary = "wait so long at most for the process to come to rest before "
				    "it is looked at, 0 not at all; 2s unless given"},
	[LOAD_FAIL_ON] = {.name = "fail-on",
			  .word = COMMAND_CHOICE,
			  .argument = "REASON",
			  .choices = load_reasons,
			  .has_no_default = true,
			  .summary = "exit status 3 when a type grows with the iterations"},
	[LOAD_SCOREBOARD] = {.name = "scoreboard",
			     .word = COMMAND_TEXT,
			     .argument = "FILE",
			     .summary =
				     "write how many objects of each type there are into FILE at "
				     "each look; %d in its name is the process id"},
	[LOAD_LEAK_LOG] = {.name = "leak-log",
			   .word = COMMAND_FILE,
			   .argument = "FILE",
			   .summary = "append a line to FILE with what each iteration left behind"},
	[LOAD_MEMORY_LOG] = {.name = "memory-log",
			     .word = COMMAND_FILE,
			     .argument = "FILE",
			     .summary = "append a line to FILE with the memory before and after "
					"each iteration"},
};

enum {
	LOAD_FOUND_STATUS = 3,
	/** It was not tried, or not to its end. */
	LOAD_UNTOLD_STATUS = 1,
	/** Of --urls without --bisect: their rows are kept until the end. */
	LOAD_ROWS_MAX = 100000,
	LOAD_ITERATIONS_DEFAULT = 4,
	LOAD_ITERATIONS_MAX = 1000,
};

static const uint64_t load_settle_ns = UINT64_C(2000000000);

static bool load_has_mark(const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->word_count; i++)
		if (strstr(arguments->words[i], "{url}"))
			return true;
	return false;
}

// 0 is no time that a duration can be.
static bool load_settle_parse(const char *text, uint64_t *ret_ns)
{
	*ret_ns = 0;
	return !strcmp(text, "0") || duration_parse(text, ret_ns);
}

static struct error *load_check(const struct arguments *arguments)
{
	const struct arguments_value *values = arguments->options;
	uint64_t unused;

	if (values[LOAD_ITERATIONS].count && (!values[LOAD_ITERATIONS].number ||
					      values[LOAD_ITERATIONS].number > LOAD_ITERATIONS_MAX))
		return error_create(ERROR_USAGE, "-N wants a number from 1 to %d",
				    LOAD_ITERATIONS_MAX);
	if (values[LOAD_PER].count && !values[LOAD_PER].number)
		return error_create(ERROR_USAGE, "--per wants a number from 1");
	if (values[LOAD_SETTLE].count && !load_settle_parse(values[LOAD_SETTLE].text, &unused))
		return error_create(ERROR_USAGE, "'%s' is no time such as 500ms or 5s",
				    values[LOAD_SETTLE].text);
	if (values[LOAD_BISECT].count && !values[LOAD_URLS].count)
		return error_create(ERROR_USAGE, "--bisect is for --urls FILE");
	if (values[LOAD_BISECT].count && values[LOAD_ITERATIONS].count)
		return error_create(ERROR_USAGE, "--bisect runs as often as it takes: no -N");
	if (values[LOAD_URLS].count && values[LOAD_PAGE_ID].count)
		return error_create(ERROR_USAGE, "--urls names its pages itself: no --pageid");
	if (values[LOAD_URLS].count && !load_has_mark(arguments))
		return error_create(ERROR_USAGE, "with --urls the command wants {url} where the "
						 "URL is to stand: -- ab -n 100 {url}");
	if (!values[LOAD_URLS].count && load_has_mark(arguments))
		return error_create(ERROR_USAGE, "{url} is for --urls FILE");
	return values[LOAD_SCOREBOARD].count ? scoreboard_check(values[LOAD_SCOREBOARD].text)
					     : NULL;
}

static struct load_options load_options_of(const struct arguments *arguments)
{
	const struct arguments_value *values = arguments->options;
	struct load_options options = {
		.words = arguments->words,
		.settle_ns = load_settle_ns,
		.scoreboard = values[LOAD_SCOREBOARD].text,
		.force = arguments_has(arguments, ARGUMENTS_FORCE),
		.leak_log = values[LOAD_LEAK_LOG].text,
		.memory_log = values[LOAD_MEMORY_LOG].text,
	};

	if (values[LOAD_SETTLE].count &&
	    !load_settle_parse(values[LOAD_SETTLE].text, &options.settle_ns))
		options.settle_ns = load_settle_ns;
	return options;
}

static unsigned load_iteration_count(const struct arguments *arguments)
{
	const struct arguments_value *value = &arguments->options[LOAD_ITERATIONS];

	return value->count ? (unsigned)value->number : LOAD_ITERATIONS_DEFAULT;
}

static struct error *load_block(struct command_context *context, struct load *load, const char *url,
				const struct load_style *style)
{
	const char *page_id =
		url ? url_page_id(url) : context->arguments->options[LOAD_PAGE_ID].text;
	struct error *error = NULL;
	unsigned done = 0;

	load_begin_block(load);
	for (; done < load_iteration_count(context->arguments) && !error; done += !error) {
		_cleanup_load_iteration_ struct load_iteration iteration = {0};
		if (done + 1 == load_iteration_count(context->arguments))
			error = load_garbage_note(load, false);
		if (!error)
			error = load_iterate(load, page_id, &url, url ? 1 : 0, &iteration);
		if (!error)
			error = load_report_iteration(context->report, load, &iteration, style);
	}
	if (!error || error->code != ERROR_INTERRUPTED || !done)
		return error;
	// What there is so far is worth a verdict.
	error_destroy(error);
	interrupt_clear();
	load->is_interrupted = true;
	return NULL;
}

/*
 * Of a load that failed each time nothing can be told. Who asks whether something grows is told no only when
 * it was tried: every run well, and in iterations enough.
 */
static void load_exit(struct command_context *context, const struct load *load, bool found)
{
	const struct arguments_value *values = context->arguments->options;
	bool asks = values[LOAD_FAIL_ON].count;
	bool enough = values[LOAD_BISECT].count ||
		      load_iteration_count(context->arguments) > GROWTH_RISES_MIN;

	if (asks && found)
		context->exit_status = LOAD_FOUND_STATUS;
	else if (load->failed_count == load->run_count || load->is_interrupted ||
		 (asks && (load->failed_count || !enough)))
		context->exit_status = LOAD_UNTOLD_STATUS;
}

static struct error *load_alone(struct command_context *context, struct load *load,
				const struct load_style *style)
{
	CLEANUP(load_growth_deinit) struct load_growth growth = {0};
	struct error *error = load_block(context, load, NULL, style);

	if (!error)
		error = load_growth_find(load, NULL, &growth);
	if (!error)
		error = load_garbage_leave_out(load, &growth);
	if (!error)
		error = load_report_verdict(context->report, &growth, 1, style);
	if (!error)
		load_exit(context, load, load_growth_is_found(&growth));
	return error;
}

static struct error *load_each(struct command_context *context, struct load *load,
			       const struct urls *urls, const struct load_style *style)
{
	CLEANUP(load_ranking_deinit) struct load_ranking ranking = {0};
	struct error *error = NULL;

	for (size_t i = 0; i < urls->count && !error && !load->is_interrupted; i++) {
		CLEANUP(load_growth_deinit) struct load_growth growth = {0};
		error = load_block(context, load, urls->list[i], style);
		if (!error)
			error = load_growth_find(load, urls->list[i], &growth);
		if (!error)
			error = load_garbage_leave_out(load, &growth);
		if (!error)
			error = load_ranking_add(&ranking, &growth);
	}
	if (!error)
		error = load_report_ranking(context->report, &ranking, style);
	if (!error)
		error = load_report_verdict(context->report, ranking.list, ranking.count, style);
	if (!error)
		load_exit(context, load, load_ranking_is_found(&ranking));
	return error;
}

// The head at the end: how all looks went.
static struct error *load_amend(struct command_context *context, const struct load *load)
{
	const struct load_look *last = &load->looks[load->look_count - 1];
	struct report_head head;

	inspected_head(context->inspected, "load", &last->look, &last->snapshot.census, &head);
	head.stops = load->stops;
	head.pause_total_ns = load->pause_total_ns;
	return report_amend(context->report, &head);
}

static struct error *load_go(struct command_context *context, struct load *load,
			     const struct urls *urls)
{
	const struct arguments_value *values = context->arguments->options;
	const struct load_style style = {
		.per = values[LOAD_PER].number,
		.details = arguments_has(context->arguments, ARGUMENTS_VERBOSE),
	};
	bool found = false;

	if (!urls->count)
		return load_alone(context, load, &style);
	if (!values[LOAD_BISECT].count)
		return load_each(context, load, urls, &style);
	struct error *error = url_hunt(context->report, load, urls, &style, &found);
	if (!error)
		load_exit(context, load, found);
	return error;
}

static struct error *load_run(struct command_context *context)
{
	const struct load_options options = load_options_of(context->arguments);
	const char *path = context->arguments->options[LOAD_URLS].text;
	CLEANUP(urls_deinit) struct urls urls = {0};
	_cleanup_load_ struct load load = {0};
	struct report_head head;
	struct error *error = path ? urls_read(path, &urls) : NULL;

	if (!error && !context->arguments->options[LOAD_BISECT].count &&
	    urls.count * load_iteration_count(context->arguments) > LOAD_ROWS_MAX)
		error = error_create(ERROR_USAGE,
				     "%zu URLs in %u iterations are more than %d: --bisect finds "
				     "those that leak in fewer runs",
				     urls.count, load_iteration_count(context->arguments),
				     LOAD_ROWS_MAX);
	if (!error)
		error = load_init(&load, context->inspected, &options);
	if (error)
		return error;
	inspected_head(context->inspected, "load", &load.looks[0].look,
		       &load.looks[0].snapshot.census, &head);
	error = report_begin(context->report, &head);
	if (!error)
		error = load_report_begin(context->report);
	if (!error)
		error = load_go(context, &load, &urls);
	if (!error)
		error = load_report_notes(context->report, &load);
	return error ? error : load_amend(context, &load);
}

static const struct command_example load_examples[] = {
	{"load 4711 -N 4 -v --per 100 -- ab -q -n 100 -c 4 http://127.0.0.1:8000/cycle",
	 "what each hundred requests leave behind"},
	{"load 4711 --urls urls.txt -N 3 -- ab -q -n 100 {url}",
	 "a block for each URL, then the URLs by what they leak"},
	{"load 4711 --urls urls.txt --bisect --per 100 -- ab -q -n 100 {url}",
	 "which of many leak, by halves"},
	{"load 4711 --fail-on growth -- ./smoke-test",
	 "for a test run: status 3 when a type grows"},
};

const struct command command_load = {
	.name = "load",
	.summary = "run a load again and again, and tell what grows with it",
	.words = "-- COMMAND...",
	.word = COMMAND_TEXT,
	.words_min = 1,
	.words_max = COMMAND_WORDS_ANY,
	.description =
		"Counts the objects of the process, runs COMMAND (without a shell), waits until "
		"the process is at\n"
		"rest, counts again, and so on, N times. For each iteration it tells the sum of "
		"all reference counts\n"
		"and how it changed, with -v the changes of each type: instances and references. "
		"The first iteration\n"
		"is the warm-up: what it leaves behind is loaded, cached or started once.\n"
		"\n"
		"The verdict names the types that grow with the iterations after it: never fewer "
		"than the time\n"
		"before, along a straight line; the confidence is how much of the change the "
		"line explains (R squared,\n"
		"1.000 when each iteration leaves as many behind as the others).\n"
		"\n"
		"With --bisect all URLs of the list run once for the warm-up, then in groups: a "
		"group leaks when of\n"
		"some type there are half as many objects more as it made requests for one URL "
		"(--per), or ten. Each\n"
		"URL that is found runs once more alone.\n"
		"\n"
		"Objects that wait for the collector are no growth: when some type grows, the "
		"graph of references is\n"
		"built before and after the last iteration, and types of which a collection would "
		"free as many more as\n"
		"there are more are left out. With the collector disabled nothing is left out.\n"
		"\n"
		"Ctrl-C ends it with the verdict over the iterations until then, and exit status "
		"1; so does a command\n"
		"that failed each time, and with --fail-on one that failed once or ran fewer than "
		"three times.\n"
		"\n"
		"What COMMAND prints goes nowhere; the end of what it complains about is told "
		"when it fails.\n"
		"\n"
		"The logs have the forms of Launchpad's: --scoreboard a line with the resident "
		"memory and one per\n"
		"type; --leak-log a line for each iteration with the date, the page id, the "
		"change of resident memory\n"
		"and of each type that grew; --memory-log eight columns: timestamp, page id, "
		"oops id, duration, and\n"
		"virtual and resident memory before and after.\n"
		"\n"
		"In JSON: 'iterations' with n, warm_up, page_id, command (words, exit, seconds), "
		"sum_refcount,\n"
		"sys_refcount, change, rss_change, at_rest, exact and types (as in diff); "
		"'verdict' with growing\n"
		"(page_id, name, per_iteration, per_request, confidence, from, to) and steps; "
		"with --urls 'urls' (url,\n"
		"objects and bytes per iteration, per_request, types); with --bisect 'bisect' "
		"(urls, runs, leaking,\n"
		"unconfirmed) and no verdict.",
	.options = load_options,
	.option_count = ARRAY_COUNT(load_options),
	.examples = load_examples,
	.example_count = ARRAY_COUNT(load_examples),
	// clang-format off
	.example_output =
		"...\n"
		"Iteration 4\n"
		"  ran: ab -q -n 100 -c 4 http://127.0.0.1:8000/cycle (exit 0) in 0.077 seconds\n"
		"  sum detail refcount=134611   sys refcount=134611   change=499 (4.99 per request)\n"
		"    Leak details, changes in instances and refcounts by type/class:\n"
		"    type/class                                               insts   refs  per request\n"
		"    -------------------------------------------------------  -----   ----  -----------\n"
		"    bytearray                                                  100    100         1.00\n"
		"    leak_demo.Child                                            100    100         1.00\n"
		"    leak_demo.Parent                                           100    100         1.00\n"
		"    str                                                          0     -1         0.00\n"
		"    type                                                         0    200         0.00\n"
		"    -------------------------------------------------------  -----   ----  -----------\n"
		"    total                                                      300    499         3.00\n"
		"\n"
		"Verdict\n"
		"GROWING TYPE      PER ITERATION  PER REQUEST  CONFIDENCE  FROM     TO\n"
		"bytearray               100.000        1.000       1.000   800  1,100\n"
		"leak_demo.Child         100.000        1.000       1.000   600    900\n"
		"leak_demo.Parent        100.000        1.000       1.000   600    900\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE |
		 COMMAND_GOES_ON | COMMAND_WANTS_PROCESS,
	.check = load_check,
	.run = load_run,
};
