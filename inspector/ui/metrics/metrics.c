// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/metrics/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "ui/report/safe_text.h"

enum metrics_kind { METRICS_GAUGE, METRICS_COUNTER };

/** A value of a process; `there` is whether it is known. */
struct metrics_value {
	bool there;
	bool is_real;
	int64_t number;
	double real;
};

struct metrics_family {
	/** Of a counter without "_total". */
	const char *name;
	enum metrics_kind kind;
	const char *help;
	struct metrics_value (*of_process)(const struct metrics_process *process);
	int64_t (*of_type)(const struct metrics_type *type);
	int64_t (*of_generation)(const struct metrics_generation *generation);
};

static struct metrics_value metrics_number(int64_t number)
{
	return (struct metrics_value){.there = number != METRICS_ABSENT, .number = number};
}

static struct metrics_value metrics_real(double real)
{
	return (struct metrics_value){.there = true, .is_real = true, .real = real};
}

#define VALUE(name, expression)                                                         \
	static struct metrics_value value_##name(const struct metrics_process *process) \
	{                                                                               \
		return expression;                                                      \
	}
#define TYPE_VALUE(name, expression)                                      \
	static int64_t type_value_##name(const struct metrics_type *type) \
	{                                                                 \
		return expression;                                        \
	}

#define GENERATION_VALUE(name)                                                              \
	static int64_t generation_value_##name(const struct metrics_generation *generation) \
	{                                                                                   \
		return generation->name;                                                    \
	}

VALUE(up, metrics_number(process->is_up))
VALUE(start, metrics_real(process->start_seconds))
VALUE(rss, metrics_number(process->rss_bytes))
VALUE(vss, metrics_number(process->vss_bytes))
VALUE(pss, metrics_number(process->pss_bytes))
VALUE(objects, metrics_number(process->objects))
VALUE(objects_bytes, metrics_number(process->objects_bytes))
VALUE(growth, metrics_number(process->growth))
VALUE(garbage, metrics_number(process->garbage))
VALUE(types_known, metrics_number(process->types_known))
VALUE(points, metrics_number((int64_t)process->points))
VALUE(stops, metrics_number((int64_t)process->stops))
VALUE(pause, metrics_real(process->pause_seconds))
VALUE(interval, metrics_real(process->interval_seconds))
VALUE(point, metrics_real(process->point_seconds))
GENERATION_VALUE(collections)
GENERATION_VALUE(collected)
GENERATION_VALUE(uncollectable)
TYPE_VALUE(count, (int64_t)type->count)
TYPE_VALUE(size, (int64_t)type->size_bytes)
TYPE_VALUE(growth, type->growth)

// Names that Prometheus's own clients have mean what they mean there. The help of process_* is word for word
// theirs: node_exporter has metrics of these names of itself, and refuses to answer where the same name comes
// with another help.
static const struct metrics_family metrics_families[] = {
	{"leakinspect_up", METRICS_GAUGE,
	 "Whether the last point of the process has all it should have.", .of_process = value_up},
	{"process_resident_memory_bytes", METRICS_GAUGE, "Resident memory size in bytes.",
	 .of_process = value_rss},
	{"process_virtual_memory_bytes", METRICS_GAUGE, "Virtual memory size in bytes.",
	 .of_process = value_vss},
	{"process_start_time_seconds", METRICS_GAUGE,
	 "Start time of the process since unix epoch in seconds.", .of_process = value_start},
	{"leakinspect_proportional_memory_bytes", METRICS_GAUGE,
	 "Resident memory, shared pages by their part.", .of_process = value_pss},
	{"leakinspect_objects", METRICS_GAUGE, "Objects on the heap.", .of_process = value_objects},
	{"leakinspect_objects_bytes", METRICS_GAUGE, "Size of all objects, as sys.getsizeof().",
	 .of_process = value_objects_bytes},
	{"leakinspect_objects_growth", METRICS_GAUGE,
	 "Objects more than when the watch of the process began.", .of_process = value_growth},
	{"leakinspect_gc_garbage_objects", METRICS_GAUGE,
	 "Objects in gc.garbage: those found uncollectable, and what else was put there.",
	 .of_process = value_garbage},
	{"python_gc_collections", METRICS_COUNTER, "Number of times this generation was collected",
	 .of_generation = generation_value_collections},
	{"python_gc_objects_collected", METRICS_COUNTER, "Objects collected during gc",
	 .of_generation = generation_value_collected},
	{"python_gc_objects_uncollectable", METRICS_COUNTER,
	 "Uncollectable objects found during GC", .of_generation = generation_value_uncollectable},
	{"leakinspect_types_known", METRICS_GAUGE,
	 "Whether types are told of: of a process that ever had too many they are not.",
	 .of_process = value_types_known},
	{"leakinspect_type_objects", METRICS_GAUGE, "Objects of a type.",
	 .of_type = type_value_count},
	{"leakinspect_type_bytes", METRICS_GAUGE, "Size of the objects of a type.",
	 .of_type = type_value_size},
	{"leakinspect_type_growth_objects", METRICS_GAUGE,
	 "Objects of a type more than when the watch of the process began.",
	 .of_type = type_value_growth},
	{"leakinspect_points", METRICS_COUNTER, "Times the process was measured.",
	 .of_process = value_points},
	{"leakinspect_stops", METRICS_COUNTER, "Times the process was stopped for it.",
	 .of_process = value_stops},
	{"leakinspect_pause_seconds", METRICS_COUNTER, "Time the process stood still for it.",
	 .of_process = value_pause},
	{"leakinspect_interval_seconds", METRICS_GAUGE, "Time from one point to the next.",
	 .of_process = value_interval},
	{"leakinspect_point_timestamp_seconds", METRICS_GAUGE,
	 "Time of the last point since unix epoch in seconds.", .of_process = value_point},
};

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

