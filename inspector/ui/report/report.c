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

struct error *report_note(struct report *report, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		text = NULL;
		return error_no_memory();
	}
	return report->ops->note(report, text);
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
