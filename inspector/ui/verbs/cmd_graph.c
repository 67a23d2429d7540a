// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "analyze/cycle_through.h"
#include "analyze/cycles.h"
#include "analyze/garbage.h"
#include "analyze/picture.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/dot_text.h"
#include "ui/answers/graphviz.h"
#include "ui/answers/object_choice.h"
#include "ui/answers/picture_dot.h"
#include "ui/output.h"

enum graph_option {
	GRAPH_REFERRERS,
	GRAPH_REFS,
	GRAPH_CYCLE,
	GRAPH_ROW,
	GRAPH_DEPTH,
	GRAPH_BREADTH,
	GRAPH_FORMAT,
	GRAPH_ALL,
};

enum graph_format { GRAPH_FORMAT_BY_NAME, GRAPH_FORMAT_DOT, GRAPH_FORMAT_SVG, GRAPH_FORMAT_PNG };

static const char *const graph_formats[] = {"by-name", "dot", "svg", "png", NULL};

enum {
	GRAPH_DEPTH_DEFAULT = 3,
	/** Who holds a cycle is beside the point of it. */
	GRAPH_DEPTH_OF_CYCLE = 1,
	GRAPH_DEPTH_MAX = 1000,
	GRAPH_BREADTH_DEFAULT = 5,
	/** More than anybody looks through, and dot may take a minute for so many. */
	GRAPH_NODES_MAX = 1000,
};

static const struct command_option graph_options[] = {
	[GRAPH_REFERRERS] = {.name = "referrers",
			     .summary = "who holds it, as without --refs; with it, both"},
	[GRAPH_REFS] = {.name = "refs", .summary = "what it refers to"},
	[GRAPH_CYCLE] = {.name = "cycle",
			 .summary = "a shortest cycle through it; without OBJECT, the one that "
				    "--row says"},
	[GRAPH_ROW] = {.name = "row",
		       .word = COMMAND_NUMBER,
		       .argument = "N",
		       .summary = "the example of row N of cycles; the first unless given"},
	[GRAPH_DEPTH] = {.name = "depth",
			 .word = COMMAND_NUMBER,
			 .argument = "N",
			 .summary = "at most N steps from it; 3 unless given, 1 from a cycle"},
	[GRAPH_BREADTH] = {.name = "breadth",
			   .word = COMMAND_NUMBER,
			   .argument = "N",
			   .summary = "at most N holders (references, roots) of each object; 5 "
				      "unless given"},
	[GRAPH_FORMAT] = {.name = "format",
			  .word = COMMAND_CHOICE,
			  .argument = "FORMAT",
			  .choices = graph_formats,
			  .summary = "of the file, which else its name's end tells"},
	[GRAPH_ALL] = {.name = "all",
		       .letter = 'a',
		       .summary = "all objects of a type that is named, not its first alone"},
};

/** All that is made on the way to the file. */
struct graph_work {
	const struct arguments *arguments;
	const struct inspected_graph *graph;
	struct object_choice choice;
	struct cycle_path path;
	struct text shape;
	struct picture picture;
	struct text dot;
	int64_t *excess;
};

static void graph_work_deinit(struct graph_work *work)
{
	object_choice_deinit(&work->choice);
	cycle_path_deinit(&work->path);
	text_deinit(&work->shape);
	picture_deinit(&work->picture);
	text_deinit(&work->dot);
	free(work->excess);
}

static bool graph_ends_in(const char *path, const char *end)
{
	size_t length = strlen(path), end_length = strlen(end);

	return length > end_length && !strcasecmp(path + length - end_length, end);
}

// GRAPH_FORMAT_BY_NAME when the name does not tell.
static enum graph_format graph_format(const struct arguments *arguments)
{
	static const struct {
		const char *end;
		enum graph_format format;
	} ends[] = {
		{".dot", GRAPH_FORMAT_DOT},
		{".gv", GRAPH_FORMAT_DOT},
		{".svg", GRAPH_FORMAT_SVG},
		{".png", GRAPH_FORMAT_PNG},
	};
	const char *path = arguments->common[ARGUMENTS_OUTPUT].text;

