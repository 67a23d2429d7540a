// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/log_line.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "ui/answers/record_report.h"
#include "ui/report/safe_text.h"

struct error *log_line_time(struct text *into, int64_t time_ms, char between)
{
	char clock[32];
	char *blank = strchr(record_report_clock(time_ms, true, clock), ' ');

	if (blank)
		*blank = between;
	return text_appendf(into, "%s", clock);
}

struct error *log_line_word(struct text *into, const char *word)
{
	if (!word || !*word)
		return text_append(into, "-", 1);
	_cleanup_free_ char *joined = strdup(word);
	if (!joined)
		return error_no_memory();
	for (char *at = joined; (at = strpbrk(at, " \t\n\v\f\r")); at++)
		*at = '_';
	return safe_text_terminal(into, joined, NULL);
}

struct error *log_line_append(const char *path, const struct text *line)
{
	_cleanup_fd_ int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0)
		return error_create_os(errno, "cannot write '%s'", path);
	// With O_APPEND one write() goes to the end as a whole: lines of several writers never mix.
	ssize_t written;
	do {
		written = write(fd, line->chars, line->length);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		return error_create_os(errno, "cannot write '%s'", path);
	if ((size_t)written < line->length)
		return error_create(ERROR_FAILED,
				    "cannot write '%s': only a part of a line had room", path);
	return NULL;
}
