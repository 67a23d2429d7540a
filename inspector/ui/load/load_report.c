// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/load_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/duration.h"
#include "ui/answers/change_rows.h"
#include "ui/load/urls.h"

static const struct report_column command_columns[] = {
	{.key = "words", .unit = REPORT_TEXT},
	{.key = "exit", .unit = REPORT_NUMBER},
	{.key = "seconds", .unit = REPORT_REAL},
};

enum iteration_column {
	ITERATION_N,
	ITERATION_WARM_UP,
	ITERATION_PAGE_ID,
	ITERATION_COMMAND,
	ITERATION_SUM,
	ITERATION_SYS,
	ITERATION_CHANGE,
	ITERATION_RSS_CHANGE,
	ITERATION_IDLE,
	ITERATION_EXACT,
	ITERATION_TYPES,
	ITERATION_COLUMNS,
};

static const struct report_column iteration_columns[ITERATION_COLUMNS] = {
	[ITERATION_N] = {.key = "n", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_WARM_UP] = {.key = "warm_up",
			       .unit = REPORT_BOOL,
			       .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_PAGE_ID] = {.key = "page_id",
			       .unit = REPORT_TEXT,
			       .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_COMMAND] = {.key = "command",
			       .unit = REPORT_OBJECT,
			       .reader = REPORT_FOR_PROGRAMS,
			       .members = command_columns,
			       .member_count = ARRAY_COUNT(command_columns)},
	[ITERATION_SUM] = {.key = "sum_refcount",
			   .unit = REPORT_COUNT,
			   .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_SYS] = {.key = "sys_refcount",
			   .unit = REPORT_COUNT,
			   .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_CHANGE] = {.key = "change", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_RSS_CHANGE] = {.key = "rss_change",
				  .unit = REPORT_COUNT,
				  .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_IDLE] = {.key = "at_rest", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_EXACT] = {.key = "exact", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
	[ITERATION_TYPES] = {.key = "types",
			     .unit = REPORT_OBJECTS,
			     .reader = REPORT_FOR_PROGRAMS,
			     .members = change_columns,
			     // Two moments are no trend.
			     .member_count = CHANGE_COLUMNS - 1},
};

struct error *load_report_begin(struct report *report)
{
	return report_table(report, "iterations", iteration_columns, ITERATION_COLUMNS);
}

/** The changes of an iteration in their cells. */
struct details {
	struct changes changes;
	struct report_cell *cells;
};

static void details_deinit(struct details *details)
{
	changes_deinit(&details->changes);
	free(details->cells);
}

static struct error *details_find(const struct snapshot *before, const struct snapshot *after,
				  struct details *ret)
{
	const struct census *const censuses[] = {&before->census, &after->census};
	struct error *error = changes_find(censuses, 2, &ret->changes);

	if (error)
		return error;
	ret->cells = calloc(ret->changes.row_count + 1, (CHANGE_COLUMNS - 1) * sizeof(*ret->cells));
	if (!ret->cells)
		return error_no_memory();
	for (size_t i = 0; i < ret->changes.row_count; i++) {
		struct report_cell cells[CHANGE_COLUMNS];
		change_cells(&ret->changes.rows[i], cells);
		for (size_t j = 0; j < CHANGE_COLUMNS - 1; j++)
			ret->cells[i * (CHANGE_COLUMNS - 1) + j] = cells[j];
	}
	return NULL;
}

static struct error *iteration_row(struct report *report, const struct load *load,
				   const struct load_iteration *iteration,
				   const struct details *details)
{
	const struct load_look *look = &load->looks[iteration->look + 1];
	const struct snapshot *before = &load->looks[iteration->look].snapshot;
	const struct snapshot *after = &look->snapshot;
	const struct report_cell command[] = {
		{.text = iteration->command},
		{.number = iteration->exit_status},
		{.real = (double)iteration->command_ns / 1e9},
	};
	const struct report_cell cells[ITERATION_COLUMNS] = {
		[ITERATION_N] = {.number = iteration->number},
		[ITERATION_WARM_UP] = {.number = iteration->number == 1},
		[ITERATION_PAGE_ID] = {.text = iteration->page_id, .absent = !iteration->page_id},
		[ITERATION_COMMAND] = {.members = command},
		[ITERATION_SUM] = {.number = (int64_t)after->census.total.refs},
		[ITERATION_SYS] = {.number = snapshot_refs(after)},
		[ITERATION_CHANGE] = {.number = change_of_refs(before, after)},
		[ITERATION_RSS_CHANGE] = {.number = (int64_t)after->rss_bytes -
						    (int64_t)before->rss_bytes},
		[ITERATION_IDLE] = {.number = look->idle},
		[ITERATION_EXACT] = {.number = after->exact},
		[ITERATION_TYPES] = {.members = details->cells,
				     .count = details->changes.row_count},
	};

	return report_row(report, cells);
}

/** Lines for people, one below the other. */
struct lines {
	char **list;
	size_t count;
	size_t capacity;
};

static void lines_deinit(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->list[i]);
	free(lines->list);
}

