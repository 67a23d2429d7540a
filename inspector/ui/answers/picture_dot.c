// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/picture_dot.h"

#include <inttypes.h>
#include <string.h>

#include "analyze/attribute.h"
#include "analyze/names.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/answers/dot_text.h"
#include "ui/answers/graph_text.h"

enum {
	/** Characters of a type's name, a repr, a reference's label, a root's name. */
	PICTURE_DOT_TYPE_CHARS = 48,
	PICTURE_DOT_REPR_CHARS = 64,
	PICTURE_DOT_LABEL_CHARS = 28,
	PICTURE_DOT_ROOT_CHARS = 100,
	PICTURE_DOT_LINE_CHARS = 32,
};

/** What is written, and what of it the legend has to explain. */
struct picture_dot_pen {
	const struct picture_dot *dot;
	struct text *into;
	bool has_finalizer;
	bool has_cycle;
	bool has_weak;
	bool has_guess;
	bool has_owned;
	bool has_root;
	bool has_more;
};

// Colours of Okabe and Ito's palette, which people tell apart however they see colours; shapes, line
// styles and words say the same.
static const char picture_dot_head[] =
	"\tgraph [rankdir=LR, bgcolor=\"white\", fontname=\"Helvetica\", fontsize=11,\n"
	"\t\tlabelloc=\"t\", labeljust=\"l\", nodesep=0.25, ranksep=0.5, pad=0.2];\n"
	"\tnode [shape=box, style=\"rounded,filled\", fillcolor=\"white\", color=\"#555555\",\n"
	"\t\tfontname=\"Helvetica\", fontsize=11, margin=\"0.12,0.06\"];\n"
	"\tedge [fontname=\"Helvetica\", fontsize=10, color=\"#555555\", arrowsize=0.7];\n";

static const char *const picture_dot_roots[HEAP_ROOT_KIND_COUNT] = {
	[HEAP_ROOT_MODULE] = "folder",     [HEAP_ROOT_FRAME] = "note",
	[HEAP_ROOT_THREAD] = "note",       [HEAP_ROOT_INTERPRETER] = "house",
	[HEAP_ROOT_INTERNED] = "house",    [HEAP_ROOT_STATIC_TYPE] = "house",
	[HEAP_ROOT_GARBAGE] = "house",     [HEAP_ROOT_C_VARIABLE] = "component",
	[HEAP_ROOT_C_STACK] = "component", [HEAP_ROOT_C_MEMORY] = "component",
};

static const char picture_dot_root_style[] = "style=\"filled\", fillcolor=\"#CDE7F5\", "
					     "color=\"#0072B2\"";
static const char picture_dot_more_style[] = "shape=plaintext, style=\"\", fontcolor=\"#555555\"";

static struct error *picture_dot_address(const struct picture_dot_pen *pen, uint32_t object)
{
	return text_appendf(pen->into, "\"0x%" PRIx64 "\"", pen->dot->heap->at[object]);
}

static struct error *picture_dot_name(const struct picture_dot_pen *pen, uint32_t number)
{
	const struct picture_node *node = &pen->dot->picture->nodes[number];

	if (!node->root)
		return picture_dot_address(pen, node->object);
	return text_appendf(pen->into, "\"root %" PRIu32 "\"", number);
}

// The address stands above already.
static struct error *picture_dot_without_address(addr_t at, struct text *repr)
{
	_cleanup_text_ struct text words = {0};
	struct error *error = text_appendf(&words, " at 0x%" PRIx64, at);
	char *found = error ? NULL : strstr(repr->chars, words.chars);

	if (!found)
		return error;
	memmove(found, found + words.length, strlen(found + words.length) + 1);
	repr->length -= words.length;
	return NULL;
}

// A repr that says no more than type and address do is left out.
static struct error *picture_dot_repr(const struct picture_dot_pen *pen, uint32_t object,
				      struct text *label)
{
	_cleanup_text_ struct text repr = {0};
	_cleanup_text_ struct text plain = {0};
	_cleanup_text_ struct text cut = {0};
	struct error *error =
		graph_repr(pen->dot->inspected, object, PICTURE_DOT_REPR_CHARS * 2, &repr);

