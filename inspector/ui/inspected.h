/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_INSPECTED_H
#define UI_INSPECTED_H

/*
 * What a verb may ask of the inspected process, and nothing more: verbs stand below the session that
 * answers them, so they see it through this. One implementation is the session's (main.c), one
 * watches over another's answers for the console, one is a fake for tests.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/text.h"
#include "heap/counter.h"
#include "heap/heap.h"
#include "targets/target.h"
#include "ui/report/report.h"

/** What is read: the stopped process itself (or a copy of its memory), a frozen clone of it, while it
 *  runs on, or a core file, where nothing else can be. */
enum inspected_snapshot { INSPECTED_COPY, INSPECTED_CLONE, INSPECTED_CORE };

/** One look at the process: how it went. */
struct session_look {
	enum inspected_snapshot snapshot;
	/** How long the last clone lived, which is how long the process paid for what it wrote; 0 when
	 *  there was none. */
	uint64_t clone_ns;
	/** Why there is no clone though one was wanted; "" otherwise. */
	char not_cloned[240];
	/** Why the process keeps the clone's entry in the table of processes; "" otherwise. */
	char left_behind[240];
	/** How long the process stood still: in the stop that counted, and in all of them. */
	uint64_t pause_ns;
	uint64_t pause_total_ns;
	/** 1 when the first moment was a consistent one. */
	unsigned stops;
	bool consistent;
	/** The runtime's own sum of all reference counts at that moment, -1 when it keeps none, and
	 *  its parts that are in no object's row (struct target_verdict). A census alone fills these. */
	int64_t ref_total;
	int64_t ref_total_static;
	int64_t ref_total_hidden;
	/** Why the last stop was not consistent; "" otherwise. */
	char reason[160];
};

/** The clone that code was run in. */
struct inspected_clone {
	/** It was made for this code. The rest is about how. */
	bool is_new;
	/** Stops until the moment was one to run code at, and how long the process stood still in all. */
	unsigned stops;
	uint64_t pause_total_ns;
	/** Why the moment was not a good one, and was taken all the same; "" otherwise. */
	char unsafe[160];
	/** Clones that were lost before it could run anything, and how the last one was. */
	unsigned lost_count;
	char lost[160];
};

/** What it took to build a graph. Times are by the clock, over all stops that were made for it. */
struct inspected_cost {
	/** From the preparation of the first stop until the graph was there: the waiting between two
	 *  stops, too. */
	uint64_t build_ns;
	/** Of that: making room for the copy and copying; walking the copies; packing what was met. */
	uint64_t copy_ns;
	uint64_t walk_ns;
	uint64_t pack_ns;
	/** The copy that the graph was made of. */
	uint64_t copied_bytes;
};

/** The graph of references of one moment. */
struct inspected_graph {
	struct heap *heap;
	struct session_look look;
	/** When it was taken (base/clock.h), 0 when that is not known. */
	uint64_t taken_ns;
	struct inspected_cost cost;
	/** How many threads of ours may work on it at a time. */
	unsigned thread_count;
};

struct inspected;

struct inspected_ops {
	struct error *(*census)(struct inspected *inspected, bool caches, struct session_look *look,
				struct census *ret);
	struct error *(*facts)(struct inspected *inspected, struct session_look *look,
			       struct target_facts *ret);
	struct error *(*call_stacks)(struct inspected *inspected, struct session_look *look,
				     struct target_call_stacks *ret);
	struct error *(*graph)(struct inspected *inspected, const struct inspected_graph **ret);
	struct error *(*describe)(struct inspected *inspected, uint32_t object, size_t chars_max,
				  struct text *into);
	struct error *(*annotate)(struct inspected *inspected);
	struct error *(*collect)(struct inspected *inspected, struct target_collection *ret);
	struct error *(*verify)(struct inspected *inspected, const struct inspected_graph **ret,
				struct target_collection *returned,
				struct target_collection *saved);
	struct error *(*run_code)(struct inspected *inspected, const struct target_code *code,
				  struct inspected_clone *clone, struct target_answer *ret);
	void (*end_code)(struct inspected *inspected);
	void (*forget)(struct inspected *inspected);
	struct error *(*arguments)(struct inspected *inspected, char **ret, size_t *ret_bytes);
	void (*use_snapshot)(struct inspected *inspected, enum inspected_snapshot snapshot);
	void (*redact)(struct inspected *inspected, bool redacts);
	void (*head)(const struct inspected *inspected, const char *verb,
		     const struct session_look *look, const struct census *census,
		     struct report_head *ret);
};

