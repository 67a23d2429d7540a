// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdlib.h>

#include "analyze/retention/retained.h"
#include "base/array.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"
#include "ui/answers/object_choice.h"
#include "ui/answers/type_pattern.h"

enum retained_option { RETAINED_BY_TYPE, RETAINED_BELOW, RETAINED_FILTER };

static const struct command_option retained_options[] = {
	[RETAINED_BY_TYPE] = {.name = "by-type",
			      .summary = "a row for each type, not for single objects"},
	[RETAINED_BELOW] = {.name = "below",
			    .summary =
				    "what hangs on OBJECT and on nothing else, the largest of it"},
	[RETAINED_FILTER] = {.name = "filter",
			     .letter = 'f',
			     .word = COMMAND_TYPE,
			     .argument = "PATTERN",
			     .summary = "only types whose name has PATTERN in it"},
};

enum {
	/** Rows that are shown unless -n says otherwise. */
	RETAINED_ROWS_SHOWN = 20,
};

struct retained_answer {
	struct command_context *context;
	const struct inspected_graph *graph;
	const struct heap *heap;
	struct dominators dominators;
	struct retained retained;
	struct object_choice choice;
	/** Numbers of the rows' objects, and how many there are in all. */
	uint32_t *numbers;
	size_t count;
	size_t all;
	struct retained_type *types;
	size_t type_count;
};

static void retained_answer_deinit(struct retained_answer *answer)
{
	dominators_deinit(&answer->dominators);
	retained_deinit(&answer->retained);
	object_choice_deinit(&answer->choice);
	free(answer->numbers);
	free(answer->types);
}

static struct error *retained_check(const struct arguments *arguments)
{
	bool by_type = arguments->options[RETAINED_BY_TYPE].count;
	bool below = arguments->options[RETAINED_BELOW].count;

	if (by_type && (below || arguments->word_count))
		return error_create(ERROR_USAGE, "--by-type is about all objects; --filter tells "
						 "which types");
	if (below && arguments->word_count != 1)
		return error_create(ERROR_USAGE, "--below wants one OBJECT");
	if (!by_type && arguments->options[RETAINED_FILTER].count)
		return error_create(ERROR_USAGE, "--filter goes with --by-type");
	return object_choice_check(arguments);
}

static size_t retained_limit(const struct retained_answer *answer)
{
	const struct arguments *arguments = answer->context->arguments;

	return arguments_has(arguments, ARGUMENTS_LIMIT) ? arguments_limit(arguments)
							 : RETAINED_ROWS_SHOWN;
}

// Of the objects that were named, those that retain most.
static struct error *retained_choose_named(struct retained_answer *answer, size_t limit)
{
	const struct object_choice *choice = &answer->choice;
	struct retained_order order = {.retained = &answer->retained, .count_max = limit};
	struct error *error = retained_order_init(&order);

	for (size_t i = 0; i < choice->count && !error; i++)
		retained_order_add(&order, answer->dominators.number[choice->ids[i]]);
	if (!error)
		retained_order_finish(&order, &answer->numbers, &answer->count, &answer->all);
	return error;
}

static struct error *retained_choose(struct retained_answer *answer)
{
	const struct arguments *arguments = answer->context->arguments;
	size_t limit = retained_limit(answer);
	uint32_t above = 0;

	if (arguments->options[RETAINED_BY_TYPE].count)
		return retained_by_type(answer->heap, &answer->dominators, &answer->retained,
					&answer->types, &answer->type_count);
	if (arguments->options[RETAINED_BELOW].count)
		above = answer->dominators.number[answer->choice.ids[0]];
	else if (arguments->word_count)
		return retained_choose_named(answer, limit);
	return retained_largest(answer->heap, &answer->dominators, &answer->retained, above, limit,
				&answer->numbers, &answer->count, &answer->all);
}

static const struct report_column retained_accumulation_columns[] = {
	{.key = "address", .unit = REPORT_ADDRESS},
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "retained", .unit = REPORT_BYTES},
};

static const struct report_column retained_columns[] = {
	{.key = "retained", .unit = REPORT_BYTES},
	{.key = "count", .title = "objects", .unit = REPORT_COUNT},
	{.key = "address", .unit = REPORT_ADDRESS},
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "size", .unit = REPORT_BYTES, .reader = REPORT_FOR_PROGRAMS},
	{.key = "reached", .unit = REPORT_BOOL, .reader = REPORT_FOR_PROGRAMS},
	{.key = "accumulation",
	 .title = "comes together in",
	 .unit = REPORT_OBJECT,
	 .members = retained_accumulation_columns,
	 .member_count = ARRAY_COUNT(retained_accumulation_columns)},
	{.key = "repr", .unit = REPORT_TEXT},
};

static struct error *retained_report_row(const struct retained_answer *answer, uint32_t number)
{
	const struct heap *heap = answer->heap;
	const struct retained *retained = &answer->retained;
	uint32_t object = answer->dominators.order[number];
	uint32_t in = retained_accumulation(heap, &answer->dominators, retained, number);
	uint32_t in_object = answer->dominators.order[in];
	_cleanup_text_ struct text repr = {0};
	struct error *error =
		graph_repr(answer->context->inspected, object, GRAPH_REPR_ROW_CHARS, &repr);

	if (error)
		return error;
	const struct report_cell accumulation[] = {
		{.number = (int64_t)heap->at[in_object]},
		{.text = heap_type_name(heap, in_object)},
		{.number = (int64_t)retained->bytes[in]},
	};
	const struct report_cell cells[] = {
		{.number = (int64_t)retained->bytes[number]},
		{.number = retained->objects[number]},
		{.number = (int64_t)heap->at[object]},
		{.text = heap_type_name(heap, object)},
		{.number = (int64_t)heap->size_bytes[object]},
		{.number = number <= answer->dominators.reached_count},
		{.members = accumulation, .absent = in == number},
		{.text = text_chars(&repr), .absent = !repr.length},
	};
	return report_row(answer->context->report, cells);
}

