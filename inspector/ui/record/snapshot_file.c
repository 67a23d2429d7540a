// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ui/report/safe_text.h"

// The numbers of a type's row, behind its name.
enum { ROW_COUNT = 1, ROW_TRACKED, ROW_FROZEN, ROW_SIZE, ROW_REFS, ROW_CELLS };

// In the year 2262: times apart are told in nanoseconds.
static const int64_t time_ms_max = INT64_MAX / 1000000;

static int set_text(json_t *object, const char *key, const char *chars)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *error = safe_text_utf8(&text, chars);

	return error ? -1 : json_object_set_new(object, key, json_string(text_chars(&text)));
}

static int set_number(json_t *object, const char *key, int64_t number)
{
	return json_object_set_new(object, key, json_integer(number));
}

static json_t *row_to_json(const struct census_row *row)
{
	_cleanup_text_ struct text name = {0};
	_cleanup_error_ struct error *error = safe_text_utf8(&name, row->name);
	const uint64_t numbers[] = {row->count, row->tracked, row->frozen, row->size_bytes,
				    row->refs};
	json_t *cells = error ? NULL : json_array();
	int failed = json_array_append_new(cells, json_string(text_chars(&name)));

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		failed |= json_array_append_new(cells, json_integer((json_int_t)numbers[i]));
	if (!failed)
		return cells;
	json_decref(cells);
	return NULL;
}

static json_t *snapshot_to_json(const struct snapshot *snapshot)
{
	const struct record_process *process = &snapshot->process;
	json_t *object = json_object(), *types = json_array();
	int failed = json_object_set_new(object, "leakinspect", json_string("snapshot"));

	failed |= set_number(object, "format", 1);
	failed |= set_number(object, "time_ms", snapshot->time_ms);
	failed |= set_number(object, "pid", process->pid);
	failed |= set_number(object, "start_ticks", (int64_t)process->start_ticks);
	failed |= set_text(object, "runtime", process->runtime);
	failed |= set_text(object, "version", process->version);
	failed |= set_text(object, "build", process->build);
	failed |= set_text(object, "program", process->program);
	failed |= set_number(object, "rss", (int64_t)snapshot->rss_bytes);
	failed |= set_number(object, "vss", (int64_t)snapshot->vss_bytes);
	failed |= set_number(object, "ref_total", snapshot->ref_total);
	failed |= json_object_set_new(object, "exact", json_boolean(snapshot->exact));
	for (size_t i = 0; i < snapshot->census.row_count; i++)
		failed |= json_array_append_new(types, row_to_json(&snapshot->census.rows[i]));
	failed |= json_object_set_new(object, "types", types);
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

struct error *snapshot_write(FILE *out, const struct snapshot *snapshot)
{
	json_t *object = snapshot_to_json(snapshot);

	if (!object)
		return error_no_memory();
	errno = 0;
	bool failed = json_dumpf(object, out, JSON_COMPACT) < 0 || fputc('\n', out) == EOF;
	json_decref(object);
	return failed ? error_create_os(errno ? errno : EIO, "cannot write the snapshot") : NULL;
}

// An object's number from @a min on; false when it is none.
static bool take_number(const json_t *object, const char *key, int64_t min, int64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < min)
		return false;
	*ret = json_integer_value(value);
	return true;
}

static void take_text(const json_t *object, const char *key, char *into, size_t bytes)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(into, bytes, "%s", text ?: "");
}

static struct error *take_row(const json_t *cells, size_t number, struct census_row *ret)
{
	const char *name = json_string_value(json_array_get(cells, 0));
	uint64_t numbers[ROW_CELLS] = {0};

	if (!name || json_array_size(cells) != ROW_CELLS)
		return error_create(ERROR_FAILED, "type %zu of it is no name with %d numbers",
				    number, ROW_CELLS - 1);
	for (size_t i = 1; i < ROW_CELLS; i++) {
		const json_t *cell = json_array_get(cells, i);
		if (!json_is_integer(cell) || json_integer_value(cell) < 0)
			return error_create(ERROR_FAILED, "a number of type %zu of it is none",
					    number);
		numbers[i] = (uint64_t)json_integer_value(cell);
	}
	*ret = (struct census_row){
		.name = strdup(name),
		.count = numbers[ROW_COUNT],
		.tracked = numbers[ROW_TRACKED],
		.frozen = numbers[ROW_FROZEN],
		.size_bytes = numbers[ROW_SIZE],
		.refs = numbers[ROW_REFS],
	};
	return ret->name ? NULL : error_no_memory();
}

