// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "ui/watch/fleet_children.h"
#include "ui/watch/watch_options.h"

static void member_destroy(struct fleet *fleet, struct fleet_member *member)
{
	if (!member)
		return;
	recorder_deinit(&member->recorder);
	watch_growth_deinit(&member->growth);
	if (member->is_owned)
		fleet->opener->close(fleet->opener, member->inspected);
	free(member);
}

double fleet_age_seconds(const struct process_identity *identity)
{
	struct timespec up;

	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)up.tv_sec + (double)up.tv_nsec / 1e9 -
	       (double)identity->start_ticks / (double)sysconf(_SC_CLK_TCK);
}

// Its file is begun here, its first point not taken.
static struct error *member_start(struct fleet *fleet, struct fleet_member *member)
{
	struct recorder_options options = fleet->options.recorder;
	_cleanup_free_ char *path = NULL;

	// Of those that come and go each is watched to its end.
	if (member->is_child)
		options.points_max = 0;
	if (options.path) {
		struct error *error =
			watch_file_name(options.path, member->identity.pid, record_now_ms(), &path);
		if (error)
			return error;
		options.path = path;
	}
	return recorder_start(&member->recorder, member->inspected, &options);
}

static struct error *member_create(struct fleet *fleet, struct inspected *inspected,
				   struct fleet_member **ret)
{
	struct fleet_member *member = calloc(1, sizeof(*member));

	if (!member)
		return error_no_memory();
	member->inspected = inspected;
	if (!process_identify(inspected->pid, &member->identity)) {
		free(member);
		return error_create(ERROR_GONE, "process %d has ended", inspected->pid);
	}
	member->start_seconds =
		(double)record_now_ms() / 1e3 - fleet_age_seconds(&member->identity);
	*ret = member;
	return NULL;
}

struct error *fleet_init(struct fleet *fleet, struct inspected *inspected,
			 struct inspected_opener *opener, const struct fleet_options *options)
{
	*fleet = (struct fleet){.opener = opener, .options = *options};
	struct error *error = member_create(fleet, inspected, &fleet->members[0]);

	if (error)
		return error;
	fleet->count = fleet->opened_count = 1;
	return NULL;
}

static struct error *member_take_point(struct fleet_member *member)
{
	struct recorder *recorder = &member->recorder;
	struct error *error = recorder_take(recorder, member->inspected);

	// Of a point at which nothing could be counted there is none.
	if (!error && recorder->census.rows)
		watch_growth_add(&member->growth, &recorder->census, recorder->time_ms);
	return error;
}

// Takes the first point, unless that is for later: what cannot be counted is not let in.
struct error *fleet_open(struct fleet *fleet, pid_t pid, bool is_child)
{
	struct inspected *inspected = NULL;
	struct fleet_member *member = NULL;
	struct error *error = fleet->opener->open(fleet->opener, pid, &inspected);

	if (error)
		return error;
	inspected_use_snapshot(inspected, fleet->options.snapshot);
	inspected_redact(inspected, fleet->options.redacts);
	error = member_create(fleet, inspected, &member);
	if (error) {
		fleet->opener->close(fleet->opener, inspected);
		return error;
	}
	member->is_owned = true;
	member->is_child = is_child;
	if (is_child)
		error = member_start(fleet, member);
	if (!error && is_child)
		error = member_take_point(member);
	if (error) {
		member_destroy(fleet, member);
		return error;
	}
	fleet->members[fleet->count++] = member;
	fleet->opened_count++;
	return NULL;
}

// What is wrong with a process mostly names it already.
static struct error *fleet_name(struct error *error, pid_t pid)
{
	char name[32];

	snprintf(name, sizeof(name), "process %d ", pid);
	if (strncmp(error->message, name, strlen(name)) == 0)
		return error;
	return error_prefix(error, "process %d", pid);
}

