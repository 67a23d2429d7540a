// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyze/garbage.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/garbage_verify.h"
#include "ui/answers/type_sums.h"

#define GARBAGE_COLUMNS(for_whom)                                                            \
	{                                                                                    \
		{.key = "name", .title = "type", .unit = REPORT_TEXT, .reader = (for_whom)}, \
			{.key = "count", .unit = REPORT_COUNT, .reader = (for_whom)},        \
			{.key = "size", .unit = REPORT_BYTES, .reader = (for_whom)},         \
	}

static const struct report_column garbage_columns[] = GARBAGE_COLUMNS(REPORT_FOR_ALL);
// Programs find every table; a person is spared the empty ones.
static const struct report_column garbage_empty_columns[] = GARBAGE_COLUMNS(REPORT_FOR_PROGRAMS);

enum garbage_option { GARBAGE_TRY, GARBAGE_VERIFY };

static const struct command_option garbage_options[] = {
	{.name = "try",
	 .summary = "try the collection on heaps of more than two million tracked objects, too"},
	{.name = "verify",
	 .summary = "run gc.collect() in a frozen copy of the process, and compare"},
};

/** A trial takes some hundred steps for each object. */
enum { GARBAGE_TRY_OBJECTS_MAX = 2000000 };

/** What is told: the analysis of the graph, corrected by what a trial came to. */
struct garbage_outcome {
	struct garbage garbage;
	bool tried;
	/** Why it could not be tried; "" when it was, or there was no need. */
	char reason[160];
	/** With --verify: what a collection returned in a clone, and found in another one. */
	struct target_collection returned;
	struct target_collection saved;
};

enum { GARBAGE_COLUMN_COUNT = ARRAY_COUNT(garbage_columns) };

static struct error *garbage_add(const struct heap *heap, const struct garbage_types *types,
				 struct type_sums *sums)
{
	struct error *error = NULL;

	for (size_t i = 0; i < types->count && !error; i++) {
		const struct type_sum part = {
			.name = heap->types[types->list[i].type].name,
			.count = types->list[i].count,
			.size_bytes = types->list[i].size_bytes,
		};
		error = type_sums_add(sums, &part);
	}
	return error;
}

static struct error *garbage_report_row(struct report *report, const struct type_sum *sum)
{
	const struct report_cell cells[] = {
		{.text = sum->name},
		{.number = (int64_t)sum->count},
		{.number = (int64_t)sum->size_bytes},
	};

	return report_row(report, cells);
}

/** A table of types: those of one list of the analysis, or of two. */
struct garbage_table {
	const char *key;
	const struct garbage_types *types;
	const struct garbage_types *more;
	/** People are told that it is empty. */
	bool main;
};

static struct error *garbage_report_table(const struct command_context *context,
					  const struct heap *heap,
					  const struct garbage_table *table)
{
	_cleanup_type_sums_ struct type_sums sums = {0};
	size_t limit = arguments_limit(context->arguments);
	struct error *error = garbage_add(heap, table->types, &sums);
	char more[HUMAN_CHARS];

	if (!error && table->more)
		error = garbage_add(heap, table->more, &sums);
	if (error)
		return error;
	type_sums_finish(&sums);
	error = report_table(context->report, table->key,
			     sums.count || table->main ? garbage_columns : garbage_empty_columns,
			     GARBAGE_COLUMN_COUNT);
	for (size_t i = 0; i < sums.count && i < limit && !error; i++)
		error = garbage_report_row(context->report, &sums.list[i]);
	if (!error && sums.count > limit)
		error = report_note(context->report, "(%s more type%s)",
				    human_count((int64_t)(sums.count - limit), more),
				    sums.count - limit == 1 ? "" : "s");
	return error;
}

static struct error *garbage_report_numbers(struct report *report, const struct heap *heap,
					    const struct garbage_outcome *outcome)
{
	const struct garbage *garbage = &outcome->garbage;
	static const struct report_column columns[] = {
		{.key = "unreachable", .unit = REPORT_COUNT},
		{.key = "uncollectable", .unit = REPORT_COUNT},
		{.key = "garbage", .title = "in gc.garbage", .unit = REPORT_COUNT},
		{.key = "to_garbage", .title = "to be added there", .unit = REPORT_COUNT},
		{.key = "unfinalized", .title = "finalizers to run", .unit = REPORT_COUNT},
		{.key = "callbacks", .title = "callbacks to run", .unit = REPORT_COUNT},
		{.key = "tried", .title = "tried over a copy", .unit = REPORT_BOOL},
		{.key = "enabled", .title = "collector enabled", .unit = REPORT_BOOL},
	};
	const struct report_cell cells[] = {
		{.number = (int64_t)garbage->unreachable_count},
		{.number = (int64_t)garbage->uncollectable_count},
		{.number = (int64_t)garbage->in_garbage_count},
		{.number = (int64_t)garbage->to_garbage_count},
		{.number = (int64_t)garbage->unfinalized_count},
		{.number = (int64_t)garbage->callback_count},
		{.number = outcome->tried},
		{.number = heap->collector.enabled},
	};

	return report_object(report, NULL, columns, ARRAY_COUNT(columns), cells);
}

