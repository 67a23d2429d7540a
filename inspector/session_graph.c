// SPDX-License-Identifier: GPL-3.0-or-later
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "debug/module.h"
#include "heap/builder.h"
#include "mem/mirror/mirror.h"
#include "mem/pause.h"
#include "session_look.h"

struct session_graph {
	struct session *session;
	/** The copy; NULL of a core file, which is read itself. */
	struct mem_source *mirror;
	struct session_stacks stacks;
	/** Of the copy or core file and the stacks. */
	struct target_moment moment;
	uint64_t taken_ns;
	struct inspected_cost cost;
	/** NULL but when the graph is to be verified. */
	struct session_verifier *verifier;
	/** After the mirror, which its labels read. */
	struct heap *heap;
};

/** The labels of references, told by the adapter for one object at a time. */
struct graph_labels {
	struct heap_labels labels;
	const struct session_graph *graph;
	/** How much is told of them. */
	enum target_telling telling;
	/** Whose references are kept, and those of them that lead to an object of the heap. */
	uint32_t object;
	struct target_references references;
};

/** A stop in which the process's memory is copied; what is walked is the copy. */
struct graph_stop {
	struct session_stop stop;
	struct session_graph *graph;
	struct heap_sink *builder;
};

/*
 * By target, and by which of those to the same target: the adapter may find an object's references in
 * another order the second time (plan.h learns), and tells those that lead to no object, too.
 */
static const char *labels_find(const struct graph_labels *labels, uint32_t from, uint32_t number)
{
	const struct heap *heap = labels->graph->heap;
	const heap_edge *edges = heap_edges(heap, from);
	uint32_t target = heap_edge_target(edges[number]);
	const struct target_references *references = &labels->references;
	addr_t at = heap->at[target];
	size_t before = 0;

	// Mostly they are where they were.
	if (number < references->count && references->list[number].to == at)
		return references->list[number].label;
	for (uint32_t i = 0; i < number; i++)
		before += heap_edge_target(edges[i]) == target;
	for (size_t i = 0; i < references->count; i++)
		if (references->list[i].to == at && before-- == 0)
			return references->list[i].label;
	return NULL;
}

static struct error *labels_label(struct heap_labels *base, uint32_t from, uint32_t number,
				  struct text *into)
{
	struct graph_labels *labels = (struct graph_labels *)base;
	const struct session_graph *graph = labels->graph;
	struct target *target = graph->session->target;

	enum target_telling telling = TARGET_TELL_ALL;

	if (graph->session->redacts)
		telling = graph->heap->flags[from] & HEAP_PART ? TARGET_TELL_NAMES
							       : TARGET_TELL_SHAPES;
	if (labels->object != from || labels->telling != telling) {
		target_references_deinit(&labels->references);
		labels->object = HEAP_NO_OBJECT;
		struct error *error =
			target->ops->references(target, &graph->moment, graph->heap->at[from],
						telling, &labels->references);
		if (error)
			return error;
		labels->object = from;
		labels->telling = telling;
	}
	const char *label = labels_find(labels, from, number);
	return label ? text_append(into, label, strlen(label)) : NULL;
}

static void labels_destroy(struct heap_labels *base)
{
	struct graph_labels *labels = (struct graph_labels *)base;

	target_references_deinit(&labels->references);
	free(labels);
}

static struct error *graph_add_labels(struct session_graph *graph)
{
	struct graph_labels *labels = calloc(1, sizeof(*labels));

	if (!labels)
		return error_no_memory();
	labels->labels.label = labels_label;
	labels->labels.destroy = labels_destroy;
	labels->graph = graph;
	labels->object = HEAP_NO_OBJECT;
	graph->heap->labels = &labels->labels;
	return NULL;
}

static struct error *graph_save_stacks(struct session_graph *graph, const struct session_held *held)
{
	size_t count;
	const struct pause_thread *threads = session_threads(graph->session, held, &count);
	struct error *error = session_stacks_take(&graph->stacks, threads, count);