struct error *fleet_add(struct fleet *fleet, pid_t pid)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (fleet->members[i]->identity.pid == pid)
			return error_create(ERROR_USAGE, "process %d is named twice", pid);
	if (fleet->count == FLEET_MEMBERS_MAX)
		return error_create(ERROR_USAGE, "at most %d processes are watched together",
				    FLEET_MEMBERS_MAX);
	struct error *error = fleet_open(fleet, pid, false);
	return error ? fleet_name(error, pid) : NULL;
}

struct error *fleet_start(struct fleet *fleet)
{
	struct error *error = NULL;

	for (size_t i = 0; i < fleet->count && !error; i++) {
		error = member_start(fleet, fleet->members[i]);
		if (!error)
			error = member_take_point(fleet->members[i]);
		if (error && i && error->code != ERROR_INTERRUPTED)
			error = fleet_name(error, fleet->members[i]->identity.pid);
	}
	return error;
}

static bool member_has_all_points(const struct fleet_member *member)
{
	const struct recorder *recorder = &member->recorder;

	return recorder->options.points_max &&
	       recorder->point_count >= recorder->options.points_max;
}

// A pid that turned to another program is another process to us.
static bool member_has_changed(const struct fleet_member *member)
{
	struct process_identity now;

	return process_identify(member->identity.pid, &now) &&
	       !process_identity_is(&now, &member->identity);
}

bool fleet_member_is_there(const struct fleet_member *member)
{
	struct process_identity now;

	return (member->recorder.running || member_has_all_points(member)) &&
	       process_identify(member->identity.pid, &now) &&
	       process_identity_is(&now, &member->identity);
}

// Children are watched as long as somebody who was named is, or until they end.
static bool fleet_is_over(const struct fleet *fleet)
{
	bool named_runs = false, child_runs = false, has_all_points = false;

	for (size_t i = 0; i < fleet->count; i++) {
		const struct recorder *recorder = &fleet->members[i]->recorder;
		bool is_child = fleet->members[i]->is_child;
		named_runs |= recorder->running && !is_child;
		child_runs |= recorder->running && is_child;
		has_all_points |= !is_child && member_has_all_points(fleet->members[i]);
	}
	return !named_runs && (!child_runs || has_all_points);
}

uint64_t fleet_due_ns(const struct fleet *fleet)
{
	bool looks = fleet->options.children && fleet->members[0]->recorder.running;
	uint64_t due_ns = looks ? fleet->look_ns : UINT64_MAX;

	if (fleet_is_over(fleet))
		return UINT64_MAX;
	for (size_t i = 0; i < fleet->count; i++) {
		uint64_t its_ns = recorder_due_ns(&fleet->members[i]->recorder);
		due_ns = its_ns < due_ns ? its_ns : due_ns;
	}
	return due_ns;
}

bool fleet_has_news(const struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (fleet->members[i]->recorder.running &&
		    !fleet_member_is_there(fleet->members[i]))
			return true;
	return false;
}

static double fleet_pause_share(const struct recorder *recorder)
{
	double recorded_ns = (double)recorder->record.recorded_ms * 1e6;

	return recorder->stops && recorded_ns > 0 ? (double)recorder->pause_total_ns / recorded_ns
						  : -1;
}

void fleet_summarise(const struct fleet_member *member, struct fleet_summary *ret)
{
	const struct recorder *recorder = &member->recorder;
	const struct record *record = &recorder->record;

	*ret = (struct fleet_summary){
		.pid = member->identity.pid,
		.is_child = member->is_child,
		.points = recorder->point_count,
		.pause_share = fleet_pause_share(recorder),
	};
	snprintf(ret->program, sizeof(ret->program), "%s", record->process.program);
	snprintf(ret->ended, sizeof(ret->ended), "%s", record->ended);
	for (size_t i = 0; i < RECORDER_SERIES_COUNT; i++) {
		const struct record_series *series = &record->series[i];
		bool known = i < record->series_count && series->value_count;
		ret->first[i] = known ? series->first.value : SERIES_ABSENT;
		ret->last[i] = known ? series->last.value : SERIES_ABSENT;
	}
}

static void fleet_keep_past(struct fleet *fleet, const struct fleet_member *member)
{
	if (fleet->past_count == FLEET_PAST_MAX)
		memmove(fleet->past, fleet->past + 1, --fleet->past_count * sizeof(fleet->past[0]));
	fleet_summarise(member, &fleet->past[fleet->past_count++]);
}