	if (!error)
		error = text_appendf(&plain, "<%s object at 0x",
				     heap_type_name(pen->dot->heap, object));
	if (error || !repr.length || !strncmp(text_chars(&repr), plain.chars, plain.length))
		return error;
	error = text_append(label, "\n", 1);
	if (!error)
		error = picture_dot_without_address(pen->dot->heap->at[object], &repr);
	if (!error)
		error = dot_text_cut(text_chars(&repr), PICTURE_DOT_REPR_CHARS, false, &cut);
	dot_text_wrap(&cut, PICTURE_DOT_LINE_CHARS);
	return error ? error : text_append(label, text_chars(&cut), cut.length);
}

static struct error *picture_dot_finalizer(struct picture_dot_pen *pen, uint32_t object,
					   struct text *label)
{
	const char *finalizer = graph_object_finalizer(pen->dot->heap, object);

	if (!finalizer)
		return NULL;
	pen->has_finalizer = true;
	return text_appendf(label, "\nfinalizer: %s", finalizer);
}

// What was not followed, as a line in the node itself.
static struct error *picture_dot_unfollowed(struct picture_dot_pen *pen,
					    const struct picture_node *node, struct text *label)
{
	static const char *const words[] = {
		[PICTURE_REFERRERS] = "holder",
		[PICTURE_REFERENTS] = "reference",
	};
	struct error *error = NULL;
	char count[HUMAN_CHARS];

	for (size_t way = 0; way < PICTURE_WAY_COUNT && !error; way++) {
		if (node->is_followed[way] || !node->more[way].count)
			continue;
		pen->has_more = true;
		error = text_appendf(label, "\n(%s more %s%s)",
				     human_count((int64_t)node->more[way].count, count), words[way],
				     node->more[way].count == 1 ? "" : "s");
	}
	if (!error && node->more_roots)
		error = text_appendf(label, "\n(%s more root%s)",
				     human_count((int64_t)node->more_roots, count),
				     node->more_roots == 1 ? "" : "s");
	return error;
}

static struct error *picture_dot_object_label(struct picture_dot_pen *pen,
					      const struct picture_node *node, struct text *label)
{
	const struct heap *heap = pen->dot->heap;
	struct error *error = dot_text_cut(heap_type_name(heap, node->object),
					   PICTURE_DOT_TYPE_CHARS, true, label);

	if (!error)
		error = text_appendf(label, "\n0x%" PRIx64, heap->at[node->object]);
	if (!error)
		error = picture_dot_repr(pen, node->object, label);
	if (!error)
		error = picture_dot_finalizer(pen, node->object, label);
	return error ? error : picture_dot_unfollowed(pen, node, label);
}

static struct error *picture_dot_label(struct picture_dot_pen *pen, const struct text *label)
{
	struct error *error = text_appendf(pen->into, "label=\"");

	if (!error)
		error = dot_text_escape(text_chars(label), pen->into);
	return error ? error : text_appendf(pen->into, "\"");
}

static struct error *picture_dot_object(struct picture_dot_pen *pen, uint32_t number)
{
	const struct picture_node *node = &pen->dot->picture->nodes[number];
	_cleanup_text_ struct text label = {0};
	struct error *error = picture_dot_object_label(pen, node, &label);
	bool finalizes = graph_object_finalizer(pen->dot->heap, node->object);

	if (!error)
		error = text_appendf(pen->into, "\t");
	if (!error)
		error = picture_dot_name(pen, number);
	if (!error)
		error = text_appendf(pen->into, " [");
	if (!error)
		error = picture_dot_label(pen, &label);
	if (!error && finalizes)
		error = text_appendf(pen->into, ", fillcolor=\"#FCE2B0\"");
	if (!error && node->is_asked)
		error = text_appendf(pen->into, ", color=\"black\", penwidth=3");
	else if (!error && node->is_on_cycle)
		error = text_appendf(pen->into, ", color=\"#D55E00\", penwidth=2");
	return error ? error : text_appendf(pen->into, "];\n");
}