/** Implementations embed this as their first member. */
struct inspected {
	const struct inspected_ops *ops;
	/** 0 for a core file: there is no process that could be asked. */
	pid_t pid;
	/** The path of the core file; NULL for a process. */
	const char *core;
};

/** Opens other processes than the one a verb was given, for verbs that look at several. */
struct inspected_opener {
	/** Checks that @a pid can be inspected, as for the TARGET of a verb; does not stop it. */
	struct error *(*open)(struct inspected_opener *opener, pid_t pid, struct inspected **ret);
	/** What open() gave; takes NULL. */
	void (*close)(struct inspected_opener *opener, struct inspected *inspected);
};

/** Stops the process, counts every object, lets it go. The caller deinits the census. */
MUST_USE static inline struct error *inspected_census(struct inspected *inspected,
						      struct session_look *look, struct census *ret)
{
	return inspected->ops->census(inspected, true, look, ret);
}

/** The same without the objects that only the runtime's own caches keep: what is compared with a later
 *  count, in which such a cache is fuller. */
MUST_USE static inline struct error *inspected_census_without_caches(struct inspected *inspected,
								     struct session_look *look,
								     struct census *ret)
{
	return inspected->ops->census(inspected, false, look, ret);
}

/** Stops the process briefly, reads the facts of `info`, lets it go. The caller deinits them. */
MUST_USE static inline struct error *
inspected_facts(struct inspected *inspected, struct session_look *look, struct target_facts *ret)
{
	return inspected->ops->facts(inspected, look, ret);
}

/** Stops the process briefly, reads which functions run in which thread, lets it go. The caller deinits
 *  *@a ret, zero-initialised before, after an error too. */
MUST_USE static inline struct error *inspected_call_stacks(struct inspected *inspected,
							   struct session_look *look,
							   struct target_call_stacks *ret)
{
	return inspected->ops->call_stacks(inspected, look, ret);
}

/** The graph, built when first asked for: stops the process, copies its memory, lets it go. Owned by
 *  @a inspected and the same until inspected_forget(): addresses stay valid from verb to verb. */
MUST_USE static inline struct error *inspected_graph(struct inspected *inspected,
						     const struct inspected_graph **ret)
{
	return inspected->ops->graph(inspected, ret);
}

/** Appends what repr() might say of object @a object of the graph, at most @a chars_max characters.
 *  After inspected_graph() only. */
MUST_USE static inline struct error *inspected_describe(struct inspected *inspected,
							uint32_t object, size_t chars_max,
							struct text *into)
{
	return inspected->ops->describe(inspected, object, chars_max, into);
}

/** Adds to the graph what takes another look at the memory: what in C code holds objects, leaked
 *  references, generations (heap_add_holders()). After inspected_graph() only; once does. */
MUST_USE static inline struct error *inspected_annotate(struct inspected *inspected)
{
	return inspected->ops->annotate(inspected);
}

/** Tries a collection over the graph's copy of the memory, with all code that it runs; the process does
 *  not notice. After inspected_graph() only; the caller deinits *@a ret. */
MUST_USE static inline struct error *inspected_collect(struct inspected *inspected,
						       struct target_collection *ret)
{
	return inspected->ops->collect(inspected, ret);
}

/** A new graph, in place of the one before, and what the runtime's own collection did in clones of the
 *  same moment: what it returned, and, in another clone, what it found and was kept from freeing. The
 *  caller deinits both, after an error too. */
