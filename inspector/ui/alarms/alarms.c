// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alarms/alarms.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/output.h"
#include "ui/record/snapshot.h"
#include "ui/watch/watch_options.h"

enum { ALARMS_WAIT_MS = 50, ALARMS_VARIABLE_CHARS = 400 };

void alarms_init(struct alarms *alarms, const struct watch_options *options, bool force)
{
	*alarms = (struct alarms){.options = options, .force = force};
}

static struct alarm *alarms_add(struct alarms *alarms)
{
	if (alarms->count == ALARMS_KEPT_MAX) {
		free(alarms->kept[0].saved);
		memmove(alarms->kept, alarms->kept + 1, --alarms->count * sizeof(alarms->kept[0]));
	}
	struct alarm *alarm = &alarms->kept[alarms->count++];
	*alarm = (struct alarm){.number = alarms->total++, .exit_status = -1};
	return alarm;
}

static struct trigger_point alarms_point(const struct fleet_member *member)
{
	const int64_t *values = member->recorder.values;

	return (struct trigger_point){
		.values = {[TRIGGER_RSS] = values[RECORDER_RSS],
			   [TRIGGER_VSS] = values[RECORDER_VSS],
			   [TRIGGER_PSS] = values[RECORDER_PSS],
			   [TRIGGER_OBJECTS] = values[RECORDER_OBJECTS],
			   [TRIGGER_GARBAGE] = values[RECORDER_GARBAGE]},
		.growth = &member->growth,
	};
}

static const char *alarm_value(const struct alarm *alarm, char *into, size_t size)
{
	char number[HUMAN_CHARS];

	if (alarm->trigger->subject == TRIGGER_GROWTH)
		snprintf(into, size, "%s/min", human_count((int64_t)alarm->value, number));
	else if (trigger_counts_objects(alarm->trigger))
		snprintf(into, size, "%s", human_count((int64_t)alarm->value, number));
	else
		snprintf(into, size, "%s", human_bytes((int64_t)alarm->value, number));
	return into;
}

// The census of this very point, as a snapshot; it stays the member's.
static struct error *alarm_write_snapshot(FILE *out, const struct fleet_member *member)
{
	const struct recorder *recorder = &member->recorder;
	const struct census *census = watch_growth_last(&member->growth);

	if (!census || recorder->values[RECORDER_OBJECTS] == SERIES_ABSENT)
		return error_create(ERROR_FAILED, "the objects could not be counted at this point");
	if (member->growth.types_unknown)
		return error_create(ERROR_FAILED, "the process has or had more than %d types",
				    WATCH_GROWTH_TYPES_MAX);
	const struct snapshot snapshot = {
		.process = recorder->record.process,
		.time_ms = recorder->time_ms,
		.rss_bytes = (uint64_t)recorder->values[RECORDER_RSS],
		.vss_bytes = (uint64_t)recorder->values[RECORDER_VSS],
		.ref_total = recorder->look.ref_total,
		.exact = recorder->look.consistent && !census->unreadable && !census->truncated,
		.census = *census,
	};
	return snapshot_write(out, &snapshot);
}

static struct error *alarm_save(const struct alarms *alarms, struct alarm *alarm,
				const struct fleet_member *member)
{
	_cleanup_output_ struct output output = {0};
	_cleanup_free_ char *path = NULL;
	struct error *error =
		watch_file_name(alarms->options->save, alarm->pid, alarm->time_ms, &path);

	if (!error)
		error = output_open(path, alarms->force, &output);
	if (!error)
		error = alarm_write_snapshot(output.stream, member);
	if (!error)
		error = output_commit(&output);
	if (!error)
		alarm->saved = take_ptr(path);
	return error;
}

static struct error *alarm_run(struct alarms *alarms, const struct alarm *alarm)
{
	char pid[48], reason[ALARMS_VARIABLE_CHARS], value[64];
	const char *const variables[] = {pid, reason, value};

	snprintf(pid, sizeof(pid), "LEAKINSPECT_PID=%d", alarm->pid);
	snprintf(reason, sizeof(reason), "LEAKINSPECT_REASON=%s", alarm->trigger->text);
	snprintf(value, sizeof(value), "LEAKINSPECT_VALUE=%.15g", alarm->value);
	return background_start(&alarms->background, alarms->options->run, variables,
				ARRAY_COUNT(variables), alarm->number);
}

// A word for what could not be done; the watch goes on.
static struct error *alarm_tell_failure(struct fleet_watcher *watcher, const char *what,
					struct error *error)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *why = error;

	if (!why)
		return NULL;
	if (why->code == ERROR_INTERRUPTED || why->code == ERROR_NO_MEMORY)
		return take_ptr(why);
	struct error *failed = text_appendf(&text, "%s: %s", what, why->message);
	return failed ? failed : watcher->on_word(watcher, text_chars(&text));
}

static struct error *alarm_tell(const struct alarm *alarm, struct fleet_watcher *watcher)
{
	char value[HUMAN_CHARS + 8];
	_cleanup_text_ struct text text = {0};
	struct error *error =
		text_appendf(&text, "process %d: %s: it is %s", alarm->pid, alarm->trigger->text,
			     alarm_value(alarm, value, sizeof(value)));

