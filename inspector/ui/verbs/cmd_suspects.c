// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/retention/suspects.h"
#include "base/array.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"
#include "ui/answers/path_rows.h"

enum suspects_option { SUSPECTS_FAIL_ON };

enum { SUSPECTS_FOUND_STATUS = 3 };

static const char *const suspects_reasons[] = {"uncollectable", "pending", "suspects", NULL};

static const struct command_option suspects_options[] = {
	[SUSPECTS_FAIL_ON] = {.name = "fail-on",
			      .word = COMMAND_CHOICE,
			      .argument = "WHAT",
			      .choices = suspects_reasons,
			      .has_no_default = true,
			      .repeatable = true,
			      .summary = "exit with status 3 when there are any: uncollectable "
					 "objects, pending cycles with a finalizer, suspects"},
};

/** All that is found out, and the paths to the suspects. */
struct suspects_answer {
	struct command_context *context;
	const struct inspected_graph *graph;
	const struct heap *heap;
	struct garbage garbage;
	struct cycles cycles;
	struct paths paths;
	struct dominators dominators;
	struct retained retained;
	struct growers growers;
	struct suspects suspects;
	/** Of those that a root reaches; count 0 for the others. */
	struct path path[SUSPECTS_MAX];
	struct path_words words[SUSPECTS_MAX];
};

static void suspects_answer_deinit(struct suspects_answer *answer)
{
	for (size_t i = 0; i < SUSPECTS_MAX; i++)
		path_words_deinit(&answer->words[i]);
	suspects_deinit(&answer->suspects);
	growers_deinit(&answer->growers);
	retained_deinit(&answer->retained);
	dominators_deinit(&answer->dominators);
	paths_deinit(&answer->paths);
	cycles_deinit(&answer->cycles);
	garbage_deinit(&answer->garbage);
}

static struct error *suspects_make_path(struct suspects_answer *answer, size_t index,
					uint32_t object)
{
	path_words_deinit(&answer->words[index]);
	paths_get(&answer->paths, answer->heap, object, &answer->path[index]);
	return path_words_make(answer->heap, &answer->path[index], &answer->words[index]);
}

static bool suspects_path_leads_through(const struct suspects_answer *answer, size_t index,
					uint32_t object)
{
	const struct path_words *words = &answer->words[index];

	for (size_t i = 0; i < words->count; i++)
		if (words->list[i].object == object)
			return true;
	return false;
}

// To one of the objects; where that is held by something else, too, and nearer, to their container.
static struct error *suspects_find_path(struct suspects_answer *answer, size_t index)
{
	const struct suspect *suspect = &answer->suspects.list[index];
	struct error *error;

	if (!paths_reach(&answer->paths, suspect->example))
		return NULL;
	error = suspects_make_path(answer, index, suspect->example);
	if (error || suspect->holder == HEAP_NO_OBJECT ||
	    suspects_path_leads_through(answer, index, suspect->holder))
		return error;
	return suspects_make_path(answer, index, suspect->holder);
}

static struct error *suspects_analyze(struct suspects_answer *answer)
{
	const struct heap *heap = answer->heap;
	const struct suspects_evidence evidence = {
		heap,
		&answer->garbage,
		&answer->cycles,
		&answer->paths,
		&answer->dominators,
		&answer->retained,
		&answer->growers,
	};
	struct error *error = garbage_find(heap, &answer->garbage);

	if (!error)
		error = cycles_find(heap, &answer->garbage, false, &answer->cycles);
	if (!error)
		error = paths_find(heap, NULL, &answer->paths);
	if (!error)
		error = dominators_find(heap, &answer->dominators);
	if (!error)
		error = retained_find(heap, &answer->dominators, &answer->retained);
	if (!error)
		error = growers_find(heap, &answer->paths, &answer->dominators, &answer->retained,
				     &answer->growers);
	if (!error)
		error = suspects_find(&evidence, &answer->suspects);
	for (size_t i = 0; i < answer->suspects.count && !error; i++)
		error = suspects_find_path(answer, i);
	return error;
}

// "500 leak_demo.Visit, held by module leak_demo.VISITS".
static struct error *suspects_title(const struct suspects_answer *answer, size_t index,
				    struct text *into)
{
	const struct suspect *suspect = &answer->suspects.list[index];
	const struct path_words *words = &answer->words[index];
	char count[HUMAN_CHARS];
	struct error *error;

	human_count((int64_t)suspect->count, count);
	if (suspect->shape)
		return text_appendf(into, "%s %s cycle%s %s", count,
				    suspect_state_name(suspect->state),
				    suspect->count == 1 ? "" : "s", suspect->shape);
	if (suspect->state == SUSPECT_PENDING)
		return text_appendf(into, "%s unreachable objects, most of them %s", count,
				    answer->heap->types[suspect->type].name);
	if (suspect->state == SUSPECT_LEAKED)
		return text_appendf(into, "%s %s, leaked by C code", count,
				    answer->heap->types[suspect->type].name);
	error = text_appendf(into, "%s %s in ", count, answer->heap->types[suspect->type].name);
	// The way down to the container, if that is on it.
	for (size_t i = 0; i < words->count && !error; i++) {
		if (i == 0)
			error = path_rows_start(answer->heap, &answer->path[index].start, into);
		else
			error = text_appendf(into, "%s", words->list[i].label);
		if (!error && words->list[i].object == suspect->holder)
			return NULL;
	}
	return error;
}

