// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/garbage_verify.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"

/** More differences than anybody looks at one by one. */
enum { DIFFERENCES_MAX = 100 };

struct difference {
	addr_t at;
	/** NULL for one that is not in the graph. */
	const char *type;
	bool predicted;
};

struct comparison {
	bool agrees;
	bool has_objects;
	uint64_t compared;
	struct difference list[DIFFERENCES_MAX];
	size_t count;
	/** Also those that are not listed. */
	uint64_t differences;
};

static void comparison_add(struct comparison *comparison, const struct difference *difference)
{
	comparison->differences++;
	if (comparison->count < DIFFERENCES_MAX)
		comparison->list[comparison->count++] = *difference;
}

static bool state_is_found(uint8_t state)
{
	return state == GARBAGE_UNREACHABLE || state == GARBAGE_UNCOLLECTABLE;
}

static struct error *comparison_objects(struct comparison *comparison,
					const struct garbage_prediction *prediction,
					const struct target_collection *saved)
{
	const struct heap *heap = prediction->heap;
	_cleanup_free_ bool *seen = calloc(heap->object_count ? heap->object_count : 1, 1);

	if (!seen)
		return error_no_memory();
	for (size_t i = 0; i < saved->garbage_count; i++) {
		uint32_t object = heap_find(heap, saved->garbage[i]);
		bool known = object != HEAP_NO_OBJECT;
		if (known)
			seen[object] = true;
		if (!known || !state_is_found(prediction->garbage->state[object]))
			comparison_add(comparison,
				       &(struct difference){
					       saved->garbage[i],
					       known ? heap_type_name(heap, object) : NULL, false});
	}
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (!state_is_found(prediction->garbage->state[i]))
			continue;
		comparison->compared++;
		if (!seen[i])
			comparison_add(
				comparison,
				&(struct difference){heap->at[i], heap_type_name(heap, i), true});
	}
	comparison->has_objects = true;
	return NULL;
}

static struct error *verify_report_table(struct report *report, const struct comparison *comparison)
{
	static const struct report_column columns[] = {
		{.key = "address", .unit = REPORT_ADDRESS},
		{.key = "type", .unit = REPORT_TEXT},
		{.key = "predicted", .unit = REPORT_BOOL},
	};
	// Programs find the table; a person is spared an empty one.
	static const struct report_column hidden[] = {
		{.key = "address", .unit = REPORT_ADDRESS, .reader = REPORT_FOR_PROGRAMS},
		{.key = "type", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "predicted", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
	};
	struct error *error = report_table(
		report, "differences", comparison->count ? columns : hidden, ARRAY_COUNT(columns));

	for (size_t i = 0; !error && i < comparison->count; i++) {
		const struct difference *difference = &comparison->list[i];
		const struct report_cell cells[] = {
			{.number = (int64_t)difference->at},
			{.text = difference->type, .absent = !difference->type},
			{.number = difference->predicted},
		};
		error = report_row(report, cells);
	}
	return error;
}

static struct error *verify_report_note(struct report *report, const struct comparison *comparison,
					const struct garbage_prediction *prediction,
					const struct target_collection *returned,
					const struct target_collection *saved)
{
	char number[HUMAN_CHARS], objects[HUMAN_CHARS], predicted[HUMAN_CHARS];
	struct error *error;

	human_count(returned->returned, number);
	human_count((int64_t)prediction->found, predicted);
	if (comparison->agrees && comparison->has_objects)
		return report_note(
			report,
			"verified: gc.collect() in a clone of the same moment returned %s, and "
			"the %s objects it found are those predicted",
			number, human_count((int64_t)comparison->compared, objects));
	if (comparison->agrees)
		return report_note(
			report,
			"verified: gc.collect() in a clone of the same moment returned %s; "
			"the objects are not compared: %s",
			number, saved->done ? "finalizers and callbacks ran" : saved->reason);
	error = report_note(
		report,
		"not as predicted: gc.collect() in a clone of the same moment returned %s, "
		"not %s",
		number, predicted);
	if (!error && comparison->differences)
		error = report_note(report, "%s objects are in one of the two alone",
				    human_count((int64_t)comparison->differences, objects));
	return error;
}

static struct error *verify_report_object(struct report *report,
					  const struct comparison *comparison,
					  const struct target_collection *returned)
{
	static const struct report_column columns[] = {
		{.key = "agrees", .unit = REPORT_BOOL},
		{.key = "returned", .title = "gc.collect() returned", .unit = REPORT_COUNT},
		{.key = "compared", .title = "objects compared", .unit = REPORT_COUNT},
		{.key = "different", .unit = REPORT_COUNT},
		{.key = "reason", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct report_cell cells[] = {
		{.number = comparison->agrees},
		{.number = returned->returned, .absent = !returned->done},
		{.number = (int64_t)comparison->compared, .absent = !comparison->has_objects},
		{.number = (int64_t)comparison->differences, .absent = !comparison->has_objects},
		{.text = returned->reason, .absent = returned->done},
	};

	return report_object(report, "verified", columns, ARRAY_COUNT(columns), cells);
}

struct error *garbage_verify_report(struct report *report,
				    const struct garbage_prediction *prediction,
				    const struct target_collection *returned,
				    const struct target_collection *saved, bool *ret_agrees)
{
	const struct garbage *garbage = prediction->garbage;
	bool code_ran = garbage->unfinalized_count + garbage->callback_count > 0;
	struct comparison comparison = {0};
	struct error *error = NULL;

	if (returned->done && saved->done && !code_ran)
		error = comparison_objects(&comparison, prediction, saved);
	comparison.agrees = returned->done && !comparison.differences &&
			    returned->returned == (int64_t)prediction->found;
	*ret_agrees = comparison.agrees;
	if (!error)
		error = verify_report_object(report, &comparison, returned);
	if (!error)
		error = verify_report_table(report, &comparison);
	if (error)
		return error;
	if (!returned->done)
		return report_note(report, "not verified: the collection in a clone failed: %s",
				   returned->reason);
	return verify_report_note(report, &comparison, prediction, returned, saved);
}
