// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/watch_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/duration.h"
#include "ui/file_name.h"
#include "ui/metrics/metrics_server.h"

const struct command_option watch_option_table[WATCH_OPTION_COUNT] = {
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
			  .summary = "append each point to FILE, for stats --record; %p in it is "
				     "the pid"},
	[WATCH_MAX_PAUSE_SHARE] = {.name = "max-pause-share",
				   .word = COMMAND_TEXT,
				   .argument = "PERCENT",
				   .summary = "wait longer where the process would stand still for "
					      "more of the time; 0.1% unless given"},
	[WATCH_NO_STOP] = {.name = "no-stop",
			   .summary = "never stop the process: rss, vss and pss alone"},
	[WATCH_TYPES] = {.name = "types",
			 .letter = 't',
			 .summary = "tell at the end which types there are more of"},
	[WATCH_CHILDREN] = {.name = "children",
			    .summary = "watch the children of TARGET that are Python, too, as they "
				       "come and go"},
	[WATCH_METRICS] = {.name = "metrics",
			   .word = COMMAND_FILE,
			   .argument = "FILE",
			   .summary = "write each point to FILE, for node_exporter's textfile "
				      "collector"},
	[WATCH_LISTEN] = {.name = "listen",
			  .word = COMMAND_TEXT,
			  .argument = "ADDR:PORT",
			  .summary = "serve the last point to Prometheus at /metrics; on 127.0.0.1 "
				     "for :PORT"},
	[WATCH_TOP] = {.name = "top",
		       .word = COMMAND_NUMBER,
		       .argument = "N",
		       .summary = "the N biggest and the N most grown types, 20 unless given"},
	[WATCH_WHEN] = {.name = "when",
			.word = COMMAND_TEXT,
			.argument = "COND",
			.repeatable = true,
			.summary = "tell when it becomes true: rss>1GiB, objects>N, garbage>N, "
				   "growth>N/min, growth(TYPE)>N/min"},
	[WATCH_RUN] = {.name = "run",
		       .word = COMMAND_TEXT,
		       .argument = "CMD",
		       .summary =
			       "and run this in a shell, which finds LEAKINSPECT_PID, _REASON and "
			       "_VALUE in its environment"},
	[WATCH_SAVE] = {.name = "save",
			.word = COMMAND_FILE,
			.argument = "FILE",
			.summary =
				"and save a snapshot for diff, as --snapshot FILE does; %p in FILE "
				"is the pid, %t the time"},
};

static const uint64_t watch_interval_min_ns = 50 * 1000 * 1000;

struct error *watch_file_name(const char *pattern, int pid, int64_t time_ms, char **ret)
{
	char digits[16], time[FILE_NAME_TIME_CHARS];
	const struct file_name_value values[] = {{'p', digits},
						 {'t', file_name_time(time_ms, time)}};
	_cleanup_text_ struct text text = {0};

	snprintf(digits, sizeof(digits), "%d", pid);
	struct error *error = file_name_fill(pattern, values, ARRAY_COUNT(values), &text);
	if (error)
		return error;
	*ret = strdup(text_chars(&text));
	return *ret ? NULL : error_no_memory();
}

static struct error *watch_check_name(const char *option, const char *pattern)
{
	_cleanup_free_ char *unused = NULL;
	struct error *error = watch_file_name(pattern, 0, 0, &unused);

	return error ? error_prefix(error, "%s", option) : NULL;
}

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

static struct error *watch_parse_interval(const char *text, uint64_t *ret)
{
	if (duration_parse(text, ret) && *ret >= watch_interval_min_ns)
		return NULL;
	return error_create(ERROR_USAGE,
			    "'%s' is no interval from 50ms to a year, such as 10s or 5m", text);
}

static bool watch_is_number(const char *word)
{
	return *word && !word[strspn(word, "0123456789")];
}

static struct error *watch_parse_pid(const char *word, struct watch_options *ret)
{
	long number = strlen(word) < 10 ? atol(word) : 0;

	if (number <= 0)
		return error_create(ERROR_USAGE, "'%s' is no process id", word);
	if (ret->pid_count == FLEET_MEMBERS_MAX - 1)
		return error_create(ERROR_USAGE, "at most %d processes are watched together",
				    FLEET_MEMBERS_MAX);
	ret->pids[ret->pid_count++] = (pid_t)number;
	return NULL;
}

// Further processes, and an interval: "4712 4713 10s".
static struct error *watch_parse_words(const struct arguments *arguments, bool in_console,
				       struct watch_options *ret)
{
	const char *interval = arguments->options[WATCH_INTERVAL].text;
	struct error *error = NULL;
	bool is_word = false;

	for (size_t i = 0; i < arguments->word_count && !error; i++) {
		const char *word = arguments->words[i];
		if (!in_console && watch_is_number(word)) {
			error = watch_parse_pid(word, ret);
			continue;
		}
		if (is_word)
			return error_create(ERROR_USAGE, "watch: '%s' is one word too many", word);
		if (interval)
			return error_create(ERROR_USAGE, "watch wants one interval: '%s' or '%s'?",
					    interval, word);
		interval = word;
		is_word = true;
	}
	ret->is_off = is_word && !strcmp(interval, "off");
	if (!error && interval && !ret->is_off)
		error = watch_parse_interval(interval, &ret->fleet.recorder.interval_ns);
	return error;
}