static struct error *garbage_report_code(struct report *report,
					 const struct garbage_outcome *outcome)
{
	const struct garbage *garbage = &outcome->garbage;
	char code[HUMAN_CHARS];
	struct error *error = NULL;

	if (outcome->tried)
		return report_note(report, "found by running the collection, with all code that it "
					   "runs, over a copy of the process's memory");
	if (garbage->unfinalized_count + garbage->callback_count)
		error = report_note(
			report,
			"what it would free depends on code that it runs before: "
			"%s finalizers and callbacks",
			human_count((int64_t)(garbage->unfinalized_count + garbage->callback_count),
				    code));
	if (!error && outcome->reason[0])
		error = report_note(report, "what finalizers would do could not be tried: %s",
				    outcome->reason);
	return error;
}

static struct error *garbage_report_notes(struct report *report, const struct heap *heap,
					  const struct garbage_outcome *outcome)
{
	const struct garbage *garbage = &outcome->garbage;
	uint64_t found = garbage->unreachable_count + garbage->uncollectable_count;
	char all[HUMAN_CHARS], freed[HUMAN_CHARS], kept[HUMAN_CHARS];
	struct error *error = report_note(
		report, "gc.collect() would return %s: %s to be %s, %s that cannot be freed",
		human_count((int64_t)found, all),
		human_count((int64_t)garbage->unreachable_count, freed),
		heap->collector.saves_all ? "put into gc.garbage (DEBUG_SAVEALL)" : "freed",
		human_count((int64_t)garbage->uncollectable_count, kept));

	if (!error && found && heap->collector.collector_count > 1)
		error = report_note(report,
				    "that is of all %u interpreters together: each collects for "
				    "itself, and returns its own part",
				    heap->collector.collector_count);
	if (!error && found && !heap->collector.enabled)
		error = report_note(report,
				    "the collector is disabled: no collection comes by itself");
	return error ? error : garbage_report_code(report, outcome);
}

static struct error *garbage_report(const struct command_context *context, const struct heap *heap,
				    const struct garbage_outcome *outcome)
{
	const struct garbage *garbage = &outcome->garbage;
	const struct garbage_table tables[] = {
		{.key = "by_type",
		 .types = &garbage->unreachable_types,
		 .more = &garbage->uncollectable_types,
		 .main = true},
		{.key = "uncollectable_by_type", .types = &garbage->uncollectable_types},
		{.key = "to_garbage_by_type", .types = &garbage->to_garbage_types},
		{.key = "garbage_by_type", .types = &garbage->in_garbage_types},
	};
	struct error *error = garbage_report_numbers(context->report, heap, outcome);

	for (size_t i = 0; i < ARRAY_COUNT(tables) && !error; i++)
		error = garbage_report_table(context, heap, &tables[i]);
	return error ? error : garbage_report_notes(context->report, heap, outcome);
}

// What the trial put into gc.garbage. What it made itself has no type here.
static struct error *garbage_saved(const struct heap *heap,
				   const struct target_collection *collection,
				   struct garbage *garbage)
{
	struct garbage_types *types = &garbage->to_garbage_types;

	free(types->list);
	*types = (struct garbage_types){0};
	garbage->to_garbage_count = collection->garbage_count;
	if (!collection->garbage_count)
		return NULL;
	types->list = calloc(collection->garbage_count, sizeof(*types->list));
	if (!types->list)
		return error_no_memory();
	for (size_t i = 0; i < collection->garbage_count; i++) {
		uint32_t object = heap_find(heap, collection->garbage[i]);

		if (object != HEAP_NO_OBJECT)
			types->list[types->count++] = (struct garbage_type){
				.type = heap->type[object],
				.count = 1,
				.size_bytes = heap->size_bytes[object],
			};
	}
	return NULL;
}

/*
 * Collectable objects are counted before they are freed, uncollectable ones when all else is: fewer
 * than the graph has are fewer of these.
 */
static void garbage_correct(uint64_t returned, struct garbage *garbage)
{
	uint64_t unreachable = garbage->unreachable_count;
	uint64_t uncollectable = returned > unreachable ? returned - unreachable : 0;

	if (garbage->uncollectable_count > uncollectable)
		garbage->uncollectable_count = uncollectable;
	garbage->unreachable_count = returned - garbage->uncollectable_count;
}

static uint64_t garbage_collectable_count(const struct heap *heap)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < heap->object_count; i++)
		count += heap_is_collectable(heap, i);
	return count;
}

