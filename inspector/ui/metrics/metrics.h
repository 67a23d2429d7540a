/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_METRICS_METRICS_H
#define UI_METRICS_METRICS_H

/*
 * The last point of each watched process as text for Prometheus. Knows neither processes nor servers:
 * numbers in, text out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/text.h"

enum metrics_format {
	/** Text 0.0.4, for node_exporter's textfile collector and whoever does not ask for the other. */
	METRICS_PROMETHEUS,
	/** OpenMetrics 1.0.0. */
	METRICS_OPENMETRICS,
};

/** Of what is not known. */
static const int64_t METRICS_ABSENT = INT64_MIN;

struct metrics_type {
	/** The label's value, escaped; owned. */
	char *label;
	uint64_t count;
	uint64_t size_bytes;
	/** Objects since the first census. */
	int64_t growth;
};

struct metrics_generation {
	/** Since the process was started; METRICS_ABSENT is not known. */
	int64_t collections;
	int64_t collected;
	int64_t uncollectable;
};

enum { METRICS_GENERATIONS_MAX = 8 };

struct metrics_process {
	int pid;
	/** The last point had all that it should have. */
	bool is_up;
	/** Seconds since 1970: when the process was started, and its last point. */
	double start_seconds;
	double point_seconds;
	/** From one point to the next, as it is now. */
	double interval_seconds;
	/** What follows may be METRICS_ABSENT. */
	int64_t rss_bytes;
	int64_t vss_bytes;
	int64_t pss_bytes;
	int64_t objects;
	int64_t objects_bytes;
	int64_t growth;
	int64_t garbage;
	/** Whether the types below are told of, or are too many. */
	int64_t types_known;
	/** Since it is watched: points, stops for them, and for how long it stood still in all. */
	uint64_t points;
	uint64_t stops;
	double pause_seconds;
	struct metrics_generation generations[METRICS_GENERATIONS_MAX];
	size_t generation_count;
	/** Owned. */
	struct metrics_type *types;
	size_t type_count;
};

struct metrics {
	/** Owned. */
	struct metrics_process *processes;
	size_t count;
	/** Processes since the beginning: watched, and of those ended. */
	uint64_t opened_count;
	uint64_t ended_count;
};

/** What a trailing header of HTTP says: "application/openmetrics-text; ...". */
const char *metrics_content_type(enum metrics_format format);

/** What a client wants that sent "Accept: @a accept"; NULL is none. */
enum metrics_format metrics_format_for(const char *accept);

/** Adds a type called @a name, whatever bytes that has; one whose label is there already is left out, as
 *  two values of one label are none. There must be room in `types`. */
MUST_USE struct error *metrics_add_type(struct metrics_process *process, const char *name,
					uint64_t count, uint64_t size_bytes, int64_t growth);

/** Appends the text, to its last line. */
MUST_USE struct error *metrics_write(const struct metrics *metrics, enum metrics_format format,
				     struct text *into);

void metrics_deinit(struct metrics *metrics);
#define _cleanup_metrics_ CLEANUP(metrics_deinit)

#endif