MUST_USE static inline struct error *inspected_verify(struct inspected *inspected,
						      const struct inspected_graph **ret,
						      struct target_collection *returned,
						      struct target_collection *saved)
{
	return inspected->ops->verify(inspected, ret, returned, saved);
}

/** Runs code in a clone of the process, where it reaches nothing. The clone is made when there is none,
 *  and lives until inspected_end_code(), or until the answer says that it is lost. The caller deinits
 *  *@a ret. */
MUST_USE static inline struct error *inspected_run_code(struct inspected *inspected,
							const struct target_code *code,
							struct inspected_clone *clone,
							struct target_answer *ret)
{
	return inspected->ops->run_code(inspected, code, clone, ret);
}

static inline void inspected_end_code(struct inspected *inspected)
{
	inspected->ops->end_code(inspected);
}

/** The arguments as one NUL-separated block of *@a ret_bytes bytes, freed by the caller. Of a core file: as
 *  far as it has them, and cut at blanks. */
MUST_USE static inline struct error *inspected_arguments(struct inspected *inspected, char **ret,
							 size_t *ret_bytes)
{
	return inspected->ops->arguments(inspected, ret, ret_bytes);
}

/** Drops the graph: the next one is of another moment. */
static inline void inspected_forget(struct inspected *inspected)
{
	inspected->ops->forget(inspected);
}

/** What the looks from now on read. Where a clone cannot be had, the process is read, and the look says
 *  why. */
static inline void inspected_use_snapshot(struct inspected *inspected,
					  enum inspected_snapshot snapshot)
{
	inspected->ops->use_snapshot(inspected, snapshot);
}

/** Whether labels and descriptions from now on tell types, sizes and names of code alone, and no value.
 *  command_run() says it for each verb (command_context.redacts). */
static inline void inspected_redact(struct inspected *inspected, bool redacts)
{
	inspected->ops->redact(inspected, redacts);
}

/** The head of a report; @a look and @a census may be NULL, else they outlive the head. */
static inline void inspected_head(const struct inspected *inspected, const char *verb,
				  const struct session_look *look, const struct census *census,
				  struct report_head *ret)
{
	inspected->ops->head(inspected, verb, look, census, ret);
	if (look) {
		ret->pause_total_ns = look->pause_total_ns;
		ret->snapshot = look->snapshot == INSPECTED_CLONE  ? "clone"
				: look->snapshot == INSPECTED_CORE ? "core"
								   : "copy";
		ret->clone_ns = look->clone_ns;
		ret->not_cloned = look->not_cloned;
		ret->left_behind = look->left_behind;
	}
	if (census) {
		ret->problem_texts = (const char *const *)census->problem_texts;
		ret->problem_text_count = census->problem_text_count;
	}
}

/** The head of a report over the graph; @a graph outlives it. */
static inline void inspected_graph_head(const struct inspected *inspected, const char *verb,
					const struct inspected_graph *graph,
					struct report_head *ret)
{
	inspected_head(inspected, verb, &graph->look, NULL, ret);
	ret->age_ns = graph->taken_ns ? clock_now_ns() - graph->taken_ns : 0;
	ret->unreadable = graph->heap->unreadable;
	ret->truncated = graph->heap->truncated;
	ret->problem_texts = (const char *const *)graph->heap->problem_texts;
	ret->problem_text_count = graph->heap->problem_text_count;
	ret->graph = (struct report_graph){
		.is_known = true,
		.object_count = graph->heap->object_count,
		.reference_count = graph->heap->first_edge[graph->heap->object_count],
		.build_ns = graph->cost.build_ns,
		.copy_ns = graph->cost.copy_ns,
		.walk_ns = graph->cost.walk_ns,
		.pack_ns = graph->cost.pack_ns,
		.bytes = heap_bytes(graph->heap),
		.copied_bytes = graph->cost.copied_bytes,
	};
}

#endif