	graph->moment = (struct target_moment){
		.source = graph->mirror ? graph->mirror : graph->session->process.source,
		.stacks = graph->stacks.list,
		.stack_count = graph->stacks.count,
	};
	return error;
}

static struct error *graph_fill(struct session_graph *graph, struct mem_source *source)
{
	struct session *session = graph->session;
	uint64_t begin_ns = clock_now_ns();

	if (!graph->mirror)
		return NULL;
	struct error *error =
		source == session->process.source
			? mem_mirror_fill(graph->mirror, session->options.threads)
			: mem_mirror_fill_from(graph->mirror, source, session->options.threads);

	graph->cost.copy_ns += clock_now_ns() - begin_ns;
	return error;
}

// The one part of a stop that is for verification: clones that can run code, not at any moment.
static struct error *graph_hold_verifier(struct session_graph *graph, enum target_effort effort,
					 struct session_held *held, bool *ret_may)
{
	bool firm = true;
	struct error *error = NULL;

	if (graph->verifier)
		error = session_verifier_hold(graph->session, graph->verifier, &graph->stacks, held,
					      &firm);
	*ret_may = !error && (firm || effort == TARGET_EFFORT_LAST);
	return error;
}

// Whether the copy was made: not while the runtime shows that it is at work on its heap, unless there
// will be no better moment.
static struct error *graph_copy(struct session_graph *graph, enum target_effort effort,
				struct session_look *look, bool *ret_copied)
{
	struct session *session = graph->session;
	struct mem_source *source = NULL;
	struct session_held held;
	struct error *error = session_hold(session, look, &held);

	*ret_copied = !error && (effort == TARGET_EFFORT_LAST ||
				 session->target->ops->is_calm(session->target));
	if (*ret_copied) {
		// When that of a core file was nobody knows.
		graph->taken_ns = session->core ? 0 : clock_now_ns();
		error = graph_save_stacks(graph, &held);
		if (!error)
			error = graph_hold_verifier(graph, effort, &held, ret_copied);
	}
	if (!error && *ret_copied)
		error = session_freeze(session, &held, look, &source);
	if (!error && *ret_copied)
		error = graph_fill(graph, source);
	if (!error && *ret_copied && graph->verifier)
		error = session_verifier_collect(session, graph->verifier, held.clone);
	session_let_go(&held, look);
	return error;
}

static struct error *graph_stop_and_walk(struct session *session, struct session_stop *base,
					 enum target_effort effort, struct session_look *look,
					 struct target_verdict *verdict)
{
	struct graph_stop *stop = (struct graph_stop *)base;
	bool copied;

	heap_sink_reset(stop->builder);
	struct error *error = graph_copy(stop->graph, effort, look, &copied);
	if (error)
		return error;
	if (!copied) {
		*verdict = (struct target_verdict){.ref_total = -1};
		stop->stop.skipped = true;
		return NULL;
	}
	uint64_t begin_ns = clock_now_ns();
	error = session->target->ops->walk(session->target, &stop->graph->moment, stop->builder,
					   session->options.threads, effort, verdict);
	stop->graph->cost.walk_ns += clock_now_ns() - begin_ns;
	return error;
}

static void graph_destroy_sink(struct heap_sink **sink)
{
	heap_sink_destroy(*sink);
}

static void graph_cleanup(struct session_graph **graph)
{
	session_graph_destroy(*graph);
}

static struct error *graph_make_room(struct session_graph *graph)
{
	uint64_t begin_ns = clock_now_ns();

	if (graph->session->core)
		return NULL;
	struct error *error =
		mem_mirror_create(graph->session->process.source, graph->session->options.threads,
				  UINT64_MAX, &graph->mirror);

	graph->cost.copy_ns += clock_now_ns() - begin_ns;
	return error;
}

// The structs of objects were asked for after the session was opened, and to read them from DWARF again
// takes as long as to walk a million objects. The answer does not depend on it.
static void graph_save_layouts(struct session *session)
{
	error_destroy(module_list_save(session->process.modules));
}

