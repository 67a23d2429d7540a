// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"
#include "ui/answers/leaked.h"
#include "ui/answers/link_rows.h"

enum refs_option { REFS_ALL, REFS_LEAKED, REFS_BY_TYPE, REFS_FILTER };

static const struct command_option refs_options[] = {
	[REFS_ALL] = {.name = "all",
		      .letter = 'a',
		      .summary = "all objects of a type that is named, not its first alone"},
	[REFS_LEAKED] = {.name = "leaked",
			 .summary = "objects with references that are counted and found nowhere"},
	[REFS_BY_TYPE] = {.name = "by-type", .summary = "with --leaked: a row for each type"},
	[REFS_FILTER] = {.name = "filter",
			 .letter = 'f',
			 .word = COMMAND_TYPE,
			 .argument = "PATTERN",
			 .summary = "with --leaked: only types whose name has PATTERN in it"},
};

static struct error *refs_check(const struct arguments *arguments)
{
	bool leaked = arguments->options[REFS_LEAKED].count;

	if (leaked && arguments->word_count)
		return error_create(
			ERROR_USAGE,
			"refs --leaked is about all objects; --filter tells which types");
	if (leaked && arguments->options[REFS_ALL].count)
		return error_create(ERROR_USAGE, "--all does not go with --leaked");
	if (!leaked &&
	    (arguments->options[REFS_BY_TYPE].count || arguments->options[REFS_FILTER].count))
		return error_create(ERROR_USAGE, "--by-type and --filter go with --leaked");
	if (!leaked && !arguments->word_count)
		return error_create(ERROR_USAGE,
				    "refs wants OBJECT...: an address, or the name of a type");
	return object_choice_check(arguments);
}

static struct error *refs_add(struct link_rows *rows, uint32_t object)
{
	const heap_edge *edges = heap_edges(rows->heap, object);
	uint32_t count = heap_edge_count(rows->heap, object);
	struct error *error = NULL;

	for (uint32_t i = 0; i < count && !error; i++)
		error = link_rows_add(rows, object, i, heap_edge_target(edges[i]), object);
	return error;
}

static struct error *refs_run(struct command_context *context)
{
	const struct arguments *arguments = context->arguments;
	_cleanup_object_choice_ struct object_choice choice = {0};
	const struct inspected_graph *graph;
	struct link_rows rows;
	struct error *error;

	if (arguments->options[REFS_LEAKED].count)
		return leaked_report(context, "refs", arguments->options[REFS_FILTER].text,
				     arguments->options[REFS_BY_TYPE].count);
	error = inspected_graph(context->inspected, &graph);
	if (!error)
		error = object_choice_make(graph->heap, arguments,
					   arguments->options[REFS_ALL].count, &choice);
	if (!error)
		error = link_rows_begin(&rows, context, "refs", graph, &choice);
	for (size_t i = 0; i < choice.count && !error; i++)
		error = refs_add(&rows, choice.ids[i]);
	return error ? error : link_rows_end(&rows, &choice);
}

static const struct command_example refs_examples[] = {
	{"refs 4711 leak_demo.Parent", "what the first of them refers to"},
	{"refs 4711 0x7f3a5c0d1e80 --json", "what the object at that address refers to"},
	{"refs 4711 --leaked --by-type", "what C code took and never gave back, by type"},
};

const struct command command_refs = {
	.name = "refs",
	.summary = "what an object refers to, and what C code leaked",
	.words = "OBJECT...",
	.word = COMMAND_TYPE,
	.words_max = COMMAND_WORDS_ANY,
	.description = "A row for each reference that the object has: where it leads, what it is "
		       "called, and how it was\n"
		       "found: gc (the collector sees it), owned (it does not), guess (a word that "
		       "may be one), weak\n"
		       "(does not keep its object alive).\n"
		       "\n"
		       "OBJECT is an address or the name of a type: then its first object by "
		       "address, or with --all\n"
		       "every one.\n"
		       "\n"
		       "With --leaked and no OBJECT: the objects that have more references counted "
		       "(refcount) than there\n"
		       "are pointers to them anywhere in the process's memory, and how many more "
		       "(excess). C code took\n"
		       "those references and forgot them: they can never be given back. A pointer "
		       "left over in memory\n"
		       "that is in use may hide a leak; a pointer that C code keeps unaligned or "
		       "with tags in it is not\n"
		       "seen.",
	.options = refs_options,
	.option_count = ARRAY_COUNT(refs_options),
	.examples = refs_examples,
	.example_count = ARRAY_COUNT(refs_examples),
	// clang-format off
	.example_output =
		"...\n"
		"ADDRESS         TYPE             LABEL       KIND  REPR\n"
		"0x7f91556becb0  bytearray        .payload    gc    bytearray(b'\\x00\\x00\\x00...\n"
		"0x7f91556bed50  leak_demo.Child  .child      gc    <leak_demo.Child object at 0x7f91556bed50>\n"
		"0x5617781f5a60  type             .__class__  gc    <class 'leak_demo.Parent'>\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.check = refs_check,
	.run = refs_run,
};