PRINTF_LIKE(2, 3)
static struct error *lines_add(struct lines *lines, const char *format, ...)
{
	va_list args;
	char *line = NULL;
	struct error *error =
		array_reserve(&lines->list, &lines->capacity, lines->count + 1, sizeof(char *));

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

enum { PER_CHARS = 64 };

// The last column of the details; "" where requests are not known.
static const char *per_column(int64_t change, uint64_t per, char into[PER_CHARS])
{
	into[0] = '\0';
	if (per)
		snprintf(into, PER_CHARS, " %12.2f", (double)change / (double)per);
	return into;
}

static const char detail_rule[] = "-------------------------------------------------------";

static struct error *details_lines(const struct changes *changes, uint64_t per, struct lines *lines)
{
	int64_t instances = 0, refs = 0;
	char column[PER_CHARS];
	const char *per_title = per ? "  per request" : "", *per_rule = per ? "  -----------" : "";
	struct error *error = lines_add(
		lines, "    Leak details, changes in instances and refcounts by type/class:");

	if (!error)
		error = lines_add(lines, "    %-55s %6s %6s%s", "type/class", "insts", "refs",
				  per_title);
	if (!error)
		error = lines_add(lines, "    %-55s %6s %6s%s", detail_rule, "-----", "----",
				  per_rule);
	for (size_t i = 0; i < changes->row_count && !error; i++) {
		const struct change_row *row = &changes->rows[i];
		// Where only sizes changed, nothing leaked.
		if (!row->count && !row->refs)
			continue;
		instances += row->count;
		refs += row->refs;
		error = lines_add(lines, "    %-55s %6" PRId64 " %6" PRId64 "%s", row->name,
				  row->count, row->refs, per_column(row->count, per, column));
	}
	if (!error)
		error = lines_add(lines, "    %-55s %6s %6s%s", detail_rule, "-----", "----",
				  per_rule);
	return error ? error
		     : lines_add(lines, "    %-55s %6" PRId64 " %6" PRId64 "%s", "total", instances,
				 refs, per_column(instances, per, column));
}

static bool has_details(const struct changes *changes)
{
	for (size_t i = 0; i < changes->row_count; i++)
		if (changes->rows[i].count || changes->rows[i].refs)
			return true;
	return false;
}

static struct error *iteration_lines(const struct load *load,
				     const struct load_iteration *iteration,
				     const struct load_style *style, const struct changes *changes,
				     struct lines *lines)
{
	const struct snapshot *before = &load->looks[iteration->look].snapshot;
	const struct snapshot *after = &load->looks[iteration->look + 1].snapshot;
	int64_t change = change_of_refs(before, after);
	char per[PER_CHARS] = "";
	struct error *error =
		lines_add(lines, "  ran: %s (exit %d) in %.3f seconds", iteration->command,
			  iteration->exit_status, (double)iteration->command_ns / 1e9);

