// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/change_rows.h"

const struct report_column change_columns[CHANGE_COLUMNS] = {
	[CHANGE_NAME] = {.key = "name", .title = "type", .unit = REPORT_TEXT},
	[CHANGE_INSTANCES] = {.key = "instances", .unit = REPORT_FIGURE},
	[CHANGE_REFS] = {.key = "refs", .unit = REPORT_FIGURE},
	[CHANGE_SIZE] = {.key = "size", .unit = REPORT_FIGURE},
	[CHANGE_NOW] = {.key = "now", .unit = REPORT_COUNT},
	[CHANGE_TREND] = {.key = "trend", .unit = REPORT_TEXT},
};

static struct report_cell change_cell(int64_t number, enum report_unit unit)
{
	return (struct report_cell){.number = number, .unit = unit, .is_change = true};
}

void change_cells(const struct change_row *row, struct report_cell cells[CHANGE_COLUMNS])
{
	const char *trend = change_trend_name(row->trend);

	cells[CHANGE_NAME] = (struct report_cell){.text = row->name};
	cells[CHANGE_INSTANCES] = change_cell(row->count, REPORT_COUNT);
	cells[CHANGE_REFS] = change_cell(row->refs, REPORT_COUNT);
	cells[CHANGE_SIZE] = change_cell(row->size_bytes, REPORT_BYTES);
	cells[CHANGE_NOW] = (struct report_cell){.number = (int64_t)row->last_count};
	cells[CHANGE_TREND] = (struct report_cell){.text = trend, .absent = !trend};
}

int64_t change_of_refs(const struct snapshot *before, const struct snapshot *after)
{
	if (before->ref_total >= 0 && after->ref_total >= 0)
		return after->ref_total - before->ref_total;
	return (int64_t)after->census.total.refs - (int64_t)before->census.total.refs;
}
