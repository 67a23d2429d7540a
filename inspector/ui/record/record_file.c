// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/interrupt.h"

/** Milliseconds of the last day of the year 9999: a later time is none. */
static const int64_t record_file_time_max_ms = INT64_C(253402300799999);

/** A file being read, line by line. */
struct reader {
	struct record_file *file;
	FILE *stream;
	const char *path;
	char line[RECORD_LINE_BYTES_MAX + 1];
	size_t length;
	uint64_t bytes;
	/** The line does not fit, or does not end with a newline. */
	bool too_long, cut_off;
};

PRINTF_LIKE(3, 4)
static struct error *reader_problem(struct reader *reader, uint64_t *count, const char *format, ...)
{
	struct record_file *file = reader->file;
	char what[200];
	va_list args;

	(*count)++;
	if (file->problem_text_count == RECORD_PROBLEM_TEXTS_MAX)
		return NULL;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	char *text;
	if (asprintf(&text, "line %" PRIu64 ": %s", file->line_count, what) < 0)
		return error_no_memory();
	file->problem_texts[file->problem_text_count++] = text;
	return NULL;
}

// The next line without its newline. False at the end. Of one that is too long the beginning.
static bool reader_next(struct reader *reader)
{
	int c = EOF;

	reader->length = 0;
	reader->too_long = false;
	while (reader->bytes < RECORD_FILE_BYTES_MAX) {
		c = getc_unlocked(reader->stream);
		if (c == EOF)
			break;
		reader->bytes++;
		if (c == '\n')
			break;
		if (reader->length < RECORD_LINE_BYTES_MAX)
			reader->line[reader->length++] = (char)c;
		else
			reader->too_long = true;
		// What begins like this is no record, and may never end (/dev/zero).
		if (reader->too_long && !reader->file->record_count)
			break;
	}
	reader->line[reader->length] = '\0';
	reader->cut_off = c != '\n';
	if (c == EOF && !reader->length)
		return false;
	reader->file->line_count++;
	return true;
}

// A number of the object within bounds; false when it has none, or another one.
static bool object_number(const json_t *object, const char *key, int64_t min, int64_t max,
			  int64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		return false;
	*ret = json_integer_value(value);
	return *ret >= min && *ret <= max;
}

// What is too long is cut; between two characters.
static void object_text(const json_t *object, const char *key, char *into, size_t bytes)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t length = text ? strlen(text) : 0;

	if (length >= bytes)
		for (length = bytes - 1; length && !text_begins_character(text[length]);)
			length--;
	memcpy(into, text ? text : "", length);
	into[length] = '\0';
}

static bool series_name_is_sane(const char *name)
{
	size_t length = strlen(name);

	return length && length < RECORD_NAME_CHARS &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       length &&
	       name[0] != '-';
}

static bool series_unit_of(const char *name, enum series_unit *ret)
{
	static const enum series_unit units[] = {SERIES_COUNT, SERIES_BYTES, SERIES_NS};

	for (size_t i = 0; name && i < ARRAY_COUNT(units); i++) {
		if (!strcmp(record_unit_name(units[i]), name)) {
			*ret = units[i];
			return true;
		}
	}
	return false;
}

static struct error *reader_series(struct reader *reader, json_t *head, struct record *record)
{
	json_t *series = json_object_get(head, "series"), *value;
	const char *name;

	json_object_foreach(series, name, value)
	{
		struct record_series *added;
		enum series_unit unit;
		struct error *error;

		if (!series_name_is_sane(name) || !series_unit_of(json_string_value(value), &unit))
			error = reader_problem(reader, &reader->file->unreadable,
					       "a series without a proper name or unit");
		else if (record->series_count == RECORD_SERIES_MAX && !record_find(record, name))
			error = reader_problem(reader, &reader->file->truncated,
					       "more than %d series", RECORD_SERIES_MAX);
		else
			error = record_add_series(record, name, unit, &added);
		if (error)
			return error;
	}
	return NULL;
}

// The latest record of a process, NULL when there is none.
static struct record *file_find(const struct record_file *file, int64_t pid)
{
	for (size_t i = file->record_count; i > 0; i--)
		if (file->records[i - 1]->process.pid == pid)
			return file->records[i - 1];
	return NULL;
}

static struct error *reader_head(struct reader *reader, json_t *head, int64_t pid)
{
	struct record_file *file = reader->file;
	struct record *record = file_find(file, pid);
	int64_t start_ticks = 0;

	if (!object_number(head, "start_ticks", 0, INT64_MAX, &start_ticks))
		start_ticks = 0;
	// A process id may have been given to another process since.
	if (!record || record->process.start_ticks != (uint64_t)start_ticks) {
		if (file->record_count == RECORD_PROCESSES_MAX)
			return reader_problem(reader, &file->truncated, "more than %d processes",
					      RECORD_PROCESSES_MAX);
		record = calloc(1, sizeof(*record));
		if (!record)
			return error_no_memory();
		file->records[file->record_count++] = record;
	}
	struct record_process *process = &record->process;
	process->pid = (int)pid;
	process->start_ticks = (uint64_t)start_ticks;
	object_text(head, "runtime", process->runtime, sizeof(process->runtime));
	object_text(head, "version", process->version, sizeof(process->version));
	object_text(head, "build", process->build, sizeof(process->build));
	object_text(head, "program", process->program, sizeof(process->program));
	record_interrupt(record);
	record->ended[0] = '\0';
	return reader_series(reader, head, record);
}