	if (arguments->options[GRAPH_FORMAT].number)
		return (enum graph_format)arguments->options[GRAPH_FORMAT].number;
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++)
		if (graph_ends_in(path, ends[i].end))
			return ends[i].format;
	return GRAPH_FORMAT_BY_NAME;
}

static struct error *graph_check(const struct arguments *arguments)
{
	const struct arguments_value *options = arguments->options;

	if (!arguments->word_count && !options[GRAPH_CYCLE].count)
		return error_create(ERROR_USAGE, "graph wants OBJECT..., or --cycle");
	if (options[GRAPH_ROW].count && (!options[GRAPH_CYCLE].count || arguments->word_count))
		return error_create(ERROR_USAGE, "--row goes with --cycle, and without OBJECT");
	if (options[GRAPH_ROW].count && !options[GRAPH_ROW].number)
		return error_create(ERROR_USAGE, "--row counts from 1");
	if (options[GRAPH_BREADTH].count && !options[GRAPH_BREADTH].number)
		return error_create(ERROR_USAGE, "--breadth wants a number from 1");
	if (graph_format(arguments) == GRAPH_FORMAT_BY_NAME)
		return error_create(ERROR_USAGE,
				    "the end of '%s' tells no format: .svg, .png or .dot, or "
				    "--format",
				    arguments->common[ARGUMENTS_OUTPUT].text);
	return object_choice_check(arguments);
}

// The example of a row of `cycles`, as that verb shows them; when there is none with a finalizer, of all.
static struct error *graph_choose_row(struct graph_work *work)
{
	CLEANUP(garbage_deinit) struct garbage garbage = {0};
	_cleanup_cycles_ struct cycles cycles = {0};
	uint64_t row = work->arguments->options[GRAPH_ROW].number;
	struct error *error = garbage_find(work->graph->heap, &garbage);

	row = row ? row : 1;
	if (!error)
		error = cycles_find(work->graph->heap, &garbage, false, &cycles);
	if (!error && !cycles.count) {
		cycles_deinit(&cycles);
		error = cycles_find(work->graph->heap, &garbage, true, &cycles);
	}
	if (error)
		return error;
	if (row > cycles.count)
		return error_create(ERROR_FAILED, "cycles has %zu row%s, and no row %llu",
				    cycles.count, cycles.count == 1 ? "" : "s",
				    (unsigned long long)row);
	return cycle_through(work->graph->heap, cycles.rows[row - 1].example, 1, &work->path);
}

static struct error *graph_choose_cycle(struct graph_work *work)
{
	const struct heap *heap = work->graph->heap;
	struct error *error = NULL;

	if (!work->arguments->word_count)
		error = graph_choose_row(work);
	else
		error = cycle_through(heap, work->choice.ids, work->choice.count, &work->path);
	if (error)
		return error;
	if (!work->path.count)
		return error_create(ERROR_FAILED, "no cycle goes through %s",
				    work->choice.count == 1 ? "that object" : "any of them");
	return cycle_through_shape(heap, &work->path, &work->shape);
}

static struct error *graph_make_picture(struct graph_work *work)
{
	const struct arguments_value *options = work->arguments->options;
	bool is_cycle = options[GRAPH_CYCLE].count;
	uint64_t depth = is_cycle ? GRAPH_DEPTH_OF_CYCLE : GRAPH_DEPTH_DEFAULT;
	uint64_t breadth = GRAPH_BREADTH_DEFAULT;

