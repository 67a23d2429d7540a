// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/incoming.h"
#include "ui/answers/link_rows.h"

enum referrers_option { REFERRERS_ALL };

static const struct command_option referrers_options[] = {
	[REFERRERS_ALL] = {.name = "all",
			   .letter = 'a',
			   .summary = "all objects of a type that is named, not its first alone"},
};

static struct error *referrers_add_references(struct link_rows *rows,
					      const struct object_choice *choice)
{
	_cleanup_incoming_ struct incoming incoming = {0};
	struct error *error =
		incoming_find(rows->heap, choice->ids, choice->count, rows->limit, &incoming);

	for (size_t i = 0; i < choice->count && !error; i++) {
		for (size_t j = incoming.first[i];
		     j < incoming.first[i + 1] && j < incoming.kept && !error; j++)
			error = link_rows_add(rows, incoming.list[j].from, incoming.list[j].number,
					      incoming.list[j].from, choice->ids[i]);
	}
	link_rows_skip(rows, incoming.count - incoming.kept);
	return error;
}

static struct error *referrers_add_roots(struct link_rows *rows, const struct object_choice *choice)
{
	const struct heap *heap = rows->heap;
	_cleanup_free_ uint8_t *chosen = calloc((size_t)heap->object_count + 1, 1);
	struct error *error = NULL;

	if (!chosen)
		return error_no_memory();
	for (size_t i = 0; i < choice->count; i++)
		chosen[choice->ids[i]] = 1;
	for (size_t i = 0; i < heap->root_count && !error; i++)
		if (chosen[heap->roots[i].object])
			error = link_rows_add_root(rows, &heap->roots[i]);
	return error;
}

// References that are counted and were found nowhere.
static struct error *referrers_report_excess(struct report *report, const struct heap *heap,
					     const struct object_choice *choice)
{
	static const struct report_column columns[] = {
		{.key = "held_by_c", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	_cleanup_free_ int64_t *excess = NULL;
	struct error *error = heap_excess(heap, &excess);
	char count[HUMAN_CHARS];
	int64_t sum = 0;

	if (error)
		return error;
	for (size_t i = 0; i < choice->count; i++)
		sum += excess[choice->ids[i]] > 0 ? excess[choice->ids[i]] : 0;
	error = report_object(report, NULL, columns, ARRAY_COUNT(columns),
			      &(struct report_cell){.number = sum});
	if (error || sum == 0)
		return error;
	return report_note(report,
			   "%s more reference%s counted than were found: C code holds %s, or has "
			   "leaked %s",
			   human_count(sum, count), sum == 1 ? " is" : "s are",
			   sum == 1 ? "it" : "them", sum == 1 ? "it" : "them");
}

static struct error *referrers_run(struct command_context *context)
{
	bool all = context->arguments->options[REFERRERS_ALL].count;
	_cleanup_object_choice_ struct object_choice choice = {0};
	const struct inspected_graph *graph;
	struct link_rows rows;
	struct error *error = inspected_graph(context->inspected, &graph);

	if (!error)
		error = inspected_annotate(context->inspected);
	if (!error)
		error = object_choice_make(graph->heap, context->arguments, all, &choice);
	if (!error)
		error = link_rows_begin(&rows, context, "referrers", graph, &choice);
	if (!error)
		error = referrers_add_references(&rows, &choice);
	if (!error)
		error = referrers_add_roots(&rows, &choice);
	if (!error)
		error = link_rows_end(&rows, &choice);
	if (!error)
		error = referrers_report_excess(context->report, graph->heap, &choice);
	return error;
}

static const struct command_example referrers_examples[] = {
	{"referrers 4711 leak_demo.Parent", "who refers to the first of them"},
	{"referrers 4711 0x7f3a5c0d1e80", "who refers to the object at that address"},
};

const struct command command_referrers = {
	.name = "referrers",
	.summary = "who refers to an object",
	.words = "OBJECT...",
	.word = COMMAND_TYPE,
	.words_min = 1,
	.words_max = COMMAND_WORDS_ANY,
	.description =
		"A row for each reference to the object: the referrer, what the reference is "
		"called in it, and\n"
		"how it was found: gc (the collector sees it), owned (it does not), guess (a word "
		"that may be\n"
		"one), weak (does not keep the object alive), root (held from outside of all "
		"objects: a module,\n"
		"a variable of a running function, C code). Who refers twice has two rows. A note "
		"tells when more "
		"references are counted\n"
		"than were found.\n"
		"\n"
		"OBJECT is an address or the name of a type: then its first object by address, or "
		"with --all\n"
		"every one.",
	.options = referrers_options,
	.option_count = ARRAY_COUNT(referrers_options),
	.examples = referrers_examples,
	.example_count = ARRAY_COUNT(referrers_examples),
	// clang-format off
	.example_output =
		"...\n"
		"ADDRESS         TYPE             LABEL    KIND  REPR\n"
		"0x7f91556bed50  leak_demo.Child  .parent  gc    <leak_demo.Child object at 0x7f91556bed50>\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.check = object_choice_check,
	.run = referrers_run,
};
