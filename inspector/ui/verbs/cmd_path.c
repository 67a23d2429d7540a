// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <stdlib.h>

#include "analyze/garbage.h"
#include "analyze/retention/path_groups.h"
#include "analyze/retention/paths.h"
#include "base/array.h"
#include "base/text.h"
#include "ui/answers/object_choice.h"
#include "ui/answers/path_rows.h"

enum path_option { PATH_ALL_ROOTS, PATH_AVOID };

static const struct command_option path_options[] = {
	[PATH_ALL_ROOTS] = {.name = "all-roots",
			    .word = COMMAND_NUMBER,
			    .argument = "N",
			    .summary = "of one object, a path from each of N roots, nearest first"},
	[PATH_AVOID] = {.name = "avoid",
			.word = COMMAND_TYPE,
			.argument = "OBJECT",
			.repeatable = true,
			.summary = "an address or a type: no path leads through it"},
};

enum {
	/** Ways that are shown unless -n says otherwise. */
	PATH_WAYS_SHOWN = 5,
};

/** One way, and whom it leads to. */
struct path_way {
	struct path path;
	struct path_words words;
	uint64_t count;
	uint64_t size_bytes;
	bool is_rest;
};

struct path_answer {
	struct command_context *context;
	const struct inspected_graph *graph;
	struct object_choice choice;
	struct path_way *ways;
	size_t way_count;
	/** Ways that are not shown, and objects held in those. */
	uint64_t more_ways;
	uint64_t more_objects;
	struct path_groups groups;
};

static void path_answer_deinit(struct path_answer *answer)
{
	for (size_t i = 0; i < answer->way_count; i++)
		path_words_deinit(&answer->ways[i].words);
	free(answer->ways);
	path_groups_deinit(&answer->groups);
	object_choice_deinit(&answer->choice);
}

static struct error *path_check(const struct arguments *arguments)
{
	const struct arguments_value *avoid = &arguments->options[PATH_AVOID];
	const struct arguments_value *all = &arguments->options[PATH_ALL_ROOTS];
	struct error *error = object_choice_check(arguments);

	if (!error && all->count && all->number == 0)
		error = error_create(ERROR_USAGE, "--all-roots wants a number from 1");
	return error ? error : object_choice_check_words(avoid->texts, avoid->count);
}

// A byte per object to avoid; NULL when there are none. Whom the question is about is never avoided.
static struct error *path_avoided(const struct path_answer *answer, uint8_t **ret)
{
	const struct arguments_value *avoid = &answer->context->arguments->options[PATH_AVOID];
	_cleanup_object_choice_ struct object_choice choice = {0};
	const struct heap *heap = answer->graph->heap;

	*ret = NULL;
	if (!avoid->count)
		return NULL;
	struct error *error =
		object_choice_of_words(heap, avoid->texts, avoid->count, true, &choice);
	if (error)
		return error;
	*ret = calloc((size_t)heap->object_count + 1, 1);
	if (!*ret)
		return error_no_memory();
	for (size_t i = 0; i < choice.count; i++)
		(*ret)[choice.ids[i]] = 1;
	for (size_t i = 0; i < answer->choice.count; i++)
		(*ret)[answer->choice.ids[i]] = 0;
	return NULL;
}

static size_t path_limit(const struct path_answer *answer)
{
	const struct arguments *arguments = answer->context->arguments;

	return arguments_has(arguments, ARGUMENTS_LIMIT) ? arguments_limit(arguments)
							 : PATH_WAYS_SHOWN;
}

static struct error *path_from_each_root(struct path_answer *answer, const uint8_t *avoided)
{
	uint64_t wanted = answer->context->arguments->options[PATH_ALL_ROOTS].number;
	_cleanup_path_list_ struct path_list list = {0};
	struct heap *heap = answer->graph->heap;

	if (answer->choice.count != 1)
		return error_create(ERROR_USAGE,
				    "--all-roots is about one object; %zu are named: take an "
				    "address (`refs` and `path` show some)",
				    answer->choice.count);
	struct error *error = paths_from_all(heap, answer->graph->thread_count,
					     answer->choice.ids[0], avoided, wanted, &list);
	if (error)
		return error;
	answer->ways = calloc(list.count + 1, sizeof(*answer->ways));
	if (!answer->ways)
		return error_no_memory();
	answer->more_ways = list.more;
	for (size_t i = 0; i < list.count && !error; i++) {
		struct path_way *way = &answer->ways[answer->way_count++];
		way->path = list.list[i];
		way->count = 1;
		way->size_bytes = heap->size_bytes[answer->choice.ids[0]];
		error = path_words_make(heap, &way->path, &way->words);
	}
	if (!error && !list.count) {
		answer->groups.unreached_count = 1;
		answer->groups.unreached_example = answer->choice.ids[0];
	}
	return error;
}