	if (options[GRAPH_DEPTH].count)
		depth = options[GRAPH_DEPTH].number;
	if (options[GRAPH_BREADTH].count)
		breadth = options[GRAPH_BREADTH].number;
	if (depth > GRAPH_DEPTH_MAX)
		depth = GRAPH_DEPTH_MAX;
	if (breadth > GRAPH_NODES_MAX)
		breadth = GRAPH_NODES_MAX;
	struct picture_question question = {
		.asked = work->choice.ids,
		.asked_count = is_cycle ? 0 : work->choice.count,
		.breadth = (uint32_t)breadth,
		.nodes_max = GRAPH_NODES_MAX,
		.cycle = is_cycle ? &work->path : NULL,
	};
	if (options[GRAPH_REFERRERS].count || !options[GRAPH_REFS].count)
		question.depth[PICTURE_REFERRERS] = (uint32_t)depth;
	if (options[GRAPH_REFS].count)
		question.depth[PICTURE_REFERENTS] = (uint32_t)depth;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	return picture_make(work->graph->heap, processors > 1 ? (unsigned)processors : 1, &question,
			    &work->picture);
}

static struct error *graph_write_dot(struct graph_work *work, struct inspected *inspected,
				     const struct report_head *head)
{
	_cleanup_text_ struct text title = {0};
	struct error *error = heap_excess(work->graph->heap, &work->excess);

	if (!error)
		error = text_appendf(&title, "%sprocess %d", head->core ? "core file of " : "",
				     head->pid);
	if (!error && work->shape.length) {
		error = text_appendf(&title, ": ");
		if (!error)
			error = dot_text_cut(text_chars(&work->shape), 200, false, &title);
	}
	const struct picture_dot dot = {
		.picture = &work->picture,
		.inspected = inspected,
		.heap = work->graph->heap,
		.excess = work->excess,
		.title = text_chars(&title),
	};
	return error ? error : picture_dot_write(&dot, &work->dot);
}

static struct error *graph_write_file(const struct graph_work *work, const char *program,
				      struct output *output)
{
	enum graph_format format = graph_format(work->arguments);

	if (program)
		return graphviz_run(program, graph_formats[format], &work->dot,
				    fileno(output->stream));
	if (fwrite(work->dot.chars, 1, work->dot.length, output->stream) != work->dot.length)
		return NULL; // output_commit() tells.
	return NULL;
}

static struct error *graph_report(struct report *report, const struct graph_work *work)
{
	static const struct report_column columns[] = {
		{.key = "file", .unit = REPORT_TEXT},
		{.key = "format", .unit = REPORT_TEXT},
		{.key = "cycle", .unit = REPORT_TEXT},
		{.key = "objects", .unit = REPORT_COUNT},
		{.key = "roots", .unit = REPORT_COUNT},
		{.key = "edges", .unit = REPORT_COUNT},
		{.key = "cut", .title = "objects with more", .unit = REPORT_COUNT},
	};
	const struct picture *picture = &work->picture;
	char count[HUMAN_CHARS];
	size_t cut = 0;

	for (size_t i = 0; i < picture->object_count; i++)
		cut += picture_is_cut(&picture->nodes[i]);
	const struct report_cell cells[] = {
		{.text = work->arguments->common[ARGUMENTS_OUTPUT].text},
		{.text = graph_formats[graph_format(work->arguments)]},
		{.text = text_chars(&work->shape), .absent = !work->shape.length},
		{.number = (int64_t)picture->object_count},
		{.number = (int64_t)(picture->node_count - picture->object_count)},
		{.number = (int64_t)picture->edge_count},
		{.number = (int64_t)cut},
	};
	struct error *error = report_object(report, NULL, columns, ARRAY_COUNT(columns), cells);
	if (!error && picture->node_count >= GRAPH_NODES_MAX)
		error = report_note(report,
				    "a picture has no more than %d nodes: what is left out is "
				    "counted in it",
				    GRAPH_NODES_MAX);
	if (!error && picture->asked_left_out)
		error = report_note(report, "%s of the objects asked about are not in it",
				    human_count((int64_t)picture->asked_left_out, count));
	return error ? error : object_choice_note(&work->choice, report, "--all takes all of them");
}

static struct error *graph_choose(struct graph_work *work)
{
	bool is_cycle = work->arguments->options[GRAPH_CYCLE].count;
	// Of a type that is named, the first that is on a cycle.
	bool all = is_cycle || work->arguments->options[GRAPH_ALL].count;
	struct error *error = NULL;

