// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/scoreboard.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyze/censuses/changes.h"
#include "ui/file_name.h"
#include "ui/load/log_line.h"
#include "ui/output.h"
#include "ui/report/safe_text.h"

static struct error *pattern_expand(const char *pattern, int pid, struct text *into)
{
	char digits[16];
	const struct file_name_value values[] = {{'d', digits}};

	if (!*pattern)
		return error_create(ERROR_USAGE, "the scoreboard has no name");
	snprintf(digits, sizeof(digits), "%d", pid);
	struct error *error = file_name_fill(pattern, values, 1, into);
	return error ? error_prefix(error, "--scoreboard") : NULL;
}

struct error *scoreboard_check(const char *pattern)
{
	_cleanup_text_ struct text path = {0};

	return pattern_expand(pattern, 0, &path);
}

// A name with a quote in it would go on behind it, as another entry of the line.
static struct error *type_append(struct text *into, const struct snapshot *snapshot,
				 const char *name)
{
	bool is_python2 = strncmp(snapshot->process.version, "2.", 2) == 0;
	_cleanup_text_ struct text safe = {0};
	struct error *error = safe_text_terminal(&safe, name, NULL);

	if (!error)
		error = text_appendf(into, "<%s '", is_python2 ? "type" : "class");
	for (const char *at = text_chars(&safe); !error && *at; at++)
		error = *at == '\'' ? text_appendf(into, "\\x27") : text_append(into, at, 1);
	return error ? error : text_append(into, "'>", 2);
}

static bool is_scoreboard(const char *begin)
{
	size_t digits = strspn(begin, "0123456789");

	return digits && !strncmp(begin + digits, ".0\n", 3);
}

struct error *scoreboard_check_file(const char *pattern, int pid)
{
	_cleanup_text_ struct text path = {0};
	struct error *error = pattern_expand(pattern, pid, &path);

	return error ? error : output_check_ours(text_chars(&path), is_scoreboard);
}

struct error *scoreboard_write(const char *pattern, const struct snapshot *snapshot)
{
	_cleanup_text_ struct text path = {0};
	_cleanup_text_ struct text text = {0};
	_cleanup_output_ struct output output = {0};
	struct error *error = pattern_expand(pattern, snapshot->process.pid, &path);

	if (!error)
		error = text_appendf(&text, "%" PRIu64 ".0\n", snapshot->rss_bytes);
	for (size_t i = 0; !error && i < snapshot->census.row_count; i++) {
		const struct census_row *row = &snapshot->census.rows[i];
		error = text_appendf(&text, "%" PRIu64 " ", row->count);
		if (!error)
			error = type_append(&text, snapshot, row->name);
		if (!error)
			error = text_append(&text, "\n", 1);
	}
	if (!error)
		error = output_open(text_chars(&path), true, &output);
	if (error)
		return error;
	// What goes wrong here, output_commit() tells.
	fwrite(text.chars, 1, text.length, output.stream);
	return output_commit(&output);
}

// By hundredths, so that a few bytes less are 0.00 and not -0.00.
static struct error *size_append(struct text *into, double bytes)
{
	return text_appendf(into, " %.2fMb", (double)llround(bytes / (1 << 20) * 100) / 100);
}

static struct error *grown_append(struct text *into, const struct snapshot *after,
				  const struct changes *changes)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < changes->row_count; i++) {
		const struct change_row *row = &changes->rows[i];
		// Most new objects come first.
		if (row->count <= 0)
			break;
		error = text_appendf(into, "%s", i ? "; " : " ");
		if (!error)
			error = type_append(into, after, row->name);
		if (!error)
			error = text_appendf(into, "=%" PRId64, row->count);
	}
	return error;
}

// A look at which nothing grew is a line too: whoever reads the log could not tell a page that does
// not leak from one that was never looked at, and an average per look would be wrong.
struct error *leak_log_append(const char *path, const char *page_id, const struct snapshot *before,
			      const struct snapshot *after)
{
	const struct census *censuses[] = {&before->census, &after->census};
	_cleanup_changes_ struct changes changes = {0};
	_cleanup_text_ struct text line = {0};
	struct error *error = changes_find(censuses, 2, &changes);

	if (!error)
		error = log_line_time(&line, after->time_ms, ' ');
	if (!error)
		error = text_append(&line, " ", 1);
	if (!error)
		error = log_line_word(&line, page_id);
	if (!error)
		error = size_append(&line, (double)after->rss_bytes - (double)before->rss_bytes);
	if (!error)
		error = grown_append(&line, after, &changes);
	if (!error)
		error = text_append(&line, "\n", 1);
	return error ? error : log_line_append(path, &line);
}
