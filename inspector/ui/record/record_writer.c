// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ui/report/safe_text.h"

struct record_writer {
	int fd;
	char *path;
};

const char record_file_mark[] = "{\"leakinspect\"";

const char *record_unit_name(enum series_unit unit)
{
	switch (unit) {
	case SERIES_COUNT:
		return "count";
	case SERIES_BYTES:
		return "bytes";
	case SERIES_NS:
		break;
	}
	return "ns";
}

static struct error *writer_put(struct record_writer *writer, const char *chars, size_t bytes)
{
	for (;;) {
		ssize_t put = write(writer->fd, chars, bytes);

		if (put == (ssize_t)bytes)
			return NULL;
		if (put < 0 && errno == EINTR)
			continue;
		// A piece of the line only: there is no room for the rest.
		return error_create_os(put < 0 ? errno : ENOSPC, "cannot write '%s'", writer->path);
	}
}

// Takes the object.
static struct error *writer_put_object(struct record_writer *writer, json_t *object)
{
	_cleanup_free_ char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	size_t length = line ? strlen(line) : 0;

	json_decref(object);
	if (!line)
		return error_no_memory();
	// In place of the NUL; what is written has its length.
	line[length] = '\n';
	return writer_put(writer, line, length + 1);
}

// A file that is there must be one of ours, and its last line may be cut off.
static struct error *writer_check(struct record_writer *writer)
{
	char begins[sizeof(record_file_mark) - 1], last;
	struct stat status;

	if (fstat(writer->fd, &status) < 0)
		return error_create_os(errno, "cannot write '%s'", writer->path);
	if (!S_ISREG(status.st_mode) || status.st_size == 0)
		return NULL;
	if (pread(writer->fd, begins, sizeof(begins), 0) != sizeof(begins) ||
	    memcmp(begins, record_file_mark, sizeof(begins)) != 0)
		return error_create(ERROR_FAILED,
				    "'%s' exists and is no record of leakinspect: nothing is "
				    "appended to it",
				    writer->path);
	if (pread(writer->fd, &last, 1, status.st_size - 1) == 1 && last != '\n')
		return writer_put(writer, "\n", 1);
	return NULL;
}

struct error *record_writer_open(const char *path, struct record_writer **ret)
{
	struct record_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_no_memory();
	// Reading is for the check; a pipe, or a file that may only be written, does without.
	writer->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (writer->fd < 0 && errno == EACCES)
		writer->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	struct error *error = NULL;
	if (writer->fd < 0)
		error = error_create_os(errno, "cannot write '%s'", path);
	writer->path = strdup(path);
	if (!error && !writer->path)
		error = error_no_memory();
	if (!error)
		error = writer_check(writer);
	if (error) {
		record_writer_close(writer);
		return error;
	}
	*ret = writer;
	return NULL;
}

static int writer_set_text(json_t *object, const char *key, const char *chars)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *error = safe_text_utf8(&text, chars);

	return error ? -1 : json_object_set_new(object, key, json_string(text_chars(&text)));
}

static json_t *writer_line(const struct record *record, int64_t time_ms)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "pid", json_integer(record->process.pid)) == 0 &&
	    json_object_set_new(object, "time_ms", json_integer(time_ms)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int writer_set_head(json_t *object, const struct record *record, int64_t time_ms)
{
	const struct record_process *process = &record->process;
	json_t *series = json_object();
	int failed = 0;

	for (size_t i = 0; i < record->series_count; i++)
		failed |=
			json_object_set_new(series, record->series[i].name,
					    json_string(record_unit_name(record->series[i].unit)));
	failed |= json_object_set_new(object, "leakinspect", json_string("record"));
	failed |= json_object_set_new(object, "format", json_integer(1));
	failed |= json_object_set_new(object, "time_ms", json_integer(time_ms));
	failed |= json_object_set_new(object, "pid", json_integer(process->pid));
	failed |= json_object_set_new(object, "start_ticks",
				      json_integer((json_int_t)process->start_ticks));
	failed |= writer_set_text(object, "runtime", process->runtime);
	failed |= writer_set_text(object, "version", process->version);
	failed |= writer_set_text(object, "build", process->build);
	failed |= writer_set_text(object, "program", process->program);
	failed |= json_object_set_new(object, "series", series);
	return failed;
}

struct error *record_writer_begin(struct record_writer *writer, const struct record *record,
				  int64_t time_ms)
{
	json_t *object = json_object();

	if (writer_set_head(object, record, time_ms) == 0)
		return writer_put_object(writer, object);
	json_decref(object);
	return error_no_memory();
}

struct error *record_writer_add(struct record_writer *writer, const struct record *record,
				int64_t time_ms, const int64_t *values, bool inexact)
{
	json_t *object = writer_line(record, time_ms);
	int failed = object ? 0 : -1;

	for (size_t i = 0; i < record->series_count; i++)
		failed |= json_object_set_new(object, record->series[i].name,
					      values[i] == SERIES_ABSENT ? json_null()
									 : json_integer(values[i]));
	if (inexact)
		failed |= json_object_set_new(object, "inexact", json_true());
	if (!failed)
		return writer_put_object(writer, object);
	json_decref(object);
	return error_no_memory();
}

struct error *record_writer_end(struct record_writer *writer, const struct record *record,
				int64_t time_ms, const char *how)
{
	json_t *object = writer_line(record, time_ms);

	if (object && writer_set_text(object, "end", how) == 0)
		return writer_put_object(writer, object);
	json_decref(object);
	return error_no_memory();
}

const char *record_writer_path(const struct record_writer *writer)
{
	return writer->path;
}

void record_writer_close(struct record_writer *writer)
{
	if (!writer)
		return;
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->path);
	free(writer);
}
