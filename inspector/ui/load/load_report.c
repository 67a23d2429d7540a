// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/load_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "ui/answers/change_rows.h"
#include "ui/report/text_lines.h"

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

static struct error *details_lines(const struct changes *changes, uint64_t per,
				   struct text_lines *lines)
{
	int64_t instances = 0, refs = 0;
	char column[PER_CHARS];
	const char *per_title = per ? "  per request" : "", *per_rule = per ? "  -----------" : "";
	struct error *error = text_lines_add(
		lines, "    Leak details, changes in instances and refcounts by type/class:");

	if (!error)
		error = text_lines_add(lines, "    %-55s %6s %6s%s", "type/class", "insts", "refs",
				       per_title);
	if (!error)
		error = text_lines_add(lines, "    %-55s %6s %6s%s", detail_rule, "-----", "----",
				       per_rule);
	for (size_t i = 0; i < changes->row_count && !error; i++) {
		const struct change_row *row = &changes->rows[i];
		// Where only sizes changed, nothing leaked.
		if (!row->count && !row->refs)
			continue;
		instances += row->count;
		refs += row->refs;
		error = text_lines_add(lines, "    %-55s %6" PRId64 " %6" PRId64 "%s", row->name,
				       row->count, row->refs, per_column(row->count, per, column));
	}
	if (!error)
		error = text_lines_add(lines, "    %-55s %6s %6s%s", detail_rule, "-----", "----",
				       per_rule);
	return error ? error
		     : text_lines_add(lines, "    %-55s %6" PRId64 " %6" PRId64 "%s", "total",
				      instances, refs, per_column(instances, per, column));
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
				     struct text_lines *lines)
{
	const struct snapshot *before = &load->looks[iteration->look].snapshot;
	const struct snapshot *after = &load->looks[iteration->look + 1].snapshot;
	int64_t change = change_of_refs(before, after);
	char per[PER_CHARS] = "";
	struct error *error =
		text_lines_add(lines, "  ran: %s (exit %d) in %.3f seconds", iteration->command,
			       iteration->exit_status, (double)iteration->command_ns / 1e9);

	if (style->per)
		snprintf(per, sizeof(per), " (%.2f per request)",
			 (double)change / (double)style->per);
	if (!error)
		error = text_lines_add(lines,
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
	_cleanup_text_lines_ struct text_lines lines = {0};
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
		error = text_lines_report(&lines, report);
	return error ? error : report_show(report);
}
