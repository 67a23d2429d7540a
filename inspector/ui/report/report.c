// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report.h"

#include <stdarg.h>

struct error *report_begin(struct report *report, const struct report_head *head)
{
	return report->ops->begin(report, head);
}

struct error *report_table(struct report *report, const char *key,
			   const struct report_column *columns, size_t count)
{
	return report->ops->table(report, key, columns, count);
}

struct error *report_live(struct report *report, const struct report_column *columns, size_t count)
{
	return report->ops->live(report, columns, count);
}

struct error *report_row(struct report *report, const struct report_cell *cells)
{
	return report->ops->row(report, cells);
}

struct error *report_object(struct report *report, const char *key,
			    const struct report_column *columns, size_t count,
			    const struct report_cell *cells)
{
	return report->ops->object(report, key, columns, count, cells);
}

struct error *report_lines(struct report *report, const char *const *lines, size_t count)
{
	return report->ops->lines(report, lines, count);
}

// Formats for @a write, which takes a line.
PRINTF_LIKE(3, 0)
static struct error *report_line(struct report *report,
				 struct error *(*write)(struct report *, const char *),
				 const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return error_no_memory();
	}
	return write(report, text);
}

struct error *report_heading(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = report_line(report, report->ops->heading, format, args);
	va_end(args);
	return error;
}

struct error *report_remark(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = report_line(report, report->ops->remark, format, args);
	va_end(args);
	return error;
}

struct error *report_note(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = report_line(report, report->ops->note, format, args);
	va_end(args);
	return error;
}

struct error *report_show(struct report *report)
{
	return report->ops->show(report);
}

struct error *report_amend(struct report *report, const struct report_head *head)
{
	return report->ops->amend(report, head);
}

struct error *report_end(struct report *report)
{
	return report->ops->end(report);
}

void report_destroy(struct report *report)
{
	if (report)
		report->ops->destroy(report);
}