static struct error *graph_pack(struct session_graph *graph, struct heap_sink *builder)
{
	uint64_t begin_ns = clock_now_ns();
	struct error *error = heap_builder_finish(builder, &graph->heap);

	graph->cost.pack_ns = clock_now_ns() - begin_ns;
	return error;
}

static struct error *graph_build(struct session *session, struct session_verifier *verifier,
				 struct session_look *look, struct session_graph **ret)
{
	CLEANUP(graph_cleanup) struct session_graph *graph = calloc(1, sizeof(*graph));
	CLEANUP(graph_destroy_sink) struct heap_sink *builder = NULL;
	uint64_t begin_ns = clock_now_ns();

	if (!graph)
		return error_no_memory();
	graph->session = session;
	graph->verifier = verifier;
	struct error *error = graph_make_room(graph);
	if (!error)
		error = heap_builder_create(session->options.threads, &builder);
	struct graph_stop stop = {
		.stop.run = graph_stop_and_walk,
		.graph = graph,
		.builder = builder,
	};
	if (!error)
		error = session_look_at(session, &stop.stop, look);
	if (!error)
		error = graph_pack(graph, builder);
	if (!error)
		error = graph_add_labels(graph);
	if (error)
		return error;
	graph_save_layouts(session);
	graph->cost.copied_bytes = graph->mirror ? mem_mirror_copied_bytes(graph->mirror) : 0;
	graph->cost.build_ns = clock_now_ns() - begin_ns;
	graph->verifier = NULL;
	*ret = take_ptr(graph);
	return NULL;
}

struct error *session_graph(struct session *session, struct session_look *look,
			    struct session_graph **ret)
{
	return graph_build(session, NULL, look, ret);
}

struct error *session_verified_graph(struct session *session, struct session_look *look,
				     struct session_graph **ret, struct target_collection *returned,
				     struct target_collection *saved)
{
	struct session_verifier verifier = {0};
	enum inspected_snapshot before = session->snapshot;
	struct error *error = session_wants_process(session, "run collections in clones of");

	if (!error)
		error = session_verifier_prepare(session, &verifier);
	session->snapshot = INSPECTED_CLONE;
	if (!error)
		error = graph_build(session, &verifier, look, ret);
	session->snapshot = before;
	*returned = verifier.returned;
	*saved = verifier.saved;
	verifier.returned = verifier.saved = (struct target_collection){0};
	session_verifier_deinit(&verifier);
	return error;
}

void session_graph_destroy(struct session_graph *graph)
{
	if (!graph)
		return;
	graph->session->target->ops->forget(graph->session->target);
	heap_destroy(graph->heap);
	mem_source_destroy(graph->mirror);
	session_stacks_deinit(&graph->stacks);
	free(graph);
}

struct heap *session_graph_heap(struct session_graph *graph)
{
	return graph->heap;
}

uint64_t session_graph_taken_ns(const struct session_graph *graph)
{
	return graph->taken_ns;
}

const struct inspected_cost *session_graph_cost(const struct session_graph *graph)
{
	return &graph->cost;
}

struct error *session_graph_annotate(struct session *session, struct session_graph *graph)
{
	if (graph->heap->is_annotated)
		return NULL;
	struct error *error = session->target->ops->annotate(session->target, &graph->moment,
							     graph->heap, session->options.threads);
	graph_save_layouts(session);
	return error;
}

struct error *session_graph_collect(struct session *session, struct session_graph *graph,
				    struct target_collection *ret)
{
	return session->target->ops->collect(session->target, &graph->moment,
					     graph->heap->object_count, ret);
}

struct error *session_graph_describe(struct session *session, struct session_graph *graph,
				     uint32_t object, size_t chars_max, struct text *into)
{
	enum target_telling telling = session->redacts ? TARGET_TELL_SHAPES : TARGET_TELL_ALL;

	return session->target->ops->describe(session->target, &graph->moment,
					      graph->heap->at[object], telling, chars_max, into);
}
