// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/memory_log.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "ui/load/log_line.h"

// The words before the numbers, each with the blank behind it.
static struct error *words_append(struct text *text, const struct memory_log_line *line)
{
	struct error *error = log_line_time(text, line->time_ms, 'T');

	if (!error)
		error = text_append(text, " ", 1);
	if (!error)
		error = log_line_word(text, line->page_id);
	if (!error)
		error = text_append(text, " ", 1);
	if (!error)
		error = log_line_word(text, line->oops_id);
	return error ? error : text_append(text, " ", 1);
}

struct error *memory_log_append(const char *path, const struct memory_log_line *line)
{
	_cleanup_text_ struct text text = {0};
	uint64_t us = line->duration_ns / 1000 + (line->duration_ns % 1000 >= 500);
	struct error *error = words_append(&text, line);

	if (!error)
		error = text_appendf(&text,
				     "%" PRIu64 ".%06" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
				     " %" PRIu64 "\n",
				     us / 1000000, us % 1000000, line->start_vss_bytes,
				     line->start_rss_bytes, line->end_vss_bytes,
				     line->end_rss_bytes);
	return error ? error : log_line_append(path, &text);
}