	if (work->arguments->word_count)
		error = object_choice_make(work->graph->heap, work->arguments, all, &work->choice);
	return error || !is_cycle ? error : graph_choose_cycle(work);
}

static struct error *graph_run(struct command_context *context)
{
	const struct arguments *arguments = context->arguments;
	CLEANUP(graph_work_deinit) struct graph_work work = {.arguments = arguments};
	_cleanup_output_ struct output output = {0};
	_cleanup_free_ char *program = NULL;
	struct report_head head;
	// All that may be missing before the process is stopped.
	struct error *error =
		graph_format(arguments) == GRAPH_FORMAT_DOT ? NULL : graphviz_find(&program);

	if (!error)
		error = output_open(arguments->common[ARGUMENTS_OUTPUT].text,
				    arguments_has(arguments, ARGUMENTS_FORCE), &output);
	if (!error)
		error = inspected_graph(context->inspected, &work.graph);
	if (!error)
		error = inspected_annotate(context->inspected);
	if (!error)
		error = graph_choose(&work);
	if (!error)
		error = graph_make_picture(&work);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "graph", work.graph, &head);
	error = graph_write_dot(&work, context->inspected, &head);
	if (!error)
		error = graph_write_file(&work, program, &output);
	if (!error)
		error = output_commit(&output);
	if (!error)
		error = report_begin(context->report, &head);
	return error ? error : graph_report(context->report, &work);
}

static const struct command_example graph_examples[] = {
	{"graph 4711 --cycle -o cycle.svg", "the first cycle that cycles shows"},
	{"graph 4711 shop.Cart -o cart.svg", "who holds the first cart"},
	{"graph 4711 shop.Cart --refs --depth 2 -o cart.png", "what it refers to"},
};

const struct command command_graph = {
	.name = "graph",
	.summary = "a picture of who holds an object, what it refers to, or of a cycle",
	.words = "[OBJECT...]",
	.word = COMMAND_TYPE,
	.words_max = COMMAND_WORDS_ANY,
	.description =
		"Draws the object and who holds it, three steps far, into the file of -o: as SVG "
		"or PNG (made by\n"
		"Graphviz's program dot, from the package graphviz) or as the graph in DOT, which "
		"needs nobody. With\n"
		"--refs it draws what the object refers to instead, with both options both, with "
		"--cycle a shortest\n"
		"cycle through it and who holds that.\n"
		"\n"
		"Arrows lead from the holder, which stands left, to what it holds, and have the "
		"name of the\n"
		"reference. The object asked about has a thick border, what has a finalizer is "
		"filled, a cycle's\n"
		"arrows are thick; roots are blue and have shapes of their own: a folder for a "
		"module, a sheet for\n"
		"a frame or thread, a component for C code. An attribute dict is part of its "
		"object, the dict of a\n"
		"module part of that. References of objects to their own class are left out unless "
		"the class is\n"
		"asked about; holders of modules, of what an interpreter holds and of gc.garbage "
		"are not followed,\n"
		"nor are references of classes and modules.\n"
		"\n"
		"What is not drawn is counted: \"... 37 more\" beside an object of which --breadth "
		"shows five, and\n"
		"\"(3 more holders)\" in one that is --depth steps away. Of many holders those of "
		"rare types come\n"
		"first.\n"
		"\n"
		"OBJECT is an address or the name of a type: then its first object by address, or "
		"with --all every\n"
		"one; with --cycle the first that is on one.",
	.options = graph_options,
	.option_count = ARRAY_COUNT(graph_options),
	.examples = graph_examples,
	.example_count = ARRAY_COUNT(graph_examples),
	// clang-format off
	.example_output =
		"...\n"
		"file               cycle.svg\n"
		"format             svg\n"
		"cycle              Parent.child -> Child.parent\n"
		"objects            3\n"
		"roots              2\n"
		"edges              6\n"
		"objects with more  1\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_WRITES_FILE |
		 COMMAND_EVERYWHERE,
	.check = graph_check,
	.run = graph_run,
};