// The weight of one part of an Accept header; -1 when it is not about @a type.
static double metrics_weight(const char *part, size_t length, const char *type)
{
	size_t type_length = strlen(type);
	double weight = 1;

	if (length < type_length || strncasecmp(part, type, type_length) != 0 ||
	    (length > type_length && !strchr("; \t", part[type_length])))
		return -1;
	for (const char *at = part; at + 2 < part + length; at++)
		if (*at == ';') {
			const char *word = at + 1 + strspn(at + 1, " \t");
			if (strncasecmp(word, "q=", 2) == 0)
				weight = strtod(word + 2, NULL);
		}
	return weight;
}

enum metrics_format metrics_format_for(const char *accept)
{
	double open = 0, plain = 0;

	while (accept && *accept) {
		accept += strspn(accept, ", \t");
		size_t length = strcspn(accept, ",");
		double as_open = metrics_weight(accept, length, "application/openmetrics-text");
		double as_plain = metrics_weight(accept, length, "text/plain");

		open = as_open > open ? as_open : open;
		plain = as_plain > plain ? as_plain : plain;
		accept += length;
	}
	return open > 0 && open >= plain ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

static struct error *metrics_escape(const char *chars, struct text *into)
{
	struct error *error = NULL;

	for (; *chars && !error; chars++) {
		if (*chars == '\n')
			error = text_append(into, "\\n", 2);
		else if (*chars == '"' || *chars == '\\')
			error = text_appendf(into, "\\%c", *chars);
		else
			error = text_append(into, chars, 1);
	}
	return error;
}

struct error *metrics_add_type(struct metrics_process *process, const char *name, uint64_t count,
			       uint64_t size_bytes, int64_t growth)
{
	_cleanup_text_ struct text utf8 = {0};
	_cleanup_text_ struct text label = {0};
	struct error *error = safe_text_utf8(&utf8, name);

	if (!error)
		error = metrics_escape(text_chars(&utf8), &label);
	if (error)
		return error;
	for (size_t i = 0; i < process->type_count; i++)
		if (strcmp(process->types[i].label, text_chars(&label)) == 0)
			return NULL;
	char *owned = strdup(text_chars(&label));
	if (!owned)
		return error_no_memory();
	process->types[process->type_count++] = (struct metrics_type){
		.label = owned, .count = count, .size_bytes = size_bytes, .growth = growth};
	return NULL;
}

static struct error *metrics_append_value(struct text *into, const struct metrics_value *value)
{
	if (value->is_real)
		return text_appendf(into, " %.9f\n", value->real);
	return text_appendf(into, " %" PRId64 "\n", value->number);
}

/** A label beside the pid; NULL is none. */
struct metrics_label {
	const char *name;
	const char *value;
};

static struct error *metrics_sample(struct text *into, const struct metrics_family *family,
				    const struct metrics_process *process,
				    const struct metrics_label *label,
				    const struct metrics_value *value)
{
	if (!value->there)
		return NULL;
	struct error *error =
		text_appendf(into, "%s%s{pid=\"%d\"", family->name,
			     family->kind == METRICS_COUNTER ? "_total" : "", process->pid);
	if (!error && label)
		error = text_appendf(into, ",%s=\"%s\"", label->name, label->value);
	if (!error)
		error = text_append(into, "}", 1);
	return error ? error : metrics_append_value(into, value);
}

static struct error *metrics_of_types(struct text *into, const struct metrics_family *family,
				      const struct metrics_process *process)
{
	struct error *error = NULL;

	for (size_t i = 0; i < process->type_count && !error; i++) {
		const struct metrics_type *type = &process->types[i];
		const struct metrics_label label = {"type", type->label};
		struct metrics_value value = metrics_number(family->of_type(type));
		error = metrics_sample(into, family, process, &label, &value);
	}
	return error;
}

static struct error *metrics_of_generations(struct text *into, const struct metrics_family *family,
					    const struct metrics_process *process)
{
	struct error *error = NULL;

	for (size_t i = 0; i < process->generation_count && !error; i++) {
		char number[24];
		const struct metrics_label label = {"generation", number};
		struct metrics_value value =
			metrics_number(family->of_generation(&process->generations[i]));
		snprintf(number, sizeof(number), "%zu", i);
		error = metrics_sample(into, family, process, &label, &value);
	}
	return error;
}

static struct error *metrics_samples(struct text *into, const struct metrics_family *family,
				     const struct metrics_process *process)
{
	if (family->of_type)
		return metrics_of_types(into, family, process);
	if (family->of_generation)
		return metrics_of_generations(into, family, process);
	struct metrics_value value = family->of_process(process);
	return metrics_sample(into, family, process, NULL, &value);
}

// OpenMetrics calls a counter by its name without "_total" here, the older text by the whole.
static struct error *metrics_begin(struct text *into, const char *name, enum metrics_kind kind,
				   const char *help, enum metrics_format format)
{
	bool is_counter = kind == METRICS_COUNTER;
	const char *rest = is_counter && format == METRICS_PROMETHEUS ? "_total" : "";

	return text_appendf(into, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, rest, help, name, rest,
			    is_counter ? "counter" : "gauge");
}

static struct error *metrics_of_all(struct text *into, const struct metrics *metrics,
				    enum metrics_format format)
{
	const char *rest = "_total";
	struct error *error = metrics_begin(into, "leakinspect_processes", METRICS_GAUGE,
					    "Processes that are watched.", format);