static struct error *garbage_try(const struct command_context *context, const struct heap *heap,
				 struct garbage_outcome *outcome)
{
	_cleanup_target_collection_ struct target_collection collection = {0};
	struct garbage *garbage = &outcome->garbage;

	if (!garbage->unfinalized_count && !garbage->callback_count &&
	    !garbage->uncollectable_count && !heap->collector.calls_back)
		return NULL;
	if (garbage_collectable_count(heap) > GARBAGE_TRY_OBJECTS_MAX &&
	    !context->arguments->options[GARBAGE_TRY].count) {
		snprintf(outcome->reason, sizeof(outcome->reason),
			 "there are many objects; with --try it is done all the same");
		return NULL;
	}
	struct error *error = inspected_collect(context->inspected, &collection);
	if (error)
		return error;
	outcome->tried = collection.done && collection.returned >= 0;
	if (!outcome->tried) {
		snprintf(outcome->reason, sizeof(outcome->reason), "%s", collection.reason);
		return NULL;
	}
	garbage_correct((uint64_t)collection.returned, garbage);
	return garbage_saved(heap, &collection, garbage);
}

static void garbage_drop(struct garbage_outcome *outcome)
{
	garbage_deinit(&outcome->garbage);
	target_collection_deinit(&outcome->returned);
	target_collection_deinit(&outcome->saved);
}

static struct error *garbage_verify(struct command_context *context, const struct heap *heap,
				    const struct garbage_outcome *outcome)
{
	const struct garbage_prediction prediction = {
		.heap = heap,
		.garbage = &outcome->garbage,
		.found = outcome->garbage.unreachable_count + outcome->garbage.uncollectable_count,
	};
	bool agrees;
	struct error *error = garbage_verify_report(context->report, &prediction,
						    &outcome->returned, &outcome->saved, &agrees);

	if (!error && !agrees)
		context->exit_status = 1;
	return error;
}

static struct error *garbage_run(struct command_context *context)
{
	CLEANUP(garbage_drop) struct garbage_outcome outcome = {0};
	const struct inspected_graph *graph;
	struct report_head head;
	bool verify = context->arguments->options[GARBAGE_VERIFY].count;
	struct error *error = verify ? inspected_verify(context->inspected, &graph,
							&outcome.returned, &outcome.saved)
				     : inspected_graph(context->inspected, &graph);

	if (!error)
		error = garbage_find(graph->heap, &outcome.garbage);
	if (!error)
		error = garbage_try(context, graph->heap, &outcome);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "garbage", graph, &head);
	error = report_begin(context->report, &head);
	if (!error)
		error = garbage_report(context, graph->heap, &outcome);
	return error || !verify ? error : garbage_verify(context, graph->heap, &outcome);
}

static const struct command_example garbage_examples[] = {
	{"garbage 4711", "what a collection would find now"},
	{"garbage 4711 --json", "the same for a program"},
	{"garbage 4711 --verify", "the same beside a real collection in a frozen copy"},
};

const struct command command_garbage = {
	.name = "garbage",
	.summary = "what gc.collect() would find, without running it",
	.words = "",
	.description =
		"What a collection of all generations would find now, by the collector's "
		"own rules: objects that\n"
		"nothing reaches and that it would free (unreachable), and those that it "
		"cannot free because of a\n"
		"finalizer of the old kind (uncollectable). Their sum is what gc.collect() "
		"would return; by_type\n"
		"has both. Then what would be added to gc.garbage, and what is in it now. "
		"No collection is run in\n"
		"the process.\n"
		"\n"
		"Finalizers, callbacks of weak references and gc.callbacks may do anything, also "
		"bring objects back.\n"
		"Where some are to run, or objects cannot be freed, the collection is tried: the "
		"interpreter's own machine\n"
		"code, with all that it calls, is run over a copy of the process's memory, "
		"and the numbers are\n"
		"those it came to (tried); by_type is always that of the objects found "
		"before. Nothing of it\n"
		"reaches the process, no file is written, and code that needs more of the "
		"system ends the trial:\n"
		"then the numbers are those before any finalizer runs, and a note says so.\n"
		"\n"
		"With --verify gc.collect() itself is run in two frozen copies (see 'help repl') "
		"of the moment that\n"
		"is told: what it returns is compared with the prediction, and object by object "
		"what it finds,\n"
		"unless finalizers or callbacks ran before. Where they differ, the exit status is "
		"1.",
	.options = garbage_options,
	.option_count = ARRAY_COUNT(garbage_options),
	.examples = garbage_examples,
	.example_count = ARRAY_COUNT(garbage_examples),
	// clang-format off
	.example_output =
		"...\n"
		"unreachable        5\n"
		"uncollectable      242\n"
		"in gc.garbage      758\n"
		"to be added there  242\n"
		"...\n"
		"gc.collect() would return 247: 5 to be freed, 242 that cannot be freed\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = garbage_run,
};
