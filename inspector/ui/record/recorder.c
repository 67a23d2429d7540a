// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/recorder.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/process.h"

// In the order of enum recorder_series.
static const struct {
	const char *name;
	enum series_unit unit;
} recorder_series[RECORDER_SERIES_COUNT] = {
	[RECORDER_RSS] = {"rss", SERIES_BYTES},
	[RECORDER_VSS] = {"vss", SERIES_BYTES},
	[RECORDER_PSS] = {"pss", SERIES_BYTES},
	[RECORDER_OBJECTS] = {"objects", SERIES_COUNT},
	[RECORDER_GARBAGE] = {"garbage", SERIES_COUNT},
	[RECORDER_PAUSE] = {"pause", SERIES_NS},
};

// By the clock that nobody sets: within a run a point is as much later as it was.
static int64_t recorder_time_ms(const struct recorder *recorder, uint64_t at_ns)
{
	return recorder->began_ms + (int64_t)((at_ns - recorder->began_ns) / 1000000);
}

struct error *recorder_start(struct recorder *recorder, struct inspected *inspected,
			     const struct recorder_options *options)
{
	struct record record = recorder->record;

	census_deinit(&recorder->census);
	struct error *error = record_process_read(inspected, &record.process);

	// A recording without stops has all series, too: a later one of the same record may stop.
	for (size_t i = 0; i < RECORDER_SERIES_COUNT && !error; i++) {
		struct record_series *series;

		error = record_add_series(&record, recorder_series[i].name, recorder_series[i].unit,
					  &series);
	}
	if (error)
		return error;
	record_interrupt(&record);
	record.ended[0] = '\0';
	*recorder = (struct recorder){
		.record = record,
		.options = *options,
		.running = true,
		.began_ns = clock_now_ns(),
		.began_ms = record_now_ms(),
	};
	recorder->options.path = NULL;
	recorder->due_ns = recorder->began_ns;
	// The clock may have been set back since the run before.
	if (record.point_count && recorder->began_ms <= record.end_ms)
		recorder->began_ms = record.end_ms + 1;
	if (options->path)
		error = record_writer_open(options->path, &recorder->writer);
	if (!error && recorder->writer)
		error = record_writer_begin(recorder->writer, &recorder->record,
					    recorder->began_ms);
	if (error) {
		recorder->running = false;
		record_writer_close(take_ptr(recorder->writer));
	}
	return error;
}

uint64_t recorder_due_ns(const struct recorder *recorder)
{
	return recorder->running ? recorder->due_ns : UINT64_MAX;
}

/** One point under way. */
struct recorder_point {
	/** By base/clock.h. */
	uint64_t begin_ns;
	int64_t values[RECORD_SERIES_MAX];
	uint64_t pause_total_ns;
	bool inexact;
};

static void point_add_look(struct recorder *recorder, struct recorder_point *point,
			   const struct session_look *look)
{
	point->pause_total_ns += look->pause_total_ns;
	recorder->stops += look->stops;
	recorder->pause_ns = look->pause_ns;
	recorder->pause_total_ns += look->pause_total_ns;
}

static struct error *recorder_count(struct recorder *recorder, struct inspected *inspected,
				    struct recorder_point *point)
{
	_cleanup_census_ struct census census = {0};
	struct target_facts facts = {0};
	struct session_look look = {0};
	struct error *error = inspected_facts(inspected, &look, &facts);

	point_add_look(recorder, point, &look);
	if (error)
		return error;
	memcpy(recorder->gc_stats, facts.stats, sizeof(facts.stats));
	recorder->gc_stats_count = facts.stats_count;
	// -1 is how a target says that its runtime does not tell.
	int64_t garbage = facts.garbage_count >= 0 ? facts.garbage_count : SERIES_ABSENT;
	target_facts_deinit(&facts);
	look = (struct session_look){0};
	error = inspected_census_without_caches(inspected, &look, &census);
	point_add_look(recorder, point, &look);
	recorder->look = look;
	if (error)
		return error;
	point->values[RECORDER_GARBAGE] = garbage;
	point->values[RECORDER_OBJECTS] = (int64_t)census.total.count;
	point->values[RECORDER_PAUSE] = (int64_t)point->pause_total_ns;
	point->inexact = !look.consistent || census.unreadable || census.truncated;
	if (census.unreadable > recorder->unreadable)
		recorder->unreadable = census.unreadable;
	if (census.truncated > recorder->truncated)
		recorder->truncated = census.truncated;
	if (recorder->options.keeps_census) {
		recorder->census = census;
		census = (struct census){0};
	}
	return NULL;
}

// What fails once may be there the next time (a debugger came and went); the first time it will not.
static struct error *recorder_count_if_it_can(struct recorder *recorder,
					      struct inspected *inspected,
					      struct recorder_point *point)
{
	struct error *error = recorder_count(recorder, inspected, point);

	if (!error || !recorder->point_count || error->code == ERROR_INTERRUPTED ||
	    error->code == ERROR_NO_MEMORY)
		return error;
	recorder->failed_count++;
	snprintf(recorder->failure, sizeof(recorder->failure), "%s", error->message);
	error_destroy(error);
	return NULL;
}

