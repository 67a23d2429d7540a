// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "ui/answers/export_file.h"
#include "ui/output.h"

enum export_option { EXPORT_NO_LABELS };

static const struct command_option export_options[] = {
	[EXPORT_NO_LABELS] =
		{.name = "no-labels",
		 .summary =
			 "leave out what references are called: a smaller file, a little sooner"},
};

// A database can be written to a file alone: a pipe or a device cannot be sought in.
static struct error *export_check_path(const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
		return error_create(ERROR_FAILED, "'%s' is no file: export writes a database",
				    path);
	return NULL;
}

static struct error *export_report(struct report *report, const struct heap *heap, const char *path)
{
	static const struct report_column columns[] = {
		{.key = "file", .unit = REPORT_TEXT},
		{.key = "types", .unit = REPORT_COUNT},
		{.key = "objects", .unit = REPORT_COUNT},
		{.key = "static", .title = "of them static", .unit = REPORT_COUNT},
		{.key = "references", .unit = REPORT_COUNT},
		{.key = "roots", .unit = REPORT_COUNT},
		{.key = "size", .unit = REPORT_BYTES},
	};
	struct stat status;
	int64_t static_count = 0;

	if (stat(path, &status) < 0)
		return error_create_os(errno, "cannot read '%s'", path);
	for (uint32_t i = 0; i < heap->object_count; i++)
		static_count += (heap->flags[i] & HEAP_STATIC) != 0;
	const struct report_cell cells[] = {
		{.text = path},
		{.number = heap->type_count},
		{.number = heap->object_count},
		{.number = static_count},
		{.number = heap->first_edge[heap->object_count]},
		{.number = (int64_t)heap->root_count},
		{.number = status.st_size},
	};
	return report_object(report, NULL, columns, ARRAY_COUNT(columns), cells);
}

static struct error *export_run(struct command_context *context)
{
	const char *path = context->arguments->common[ARGUMENTS_OUTPUT].text;
	bool labels = !context->arguments->options[EXPORT_NO_LABELS].count;
	_cleanup_output_ struct output output = {0};
	const struct inspected_graph *graph;
	struct report_head head;
	struct error *error = export_check_path(path);

	if (!error)
		error = output_open(path, arguments_has(context->arguments, ARGUMENTS_FORCE),
				    &output);
	if (!error)
		error = inspected_graph(context->inspected, &graph);
	if (!error)
		error = inspected_annotate(context->inspected);
	if (error)
		return error;
	inspected_graph_head(context->inspected, "export", graph, &head);
	error = export_file_write(output.temporary, graph, &head, labels);
	if (error)
		return error_prefix(error, "'%s'", path);
	error = output_commit(&output);
	if (!error)
		error = report_begin(context->report, &head);
	return error ? error : export_report(context->report, graph->heap, path);
}

static const struct command_example export_examples[] = {
	{"export 4711 -o heap.sqlite", "the graph of references in a file"},
	{"export 4711 -o heap.sqlite --no-labels", "the same without names of references"},
};

const struct command command_export = {
	.name = "export",
	.summary = "the graph of references as a database of SQLite",
	.words = "",
	.description =
		"Writes all types, objects, references and roots into the file of -o, a database "
		"of SQLite:\n"
		"meta(key, value), types(id, name, finalizer, basic_size, ...), objects(id, "
		"address, type, size,\n"
		"refcount, tracked, generation, frozen, static, ...), refs(src, dst, label, kind), "
		"roots(object,\n"
		"kind, name, ...). src, dst and object are ids of objects, type is the id of a "
		"type. Objects that\n"
		"are part of the program's own data have static = 1; the verb types does not count "
		"those.\n"
		"\n"
		"The file is there when it is whole, and not before.",
	.options = export_options,
	.option_count = ARRAY_COUNT(export_options),
	.examples = export_examples,
	.example_count = ARRAY_COUNT(export_examples),
	// clang-format off
	.example_output =
		"...\n"
		"file            heap.sqlite\n"
		"types           133\n"
		"objects         56,594\n"
		"of them static  5,898\n"
		"references      177,436\n"
		"roots           1,053\n"
		"size            12.3 MiB\n"
		"...\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_READS_HEAP | COMMAND_REPORTS | COMMAND_WRITES_FILE |
		 COMMAND_EVERYWHERE,
	.run = export_run,
};