static struct error *picture_dot_root(struct picture_dot_pen *pen, uint32_t number)
{
	const struct heap_root_row *root = pen->dot->picture->nodes[number].root;
	_cleanup_text_ struct text whole = {0};
	_cleanup_text_ struct text label = {0};
	struct error *error = graph_root_label(root, &whole);

	pen->has_root = true;
	if (!error)
		error = dot_text_cut(text_chars(&whole), PICTURE_DOT_ROOT_CHARS, false, &label);
	if (!error)
		error = text_appendf(pen->into, "\t\"root %" PRIu32 "\" [shape=%s, %s, ", number,
				     picture_dot_roots[root->kind], picture_dot_root_style);
	dot_text_wrap(&label, PICTURE_DOT_LINE_CHARS);
	if (!error)
		error = picture_dot_label(pen, &label);
	return error ? error : text_appendf(pen->into, "];\n");
}

// What the referrer calls it; out of its attribute dict, as an attribute.
static struct error *picture_dot_reference(const struct picture_dot_pen *pen,
					   const struct picture_edge *edge, uint32_t number,
					   struct text *label)
{
	const struct picture_node *from = &pen->dot->picture->nodes[edge->from];
	const struct picture_reference *reference = &edge->references[number];
	_cleanup_text_ struct text name = {0};
	_cleanup_text_ struct text shown = {0};
	struct error *error =
		heap_label(pen->dot->heap, reference->object, reference->number, &name);

	if (!error && reference->object == from->dict && name.length)
		error = names_append_attribute(&name, &shown);
	else if (!error)
		error = text_append(&shown, text_chars(&name), name.length);
	if (error || !shown.length)
		return error;
	if (label->length)
		error = text_append(label, "\n", 1);
	return error ? error
		     : dot_text_cut(text_chars(&shown), PICTURE_DOT_LABEL_CHARS, false, label);
}

static struct error *picture_dot_edge_label(const struct picture_dot_pen *pen,
					    const struct picture_edge *edge, struct text *label)
{
	bool is_root = pen->dot->picture->nodes[edge->from].root;
	struct error *error = NULL;
	char count[HUMAN_CHARS];

	for (uint32_t i = 0; !is_root && !error && i < edge->count && i < PICTURE_EDGE_REFERENCES;
	     i++)
		error = picture_dot_reference(pen, edge, i, label);
	if (!error && !is_root && edge->count > PICTURE_EDGE_REFERENCES)
		error = text_appendf(
			label, "%s... %s more", label->length ? "\n" : "",
			human_count((int64_t)edge->count - PICTURE_EDGE_REFERENCES, count));
	return error;
}

static const char *picture_dot_edge_style(struct picture_dot_pen *pen,
					  const struct picture_edge *edge)
{
	if (edge->is_on_cycle) {
		pen->has_cycle = true;
		return ", color=\"#D55E00\", fontcolor=\"#A04000\", penwidth=2.2";
	}
	if (pen->dot->picture->nodes[edge->from].root)
		return edge->kind == HEAP_EDGE_GC ? ", color=\"#0072B2\""
						  : ", color=\"#0072B2\", style=\"dashed\"";
	switch (edge->kind) {
	case HEAP_EDGE_WEAK:
		pen->has_weak = true;
		return ", style=\"dotted\"";
	case HEAP_EDGE_GUESS:
		pen->has_guess = true;
		return ", style=\"dashed\"";
	case HEAP_EDGE_OWNED:
		pen->has_owned = true;
		return ", arrowhead=\"onormal\"";
	case HEAP_EDGE_GC:
		break;
	}
	return "";
}

