// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/attributes.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/names.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/answers/graph_text.h"

static const struct report_column attributes_columns[] = {
	{.key = "name", .unit = REPORT_TEXT},
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "address", .unit = REPORT_ADDRESS},
	{.key = "repr", .unit = REPORT_TEXT},
};

enum { OWN_MAX = 32 };

struct attributes {
	/** Members of the object itself that its attribute dict may have again (a module's `__name__`). */
	struct {
		char *name;
		uint32_t value;
	} own[OWN_MAX];
	size_t own_count;
	struct report *report;
	struct inspected *inspected;
	const struct heap *heap;
	size_t limit;
	size_t count;
};

// What every object has, or what is told apart.
static bool attributes_is_plain(const char *label)
{
	return label[0] == '.' && strcmp(label, ".__class__") != 0 &&
	       strcmp(label, names_dict_label) != 0;
}

static void attributes_deinit(struct attributes *attributes)
{
	for (size_t i = 0; i < attributes->own_count; i++)
		free(attributes->own[i].name);
}

static struct error *attributes_remember(struct attributes *attributes, const char *name,
					 uint32_t value)
{
	if (attributes->own_count == OWN_MAX)
		return NULL;
	char *copy = strdup(name);
	if (!copy)
		return error_no_memory();
	attributes->own[attributes->own_count].name = copy;
	attributes->own[attributes->own_count++].value = value;
	return NULL;
}

static bool attributes_has(const struct attributes *attributes, const char *name, uint32_t value)
{
	for (size_t i = 0; i < attributes->own_count; i++)
		if (attributes->own[i].value == value && !strcmp(attributes->own[i].name, name))
			return true;
	return false;
}

static struct error *attributes_add(struct attributes *attributes, const char *name, uint32_t value)
{
	_cleanup_text_ struct text repr = {0};

	if (attributes->count++ >= attributes->limit)
		return NULL;
	struct error *error = graph_repr(attributes->inspected, value, GRAPH_REPR_ROW_CHARS, &repr);
	const struct report_cell cells[] = {
		{.text = name},
		{.text = heap_type_name(attributes->heap, value)},
		{.number = (int64_t)attributes->heap->at[value]},
		{.text = text_chars(&repr), .absent = !repr.length},
	};
	return error ? error : report_row(attributes->report, cells);
}

// Values of an attribute dict; keys that are no names are kept in their brackets.
static struct error *attributes_of_dict(struct attributes *attributes, uint32_t dict)
{
	const heap_edge *edges = heap_edges(attributes->heap, dict);
	uint32_t count = heap_edge_count(attributes->heap, dict);
	struct error *error = NULL;

	for (uint32_t i = 0; i < count && !error; i++) {
		_cleanup_text_ struct text label = {0}, name = {0};
		error = interrupt_check();
		if (!error)
			error = heap_label(attributes->heap, dict, i, &label);
		const char *chars = text_chars(&label);
		// Keys are references, too.
		if (error || chars[0] != '[')
			continue;
		if (names_is_attribute(chars, label.length))
			error = text_append(&name, chars + 2, label.length - 4);
		else
			error = text_appendf(&name, "%s%s", names_dict_label + 1, chars);
		uint32_t value = heap_edge_target(edges[i]);
		if (!error && !attributes_has(attributes, text_chars(&name), value))
			error = attributes_add(attributes, text_chars(&name), value);
	}
	return error;
}

// Adds those that the object keeps itself; *@a ret is its attribute dict.
static struct error *attributes_of_object(struct attributes *attributes, uint32_t object,
					  uint32_t *ret)
{
	const struct heap *heap = attributes->heap;
	const heap_edge *edges = heap_edges(heap, object);
	uint32_t count = heap_edge_count(heap, object);
	struct error *error = NULL;

	*ret = HEAP_NO_OBJECT;
	for (uint32_t i = 0; i < count && !error; i++) {
		_cleanup_text_ struct text label = {0};
		uint32_t target = heap_edge_target(edges[i]);
		error = interrupt_check();
		if (!error)
			error = heap_label(heap, object, i, &label);
		const char *chars = text_chars(&label);
		if (error)
			break;
		if (!strcmp(chars, names_dict_label))
			*ret = target;
		// A name that is in two members (a function's) is one attribute.
		if (!attributes_is_plain(chars) || attributes_has(attributes, chars + 1, target))
			continue;
		error = attributes_remember(attributes, chars + 1, target);
		if (!error)
			error = attributes_add(attributes, chars + 1, target);
	}
	return error;
}

struct error *attributes_report(struct report *report, struct inspected *inspected,
				const struct heap *heap, uint32_t object, size_t limit)
{
	static const struct report_column total[] = {
		{.key = "attribute_count", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	CLEANUP(attributes_deinit)
	struct attributes attributes = {
		.report = report,
		.inspected = inspected,
		.heap = heap,
		.limit = limit,
	};
	char more[HUMAN_CHARS];
	uint32_t dict;
	struct error *error = report_table(report, "attributes", attributes_columns,
					   ARRAY_COUNT(attributes_columns));

	if (!error)
		error = attributes_of_object(&attributes, object, &dict);
	if (!error && dict != HEAP_NO_OBJECT)
		error = attributes_of_dict(&attributes, dict);
	if (!error)
		error = report_object(report, NULL, total, ARRAY_COUNT(total),
				      &(struct report_cell){.number = (int64_t)attributes.count});
	if (!error && attributes.count > limit)
		error = report_note(report, "(%s more attributes)",
				    human_count((int64_t)(attributes.count - limit), more));
	return error;
}