	if (style->per)
		snprintf(per, sizeof(per), " (%.2f per request)",
			 (double)change / (double)style->per);
	if (!error)
		error = lines_add(lines,
				  "  sum detail refcount=%-8" PRIu64 " sys refcount=%-8" PRId64
				  " change=%" PRId64 "%s",
				  after->census.total.refs, snapshot_refs(after), change, per);
	if (!error && style->details && has_details(changes))
		error = details_lines(changes, style->per, lines);
	return error;
}

struct error *load_report_iteration(struct report *report, const struct load *load,
				    const struct load_iteration *iteration,
				    const struct load_style *style)
{
	CLEANUP(details_deinit) struct details details = {0};
	CLEANUP(lines_deinit) struct lines lines = {0};
	struct error *error = details_find(&load->looks[iteration->look].snapshot,
					   &load->looks[iteration->look + 1].snapshot, &details);

	if (!error)
		error = iteration_row(report, load, iteration, &details);
	if (!error)
		error = iteration_lines(load, iteration, style, &details.changes, &lines);
	if (!error)
		error = report_heading(report, "Iteration %u%s%s%s", iteration->number,
				       iteration->page_id ? " of " : "", iteration->page_id ?: "",
				       iteration->number == 1 ? " (warm-up)" : "");
	if (!error)
		error = report_lines(report, (const char *const *)lines.list, lines.count);
	return error ? error : report_show(report);
}

enum growing_column {
	GROWING_PAGE_ID,
	GROWING_NAME,
	GROWING_PER_ITERATION,
	GROWING_PER_REQUEST,
	GROWING_CONFIDENCE,
	GROWING_FROM,
	GROWING_TO,
	GROWING_COLUMNS,
};

static const struct report_column growing_columns[GROWING_COLUMNS] = {
	[GROWING_PAGE_ID] = {.key = "page_id", .title = "page", .unit = REPORT_TEXT},
	[GROWING_NAME] = {.key = "name", .title = "growing type", .unit = REPORT_TEXT},
	[GROWING_PER_ITERATION] = {.key = "per_iteration",
				   .title = "per iteration",
				   .unit = REPORT_REAL},
	[GROWING_PER_REQUEST] = {.key = "per_request", .title = "per request", .unit = REPORT_REAL},
	[GROWING_CONFIDENCE] = {.key = "confidence", .unit = REPORT_REAL},
	[GROWING_FROM] = {.key = "from", .unit = REPORT_COUNT},
	[GROWING_TO] = {.key = "to", .unit = REPORT_COUNT},
};

static void growing_cells(const struct load_growth *block, const struct growth_row *row,
			  uint64_t per, struct report_cell *cells)
{
	cells[GROWING_PAGE_ID] = (struct report_cell){
		.text = block->url ? url_page_id(block->url) : NULL, .absent = !block->url};
	cells[GROWING_NAME] = (struct report_cell){.text = row->name};
	cells[GROWING_PER_ITERATION] = (struct report_cell){.real = row->per_iteration};
	cells[GROWING_PER_REQUEST] = (struct report_cell){
		.real = per ? row->per_iteration / (double)per : 0, .absent = !per};
	cells[GROWING_CONFIDENCE] = (struct report_cell){.real = row->confidence};
	cells[GROWING_FROM] = (struct report_cell){.number = (int64_t)row->count_first};
	cells[GROWING_TO] = (struct report_cell){.number = (int64_t)row->count_last};
}

static struct error *verdict_cells(const struct load_growth *blocks, size_t count, uint64_t per,
				   struct report_cell **ret, size_t *ret_count)
{
	size_t all = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		all += blocks[i].growth.row_count;
	*ret = calloc(all + 1, GROWING_COLUMNS * sizeof(**ret));
	if (!*ret)
		return error_no_memory();
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < blocks[i].growth.row_count; j++)
			growing_cells(&blocks[i], &blocks[i].growth.rows[j], per,
				      *ret + GROWING_COLUMNS * at++);
	*ret_count = at;
	return NULL;
}

// For people: without the columns that say nothing.
static struct error *verdict_for_people(struct report *report, const struct report_cell *cells,
					size_t count, bool has_pages, bool has_requests)
{
	struct report_column columns[GROWING_COLUMNS];

	for (size_t i = 0; i < GROWING_COLUMNS; i++) {
		columns[i] = growing_columns[i];
		bool shown = (i != GROWING_PAGE_ID || has_pages) &&
			     (i != GROWING_PER_REQUEST || has_requests);
		columns[i].reader = shown ? REPORT_FOR_PEOPLE : REPORT_FOR_PROGRAMS;
	}
	struct error *error = report_heading(report, "Verdict");
	if (error || !count)
		return error;
	error = report_table(report, "growing", columns, GROWING_COLUMNS);
	for (size_t i = 0; i < count && !error; i++)
		error = report_row(report, cells + GROWING_COLUMNS * i);
	return error;
}