static const char *suspects_signature(const struct suspects_answer *answer, size_t index)
{
	return answer->words[index].count ? answer->words[index].signature : NULL;
}

static const struct report_column suspects_holder_columns[] = {
	{.key = "address", .unit = REPORT_ADDRESS},
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "elements", .unit = REPORT_COUNT},
	{.key = "element_type", .unit = REPORT_TEXT},
};

static const struct report_column suspects_columns[] = {
	{.key = "title", .title = "suspect", .unit = REPORT_TEXT},
	{.key = "type", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
	{.key = "count", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	{.key = "retained", .unit = REPORT_BYTES},
	{.key = "state", .unit = REPORT_TEXT},
	{.key = "holder",
	 .unit = REPORT_OBJECT,
	 .reader = REPORT_FOR_PROGRAMS,
	 .members = suspects_holder_columns,
	 .member_count = ARRAY_COUNT(suspects_holder_columns)},
	{.key = "example", .unit = REPORT_ADDRESS, .reader = REPORT_FOR_PROGRAMS},
	{.key = "path", .unit = REPORT_OBJECTS, .reader = REPORT_FOR_PROGRAMS},
	{.key = "signature", .unit = REPORT_TEXT},
	{.key = "score", .unit = REPORT_REAL},
};

enum { SUSPECTS_COLUMNS = ARRAY_COUNT(suspects_columns), SUSPECTS_PATH_COLUMN = 7 };

static struct error *suspects_report_row(const struct suspects_answer *answer, size_t index)
{
	CLEANUP(path_rows_cells_deinit) struct path_rows_cells path = {0};
	const struct suspect *suspect = &answer->suspects.list[index];
	const struct heap *heap = answer->heap;
	_cleanup_text_ struct text title = {0};
	const char *signature = suspects_signature(answer, index);
	bool held = suspect->holder != HEAP_NO_OBJECT;
	struct error *error = suspects_title(answer, index, &title);

	if (!error)
		error = path_rows_fill(answer->context->inspected, heap, &answer->path[index],
				       &answer->words[index], &path);
	if (error)
		return error;
	const struct report_cell holder[] = {
		{.number = held ? (int64_t)heap->at[suspect->holder] : 0},
		{.text = held ? heap_type_name(heap, suspect->holder) : NULL},
		{.number = (int64_t)suspect->element_count},
		{.text = held ? heap->types[suspect->element_type].name : NULL},
	};
	const struct report_cell cells[SUSPECTS_COLUMNS] = {
		{.text = text_chars(&title)},
		{.text = heap->types[suspect->type].name},
		{.number = (int64_t)suspect->count},
		{.number = (int64_t)suspect->retained_bytes},
		{.text = suspect_state_name(suspect->state)},
		{.members = holder, .absent = !held},
		{.number = (int64_t)heap->at[suspect->example]},
		{.members = path.cells, .count = path.count},
		{.text = signature, .absent = !signature},
		{.real = suspect->score},
	};
	return report_row(answer->context->report, cells);
}

static struct error *suspects_report_table(const struct suspects_answer *answer)
{
	struct report *report = answer->context->report;
	struct report_column columns[SUSPECTS_COLUMNS];

	memcpy(columns, suspects_columns, sizeof(columns));
	columns[SUSPECTS_PATH_COLUMN] = path_rows_column;
	columns[SUSPECTS_PATH_COLUMN].key = "path";
	struct error *error = report_table(report, "suspects", columns, SUSPECTS_COLUMNS);
	for (size_t i = 0; i < answer->suspects.count && !error; i++)
		error = suspects_report_row(answer, i);
	return error;
}

// What is known about it, and what to do.
static struct error *suspects_prose(const struct suspects_answer *answer, size_t index)
{
	const struct suspect *suspect = &answer->suspects.list[index];
	struct report *report = answer->context->report;
	const struct heap *heap = answer->heap;
	char elements[HUMAN_CHARS], near[HUMAN_CHARS], peers[HUMAN_CHARS];

	switch (suspect->state) {
	case SUSPECT_UNCOLLECTABLE:
		return report_note(report,
				   "No collection frees them: a finalizer that must not run in a "
				   "cycle keeps them in gc.garbage. Break the cycle, by a weak "
				   "reference one way.");
	case SUSPECT_LEAKED:
		return report_note(report,
				   "C code took references to them and forgot these: nothing in "
				   "the process has their address and owns them. `refs --leaked` "
				   "lists them.");
	case SUSPECT_PENDING:
		return report_note(report,
				   heap->collector.enabled
					   ? "Nothing reaches them: the next collection of all "
					     "generations frees them. Until then they stay."
					   : "Nothing reaches them, and the collector is disabled: "
					     "they stay until somebody calls gc.collect().");
	case SUSPECT_REACHABLE:
		break;
	}
	return report_note(report,
			   "The %s holds %s %s; of %s other%s of its type %s hold%s a tenth as "
			   "many. Who puts them in, and who should take them out?",
			   heap_type_name(heap, suspect->holder),
			   human_count((int64_t)suspect->element_count, elements),
			   heap->types[suspect->element_type].name,
			   human_count((int64_t)suspect->peer_count, peers),
			   suspect->peer_count == 1 ? "" : "s",
			   suspect->peer_near_count
				   ? human_count((int64_t)suspect->peer_near_count, near)
				   : "none",
			   suspect->peer_near_count > 1 ? "" : "s");
}

static struct error *suspects_report_people(const struct suspects_answer *answer)
{
	struct report *report = answer->context->report;
	struct error *error = NULL;

	for (size_t i = 0; i < answer->suspects.count && !error; i++) {
		const struct suspect *suspect = &answer->suspects.list[i];
		_cleanup_text_ struct text title = {0};
		char bytes[HUMAN_CHARS];
		error = suspects_title(answer, i, &title);
		if (!error)
			error = report_heading(
				report, "%zu. %s: %s", i + 1, text_chars(&title),
				human_bytes((int64_t)suspect->retained_bytes, bytes));
		if (!error && answer->words[i].count)
			error = path_rows_for_people(report, answer->context->inspected,
						     answer->heap, &answer->path[i],
						     &answer->words[i]);
		if (!error)
			error = suspects_prose(answer, i);
	}
	if (!error && !answer->suspects.count)
		error = report_note(report, "nothing looks like a leak");
	else if (!error)
		error = report_note(report,
				    "One moment shows what is there, not what grows: a table that "
				    "was filled once looks the same. Look again under load.");
	return error;
}

static void suspects_fail(const struct suspects_answer *answer)
{
	const struct arguments_value *fail = &answer->context->arguments->options[SUSPECTS_FAIL_ON];
	bool found[] = {
		answer->garbage.uncollectable_count || answer->garbage.in_garbage_count,
		false,
		answer->suspects.count,
	};

	for (size_t i = 0; i < answer->cycles.count; i++)
		found[1] |= answer->cycles.rows[i].state == CYCLE_PENDING;
	for (size_t i = 0; i < fail->count; i++)
		for (size_t j = 0; j < ARRAY_COUNT(found); j++)
			if (found[j] && !strcmp(fail->texts[i], suspects_reasons[j]))
				answer->context->exit_status = SUSPECTS_FOUND_STATUS;
}

static struct error *suspects_run(struct command_context *context)
{
	CLEANUP(suspects_answer_deinit) struct suspects_answer answer = {.context = context};
	struct report_head head;
	struct error *error = inspected_graph(context->inspected, &answer.graph);

	if (!error)
		error = inspected_annotate(context->inspected);
	if (error)
		return error;
	answer.heap = answer.graph->heap;
	error = suspects_analyze(&answer);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "suspects", answer.graph, &head);
	error = report_begin(context->report, &head);
	if (!error)
		error = suspects_report_table(&answer);
	if (!error)
		error = suspects_report_people(&answer);
	suspects_fail(&answer);
	return error;
}

static const struct command_example suspects_examples[] = {
	{"suspects 4711", "what is most likely leaked, and who holds it"},
	{"suspects 4711 --json --fail-on uncollectable",
	 "for a test run: status 3 when there are any"},
};

const struct command command_suspects = {
	.name = "suspects",
	.summary = "what is most likely leaked, and who holds it",
	.words = "",
	.description =
		"The most likely leaks, at most five: cycles that nobody can free, references "
		"that C code forgot,\n"
		"cycles with finalizers that wait for a collection, and containers that hold many "
		"of a kind (100 and\n"
		"more objects that hold others, or much plain data); each with what would be "
		"freed with it and the\n"
		"path from a root to it. Namespaces, modules, classes and what the interpreter "
		"keeps for itself are\n"
		"left out.\n"
		"\n"
		"The score, 0 to 1, weighs how certain it is that these are leaked, how much "
		"memory hangs on them\n"
		"and how many there are. The signature is the same in other processes (see "
		"path).",
	.options = suspects_options,
	.option_count = ARRAY_COUNT(suspects_options),
	.examples = suspects_examples,
	.example_count = ARRAY_COUNT(suspects_examples),
	// clang-format off
	.example_output =
		"...\n"
		"SUSPECT                                                RETAINED  STATE          SIGNATURE     ...\n"
		"500 uncollectable cycles Parent.child -> Child.parent   4.8 MiB  uncollectable  e860e977dd63  ...\n"
		"...\n"
		"1. 500 uncollectable cycles Parent.child -> Child.parent: 4.8 MiB\n"
		"   HELD BY     TYPE              OF A KIND  REPR\n"
		">  gc.garbage  list                    379  [<leak_demo.Parent object at 0x7f9155607010>, ...\n"
		"   [0]         leak_demo.Parent          -  <leak_demo.Parent object at 0x7f9155607010>\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.run = suspects_run,
};