// False when the process is not there any more.
static bool recorder_read_status(const struct recorder *recorder, struct process_status *ret)
{
	const struct record_process *process = &recorder->record.process;
	_cleanup_error_ struct error *error = process_status_read(process->pid, ret);

	return !error && !process_has_ended(ret) && ret->start_ticks == process->start_ticks;
}

static bool recorder_read_memory(const struct recorder *recorder, struct recorder_point *point)
{
	struct process_status status;
	uint64_t pss;

	if (!recorder_read_status(recorder, &status))
		return false;
	point->values[RECORDER_RSS] = (int64_t)status.rss_bytes;
	point->values[RECORDER_VSS] = (int64_t)status.vss_bytes;
	if (process_pss(status.pid, &pss))
		point->values[RECORDER_PSS] = (int64_t)pss;
	return true;
}

bool recorder_process_lives(const struct recorder *recorder)
{
	struct process_status status;

	return recorder_read_status(recorder, &status);
}

static void recorder_plan_next(struct recorder *recorder, const struct recorder_point *point)
{
	uint64_t interval_ns = recorder->options.interval_ns, now_ns = clock_now_ns();
	double needed_ns = (double)point->pause_total_ns / recorder->options.pause_share_max;
	// A pause of seconds with the smallest of shares is a year, not an overflow.
	uint64_t rest_ns = needed_ns < 3e16 ? (uint64_t)needed_ns : (uint64_t)3e16;

	recorder->due_ns += interval_ns;
	// Points that were missed are not made up for.
	if (recorder->due_ns < now_ns)
		recorder->due_ns = now_ns + interval_ns;
	if (recorder->due_ns < point->begin_ns + rest_ns)
		recorder->due_ns = point->begin_ns + rest_ns;
	recorder->planned_ns = rest_ns > interval_ns ? rest_ns : interval_ns;
}

static struct error *recorder_keep(struct recorder *recorder, const struct recorder_point *point)
{
	struct record *record = &recorder->record;
	int64_t time_ms = recorder_time_ms(recorder, point->begin_ns);

	if (record->point_count && time_ms <= record->end_ms)
		time_ms = record->end_ms + 1;
	struct error *error = record_add(record, time_ms, point->values, NULL);
	if (error)
		return error;
	recorder->point_count++;
	if (recorder->planned_ns > recorder->options.interval_ns &&
	    recorder->planned_ns > recorder->longest_interval_ns)
		recorder->longest_interval_ns = recorder->planned_ns;
	record->inexact_count += point->inexact;
	recorder->time_ms = time_ms;
	memcpy(recorder->values, point->values, sizeof(recorder->values));
	if (recorder->writer)
		error = record_writer_add(recorder->writer, record, time_ms, point->values,
					  point->inexact);
	return error;
}

static struct error *recorder_measure(struct recorder *recorder, struct inspected *inspected,
				      bool *ret_alive)
{
	struct recorder_point point;
	struct error *error = NULL;

	for (size_t i = 0; i < ARRAY_COUNT(point.values); i++)
		point.values[i] = SERIES_ABSENT;
	point.begin_ns = clock_now_ns();
	point.pause_total_ns = 0;
	point.inexact = false;
	census_deinit(&recorder->census);
	*ret_alive = recorder_read_memory(recorder, &point);
	if (!*ret_alive)
		return NULL;
	if (!recorder->options.no_stop)
		error = recorder_count_if_it_can(recorder, inspected, &point);
	if (error) {
		// It may be that the process has just ended.
		*ret_alive = recorder_read_memory(recorder, &point);
		if (*ret_alive || !recorder->point_count)
			return error;
		error_destroy(error);
		return NULL;
	}
	error = recorder_keep(recorder, &point);
	recorder_plan_next(recorder, &point);
	return error;
}

// The same word wherever it came: in the middle of a point or between two.
static const char *recorder_end_of(const struct error *error)
{
	if (error->code == ERROR_INTERRUPTED)
		return RECORDER_INTERRUPTED;
	return error->code == ERROR_GONE ? RECORDER_ENDED : error->message;
}

struct error *recorder_take(struct recorder *recorder, struct inspected *inspected)
{
	bool alive = true;
	struct error *error = recorder_measure(recorder, inspected, &alive);

	if (error) {
		error_destroy(recorder_stop(recorder, recorder_end_of(error)));
		return error;
	}
	if (!alive)
		return recorder_stop(recorder, RECORDER_ENDED);
	if (recorder->options.points_max && recorder->point_count >= recorder->options.points_max)
		return recorder_stop(recorder, "all points were taken");
	return NULL;
}

struct error *recorder_stop(struct recorder *recorder, const char *how)
{
	struct error *error = NULL;

	if (!recorder->running)
		return NULL;
	recorder->running = false;
	snprintf(recorder->record.ended, sizeof(recorder->record.ended), "%s", how);
	if (recorder->writer)
		error = record_writer_end(recorder->writer, &recorder->record,
					  recorder_time_ms(recorder, clock_now_ns()), how);
	record_writer_close(take_ptr(recorder->writer));
	return error;
}

void recorder_deinit(struct recorder *recorder)
{
	record_writer_close(recorder->writer);
	record_deinit(&recorder->record);
	census_deinit(&recorder->census);
	*recorder = (struct recorder){0};
}
