/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SESSION_H
#define SESSION_H

/*
 * Composition root: one inspected process, from the words of the user to something that can be
 * asked. Opens the memory, the modules and the adapter while the process runs; stops it only for a
 * look, and again when the look fell on a bad moment. Prints nothing.
 */

#include <sys/types.h>

#include "heap/counter.h"
#include "targets/target.h"
#include "ui/inspected.h"
#include "ui/report/report.h"

struct session;

struct session_options {
	/** How often a process is stopped at most for one look; 0 takes the default (64). */
	unsigned stops_max;
	/** Threads of ours that walk; 0 takes the number of processors. */
	unsigned threads;
};

/** Checks that @a pid can be inspected and opens everything that is needed; does not stop it. */
MUST_USE struct error *session_open(pid_t pid, const struct session_options *options,
				    struct session **ret);

/** The same of the core file @a path: each look at it is of the one moment that it has, and none stops
 *  anything. */
MUST_USE struct error *session_open_core(const char *path, const struct session_options *options,
					 struct session **ret);

/** How many threads of ours may work at a time. */
unsigned session_thread_count(const struct session *session);

/** Takes NULL. */
void session_close(struct session *session);

/** What session_census() and session_graph() read from now on; a copy to begin with. */
void session_use_snapshot(struct session *session, enum inspected_snapshot snapshot);

/** Whether labels and descriptions from now on tell types, sizes and names of code alone; no to begin
 *  with. */
void session_redact(struct session *session, bool redacts);

pid_t session_pid(const struct session *session);

/** The arguments as one NUL-separated block of *@a ret_bytes bytes, freed by the caller; those of a core file
 *  as far as it has them, cut at blanks. */
MUST_USE struct error *session_arguments(const struct session *session, char **ret,
					 size_t *ret_bytes);

/** Fills the head of a report: process, runtime, and, unless NULL, how @a look went and what @a census
 *  could not read. Pointers live as long as session and look. */
void session_head(const struct session *session, const char *verb, const struct session_look *look,
		  const struct census *census, struct report_head *ret);

/** Stops the process, counts every object, lets it go; without those that only the runtime's caches keep,
 *  unless @a caches. */
MUST_USE struct error *session_census(struct session *session, bool caches,
				      struct session_look *look, struct census *ret);

/** Stops the process briefly, reads the facts of `info`, lets it go. Threads come with their kernel
 *  ids. */
MUST_USE struct error *session_facts(struct session *session, struct session_look *look,
				     struct target_facts *ret);

/** Stops the process briefly, reads which functions run in which thread, lets it go. Threads come with
 *  their kernel ids. @a ret is zero-initialised; the caller deinits it, after an error too. */
MUST_USE struct error *session_call_stacks(struct session *session, struct session_look *look,
					   struct target_call_stacks *ret);

/**
 * Runs @a code in a clone of the process, in which it reaches nothing (mem/clone/clone_run.h). The clone is
 * made when there is none, at a moment at which the runtime stands firm if one comes soon, and lives until
 * session_end_code() or until it is lost; @a clone tells about it. The caller deinits *@a ret.
 */
MUST_USE struct error *session_run_code(struct session *session, const struct target_code *code,
					struct inspected_clone *clone, struct target_answer *ret);
/** Kills the clone, if there is one. */
void session_end_code(struct session *session);

/** The graph of references of one moment, with the copy of the process's memory that it was made of. */
struct session_graph;

/**
 * Stops the process, copies its memory, lets it go, and builds the graph of references from the copy;
 * @a look tells how long the process stood still, not how long that took. The graph's labels and
 * descriptions read the copy, which lives in *@a ret too; the session must outlive it.
 */
MUST_USE struct error *session_graph(struct session *session, struct session_look *look,
				     struct session_graph **ret);

/**
 * The same, of a clone, and what the runtime's own collection does in clones of the same moment: what it
 * returns, and, in another one, what it found and was kept from freeing. The caller deinits both, after
 * an error too.
 */
MUST_USE struct error *session_verified_graph(struct session *session, struct session_look *look,
					      struct session_graph **ret,
					      struct target_collection *returned,
					      struct target_collection *saved);

/** Takes NULL. */
void session_graph_destroy(struct session_graph *graph);

/** Lives as long as @a graph. */
struct heap *session_graph_heap(struct session_graph *graph);

/** When the process stood still for it (base/clock.h). */
uint64_t session_graph_taken_ns(const struct session_graph *graph);

/** What it took to build it; lives as long as @a graph. */
const struct inspected_cost *session_graph_cost(const struct session_graph *graph);

/** Finds what in C code holds objects, leaks and generations (target_ops.annotate()); once. */
MUST_USE struct error *session_graph_annotate(struct session *session, struct session_graph *graph);

/** Tries a collection over the graph's copy of the memory (target_ops.collect()). The caller deinits
 *  *@a ret. */
MUST_USE struct error *session_graph_collect(struct session *session, struct session_graph *graph,
					     struct target_collection *ret);

/** Appends what repr() might say of object @a object of the heap, at most @a chars_max
 *  characters. */
MUST_USE struct error *session_graph_describe(struct session *session, struct session_graph *graph,
					      uint32_t object, size_t chars_max, struct text *into);

#endif
