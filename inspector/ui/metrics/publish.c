// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/metrics/publish.h"

#include <stdlib.h>
#include <string.h>

#include "ui/output.h"

static int64_t publish_growth_of(const struct watch_growth *growth, const struct census_row *row)
{
	const struct census_row *first = census_find(&growth->moments[0].census, row->name);

	return (int64_t)row->count - (first ? (int64_t)first->count : 0);
}

static struct error *publish_biggest(const struct watch_growth *growth, size_t top,
				     struct metrics_process *into)
{
	const struct census *last = watch_growth_last(growth);
	struct error *error = NULL;

	// A census has those with most objects first.
	for (size_t i = 0; i < last->row_count && i < top && !error; i++) {
		const struct census_row *row = &last->rows[i];
		error = metrics_add_type(into, row->name, row->count, row->size_bytes,
					 publish_growth_of(growth, row));
	}
	return error;
}

static struct error *publish_most_grown(const struct watch_growth *growth, size_t top,
					struct metrics_process *into)
{
	_cleanup_changes_ struct changes changes = {0};
	const struct census *last = watch_growth_last(growth);
	struct error *error = watch_growth_find(growth, &changes);

	for (size_t i = 0; i < changes.row_count && i < top && !error; i++) {
		const struct change_row *change = &changes.rows[i];
		const struct census_row *row = census_find(last, change->name);
		if (change->count <= 0)
			break;
		if (row)
			error = metrics_add_type(into, row->name, row->count, row->size_bytes,
						 change->count);
	}
	return error;
}

static struct error *publish_types(const struct watch_growth *growth, size_t top,
				   struct metrics_process *into)
{
	const struct census *last = watch_growth_last(growth);

	if (!last)
		return NULL;
	into->types = calloc(2 * top, sizeof(*into->types));
	if (!into->types)
		return error_no_memory();
	into->objects_bytes = (int64_t)last->total.size_bytes;
	into->growth = (int64_t)last->total.count - (int64_t)growth->moments[0].census.total.count;
	struct error *error = publish_biggest(growth, top, into);
	return error ? error : publish_most_grown(growth, top, into);
}

static int64_t publish_value(const struct recorder *recorder, enum recorder_series series)
{
	int64_t value = recorder->values[series];

	return value == SERIES_ABSENT ? METRICS_ABSENT : value;
}

static int64_t publish_told(int64_t value)
{
	return value < 0 ? METRICS_ABSENT : value;
}

static void publish_generations(const struct recorder *recorder, struct metrics_process *into)
{
	for (uint32_t i = 0; i < recorder->gc_stats_count && i < METRICS_GENERATIONS_MAX; i++) {
		const struct target_gc_stats *stats = &recorder->gc_stats[i];
		into->generations[into->generation_count++] = (struct metrics_generation){
			.collections = publish_told(stats->collections),
			.collected = publish_told(stats->collected),
			.uncollectable = publish_told(stats->uncollectable),
		};
	}
}

static struct error *publish_member(const struct fleet_member *member, size_t top,
				    struct metrics_process *into)
{
	const struct recorder *recorder = &member->recorder;
	bool counted = recorder->values[RECORDER_OBJECTS] != SERIES_ABSENT;

	*into = (struct metrics_process){
		.pid = member->identity.pid,
		.is_up = counted || recorder->options.no_stop,
		.start_seconds = member->start_seconds,
		.point_seconds = (double)recorder->time_ms / 1e3,
		.interval_seconds = (double)recorder->planned_ns / 1e9,
		.rss_bytes = publish_value(recorder, RECORDER_RSS),
		.vss_bytes = publish_value(recorder, RECORDER_VSS),
		.pss_bytes = publish_value(recorder, RECORDER_PSS),
		.objects = publish_value(recorder, RECORDER_OBJECTS),
		.garbage = publish_value(recorder, RECORDER_GARBAGE),
		.types_known = counted ? !member->growth.types_unknown : METRICS_ABSENT,
		.objects_bytes = METRICS_ABSENT,
		.growth = METRICS_ABSENT,
		.points = recorder->point_count,
		.stops = recorder->stops,
		.pause_seconds = (double)recorder->pause_total_ns / 1e9,
	};
	publish_generations(recorder, into);
	return counted ? publish_types(&member->growth, top, into) : NULL;
}

// Of what has ended, or is watched no more, nothing is told: its figures would stand there for ever.
struct error *publish_gather(const struct fleet *fleet, size_t top, struct metrics *ret)
{
	struct error *error = NULL;

	*ret = (struct metrics){.opened_count = fleet->opened_count};
	ret->processes = calloc(fleet->count + 1, sizeof(*ret->processes));
	if (!ret->processes)
		return error_no_memory();
	for (size_t i = 0; i < fleet->count && !error; i++) {
		const struct fleet_member *member = fleet->members[i];
		if (fleet_member_is_there(member))
			error = publish_member(member, top, &ret->processes[ret->count++]);
	}
	// Each is the one or the other, also one whose end nobody has noticed yet.
	ret->ended_count = ret->opened_count - ret->count;
	return error;
}

// Whichever of the two formats.
static bool is_metrics(const char *begin)
{
	static const char mark[] = "# HELP leakinspect_";

	return !strncmp(begin, mark, strlen(mark));
}

struct error *publish_check_file(const char *path)
{
	return output_check_ours(path, is_metrics);
}

struct error *publish_to_file(const struct metrics *metrics, const char *path)
{
	_cleanup_output_ struct output output = {0};
	_cleanup_text_ struct text text = {0};
	struct error *error = metrics_write(metrics, METRICS_PROMETHEUS, &text);

	if (!error)
		error = output_open(path, true, &output);
	if (error)
		return error;
	// What cannot be written shows when it is committed.
	fwrite(text_chars(&text), 1, text.length, output.stream);
	return output_commit(&output);
}