static struct error *retained_report_objects(const struct retained_answer *answer)
{
	struct report *report = answer->context->report;
	struct error *error =
		report_table(report, "objects", retained_columns, ARRAY_COUNT(retained_columns));
	bool unreached = false;
	char rest[HUMAN_CHARS];

	for (size_t i = 0; i < answer->count && !error; i++) {
		error = retained_report_row(answer, answer->numbers[i]);
		unreached |= answer->numbers[i] > answer->dominators.reached_count;
	}
	if (!error && answer->all > answer->count)
		error = report_note(report, "(%s more: -n shows more)",
				    human_count((int64_t)(answer->all - answer->count), rest));
	if (!error && unreached)
		error = report_note(report, "some are held by no root: `path` and `garbage` tell "
					    "what becomes of them");
	return error;
}

static struct error *retained_report_types(const struct retained_answer *answer)
{
	static const struct report_column columns[] = {
		{.key = "name", .title = "type", .unit = REPORT_TEXT},
		{.key = "count", .unit = REPORT_COUNT},
		{.key = "retained", .unit = REPORT_BYTES},
	};
	const char *pattern = answer->context->arguments->options[RETAINED_FILTER].text;
	struct report *report = answer->context->report;
	struct error *error = report_table(report, "types", columns, ARRAY_COUNT(columns));
	size_t limit = retained_limit(answer), shown = 0;
	char rest[HUMAN_CHARS];

	for (size_t i = 0; i < answer->type_count && !error; i++) {
		const struct retained_type *type = &answer->types[i];
		const char *name = answer->heap->types[type->type].name;
		if (!type_pattern_matches(pattern, name) || shown++ >= limit)
			continue;
		const struct report_cell cells[] = {
			{.text = name},
			{.number = (int64_t)type->count},
			{.number = (int64_t)type->bytes},
		};
		error = report_row(report, cells);
	}
	if (!error && shown > limit)
		error = report_note(report, "(%s more: -n shows more)",
				    human_count((int64_t)(shown - limit), rest));
	return error;
}

static struct error *retained_report_total(const struct retained_answer *answer)
{
	static const struct report_column columns[] = {
		{.key = "retained", .unit = REPORT_BYTES},
		{.key = "count", .title = "objects", .unit = REPORT_COUNT},
	};
	const struct report_cell cells[] = {
		{.number = (int64_t)answer->retained.bytes[0]},
		{.number = answer->retained.objects[0]},
	};

	return report_object(answer->context->report, "total", columns, ARRAY_COUNT(columns),
			     cells);
}

static struct error *retained_run(struct command_context *context)
{
	CLEANUP(retained_answer_deinit) struct retained_answer answer = {.context = context};
	struct report_head head;
	struct error *error = inspected_graph(context->inspected, &answer.graph);

	if (!error)
		error = inspected_annotate(context->inspected);
	if (error)
		return error;
	answer.heap = answer.graph->heap;
	if (context->arguments->word_count)
		error = object_choice_make(answer.heap, context->arguments,
					   !context->arguments->options[RETAINED_BELOW].count,
					   &answer.choice);
	if (!error)
		error = dominators_find(answer.heap, &answer.dominators);
	if (!error)
		error = retained_find(answer.heap, &answer.dominators, &answer.retained);
	if (!error)
		error = retained_choose(&answer);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "retained", answer.graph, &head);
	error = report_begin(context->report, &head);
	if (!error)
		error = context->arguments->options[RETAINED_BY_TYPE].count
				? retained_report_types(&answer)
				: retained_report_objects(&answer);
	if (!error)
		error = retained_report_total(&answer);
	return error ? error
		     : object_choice_note(&answer.choice, context->report,
					  "an address names another");
}

static const struct command_example retained_examples[] = {
	{"retained 4711 -n 3", "the objects on which most memory hangs"},
	{"retained 4711 --below 0x7f3a5c0d1e80", "what hangs on that one, the largest first"},
	{"retained 4711 --by-type --filter shop", "by type"},
};

const struct command command_retained = {
	.name = "retained",
	.summary = "what would be freed with an object: who holds most memory",
	.words = "[OBJECT...]",
	.word = COMMAND_TYPE,
	.words_max = COMMAND_WORDS_ANY,
	.description =
		"How much memory would be freed with an object: its own size and that of all that "
		"hangs on it alone\n"
		"(what it dominates: every path from a root to those leads through it). Without "
		"OBJECT, the objects\n"
		"that nothing single holds, the largest first, each with the object further down "
		"in which most of it\n"
		"comes together; with OBJECT, that one or all of a type; with --below, what hangs "
		"on one object.\n"
		"\n"
		"Sizes are those of sys.getsizeof(). What several objects hold together is "
		"nobody's: "
		"it counts for\n"
		"the object above them all. With --by-type, an object within another of its type "
		"counts once.",
	.options = retained_options,
	.option_count = ARRAY_COUNT(retained_options),
	.examples = retained_examples,
	.example_count = ARRAY_COUNT(retained_examples),
	// clang-format off
	.example_output =
		"...\n"
		" RETAINED  OBJECTS  ADDRESS         TYPE    COMES TOGETHER IN  REPR\n"
		"  3.7 MiB    1,138  0x7f9155a9c040  list    -                  [<leak_demo.Parent object at ...\n"
		"343.6 KiB    3,567  0x7f91557ec360  module  -                  <module '_ssl' from ...\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.check = retained_check,
	.run = retained_run,
};