	if (!error && alarm->saved)
		error = text_appendf(&text, "; saved %s", alarm->saved);
	return error ? error : watcher->on_word(watcher, text_chars(&text));
}

static struct error *alarms_fire(struct alarms *alarms, const struct trigger *trigger, double value,
				 const struct fleet_member *member, struct fleet_watcher *watcher)
{
	struct error *failed_save = NULL, *failed_run = NULL;
	struct alarm *alarm = alarms_add(alarms);

	alarm->time_ms = member->recorder.time_ms;
	alarm->pid = member->identity.pid;
	alarm->trigger = trigger;
	alarm->value = value;
	if (alarms->options->save)
		failed_save = alarm_save(alarms, alarm, member);
	if (alarms->options->run)
		failed_run = alarm_run(alarms, alarm);
	struct error *error = alarm_tell(alarm, watcher);
	struct error *more = alarm_tell_failure(watcher, "--save", failed_save);
	struct error *last = alarm_tell_failure(watcher, "--run", failed_run);
	if (error || more)
		error_destroy(last);
	if (error)
		error_destroy(more);
	return error ? error : more ? more : last;
}

struct error *alarms_judge(struct alarms *alarms, struct fleet_member *member,
			   struct fleet_watcher *watcher)
{
	const struct trigger_point point = alarms_point(member);
	struct error *error = NULL;

	for (size_t i = 0; i < alarms->options->trigger_count && !error; i++) {
		const struct trigger *trigger = &alarms->options->triggers[i];
		bool held = member->held >> i & 1;
		double value = 0;
		bool fires = trigger_fires(trigger, &point, &held, &value);

		member->held = (member->held & ~(UINT32_C(1) << i)) | (uint32_t)held << i;
		if (fires)
			error = alarms_fire(alarms, trigger, value, member, watcher);
	}
	return error;
}

static struct error *alarms_ended(struct alarms *alarms, const struct background_end *end,
				  struct fleet_watcher *watcher)
{
	bool exited = !end->was_killed && WIFEXITED(end->status);
	char text[160];

	for (size_t i = 0; i < alarms->count; i++)
		if (alarms->kept[i].number == end->number && exited)
			alarms->kept[i].exit_status = WEXITSTATUS(end->status);
	if (exited && WEXITSTATUS(end->status) == 0)
		return NULL;
	if (end->was_killed)
		snprintf(text, sizeof(text),
			 "--run: the command was killed: it had not ended in "
			 "%d seconds, or before the watch was stopped",
			 BACKGROUND_TIMEOUT_SECONDS);
	else if (exited)
		snprintf(text, sizeof(text), "--run: the command ended with status %d",
			 WEXITSTATUS(end->status));
	else
		snprintf(text, sizeof(text), "--run: the command was ended by signal %d",
			 WTERMSIG(end->status));
	return watcher->on_word(watcher, text);
}

struct error *alarms_collect(struct alarms *alarms, struct fleet_watcher *watcher)
{
	struct error *error = NULL;
	struct background_end end;

	while (!error && background_collect(&alarms->background, &end))
		error = alarms_ended(alarms, &end, watcher);
	return error;
}

struct error *alarms_finish(struct alarms *alarms, struct fleet_watcher *watcher)
{
	struct error *error = alarms_collect(alarms, watcher);

	while (!error && background_is_busy(&alarms->background)) {
		if (interrupt_pending())
			background_kill(&alarms->background);
		poll(NULL, 0, ALARMS_WAIT_MS);
		error = alarms_collect(alarms, watcher);
	}
	return error;
}

struct error *alarms_report(const struct alarms *alarms, struct report *report)
{
	static const struct report_column columns[] = {
		{.key = "time_ms", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "pid", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
		{.key = "condition", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "value", .unit = REPORT_REAL, .reader = REPORT_FOR_PROGRAMS},
		{.key = "saved", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "exit", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	};
	struct error *error = report_table(report, "triggers", columns, ARRAY_COUNT(columns));

	for (size_t i = 0; i < alarms->count && !error; i++) {
		const struct alarm *alarm = &alarms->kept[i];
		const struct report_cell cells[] = {
			{.number = alarm->time_ms},
			{.number = alarm->pid},
			{.text = alarm->trigger->text},
			{.real = alarm->value},
			{.text = alarm->saved, .absent = !alarm->saved},
			{.number = alarm->exit_status, .absent = alarm->exit_status < 0},
		};
		error = report_row(report, cells);
	}
	if (!error && alarms->total > alarms->count)
		error = report_note(report,
				    "triggers fired %" PRIu64 " times; the last %zu are told",
				    alarms->total, alarms->count);
	return error;
}

void alarms_deinit(struct alarms *alarms)
{
	background_deinit(&alarms->background);
	for (size_t i = 0; i < alarms->count; i++)
		free(alarms->kept[i].saved);
	*alarms = (struct alarms){0};
}