struct error *load_report_verdict(struct report *report, const struct load_growth *blocks,
				  size_t count, const struct load_style *style)
{
	static const struct report_column columns[] = {
		{.key = "growing",
		 .unit = REPORT_OBJECTS,
		 .reader = REPORT_FOR_PROGRAMS,
		 .members = growing_columns,
		 .member_count = GROWING_COLUMNS},
		{.key = "steps", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	};
	_cleanup_free_ struct report_cell *growing = NULL;
	size_t growing_count = 0, steps = count ? blocks[0].growth.step_count : 0;
	struct error *error = verdict_cells(blocks, count, style->per, &growing, &growing_count);

	if (error)
		return error;
	const struct report_cell cells[] = {
		{.members = growing, .count = growing_count},
		{.number = (int64_t)steps},
	};
	error = report_object(report, "verdict", columns, ARRAY_COUNT(columns), cells);
	if (!error)
		error = verdict_for_people(report, growing, growing_count, count > 1, style->per);
	if (!error && steps < GROWTH_RISES_MIN)
		error = report_note(report,
				    "too few iterations to tell what grows with them: three are "
				    "the least, of which the first is the warm-up");
	else if (!error && !growing_count)
		error = report_note(report, "no type grows with the iterations");
	return error;
}

enum ranking_column {
	RANKING_URL,
	RANKING_OBJECTS,
	RANKING_PER_REQUEST,
	RANKING_BYTES,
	RANKING_TYPES,
	RANKING_COLUMNS,
};

static const struct report_column ranking_columns[RANKING_COLUMNS] = {
	[RANKING_URL] = {.key = "url", .unit = REPORT_TEXT},
	[RANKING_OBJECTS] = {.key = "objects",
			     .title = "objects per iteration",
			     .unit = REPORT_REAL},
	[RANKING_PER_REQUEST] = {.key = "per_request", .title = "per request", .unit = REPORT_REAL},
	[RANKING_BYTES] = {.key = "bytes", .title = "bytes per iteration", .unit = REPORT_BYTES},
	[RANKING_TYPES] = {.key = "types", .title = "types that grow", .unit = REPORT_TEXTS},
};

static struct error *ranking_row(struct report *report, const struct load_growth *block,
				 uint64_t per)
{
	_cleanup_free_ const char **names =
		calloc(block->growth.row_count + 1, sizeof(const char *));

	if (!names)
		return error_no_memory();
	for (size_t i = 0; i < block->growth.row_count; i++)
		names[i] = block->growth.rows[i].name;
	const struct report_cell cells[RANKING_COLUMNS] = {
		[RANKING_URL] = {.text = block->url},
		[RANKING_OBJECTS] = {.real = block->objects_per_iteration},
		[RANKING_PER_REQUEST] = {.real = per ? block->objects_per_iteration / (double)per
						     : 0,
					 .absent = !per},
		[RANKING_BYTES] = {.number = (int64_t)block->bytes_per_iteration},
		[RANKING_TYPES] = {.texts = names, .count = block->growth.row_count},
	};
	return report_row(report, cells);
}

struct error *load_report_ranking(struct report *report, const struct load_ranking *ranking,
				  const struct load_style *style)
{
	struct error *error = report_heading(report, "URLs by what they leak");

	if (!error)
		error = report_table(report, "urls", ranking_columns, RANKING_COLUMNS);
	for (size_t i = 0; i < ranking->count && !error; i++)
		error = ranking_row(report, &ranking->list[i], style->per);
	return error;
}

struct error *load_report_notes(struct report *report, const struct load *load)
{
	const struct snapshot *last = &load->looks[load->look_count - 1].snapshot;
	char cached[HUMAN_CHARS], failed[HUMAN_CHARS], runs[HUMAN_CHARS], settle[DURATION_CHARS];
	struct error *error = NULL;

	if (last->ref_total < 0)
		error = report_note(report, "sys refcount is the sum over all objects on the heap: "
					    "this is a release build, which keeps no total of its "
					    "own");
	if (!error && last->census.cached_count)
		error = report_note(report,
				    "%s strings that only the interpreter's cache of methods keeps "
				    "are left out: it gives them up when it needs the place",
				    human_count((int64_t)last->census.cached_count, cached));
	if (!error && load->failed_count)
		error = report_note(report, "%s of %s runs of the command failed%s%s",
				    human_count((int64_t)load->failed_count, failed),
				    human_count((int64_t)load->run_count, runs),
				    load->complaint.length ? "; the last one said: " : "",
				    text_chars(&load->complaint));
	if (!error && load->busy_count)
		error = report_note(
			report,
			"the process had not come to rest after %s (--settle) in %" PRIu64
			" of the looks: what it was about is counted, too",
			duration_format(load->options.settle_ns, settle), load->busy_count);
	if (!error && load->inexact_count)
		error = report_note(report,
				    "%" PRIu64 " of the looks %s not exact: no consistent moment, "
				    "or not all could be read",
				    load->inexact_count, load->inexact_count == 1 ? "is" : "are");
	return error;
}