static bool add_to(uint64_t *sum, uint64_t number)
{
	return !__builtin_add_overflow(*sum, number, sum) && *sum <= INT64_MAX;
}

static struct error *take_types(const json_t *types, struct census *census)
{
	size_t count = json_array_size(types);

	if (!json_is_array(types) || count > SNAPSHOT_TYPES_MAX)
		return error_create(ERROR_FAILED, "it has no list of up to %d types",
				    SNAPSHOT_TYPES_MAX);
	census->rows = calloc(count + 1, sizeof(*census->rows));
	if (!census->rows)
		return error_no_memory();
	census->total.name = "total";
	for (size_t i = 0; i < count; i++) {
		struct census_row *row = &census->rows[i], *total = &census->total;
		struct error *error = take_row(json_array_get(types, i), i + 1, row);
		if (error)
			return error;
		census->row_count++;
		if (!add_to(&total->count, row->count) || !add_to(&total->tracked, row->tracked) ||
		    !add_to(&total->frozen, row->frozen) ||
		    !add_to(&total->size_bytes, row->size_bytes) ||
		    !add_to(&total->refs, row->refs))
			return error_create(ERROR_FAILED, "its types are more than a number holds");
	}
	census_merge(census);
	return NULL;
}

static struct error *snapshot_from_json(const json_t *object, struct snapshot *ret)
{
	const char *mark = json_string_value(json_object_get(object, "leakinspect"));
	struct record_process *process = &ret->process;
	int64_t format, pid, start_ticks, rss, vss;

	if (!mark || strcmp(mark, "snapshot") != 0)
		return error_create(ERROR_FAILED,
				    "it is no snapshot of leakinspect: the verb snapshot writes "
				    "them");
	if (!take_number(object, "format", 1, &format) || format != 1)
		return error_create(ERROR_FAILED, "another version of leakinspect wrote it");
	if (!take_number(object, "time_ms", 0, &ret->time_ms) || ret->time_ms > time_ms_max ||
	    !take_number(object, "pid", 1, &pid) || pid > INT_MAX ||
	    !take_number(object, "start_ticks", 0, &start_ticks) ||
	    !take_number(object, "rss", 0, &rss) || !take_number(object, "vss", 0, &vss) ||
	    !take_number(object, "ref_total", -1, &ret->ref_total))
		return error_create(ERROR_FAILED, "a number is missing in it, or is none");
	process->pid = (int)pid;
	process->start_ticks = (uint64_t)start_ticks;
	ret->rss_bytes = (uint64_t)rss;
	ret->vss_bytes = (uint64_t)vss;
	ret->exact = json_is_true(json_object_get(object, "exact"));
	take_text(object, "runtime", process->runtime, sizeof(process->runtime));
	take_text(object, "version", process->version, sizeof(process->version));
	take_text(object, "build", process->build, sizeof(process->build));
	take_text(object, "program", process->program, sizeof(process->program));
	return take_types(json_object_get(object, "types"), &ret->census);
}

static struct error *file_open(const char *path, FILE **ret)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return error_create_os(errno, "cannot read it");
	struct error *error = NULL;
	if (fstat(fd, &status) < 0)
		error = error_create_os(errno, "cannot read it");
	else if (!S_ISREG(status.st_mode))
		error = error_create(ERROR_FAILED, "it is no file");
	else if (status.st_size > SNAPSHOT_BYTES_MAX)
		error = error_create(ERROR_FAILED, "it has more than %d bytes: no snapshot",
				     SNAPSHOT_BYTES_MAX);
	else if (!(*ret = fdopen(fd, "r")))
		error = error_create_os(errno, "cannot read it");
	if (error)
		close(fd);
	return error;
}

struct error *snapshot_read(const char *path, struct snapshot *ret)
{
	FILE *in = NULL;
	json_error_t where;
	struct error *error = file_open(path, &in);

	*ret = (struct snapshot){0};
	if (error)
		return error_prefix(error, "'%s'", path);
	json_t *object = json_loadf(in, JSON_REJECT_DUPLICATES, &where);
	fclose(in);
	error = object ? snapshot_from_json(object, ret)
		       : error_create(ERROR_FAILED,
				      "it is no snapshot of leakinspect (line %d: %s)", where.line,
				      where.text);
	json_decref(object);
	return error ? error_prefix(error, "'%s'", path) : NULL;
}