static void fleet_drop(struct fleet *fleet, size_t at)
{
	struct fleet_member *member = fleet->members[at];

	fleet_keep_past(fleet, member);
	member_destroy(fleet, member);
	fleet->count--;
	memmove(&fleet->members[at], &fleet->members[at + 1],
		(fleet->count - at) * sizeof(fleet->members[0]));
}

// What a point that failed is to the others: a word.
static struct error *fleet_tell_end(struct fleet *fleet, struct fleet_member *member,
				    struct fleet_watcher *watcher)
{
	char text[300];

	fleet->ended_count += !member_has_all_points(member);
	if (!fleet_is_several(fleet))
		return NULL;
	snprintf(text, sizeof(text), "process %d is not watched any more: %s", member->identity.pid,
		 member->recorder.record.ended);
	return watcher->on_word(watcher, text);
}

static struct error *fleet_take_member(struct fleet *fleet, struct fleet_member *member,
				       struct fleet_watcher *watcher)
{
	uint64_t before = member->recorder.point_count;
	struct error *error = member_take_point(member);

	if (error && (error->code == ERROR_INTERRUPTED || error->code == ERROR_NO_MEMORY ||
		      !fleet_is_several(fleet)))
		return error;
	// The recorder has noted why, and has ended.
	error_destroy(error);
	error = NULL;
	if (member->recorder.point_count > before)
		error = watcher->on_point(watcher, member);
	if (!error && !member->recorder.running)
		error = fleet_tell_end(fleet, member, watcher);
	return error;
}

static struct error *fleet_take_all(struct fleet *fleet, struct fleet_watcher *watcher)
{
	struct error *error = NULL;

	for (size_t i = 0; i < fleet->count && !error; i++) {
		struct fleet_member *member = fleet->members[i];
		const struct recorder *recorder = &member->recorder;
		if (!recorder->running || (clock_now_ns() < recorder_due_ns(recorder) &&
					   recorder_process_lives(recorder)))
			continue;
		error = interrupt_check();
		if (!error)
			error = fleet_take_member(fleet, member, watcher);
		if (!error && member->is_child && !recorder->running)
			fleet_drop(fleet, i--);
	}
	return error;
}

static struct error *fleet_end_changed(struct fleet *fleet, struct fleet_watcher *watcher)
{
	struct error *error = NULL;

	for (size_t i = 0; i < fleet->count && !error; i++) {
		struct fleet_member *member = fleet->members[i];
		if (!member->recorder.running || !member_has_changed(member))
			continue;
		error = recorder_stop(&member->recorder, "it runs another program now");
		if (!error)
			error = fleet_tell_end(fleet, member, watcher);
		if (!error && member->is_child)
			fleet_drop(fleet, i--);
	}
	return error;
}

struct error *fleet_take(struct fleet *fleet, struct fleet_watcher *watcher)
{
	struct error *error = fleet_end_changed(fleet, watcher);

	// Who has lost their parent cannot be found by it any more; those that were found stay.
	if (!error && fleet->options.children && fleet->members[0]->recorder.running &&
	    clock_now_ns() >= fleet->look_ns) {
		error = fleet_look_for_children(fleet, watcher);
		fleet->look_ns = clock_now_ns() + fleet->options.recorder.interval_ns;
	}
	return error ? error : fleet_take_all(fleet, watcher);
}

struct error *fleet_stop(struct fleet *fleet, const char *how)
{
	struct error *error = NULL;

	for (size_t i = 0; i < fleet->count; i++) {
		struct error *failed = recorder_stop(&fleet->members[i]->recorder, how);
		if (error)
			error_destroy(failed);
		else
			error = failed;
	}
	return error;
}

bool fleet_is_several(const struct fleet *fleet)
{
	return fleet->options.children || fleet->count > 1;
}

void fleet_deinit(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		member_destroy(fleet, fleet->members[i]);
	*fleet = (struct fleet){0};
}
