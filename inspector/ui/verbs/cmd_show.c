// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/answers/accounts.h"
#include "ui/answers/attributes.h"
#include "ui/answers/graph_text.h"
#include "ui/answers/object_choice.h"

/** In words what heap_object_flags says, but for what has a key of its own. */
static const struct {
	unsigned flag;
	const char *name;
} show_flags[] = {
	{HEAP_FROZEN, "frozen"},           {HEAP_IMMORTAL, "immortal"},   {HEAP_STATIC, "static"},
	{HEAP_LEGACY_FINALIZER, "legacy"}, {HEAP_FINALIZED, "finalized"}, {HEAP_PART, "part"},
};

static size_t show_flag_names(unsigned flags, const char **names)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_COUNT(show_flags); i++)
		if (flags & show_flags[i].flag)
			names[count++] = show_flags[i].name;
	return count;
}

static struct error *show_report(struct report *report, const struct heap *heap, uint32_t object,
				 const struct accounts *accounts, const struct text *repr)
{
	static const struct report_column columns[] = {
		{.key = "address", .unit = REPORT_ADDRESS},
		{.key = "type", .unit = REPORT_TEXT},
		{.key = "size", .unit = REPORT_BYTES},
		{.key = "refcount", .unit = REPORT_COUNT},
		{.key = "tracked", .unit = REPORT_BOOL},
		{.key = "generation", .unit = REPORT_NUMBER},
		{.key = "finalizer", .unit = REPORT_TEXT},
		{.key = "flags", .unit = REPORT_TEXTS},
		{.key = "references", .title = "refers to", .unit = REPORT_COUNT},
		{.key = "referrers", .title = "referred to by", .unit = REPORT_COUNT},
		{.key = "held_by_c", .title = "held by C", .unit = REPORT_COUNT},
		{.key = "repr", .unit = REPORT_TEXT},
	};
	const char *finalizer = graph_object_finalizer(heap, object);
	int generation = graph_object_generation(heap, object);
	const char *flags[ARRAY_COUNT(show_flags)];
	size_t flag_count = show_flag_names(heap->flags[object], flags);
	const struct report_cell cells[] = {
		{.number = (int64_t)heap->at[object]},
		{.text = heap_type_name(heap, object)},
		{.number = (int64_t)heap->size_bytes[object]},
		{.number = heap->refcount[object], .absent = heap->flags[object] & HEAP_IMMORTAL},
		{.number = (heap->flags[object] & HEAP_TRACKED) != 0},
		{.number = generation, .absent = generation < 0},
		{.text = finalizer, .absent = !finalizer},
		{.texts = flags, .count = flag_count},
		{.number = heap_edge_count(heap, object)},
		{.number = (int64_t)accounts->referrer_count},
		{.number = accounts->held_by_c},
		{.text = text_chars(repr), .absent = !repr->length},
	};

	return report_object(report, "object", columns, ARRAY_COUNT(columns), cells);
}

static struct error *show_run(struct command_context *context)
{
	_cleanup_object_choice_ struct object_choice choice = {0};
	_cleanup_text_ struct text repr = {0};
	const struct inspected_graph *graph;
	_cleanup_accounts_ struct accounts accounts = {0};
	struct report *report = context->report;
	size_t limit = arguments_limit(context->arguments);
	bool is_limited = arguments_has(context->arguments, ARGUMENTS_LIMIT);
	struct report_head head;
	struct error *error = inspected_graph(context->inspected, &graph);

	if (!error)
		error = inspected_annotate(context->inspected);
	if (!error)
		error = object_choice_make(graph->heap, context->arguments, false, &choice);
	if (!error)
		error = accounts_make(graph->heap, choice.ids[0], &accounts);
	if (!error)
		error = graph_repr(context->inspected, choice.ids[0], GRAPH_REPR_CHARS, &repr);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "show", graph, &head);
	error = report_begin(report, &head);
	if (!error)
		error = show_report(report, graph->heap, choice.ids[0], &accounts, &repr);
	if (!error)
		error = attributes_report(report, context->inspected, graph->heap, choice.ids[0],
					  is_limited ? limit : ATTRIBUTES_SHOWN);
	if (!error)
		error = accounts_report(&accounts, report, is_limited ? limit : ACCOUNTS_SHOWN);
	return error ? error : object_choice_note(&choice, report, "an address shows another");
}

static const struct command_example show_examples[] = {
	{"show 4711 leak_demo.Parent", "the first of them"},
	{"show 4711 0x7f9155607010", "the object at that address"},
};

const struct command command_show = {
	.name = "show",
	.summary = "one object: type, size, references, and what repr() might say",
	.words = "OBJECT",
	.word = COMMAND_TYPE,
	.words_min = 1,
	.words_max = 1,
	.description =
		"One object: its type, size as sys.getsizeof() tells it, reference count, whether "
		"the collector\n"
		"tracks it and in which generation, its finalizer (del: __del__, builtin: one in "
		"C, legacy: one\n"
		"that keeps a cycle from being freed), how many references it has and how many "
		"lead to it, how\n"
		"many more are counted than were found (held by C code, or leaked by it), and what "
		"repr() might\n"
		"say. No code of the process is run for that.\n"
		"\n"
		"Then its attributes by name (values of its attribute dict, slots, members of C "
		"that have a name\n"
		"in Python), and who accounts for its reference count: references of objects by "
		"type and name,\n"
		"roots, C code with the places that have its address, and what is leaked. The "
		"counts make up the\n"
		"reference count; where more was found than is counted, a line says so. Twenty of "
		"each are shown\n"
		"unless -n is given.\n"
		"\n"
		"  attributes\n"
		"  NAME   TYPE  ADDRESS         REPR\n"
		"  user   str   0x7f778d204070  'user-0'\n"
		"  items  list  0x7f778d1e7580  [1, 2, 3]\n"
		"\n"
		"  accounts\n"
		"  COUNT  FROM     TYPE       LABEL\n"
		"      1  objects  shop.Cart  .request\n"
		"      1  root     -          thread 4711 in handle() at /srv/shop.py:10, local "
		"variable request\n"
		"      2  in all\n"
		"\n"
		"OBJECT is an address or the name of a type: then its first object by address.",
	.examples = show_examples,
	.example_count = ARRAY_COUNT(show_examples),
	// clang-format off
	.example_output =
		"...\n"
		"object\n"
		"  address         0x7f9155607010\n"
		"  type            leak_demo.Parent\n"
		"  size            56 B\n"
		"  refcount        2\n"
		"  tracked         yes\n"
		"  generation      1\n"
		"  finalizer       legacy\n"
		"  flags           legacy\n"
		"  refers to       3\n"
		"  referred to by  2\n"
		"  held by C       0\n"
		"  repr            <leak_demo.Parent object at 0x7f9155607010>\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_EVERYWHERE,
	.check = object_choice_check,
	.run = show_run,
};
