// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/watch.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "ui/alarms/alarms.h"
#include "ui/answers/record_report.h"
#include "ui/metrics/metrics_server.h"
#include "ui/metrics/publish.h"
#include "ui/watch/watch_report.h"
#include "ui/watch/watch_table.h"

/** The processes are looked at so often while the next point is waited for: one may have ended. */
static const uint64_t watch_look_ns = 250 * 1000 * 1000;

/** A watch under way. */
struct watch {
	struct fleet_watcher watcher;
	struct command_context *context;
	const struct watch_options *options;
	struct fleet fleet;
	struct alarms alarms;
	struct metrics_server *server;
	/** Shown in place of lines. */
	struct watch_table table;
	bool has_table;
	/** How often the metrics' file could not be written, and why the last time. */
	uint64_t unpublished_count;
	char unpublished[240];
};

static void watch_deinit(struct watch *watch)
{
	watch_table_end(&watch->table);
	metrics_server_stop(watch->server);
	alarms_deinit(&watch->alarms);
	fleet_deinit(&watch->fleet);
}

static struct error *watch_on_word(struct fleet_watcher *watcher, const char *text)
{
	struct watch *watch = (struct watch *)watcher;
	_cleanup_free_ char *line = NULL;
	char time[32];

	if (asprintf(&line, "%s  %s", record_report_clock(record_now_ms(), false, time), text) <
	    0) {
		line = NULL;
		return error_no_memory();
	}
	if (watch->has_table)
		return watch_table_say(&watch->table, line);
	return report_remark(watch->context->report, "%s", line);
}

// Conditions on types hold their peace from now on, and somebody may wait for them.
static struct error *watch_tell_types_unknown(struct watch *watch, struct fleet_member *member)
{
	char text[160];

	if (!member->growth.types_unknown || member->told_types_unknown)
		return NULL;
	member->told_types_unknown = true;
	snprintf(text, sizeof(text),
		 "process %d has more than %d types: growth by type is not known from now on",
		 member->identity.pid, WATCH_GROWTH_TYPES_MAX);
	return watch_on_word(&watch->watcher, text);
}

static struct error *watch_on_point(struct fleet_watcher *watcher, struct fleet_member *member)
{
	struct watch *watch = (struct watch *)watcher;
	struct error *error = NULL;

	if (!watch->has_table)
		error = watch_report_point(watch->context->report, &watch->fleet, member);
	if (!error)
		error = watch_tell_types_unknown(watch, member);
	return error ? error : alarms_judge(&watch->alarms, member, watcher);
}

static struct error *watch_unpublished(struct watch *watch, struct error *error)
{
	bool is_new = strcmp(watch->unpublished, error->message) != 0;

	watch->unpublished_count++;
	snprintf(watch->unpublished, sizeof(watch->unpublished), "%s", error->message);
	error_destroy(error);
	return is_new ? watch_on_word(&watch->watcher, watch->unpublished) : NULL;
}

// What cannot be written the first time is an error; later it may be again.
static struct error *watch_publish(struct watch *watch, bool is_first)
{
	_cleanup_metrics_ struct metrics metrics = {0};
	const char *path = watch->options->metrics;

	if (!path && !watch->server)
		return NULL;
	struct error *error = publish_gather(&watch->fleet, watch->options->top, &metrics);
	if (!error && watch->server)
		error = metrics_server_set(watch->server, &metrics);
	if (error || !path)
		return error;
	error = publish_to_file(&metrics, path);
	return error && !is_first ? watch_unpublished(watch, error) : error;
}

// What comes after the points of a moment.
static struct error *watch_after_points(struct watch *watch, bool is_first)
{
	struct error *error = watch_publish(watch, is_first);

	if (!error && watch->has_table)
		error = watch_table_update(&watch->table, &watch->fleet);
	return error;
}

// Until something is to be done, somebody has ended, or somebody asks us to stop.
static struct error *watch_wait(struct watch *watch)
{
	for (;;) {
		uint64_t now_ns = clock_now_ns(), due_ns = fleet_due_ns(&watch->fleet);
		struct error *error = alarms_collect(&watch->alarms, &watch->watcher);

		if (!error && watch->has_table)
			error = watch_table_refresh(&watch->table, &watch->fleet);
		if (error || now_ns >= due_ns || interrupt_pending() ||
		    fleet_has_news(&watch->fleet))
			return error;
		uint64_t wait_ns =
			due_ns - now_ns < watch_look_ns ? due_ns - now_ns : watch_look_ns;
		poll(NULL, 0, (int)((wait_ns + 999999) / 1000000));
	}
}

static struct error *watch_first_points(struct watch *watch)
{
	struct error *error = NULL;

	for (size_t i = 0; i < watch->fleet.count && !error; i++)
		error = watch_on_point(&watch->watcher, watch->fleet.members[i]);
	// The children that are there already belong to the first moment.
	if (!error && watch->options->fleet.children)
		error = fleet_take(&watch->fleet, &watch->watcher);
	return error ? error : watch_after_points(watch, true);
}