static struct error *picture_dot_edge(struct picture_dot_pen *pen, const struct picture_edge *edge)
{
	_cleanup_text_ struct text label = {0};
	const char *style = picture_dot_edge_style(pen, edge);
	struct error *error = picture_dot_edge_label(pen, edge, &label);

	if (!error)
		error = text_appendf(pen->into, "\t");
	if (!error)
		error = picture_dot_name(pen, edge->from);
	if (!error)
		error = text_appendf(pen->into, " -> ");
	if (!error)
		error = picture_dot_name(pen, edge->to);
	if (!error)
		error = text_appendf(pen->into, " [");
	if (!error)
		error = picture_dot_label(pen, &label);
	return error ? error : text_appendf(pen->into, "%s];\n", style);
}

static struct error *picture_dot_more_label(const struct picture_dot_pen *pen,
					    const struct picture_more *more, struct text *label)
{
	char count[HUMAN_CHARS];
	uint64_t told = 0;
	struct error *error =
		text_appendf(label, "... %s more", human_count((int64_t)more->count, count));

	for (size_t i = 0; i < more->type_count && !error; i++) {
		told += more->types[i].count;
		error = text_appendf(label, "\n%s ",
				     human_count((int64_t)more->types[i].count, count));
		if (!error)
			error = dot_text_cut(pen->dot->heap->types[more->types[i].type].name,
					     PICTURE_DOT_LABEL_CHARS, true, label);
	}
	if (!error && told < more->count)
		error = text_appendf(label, "\n%s of other types",
				     human_count((int64_t)(more->count - told), count));
	return error;
}

// A node for what was too much of the next step, on its side of @number.
static struct error *picture_dot_more(struct picture_dot_pen *pen, uint32_t number, size_t way)
{
	const struct picture_node *node = &pen->dot->picture->nodes[number];
	_cleanup_text_ struct text label = {0};
	_cleanup_text_ struct text name = {0};
	struct error *error = NULL;

	if (!node->is_followed[way] || !node->more[way].count)
		return NULL;
	pen->has_more = true;
	error = picture_dot_more_label(pen, &node->more[way], &label);
	if (!error)
		error = text_appendf(&name, "\"%s 0x%" PRIx64 "\"",
				     way == PICTURE_REFERRERS ? "holders of" : "held by",
				     pen->dot->heap->at[node->object]);
	if (!error)
		error = text_appendf(pen->into, "\t%s [%s, ", text_chars(&name),
				     picture_dot_more_style);
	if (!error)
		error = picture_dot_label(pen, &label);
	if (!error)
		error = text_appendf(pen->into, "];\n\t");
	if (!error && way == PICTURE_REFERRERS)
		error = text_appendf(pen->into, "%s -> \"0x%" PRIx64 "\"", text_chars(&name),
				     pen->dot->heap->at[node->object]);
	else if (!error)
		error = text_appendf(pen->into, "\"0x%" PRIx64 "\" -> %s",
				     pen->dot->heap->at[node->object], text_chars(&name));
	return error ? error : text_appendf(pen->into, " [style=\"dashed\", color=\"#999999\"];\n");
}

// Whether a root among those shown holds a reference of @number that is no word of an object.
static bool picture_dot_is_explained(const struct picture *picture, uint32_t number)
{
	for (size_t i = 0; i < picture->edge_count; i++) {
		const struct heap_root_row *root = picture->nodes[picture->edges[i].from].root;
		if (picture->edges[i].to == number && root && !root->owns &&
		    root->kind != HEAP_ROOT_MODULE)
			return true;
	}
	return false;
}

// References that are counted and were found nowhere, where no root explains them.
static struct error *picture_dot_excess(struct picture_dot_pen *pen, uint32_t number)
{
	const struct picture_node *node = &pen->dot->picture->nodes[number];
	int64_t excess = pen->dot->excess ? pen->dot->excess[node->object] : 0;
	char count[HUMAN_CHARS];