	if (!error)
		error = text_appendf(into, "leakinspect_processes %zu\n", metrics->count);
	if (!error)
		error = metrics_begin(into, "leakinspect_processes_opened", METRICS_COUNTER,
				      "Processes that were watched so far.", format);
	if (!error)
		error = text_appendf(into, "leakinspect_processes_opened%s %" PRIu64 "\n", rest,
				     metrics->opened_count);
	if (!error)
		error = metrics_begin(into, "leakinspect_processes_ended", METRICS_COUNTER,
				      "Processes whose watch has ended.", format);
	if (!error)
		error = text_appendf(into, "leakinspect_processes_ended%s %" PRIu64 "\n", rest,
				     metrics->ended_count);
	return error;
}

struct error *metrics_write(const struct metrics *metrics, enum metrics_format format,
			    struct text *into)
{
	struct error *error = metrics_of_all(into, metrics, format);

	for (size_t i = 0; i < ARRAY_COUNT(metrics_families) && !error; i++) {
		const struct metrics_family *family = &metrics_families[i];
		error = metrics_begin(into, family->name, family->kind, family->help, format);
		for (size_t j = 0; j < metrics->count && !error; j++)
			error = metrics_samples(into, family, &metrics->processes[j]);
	}
	// A comment to the older format, and the end to the other: whoever looks sees a whole file.
	return error ? error : text_appendf(into, "# EOF\n");
}

void metrics_deinit(struct metrics *metrics)
{
	for (size_t i = 0; i < metrics->count; i++) {
		struct metrics_process *process = &metrics->processes[i];
		for (size_t j = 0; j < process->type_count; j++)
			free(process->types[j].label);
		free(process->types);
	}
	free(metrics->processes);
	*metrics = (struct metrics){0};
}
