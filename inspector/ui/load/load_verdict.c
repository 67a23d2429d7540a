// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/load_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/duration.h"
#include "ui/load/urls.h"

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

static const struct growth *growth_of(const struct load_growth *block, bool waits)
{
	return waits ? &block->waiting : &block->growth;
}

// What grows, or what only waits for the collector.
static struct error *verdict_cells(const struct load_growth *blocks, size_t count, bool waits,
				   uint64_t per, struct report_cell **ret, size_t *ret_count)
{
	size_t all = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		all += growth_of(&blocks[i], waits)->row_count;
	*ret = calloc(all + 1, GROWING_COLUMNS * sizeof(**ret));
	if (!*ret)
		return error_no_memory();
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < growth_of(&blocks[i], waits)->row_count; j++)
			growing_cells(&blocks[i], &growth_of(&blocks[i], waits)->rows[j], per,
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
		{.key = "waiting",
		 .unit = REPORT_OBJECTS,
		 .reader = REPORT_FOR_PROGRAMS,
		 .members = growing_columns,
		 .member_count = GROWING_COLUMNS},
		{.key = "steps", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	};
	_cleanup_free_ struct report_cell *growing = NULL;
	_cleanup_free_ struct report_cell *waiting = NULL;
	size_t growing_count = 0, waiting_count = 0,
	       steps = count ? blocks[0].growth.step_count : 0;
	struct error *error =
		verdict_cells(blocks, count, false, style->per, &growing, &growing_count);

	if (!error)
		error = verdict_cells(blocks, count, true, style->per, &waiting, &waiting_count);
	if (error)
		return error;
	const struct report_cell cells[] = {
		{.members = growing, .count = growing_count},
		{.members = waiting, .count = waiting_count},
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
	if (!error && waiting_count)
		error = report_note(report,
				    "%zu type%s left out, of which the next collection frees "
				    "what there is more: %s%s",
				    waiting_count, waiting_count == 1 ? "" : "s",
				    waiting[GROWING_NAME].text, waiting_count > 1 ? ", ..." : "");
	return error;
}

enum ranking_column {
	RANKING_URL,
	RANKING_OBJECTS,
	RANKING_PER_REQUEST,
	RANKING_BYTES,
	RANKING_TYPES,
	RANKING_TELLING,
	RANKING_COLUMNS,
};

static const struct report_column ranking_columns[RANKING_COLUMNS] = {
	[RANKING_URL] = {.key = "url", .unit = REPORT_TEXT},
	[RANKING_OBJECTS] = {.key = "objects",
			     .title = "objects per iteration",
			     .unit = REPORT_REAL},
	[RANKING_PER_REQUEST] = {.key = "per_request", .title = "per request", .unit = REPORT_REAL},
	[RANKING_BYTES] = {.key = "bytes", .title = "bytes per iteration", .unit = REPORT_BYTES},
	[RANKING_TYPES] = {.key = "types", .unit = REPORT_TEXTS, .reader = REPORT_FOR_PROGRAMS},
	[RANKING_TELLING] = {.key = "telling",
			     .title = "types that grow",
			     .unit = REPORT_TEXT,
			     .reader = REPORT_FOR_PEOPLE},
};

// A few of the types for people: a class of the program's tells more than a dict, so those come first.
static struct error *telling_types(const struct growth *growth, struct text *into)
{
	enum { TOLD_MAX = 3 };
	size_t told = 0;
	struct error *error = NULL;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < growth->row_count && told < TOLD_MAX && !error; i++) {
			const char *name = growth->rows[i].name;
			bool of_program = strchr(name, '.');
			if (of_program != (pass == 0))
				continue;
			error = text_appendf(into, "%s%s", told++ ? ", " : "", name);
		}
	if (error || growth->row_count <= told)
		return error;
	return text_appendf(into, " and %zu more", growth->row_count - told);
}

static struct error *ranking_row(struct report *report, const struct load_growth *block,
				 uint64_t per)
{
	_cleanup_free_ const char **names =
		calloc(block->growth.row_count + 1, sizeof(const char *));

	_cleanup_text_ struct text telling = {0};

	if (!names)
		return error_no_memory();
	for (size_t i = 0; i < block->growth.row_count; i++)
		names[i] = block->growth.rows[i].name;
	struct error *error = telling_types(&block->growth, &telling);
	if (error)
		return error;
	const struct report_cell cells[RANKING_COLUMNS] = {
		[RANKING_URL] = {.text = block->url},
		[RANKING_OBJECTS] = {.real = block->objects_per_iteration},
		[RANKING_PER_REQUEST] = {.real = per ? block->objects_per_iteration / (double)per
						     : 0,
					 .absent = !per},
		[RANKING_BYTES] = {.number = (int64_t)block->bytes_per_iteration},
		[RANKING_TYPES] = {.texts = names, .count = block->growth.row_count},
		[RANKING_TELLING] = {.text = text_chars(&telling)},
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

	if (load->is_interrupted)
		error = report_note(report, "interrupted: this is of the iterations until then");
	if (!error && last->ref_total < 0)
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
