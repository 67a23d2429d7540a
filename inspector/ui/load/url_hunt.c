// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/url_hunt.h"

#include <stdlib.h>

#include "base/array.h"
#include "ui/load/halving.h"
#include "ui/load/load_garbage.h"

enum {
	/** Objects more of a type, where requests are not known; below them it is noise. */
	HUNT_LEAST = 10,
	/** A request that leaves nothing behind each time may do so every second time. */
	HUNT_LEAST_SHARE = 2,
};

/** A hunt under way. */
struct hunt {
	struct report *report;
	struct load *load;
	const struct urls *urls;
	const struct load_style *style;
	struct halving halving;
	struct load_ranking ranking;
	/** The group that is run; room for all. */
	const char **group;
	size_t group_count;
};

static void hunt_deinit(struct hunt *hunt)
{
	halving_deinit(&hunt->halving);
	load_ranking_deinit(&hunt->ranking);
	free(hunt->group);
}

static struct error *hunt_run(struct hunt *hunt, const char *what)
{
	_cleanup_load_iteration_ struct load_iteration iteration = {0};
	struct error *error =
		load_iterate(hunt->load, what, hunt->group, hunt->group_count, &iteration);

	return error ? error
		     : load_report_iteration(hunt->report, hunt->load, &iteration, hunt->style);
}

static uint64_t hunt_least(const struct hunt *hunt)
{
	uint64_t least = hunt->style->per / HUNT_LEAST_SHARE;

	if (!hunt->style->per)
		return HUNT_LEAST;
	return least ? least : 1;
}

// Runs a group alone between two looks; the one before it is that of the run before.
static struct error *hunt_group(struct hunt *hunt, const size_t *group, size_t count)
{
	CLEANUP(load_growth_deinit) struct load_growth growth = {0};
	bool confirms = hunt->halving.state == HALVING_CONFIRM;
	char what[64];

	snprintf(what, sizeof(what), "%zu URLs (%zu to %zu)", count, group[0] + 1,
		 group[count - 1] + 1);
	for (size_t i = 0; i < count; i++)
		hunt->group[i] = hunt->urls->list[group[i]];
	hunt->group_count = count;
	load_drop_looks(hunt->load);
	// A group may leave garbage: who is found alone has left more than that.
	struct error *error = confirms ? load_garbage_note(hunt->load, true) : NULL;
	if (!error)
		error = hunt_run(hunt, count == 1 ? url_page_id(hunt->group[0]) : what);
	if (!error)
		error = load_growth_of_last(hunt->load, hunt->group[0], hunt_least(hunt), &growth);
	if (error)
		return error;
	if (confirms)
		error = load_garbage_leave_out(hunt->load, &growth);
	if (error)
		return error;
	bool leaks = load_growth_is_found(&growth);
	halving_answer(&hunt->halving, leaks);
	return confirms && leaks ? load_ranking_add(&hunt->ranking, &growth) : NULL;
}

static struct error *hunt_warm_up(struct hunt *hunt)
{
	for (size_t i = 0; i < hunt->urls->count; i++)
		hunt->group[i] = hunt->urls->list[i];
	hunt->group_count = hunt->urls->count;
	return hunt_run(hunt, "all URLs, for the warm-up");
}

// Of a process that grows while nobody asks it for anything every group would leak.
static struct error *hunt_look_at_rest(struct hunt *hunt)
{
	CLEANUP(load_growth_deinit) struct load_growth growth = {0};

	load_drop_looks(hunt->load);
	struct error *error = load_look(hunt->load);
	if (!error)
		error = load_growth_of_last(hunt->load, NULL, hunt_least(hunt), &growth);
	if (error || !load_growth_is_found(&growth))
		return error;
	return error_create(ERROR_FAILED,
			    "the process grows by itself, by %.0f of %s while nothing was run: no "
			    "group of URLs can be told from another",
			    growth.growth.rows[0].per_iteration, growth.growth.rows[0].name);
}

static struct error *hunt_report(const struct hunt *hunt)
{
	static const struct report_column columns[] = {
		{.key = "urls", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "runs", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "leaking", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "unconfirmed", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct halving *halving = &hunt->halving;
	// The warm-up is one, too.
	size_t runs = halving->run_count + 1;
	const struct report_cell cells[] = {
		{.number = (int64_t)hunt->urls->count},
		{.number = (int64_t)runs},
		{.number = (int64_t)halving->found_count},
		{.number = (int64_t)halving->unconfirmed_count},
	};
	struct error *error =
		report_object(hunt->report, "bisect", columns, ARRAY_COUNT(columns), cells);

	if (!error)
		error = load_report_ranking(hunt->report, &hunt->ranking, hunt->style);
	if (!error)
		error = report_note(hunt->report, "%zu of %zu URLs leak, found in %zu runs",
				    halving->found_count, hunt->urls->count, runs);
	if (!error && halving->unconfirmed_count)
		error = report_note(hunt->report,
				    "%zu times a group leaked and none of it alone: what is left "
				    "behind may come of two together, or of something else that "
				    "the process does",
				    halving->unconfirmed_count);
	return error;
}

struct error *url_hunt(struct report *report, struct load *load, const struct urls *urls,
		       const struct load_style *style, bool *ret_found)
{
	CLEANUP(hunt_deinit)
	struct hunt hunt = {.report = report, .load = load, .urls = urls, .style = style};
	struct error *error = halving_init(&hunt.halving, urls->count);
	const size_t *group;
	size_t count;

	hunt.group = calloc(urls->count + 1, sizeof(*hunt.group));
	if (!error && !hunt.group)
		error = error_no_memory();
	if (!error)
		error = hunt_warm_up(&hunt);
	if (!error)
		error = hunt_look_at_rest(&hunt);
	while (!error && halving_next(&hunt.halving, &group, &count))
		error = hunt_group(&hunt, group, count);
	*ret_found = hunt.halving.found_count > 0;
	return error ? error : hunt_report(&hunt);
}