static struct error *reader_values(struct reader *reader, json_t *point,
				   const struct record *record, int64_t *values)
{
	struct error *error = NULL;

	for (size_t i = 0; i < record->series_count && !error; i++) {
		const char *name = record->series[i].name;
		const json_t *value = json_object_get(point, name);

		values[i] = SERIES_ABSENT;
		if (json_is_integer(value) && json_integer_value(value) >= 0)
			values[i] = json_integer_value(value);
		else if (value && !json_is_null(value))
			error = reader_problem(reader, &reader->file->unreadable,
					       "the value of %s is no number from 0", name);
	}
	return error;
}

static struct error *reader_point(struct reader *reader, json_t *point, int64_t pid)
{
	struct record *record = file_find(reader->file, pid);
	int64_t values[RECORD_SERIES_MAX], time_ms;
	bool taken;

	if (!record)
		return reader_problem(reader, &reader->file->unreadable,
				      "a point of process %" PRId64 ", which no line begins", pid);
	if (!object_number(point, "time_ms", 0, record_file_time_max_ms, &time_ms))
		return reader_problem(reader, &reader->file->unreadable, "no time");
	const json_t *end = json_object_get(point, "end");
	if (end) {
		object_text(point, "end", record->ended, sizeof(record->ended));
		record_interrupt(record);
		return NULL;
	}
	struct error *error = reader_values(reader, point, record, values);
	if (!error)
		error = record_add(record, time_ms, values, &taken);
	if (error)
		return error;
	if (!taken)
		return reader_problem(reader, &reader->file->unreadable,
				      "not later than the point before");
	record->inexact_count += json_is_true(json_object_get(point, "inexact"));
	return NULL;
}

static struct error *reader_take(struct reader *reader, json_t *object)
{
	int64_t pid;
	const char *mark = json_string_value(json_object_get(object, "leakinspect"));

	if (!json_is_object(object) || !object_number(object, "pid", 1, INT_MAX, &pid))
		return reader_problem(reader, &reader->file->unreadable,
				      reader->cut_off ? "cut off" : "no line of a record");
	if (!mark)
		return reader_point(reader, object, pid);
	int64_t format;
	if (strcmp(mark, "record") != 0 || !object_number(object, "format", 1, 1, &format))
		return reader_problem(reader, &reader->file->unreadable,
				      "of another version of leakinspect");
	return reader_head(reader, object, pid);
}

static struct error *reader_line(struct reader *reader)
{
	if (reader->too_long)
		return reader_problem(reader, &reader->file->unreadable, "longer than %d bytes",
				      RECORD_LINE_BYTES_MAX);
	if (!reader->length)
		return NULL;
	json_t *object = json_loadb(reader->line, reader->length, 0, NULL);
	struct error *error = reader_take(reader, object);
	json_decref(object);
	return error;
}

static struct error *reader_open(struct reader *reader)
{
	struct stat status;
	int fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, &status) < 0 || !(reader->stream = fdopen(fd, "r"))) {
		int errnum = errno;
		if (fd >= 0)
			close(fd);
		return error_create_os(errnum, "cannot read '%s'", reader->path);
	}
	if (S_ISDIR(status.st_mode))
		return error_create(ERROR_FAILED, "'%s' is a directory", reader->path);
	return NULL;
}

static struct error *reader_run(struct reader *reader)
{
	struct error *error = reader_open(reader);

	while (!error && reader_next(reader)) {
		error = interrupt_check();
		if (!error)
			error = reader_line(reader);
		// Nothing else begins like one, and one may have been cut off at once.
		if (!error && !reader->file->record_count &&
		    strncmp(reader->line, record_file_mark, strlen(record_file_mark)) != 0)
			error = error_create(ERROR_FAILED,
					     "'%s' is no record of leakinspect: watch --record "
					     "writes them",
					     reader->path);
	}
	if (!error && ferror(reader->stream))
		error = error_create_os(errno, "cannot read '%s'", reader->path);
	if (!error && reader->bytes == RECORD_FILE_BYTES_MAX)
		error = reader_problem(reader, &reader->file->truncated,
				       "what follows is beyond %" PRIu64 " bytes",
				       RECORD_FILE_BYTES_MAX);
	if (!error && !reader->file->record_count)
		error = error_create(ERROR_FAILED, "'%s' has nothing in it that can be read",
				     reader->path);
	return error;
}

struct error *record_file_read(const char *path, struct record_file *ret)
{
	_cleanup_free_ struct reader *reader = calloc(1, sizeof(*reader));

	*ret = (struct record_file){0};
	if (!reader)
		return error_no_memory();
	reader->file = ret;
	reader->path = path;
	struct error *error = reader_run(reader);
	if (reader->stream)
		fclose(reader->stream);
	return error;
}

void record_file_deinit(struct record_file *file)
{
	for (size_t i = 0; i < file->record_count; i++) {
		record_deinit(file->records[i]);
		free(file->records[i]);
	}
	for (size_t i = 0; i < file->problem_text_count; i++)
		free(file->problem_texts[i]);
	*file = (struct record_file){0};
}