static struct error *path_shortest(struct path_answer *answer, const uint8_t *avoided)
{
	_cleanup_paths_ struct paths paths = {0};
	const struct heap *heap = answer->graph->heap;
	struct path_groups *groups = &answer->groups;
	size_t limit = path_limit(answer);
	struct error *error = paths_find(heap, avoided, &paths);

	if (!error)
		error = path_groups_make(heap, &paths, answer->choice.ids, answer->choice.count,
					 groups);
	if (error)
		return error;
	size_t shown = groups->count < limit ? groups->count : limit;
	answer->ways = calloc(shown + 1, sizeof(*answer->ways));
	if (!answer->ways)
		return error_no_memory();
	for (size_t i = 0; i < shown && !error; i++) {
		struct path_way *way = &answer->ways[answer->way_count++];
		way->count = groups->list[i].count;
		way->size_bytes = groups->list[i].size_bytes;
		way->is_rest = groups->list[i].is_rest;
		paths_get(&paths, heap, groups->list[i].example, &way->path);
		error = path_words_make(heap, &way->path, &way->words);
	}
	answer->more_ways = groups->count - shown;
	for (size_t i = shown; i < groups->count; i++)
		answer->more_objects += groups->list[i].count;
	return error;
}

static struct error *path_report_programs(const struct path_answer *answer)
{
	static const struct report_column columns[] = {
		{.key = "signature", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "count", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "size", .unit = REPORT_BYTES, .reader = REPORT_FOR_PROGRAMS},
		{.key = "root", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "skipped", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "skipped_at", .unit = REPORT_NUMBER, .reader = REPORT_FOR_PROGRAMS},
	};
	static const struct report_column sums[] = {
		{.key = "objects", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "unreached", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "more_ways", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
		{.key = "assumed_labels", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	struct report *report = answer->context->report;
	const struct heap *heap = answer->graph->heap;
	// Its rows are the paths themselves, arrays of steps.
	struct error *error = report_table(report, "paths", &path_rows_column, 1);

	for (size_t i = 0; i < answer->way_count && !error; i++) {
		CLEANUP(path_rows_cells_deinit) struct path_rows_cells cells = {0};
		error = path_rows_fill(answer->context->inspected, heap, &answer->ways[i].path,
				       &answer->ways[i].words, &cells);
		if (!error)
			error = report_row(report, &(struct report_cell){.members = cells.cells,
									 .count = cells.count});
	}
	if (!error)
		error = report_table(report, "ways", columns, ARRAY_COUNT(columns));
	for (size_t i = 0; i < answer->way_count && !error; i++) {
		const struct path_way *way = &answer->ways[i];
		const struct report_cell cells[] = {
			{.text = way->words.signature, .absent = way->is_rest},
			{.number = (int64_t)way->count},
			{.number = (int64_t)way->size_bytes},
			{.text = path_rows_start_kind(heap, &way->path.start)},
			{.number = (int64_t)way->words.skipped},
			{.number = (int64_t)way->words.skipped_at, .absent = !way->words.skipped},
		};
		error = report_row(report, cells);
	}
	const struct report_cell cells[] = {
		{.number = (int64_t)answer->choice.count},
		{.number = (int64_t)answer->groups.unreached_count},
		{.number = (int64_t)answer->more_ways},
		{.number = (int64_t)answer->groups.assumed_count},
	};
	return error ? error : report_object(report, NULL, sums, ARRAY_COUNT(sums), cells);
}

static struct error *path_heading(const struct path_answer *answer, const struct path_way *way)
{
	const struct heap *heap = answer->graph->heap;
	const struct path_word *last = &way->words.list[way->words.count - 1];
	char count[HUMAN_CHARS], size[HUMAN_CHARS];
	struct report *report = answer->context->report;

	if (way->is_rest)
		return report_heading(report,
				      "%s in more ways than are told apart; this is one of them",
				      human_count((int64_t)way->count, count));
	if (answer->choice.count == 1)
		return report_heading(
			report, "%s at 0x%llx (signature %s)", heap_type_name(heap, last->object),
			(unsigned long long)heap->at[last->object], way->words.signature);
	return report_heading(report, "%s of %s, %s, held like this one (signature %s)",
			      human_count((int64_t)way->count, count),
			      human_count((int64_t)answer->choice.count, (char[HUMAN_CHARS]){0}),
			      human_bytes((int64_t)way->size_bytes, size), way->words.signature);
}

static struct error *path_note_unreached(const struct path_answer *answer)
{
	_cleanup_garbage_ struct garbage garbage = {0};
	const struct heap *heap = answer->graph->heap;
	const struct path_groups *groups = &answer->groups;
	char count[HUMAN_CHARS];

	if (!groups->unreached_count)
		return NULL;
	struct error *error = garbage_find(heap, &garbage);
	if (error)
		return error;
	bool avoids = answer->context->arguments->options[PATH_AVOID].count;
	uint8_t state = garbage.state[groups->unreached_example];
	const char *why = state == GARBAGE_UNREACHABLE ? ": the next collection frees such as these"
			  : state == GARBAGE_UNCOLLECTABLE ? ": no collection frees such as these"
							   : "";
	return report_note(answer->context->report, "%s held by no root%s%s (one is at 0x%llx)",
			   answer->choice.count == 1
				   ? "it is"
				   : human_count((int64_t)groups->unreached_count, count),
			   avoids ? " but by way of what is avoided" : "", avoids ? "" : why,
			   (unsigned long long)heap->at[groups->unreached_example]);
}

static struct error *path_report_people(const struct path_answer *answer)
{
	struct report *report = answer->context->report;
	char ways[HUMAN_CHARS], objects[HUMAN_CHARS];
	struct error *error = NULL;

	for (size_t i = 0; i < answer->way_count && !error; i++) {
		const struct path_way *way = &answer->ways[i];
		error = path_heading(answer, way);
		if (!error)
			error = path_rows_for_people(report, answer->context->inspected,
						     answer->graph->heap, &way->path, &way->words);
	}
	if (!error && answer->more_ways && answer->more_objects)
		error = report_note(report, "%s more objects in %s more ways: -n shows more",
				    human_count((int64_t)answer->more_objects, objects),
				    human_count((int64_t)answer->more_ways, ways));
	else if (!error && answer->more_ways)
		error = report_note(report, "%s more roots lead to it",
				    human_count((int64_t)answer->more_ways, ways));
	if (!error && answer->groups.assumed_count &&
	    arguments_has(answer->context->arguments, ARGUMENTS_VERBOSE))
		error = report_note(report,
				    "the names of %s references were taken from others like them",
				    human_count((int64_t)answer->groups.assumed_count, objects));
	return error ? error : path_note_unreached(answer);
}

static struct error *path_run(struct command_context *context)
{
	CLEANUP(path_answer_deinit) struct path_answer answer = {.context = context};
	_cleanup_free_ uint8_t *avoided = NULL;
	struct report_head head;
	struct error *error = inspected_graph(context->inspected, &answer.graph);

	// What in C code holds objects are roots, too.
	if (!error)
		error = inspected_annotate(context->inspected);
	if (!error)
		error = object_choice_make(answer.graph->heap, context->arguments, true,
					   &answer.choice);
	if (!error)
		error = path_avoided(&answer, &avoided);
	if (!error && context->arguments->options[PATH_ALL_ROOTS].count)
		error = path_from_each_root(&answer, avoided);
	else if (!error)
		error = path_shortest(&answer, avoided);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "path", answer.graph, &head);
	error = report_begin(context->report, &head);
	if (!error)
		error = path_report_programs(&answer);
	return error ? error : path_report_people(&answer);
}

static const struct command_example path_examples[] = {
	{"path 4711 leak_demo.Parent", "who holds them: one path for each way they are held"},
	{"path 4711 0x7f3a5c0d1e80 --all-roots 3", "three roots that hold that object"},
	{"path 4711 shop.Cart --avoid shop.Registry", "who else does"},
};

const struct command command_path = {
	.name = "path",
	.summary = "who holds an object: the shortest paths from roots to it",
	.words = "OBJECT...",
	.word = COMMAND_TYPE,
	.words_min = 1,
	.words_max = COMMAND_WORDS_ANY,
	.description =
		"A shortest path from a root (a module, a variable of a running function, "
		"gc.garbage, C code) down\n"
		"to the object, a line for each step: what it is called in the one above, its "
		"type, and how many\n"
		"others of the same kind hang on it. > marks where many do: the step to look at. "
		"Attribute dicts\n"
		"are counted with their objects.\n"
		"\n"
		"OBJECT is an address or the name of a type: then all its objects, grouped by how "
		"they are held;\n"
		"at most five ways are shown unless -n is given. The signature is the same for "
		"equal paths, in\n"
		"other processes and on other days, too: keys, numbers and threads are not in "
		"it.\n"
		"\n"
		"Roots of the program come first: C code, static types and interned strings are "
		"told only for\n"
		"what nothing else holds. --avoid looks past a holder that is known.",
	.options = path_options,
	.option_count = ARRAY_COUNT(path_options),
	.examples = path_examples,
	.example_count = ARRAY_COUNT(path_examples),
	// clang-format off
	.example_output =
		"...\n"
		"   HELD BY     TYPE              OF A KIND  REPR\n"
		">  gc.garbage  list                    379  [<leak_demo.Parent object at 0x7f9155607010>, ...\n"
		"   [0]         leak_demo.Parent          -  <leak_demo.Parent object at 0x7f9155607010>\n"
		"\n"
		"121 held by no root: no collection frees such as these (one is at 0x7f91556c41d0)\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.check = path_check,
	.run = path_run,
};