	if (excess <= 0 || node->steps[PICTURE_REFERRERS] == UINT32_MAX ||
	    picture_dot_is_explained(pen->dot->picture, number))
		return NULL;
	pen->has_root = true;
	return text_appendf(pen->into,
			    "\t\"C holds 0x%" PRIx64 "\" [shape=component, %s, "
			    "label=\"C code, or leaked by it:\\n%s reference%s found nowhere\"];\n"
			    "\t\"C holds 0x%" PRIx64 "\" -> \"0x%" PRIx64
			    "\" [style=\"dashed\", color=\"#0072B2\"];\n",
			    pen->dot->heap->at[node->object], picture_dot_root_style,
			    human_count(excess, count), excess == 1 ? "" : "s",
			    pen->dot->heap->at[node->object], pen->dot->heap->at[node->object]);
}

static struct error *picture_dot_gap(struct picture_dot_pen *pen)
{
	const struct picture *picture = pen->dot->picture;
	char count[HUMAN_CHARS];

	if (!picture->gap_count)
		return NULL;
	pen->has_more = true;
	struct error *error = text_appendf(pen->into, "\t\"gap\" [%s, label=\"... %s more\"];\n\t",
					   picture_dot_more_style,
					   human_count((int64_t)picture->gap_count, count));
	if (!error)
		error = picture_dot_name(pen, picture->gap_from);
	if (!error)
		error = text_appendf(pen->into, " -> \"gap\" -> ");
	if (!error)
		error = picture_dot_name(pen, picture->gap_to);
	return error ? error
		     : text_appendf(pen->into,
				    " [style=\"dashed\", color=\"#D55E00\", penwidth=2.2];\n");
}

static struct error *picture_dot_title(struct picture_dot_pen *pen)
{
	const struct picture *picture = pen->dot->picture;
	const struct {
		bool is_there;
		const char *words;
	} legend[] = {
		{true, "thick border: asked about"},
		{pen->has_cycle, "thick orange arrows: the cycle"},
		{pen->has_finalizer, "filled: has a finalizer"},
		{pen->has_root, "blue: a root"},
		{pen->has_owned, "hollow arrow: the collector does not see it"},
		{pen->has_guess, "dashed: a word that may be a reference"},
		{pen->has_weak, "dotted: weak, holds nothing"},
		{picture->class_references, "references to an object's own class are left out"},
	};
	struct error *error = text_appendf(pen->into, "\tlabel=\"");
	size_t told = 0;

	if (!error)
		error = dot_text_escape(pen->dot->title, pen->into);
	for (size_t i = 0; i < ARRAY_COUNT(legend) && !error; i++)
		if (legend[i].is_there)
			error = text_appendf(pen->into, "%s%s", told++ % 4 ? "   |   " : "\\l",
					     legend[i].words);
	return error ? error : text_appendf(pen->into, "\\l\";\n");
}

struct error *picture_dot_write(const struct picture_dot *dot, struct text *into)
{
	struct picture_dot_pen pen = {.dot = dot, .into = into};
	const struct picture *picture = dot->picture;
	struct error *error = text_appendf(into, "digraph leakinspect {\n%s", picture_dot_head);

	for (uint32_t i = 0; i < picture->node_count && !error; i++) {
		error = interrupt_check();
		if (!error)
			error = picture->nodes[i].root ? picture_dot_root(&pen, i)
						       : picture_dot_object(&pen, i);
	}
	for (size_t i = 0; i < picture->edge_count && !error; i++)
		error = picture_dot_edge(&pen, &picture->edges[i]);
	for (uint32_t i = 0; i < picture->object_count && !error; i++) {
		for (size_t way = 0; way < PICTURE_WAY_COUNT && !error; way++)
			error = picture_dot_more(&pen, i, way);
		if (!error)
			error = picture_dot_excess(&pen, i);
	}
	if (!error)
		error = picture_dot_gap(&pen);
	if (!error)
		error = picture_dot_title(&pen);
	return error ? error : text_appendf(into, "}\n");
}
