/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_REPORT_TEXT_LINES_H
#define UI_REPORT_TEXT_LINES_H

/*
 * Lines that people read, made one below the other, for report_lines().
 */

#include "base/cleanup.h"
#include "ui/report/report.h"

/** Zero-initialised is empty and valid. */
struct text_lines {
	char **list;
	size_t count;
	size_t capacity;
};

MUST_USE PRINTF_LIKE(2, 3) struct error *text_lines_add(struct text_lines *lines,
							const char *format, ...);

/** Tells them all. */
MUST_USE struct error *text_lines_report(const struct text_lines *lines, struct report *report);

void text_lines_deinit(struct text_lines *lines);
#define _cleanup_text_lines_ CLEANUP(text_lines_deinit)

#endif