static struct error *watch_parse_triggers(const struct arguments *arguments,
					  struct watch_options *ret)
{
	const struct arguments_value *when = &arguments->options[WATCH_WHEN];
	struct error *error = NULL;

	if (when->count > WATCH_TRIGGERS_MAX)
		return error_create(ERROR_USAGE, "at most %d conditions (--when)",
				    WATCH_TRIGGERS_MAX);
	for (size_t i = 0; i < when->count && !error; i++) {
		const struct trigger *trigger = &ret->triggers[i];
		ret->trigger_count++;
		error = trigger_parse(when->texts[i], &ret->triggers[i]);
		if (!error && ret->fleet.recorder.no_stop && trigger_counts_objects(trigger))
			error = error_create(ERROR_USAGE,
					     "--when '%s' counts objects, for which the process is "
					     "stopped: not with --no-stop",
					     trigger->text);
	}
	if (!error && !when->count && (ret->run || ret->save))
		error = error_create(ERROR_USAGE, "%s wants a condition: --when 'rss>1GiB'",
				     ret->run ? "--run" : "--save");
	return error;
}

// What belongs together and what does not.
static struct error *watch_check_combinations(const struct watch_options *options)
{
	const char *record = options->fleet.recorder.path;
	bool several = options->pid_count || options->fleet.children;
	struct error *error = NULL;

	if (record && several && !file_name_has(record, 'p'))
		return error_create(ERROR_USAGE,
				    "--record '%s' would be of several processes: %%p "
				    "in it is the pid",
				    record);
	if (options->save && several && !file_name_has(options->save, 'p'))
		return error_create(ERROR_USAGE,
				    "--save '%s' would be of several processes: %%p "
				    "in it is the pid",
				    options->save);
	if (options->save && options->fleet.recorder.no_stop)
		return error_create(ERROR_USAGE,
				    "--save counts objects, for which the process is stopped: not "
				    "with --no-stop");
	if (record)
		error = watch_check_name("--record", record);
	if (!error && options->save)
		error = watch_check_name("--save", options->save);
	if (!error && options->listen)
		error = metrics_server_check(options->listen);
	return error;
}

static struct error *watch_parse_top(const struct arguments_value *value, size_t *ret)
{
	if (!value->count)
		return NULL;
	if (!value->number || value->number > WATCH_TOP_MAX)
		return error_create(ERROR_USAGE, "--top wants a number from 1 to %d",
				    WATCH_TOP_MAX);
	*ret = value->number;
	return NULL;
}

static struct error *watch_check_place(const struct arguments *arguments, bool in_console)
{
	for (size_t i = WATCH_FIRST_OF_SHELL; i < WATCH_OPTION_COUNT && in_console; i++)
		if (arguments->options[i].count)
			return error_create(ERROR_USAGE,
					    "--%s is for the shell: leakinspect watch PID --%s",
					    watch_option_table[i].name, watch_option_table[i].name);
	return NULL;
}

static void watch_options_fill(const struct arguments *arguments, struct watch_options *ret)
{
	const struct arguments_value *values = arguments->options;

	*ret = (struct watch_options){
		.fleet.recorder = {.interval_ns = UINT64_C(10000000000),
				   .pause_share_max = 0.001,
				   .points_max = values[WATCH_COUNT].number,
				   .no_stop = values[WATCH_NO_STOP].count,
				   .path = values[WATCH_RECORD].text},
		.fleet.children = values[WATCH_CHILDREN].count,
		.fleet.snapshot =
			(enum inspected_snapshot)arguments->common[ARGUMENTS_SNAPSHOT].number,
		.fleet.redacts = arguments_has(arguments, ARGUMENTS_REDACT),
		.asks = arguments->word_count,
		.types = values[WATCH_TYPES].count,
		.top = 20,
		.metrics = values[WATCH_METRICS].text,
		.listen = values[WATCH_LISTEN].text,
		.run = values[WATCH_RUN].text,
		.save = values[WATCH_SAVE].text,
	};
	for (size_t i = 0; i < WATCH_OPTION_COUNT; i++)
		ret->asks |= values[i].count > 0;
}

struct error *watch_options_parse(const struct arguments *arguments, bool in_console,
				  struct watch_options *ret)
{
	const struct arguments_value *values = arguments->options;

	watch_options_fill(arguments, ret);
	struct error *error = watch_check_place(arguments, in_console);
	if (!error)
		error = watch_parse_words(arguments, in_console, ret);
	if (!error && values[WATCH_COUNT].count && !ret->fleet.recorder.points_max)
		error = error_create(ERROR_USAGE, "--count wants a number from 1");
	if (!error && values[WATCH_MAX_PAUSE_SHARE].text)
		error = watch_parse_share(values[WATCH_MAX_PAUSE_SHARE].text,
					  &ret->fleet.recorder.pause_share_max);
	if (!error)
		error = watch_parse_top(&values[WATCH_TOP], &ret->top);
	if (!error)
		error = watch_parse_triggers(arguments, ret);
	return error ? error : watch_check_combinations(ret);
}

void watch_options_deinit(struct watch_options *options)
{
	for (size_t i = 0; i < options->trigger_count; i++)
		trigger_deinit(&options->triggers[i]);
	*options = (struct watch_options){0};
}