// One moment after the other. That somebody asked us to stop is a good end.
static struct error *watch_go_on(struct watch *watch)
{
	struct error *error = watch_first_points(watch);

	while (!error && fleet_due_ns(&watch->fleet) != UINT64_MAX) {
		error = watch_wait(watch);
		if (error || interrupt_pending())
			break;
		error = fleet_take(&watch->fleet, &watch->watcher);
		if (!error)
			error = watch_after_points(watch, false);
	}
	if (error && error->code == ERROR_INTERRUPTED)
		error_destroy(take_ptr(error));
	if (!error)
		error = alarms_finish(&watch->alarms, &watch->watcher);
	if (error)
		return error;
	if (interrupt_pending())
		interrupt_clear();
	error = fleet_stop(&watch->fleet, RECORDER_INTERRUPTED);
	return error ? error : watch_publish(watch, false);
}

// What stays behind must not look alive after an error either.
static struct error *watch_withdraw(struct watch *watch, struct error *error)
{
	error_destroy(fleet_stop(&watch->fleet, error->message));
	error_destroy(watch_publish(watch, true));
	return error;
}

// A number was an interval once, and is one in the console.
static struct error *watch_add(struct watch *watch, pid_t pid)
{
	struct error *error = fleet_add(&watch->fleet, pid);

	if (!error || error->code != ERROR_GONE)
		return error;
	_cleanup_error_ struct error *gone = error;
	return error_create(ERROR_GONE, "%s; an interval has a unit, as %ds", gone->message, pid);
}

static struct error *watch_open(struct watch *watch, void (*tell)(const char *text))
{
	const struct watch_options *options = watch->options;
	struct command_context *context = watch->context;
	struct error *error = NULL;

	if (options->metrics && !arguments_has(context->arguments, ARGUMENTS_FORCE))
		error = publish_check_file(options->metrics);
	if (!error && options->listen)
		error = metrics_server_start(options->listen, &watch->server);
	if (!error && options->listen)
		tell(metrics_server_url(watch->server));
	if (!error)
		error = fleet_init(&watch->fleet, context->inspected, context->opener,
				   &options->fleet);
	for (size_t i = 0; i < options->pid_count && !error; i++)
		error = watch_add(watch, options->pids[i]);
	// The first points before a word is said: what does not work at all leaves no table.
	return error ? error : fleet_start(&watch->fleet);
}

static struct error *watch_begin(struct watch *watch)
{
	struct command_context *context = watch->context;
	bool json = arguments_has(context->arguments, ARGUMENTS_JSON);
	struct report_head head;

	watch_report_head(context, &watch->fleet, &head);
	struct error *error = report_begin(context->report, &head);
	watch->has_table = !error && !json && !watch->options->fleet.recorder.no_stop &&
			   watch_table_fits(context->out);
	if (watch->has_table)
		error = watch_table_begin(&watch->table, context->out,
					  !arguments_has(context->arguments, ARGUMENTS_NO_COLOR),
					  watch->options->top);
	else if (!error)
		error = watch_report_live(context->report, &watch->fleet);
	return error;
}

static struct error *watch_tell_unpublished(const struct watch *watch)
{
	if (!watch->unpublished_count)
		return NULL;
	return report_note(watch->context->report,
			   "the metrics could not be written %" PRIu64 " times: %s",
			   watch->unpublished_count, watch->unpublished);
}

static struct error *watch_end(struct watch *watch)
{
	struct command_context *context = watch->context;
	bool had_table = watch->has_table;
	const struct watch_report_style style = {
		.types = watch->options->types || had_table ? watch->options->top : 0,
		.on_terminal = context->on_terminal,
	};
	struct report_head head;

	watch_table_end(&watch->table);
	watch->has_table = false;
	watch_report_head(context, &watch->fleet, &head);
	struct error *error = report_amend(context->report, &head);
	if (!error)
		error = watch_report_end(context->report, &watch->fleet, &style);
	if (!error && watch->options->trigger_count)
		error = alarms_report(&watch->alarms, context->report);
	return error ? error : watch_tell_unpublished(watch);
}

struct error *watch_here(struct command_context *context, const struct watch_options *options,
			 void (*tell)(const char *text))
{
	CLEANUP(watch_deinit)
	struct watch watch = {
		.watcher = {.on_point = watch_on_point, .on_word = watch_on_word},
		.context = context,
		.options = options,
	};

	alarms_init(&watch.alarms, options, arguments_has(context->arguments, ARGUMENTS_FORCE));
	struct error *error = watch_open(&watch, tell);
	if (!error)
		error = watch_begin(&watch);
	if (error)
		return error;
	error = watch_go_on(&watch);
	return error ? watch_withdraw(&watch, error) : watch_end(&watch);
}
