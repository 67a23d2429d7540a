// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/text_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"

struct error *text_lines_add(struct text_lines *lines, const char *format, ...)
{
	struct error *error = array_reserve(&lines->list, &lines->capacity, lines->count + 1,
					    sizeof(*lines->list));
	char *line;
	va_list args;

	if (error)
		return error;
	va_start(args, format);
	int length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0)
		return error_no_memory();
	lines->list[lines->count++] = line;
	return NULL;
}

struct error *text_lines_report(const struct text_lines *lines, struct report *report)
{
	return report_lines(report, (const char *const *)lines->list, lines->count);
}

void text_lines_deinit(struct text_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->list[i]);
	free(lines->list);
	*lines = (struct text_lines){0};
}
